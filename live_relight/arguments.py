"""Words of a command line: argparse with errors of one line, hints for what was mistyped, checked values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from .core.errors import UsageError, nearest


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line with the nearest known word."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, todo=f"see {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            where = f"{self.command}: " if self.command else ""
            known = map(str, action.choices)
            raise UsageError(f"{where}unknown {action.dest} '{value}'", todo=nearest(str(value), known))

    @property
    def command(self) -> str:
        """'' for the whole program."""
        return self.prog.partition(" ")[2]

    @property
    def options(self) -> list[str]:
        return [o for action in self._actions for o in action.option_strings]

    @property
    def commands(self) -> dict[str, Parser]:
        found = (a.choices for a in self._actions if isinstance(a, argparse._SubParsersAction))
        return {name: parser for choices in found for name, parser in choices.items()}


def parse(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """argparse's result; a word that the command in use does not know is a UsageError with a hint."""
    first = next((word for word in words if word not in parser.options), "")
    if first.startswith("-"):
        raise UsageError(f"unknown argument '{first}'", todo=_hint(first, parser, parser))
    args, unknown = parser.parse_known_args(words)
    if unknown:
        # What follows an unknown option is most likely its value.
        word = next((word for word in unknown if word.startswith("-")), unknown[0])
        used = parser.commands[args.command]
        raise UsageError(f"unknown argument '{word}'", todo=_hint(word, used, parser))
    return args


def _hint(word: str, used: Parser, top: Parser) -> str:
    """What may be meant by a word that `used` does not know; `top`: no command is in use yet."""
    name = word.split("=")[0]
    see = f"see {used.prog} --help"
    if not word.startswith("-"):
        return see
    owners = [f"`{n}`" for n, command in top.commands.items() if name in command.options]
    if owners:
        names = " and ".join(filter(None, (", ".join(owners[:-1]), owners[-1])))
        return f"it belongs to {names}" + (", after the command" if used is top else "")
    if name in top.options:
        return "it goes before the command"
    known = used.options if used is not top else [o for c in (top, *top.commands.values()) for o in c.options]
    close = nearest(name, [option for option in known if option.startswith("--")])
    return close if close.startswith("did you mean") else see


def whole(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"got '{text}', expected a whole number from 1")
    return value


def rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"got '{text}', expected frames per second from 0.1 to 1000")
    return value


def number(low: float, high: float) -> Callable[[str], float]:
    def check(text: str) -> float:
        try:
            return float(text)  # its limits are the Look's to check, as a configuration's
        except ValueError:
            expected = f"a number in {low:g}..{high:g}"
            raise argparse.ArgumentTypeError(f"got '{text}', expected {expected}") from None

    return check


def path(text: str) -> Path:
    # An unset shell variable: Path('') would be the working folder.
    if not text:
        raise argparse.ArgumentTypeError("got '', expected a path")
    return Path(text)
