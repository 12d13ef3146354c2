"""Whether Ctrl-C, SIGTERM or SIGHUP came. An extension module that is being loaded when a signal arrives
turns it into an ImportError; this remembers what it really was."""

from __future__ import annotations

import signal
from types import FrameType

EXIT_STATUS = 130
_seen: list[int] = []


def arrived() -> bool:
    """True once a signal asked the program to end."""
    return bool(_seen)


def install() -> None:
    """Makes every such signal a KeyboardInterrupt. What nohup or a shell ignores for us stays ignored."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


def note(number: int) -> None:
    """For handlers of others: signal `number` came."""
    _seen.append(number)


def _handle(number: int, frame: FrameType | None) -> None:
    note(number)
    raise KeyboardInterrupt
