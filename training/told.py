"""How the commands of this folder begin and end: options from a configuration; 0, or one line of what went
wrong and 1."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field
from functools import wraps
from typing import ClassVar, Protocol, TypeVar

Main = Callable[..., int]


class Configuration(Protocol):
    """A dataclass of plain fields."""

    __dataclass_fields__: ClassVar[dict[str, Field]]


Made = TypeVar("Made", bound=Configuration)
KINDS = {"str": str, "int": int, "float": float}


def from_options(made: type[Made], prog: str, doc: str | None, argv: list[str] | None) -> Made:
    """A configuration whose every field is an option: `rate_of: float = 1.0` is `--rate-of 1.0`, a bool is
    `--it` and `--no-it`, a field without a default must be given."""
    parser = argparse.ArgumentParser(prog=f"python -m {prog}", description=doc)
    for name, field in made.__dataclass_fields__.items():
        option, needed = f"--{name.replace('_', '-')}", field.default is MISSING
        if field.type == "bool":
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            default = None if needed else field.default
            parser.add_argument(option, type=KINDS[str(field.type)], required=needed, default=default)
    return made(**vars(parser.parse_args(argv)))


def in_one_line(main: Callable[[list[str] | None], None]) -> Main:
    """`main` with its expected failures told in one line instead of a traceback."""

    @wraps(main)
    def told(argv: list[str] | None = None) -> int:
        try:
            main(argv)
        except (OSError, ValueError, RuntimeError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        return 0

    return told
