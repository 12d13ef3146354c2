"""One program at a time: locks on files."""

from __future__ import annotations

import contextlib
import errno
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from .core.errors import SinkError
from .core.paths import reason


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the lock of a file, which is made and stays; calls `waiting` once if another program has it. The
    system gives back the lock of a program that died. Raises SinkError where the file cannot be written."""
    try:
        file = path.open("a+b")
    except OSError as error:
        raise SinkError(f"cannot write {path}", reason(error)) from error
    with file:  # the file stays: were it removed, two programs could hold two locks of one name
        if not _try_lock(file):
            waiting()
            while not _try_lock(file):
                time.sleep(0.1)
        yield


def _try_lock(file: IO[bytes]) -> bool:
    """Whether it is ours now."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # A file system without locks: two programs may do the same, and write whole files.
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True
