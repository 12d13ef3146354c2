"""Lets one thread read a device while another closes it: the last one out turns off the light."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Guard:
    """Capture libraries crash when a handle is closed under a running read. With a guard, `close` only marks
    the thing as closed when a read is under way, and the reading thread releases it on its way out.

    with guard as open_: if not open_: return None; … use the handle …
    """

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._lock = threading.Lock()
        self._busy = False
        self._released = False
        self._closed = threading.Event()

    def __enter__(self) -> bool:
        """False when the thing is closed: do not touch it."""
        with self._lock:
            self._busy = not self._closed.is_set()
            return self._busy

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._busy = False
            self._finish()

    def close(self) -> None:
        """Never blocks and may be called from any thread, any number of times."""
        with self._lock:
            self._closed.set()
            if not self._busy:
                self._finish()

    def _finish(self) -> None:
        if self._closed.is_set() and not self._released:
            self._released = True
            self._release()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def sleep(self, seconds: float) -> bool:
        """Waits, but not longer than until `close`; False when closed."""
        return not (self._closed.wait(seconds) if seconds > 0 else self._closed.is_set())
