"""Paths that somebody typed: what is there, in words, and whole files of a bounded size.

A FIFO blocks whoever opens it and a device may never end, so we look before we open.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from .errors import LiveRelightError

JOIN_VIDEO = "sudo usermod -aG video $USER, then log in again"
"""What gives a user of Linux the right to open cameras."""
_KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: True, "a device"),
)


def reason(error: Exception) -> str:
    """The system's own words for what went wrong, without number and name."""
    return getattr(error, "strerror", None) or str(error)


def kind(path: Path) -> str:
    """'a file', 'a folder', 'a FIFO', 'a socket' or 'a device', links followed; '' where nothing is.

    Raises OSError where it cannot be told: a locked folder, a name too long, links in a circle.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except ValueError as error:  # Python's own check, before the system is asked
        raise OSError(errno.EINVAL, "a NUL character in the name") from error
    return next(name for test, name in _KINDS if test(mode))


def own_folder(what: str, windows: str, mac: str, variable: str, linux: str) -> Path:
    """The user's folder of that kind on this system. `windows`: an environment variable and the folder below
    the home that it usually names, 'APPDATA=AppData/Roaming'; `mac`: a folder below the home; `variable` and
    `linux`: the same for the rest. Raises LiveRelightError for `what` where the system names no home."""
    if sys.platform == "win32":
        variable, _, usual = windows.partition("=")
    elif sys.platform == "darwin":
        variable, usual = "", mac
    else:
        usual = linux
    given = os.environ.get(variable, "")
    try:
        # A relative one is to be ignored, says the XDG specification.
        return Path(given) if os.path.isabs(given) else Path.home() / usual
    except RuntimeError:
        raise LiveRelightError(what, "no home folder", todo="set HOME") from None


def read_whole(path: Path, limit: int) -> bytes:
    """The bytes of a regular file, at most `limit`. Raises OSError with words that fit after 'got'."""
    found = kind(path)
    if not found:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if found != "a file":
        raise OSError(errno.EINVAL, found)
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise OSError(errno.EFBIG, f"more than {limit // 1_000_000} MB")
        return file.read()
