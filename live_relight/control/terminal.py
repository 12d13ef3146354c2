"""Keys from the terminal that runs the program, and its one status line."""

from __future__ import annotations

import codecs
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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


def split_unfinished(text: str) -> tuple[str, str]:
    """What can be decoded now, and an escape sequence at the end that is not complete yet."""
    match = re.search(r"\x1b(?:[\[O][^@-~]*)?$", text)
    return (text[: match.start()], text[match.start() :]) if match else (text, "")


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
    if _in_background(fd):
        yield False  # touching the terminal would stop us
        return
    saved = termios.tcgetattr(fd)

    def restore() -> None:
        if _in_background(fd):
            return  # the shell has taken it back already; setting it from here would stop us
        with suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(fd, termios.TCSANOW, saved)

    _restores.append(restore)
    try:
        tty.setcbreak(fd)
        yield True
    finally:
        _restores.remove(restore)
        restore()


def _in_background(fd: int) -> bool:
    """Whether a shell runs us as a background job (`live-relight run &`)."""
    try:
        return os.tcgetpgrp(fd) != os.getpgrp()
    except OSError:
        return False  # not our controlling terminal: no job control


_restores: list[Callable[[], None]] = []


def restore_all() -> None:
    """Gives the terminal back at once, for an exit that unwinds nothing."""
    for restore in _restores:
        restore()


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
    reader = codecs.getincrementaldecoder("utf-8")(errors="ignore")
    tail = ""
    while not stopping.is_set():
        _take_back(fd)
        # A slow line may cut an arrow's sequence in two: what is unfinished waits a moment for its rest.
        if not select.select([fd], [], [], 0.05 if tail else 0.25)[0]:
            tail = ""
            continue
        if _in_background(fd):  # what is typed is the shell's, and reading it would stop us
            stopping.wait(0.25)
            continue
        if not select.select([fd], [], [], 0)[0]:
            continue  # it was the shell's, before `fg`: to wait in `read` would be to wait for Enter
        try:
            data = os.read(fd, 4096)
        except OSError:
            return  # the terminal is gone
        if not data:
            return
        text, tail = split_unfinished(tail + reader.decode(data))
        yield from decode(text)


def _take_back(fd: int) -> None:
    """Single key presses again: after Ctrl-Z and `fg` a shell may leave the terminal waiting for Enter. Looks
    first and asks who is in front last: whoever sets a terminal that was taken away meanwhile is stopped."""
    if sys.platform == "win32":
        return
    import termios
    import tty

    with suppress(termios.error):  # the terminal may be gone: reading it says so
        if termios.tcgetattr(fd)[3] & termios.ICANON and not _in_background(fd):
            tty.setcbreak(fd, termios.TCSANOW)  # what was typed in the meantime counts


class StatusLine:
    """Rewrites one line at the bottom of a terminal; silent where there is none."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._shown = False

    @property
    def width(self) -> int:
        """Characters that `show` has room for, on the terminal that it writes to: standard output may go
        elsewhere, and the environment remembers how wide a window was."""
        with suppress(OSError, ValueError):
            if columns := os.get_terminal_size(sys.stderr.fileno()).columns:
                return columns - 1
        return shutil.get_terminal_size((100, 24)).columns - 1

    def show(self, text: str) -> None:
        if not self._tty:
            return
        self._write("\r\x1b[K" + text[: self.width])
        self._shown = True

    def say(self, text: str) -> None:
        """A line that stays, above the status line."""
        self._write(("\r\x1b[K" if self._shown else "") + text + "\n")
        self._shown = False

    def close(self) -> None:
        if self._shown:
            self._write("\n")
            self._shown = False

    @staticmethod
    def _write(text: str) -> None:
        # Whoever read our words may leave (`| head`, a closed window): the light goes on.
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()
