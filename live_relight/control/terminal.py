"""Keys from the terminal that runs the program, and its one status line."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ESCAPES = {
    "[A": "up",
    "[B": "down",
    "[C": "right",
    "[D": "left",
    "OA": "up",
    "OB": "down",
    "OC": "right",
    "OD": "left",
}


def decode(text: str) -> list[str]:
    """What a terminal sent to names of keys: escape sequences of arrows become 'up', 'left' ...; other
    sequences are dropped whole."""
    keys: list[str] = []
    i = 0
    while i < len(text):
        if text[i] == "\x1b":
            code = text[i + 1 : i + 3]
            if code in ESCAPES:
                keys.append(ESCAPES[code])
                i += 3
                continue
            i += 1
            if text[i : i + 1] in ("[", "O"):
                i += 1
                # A control sequence ends with a byte in @..~ (ECMA-48).
                while i < len(text) and not "@" <= text[i] <= "~":
                    i += 1
                i += 1
            continue
        keys.append({"\t": "tab", "\r": "enter", "\n": "enter"}.get(text[i], text[i]))
        i += 1
    return [k for k in keys if len(k) > 1 or k.isprintable()]


@contextmanager
def raw_keys() -> Iterator[bool]:
    """Lets single key presses through while inside (no Enter, no echo; Ctrl-C stays a signal).
    Yields False when there is no terminal to read from."""
    if not sys.stdin or not sys.stdin.isatty():
        yield False
        return
    if sys.platform == "win32":
        yield True
        return
    import termios
    import tty

    fd = sys.stdin.fileno()
    saved = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield True
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, saved)


def read_keys(stopping: threading.Event) -> Iterator[str]:
    """Keys as they are pressed, until `stopping` is set. Wakes four times a second to look."""
    if sys.platform == "win32":
        import msvcrt

        arrows = {"H": "up", "P": "down", "M": "right", "K": "left"}
        while not stopping.wait(0.03):
            while msvcrt.kbhit():
                key = msvcrt.getwch()
                if key in ("\x00", "\xe0"):
                    yield arrows.get(msvcrt.getwch(), "")
                else:
                    yield from decode(key)
        return
    import select

    fd = sys.stdin.fileno()
    while not stopping.is_set():
        if select.select([fd], [], [], 0.25)[0]:
            data = os.read(fd, 64)
            if not data:
                return
            yield from decode(data.decode(errors="ignore"))


class StatusLine:
    """Rewrites one line at the bottom of a terminal; silent where there is none."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._shown = False

    def show(self, text: str) -> None:
        if not self._tty:
            return
        width = shutil.get_terminal_size((100, 24)).columns - 1
        sys.stderr.write("\r\x1b[K" + text[:width])
        sys.stderr.flush()
        self._shown = True

    def say(self, text: str) -> None:
        """A line that stays, above the status line."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            self._shown = False
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._shown:
            sys.stderr.write("\n")
            self._shown = False
