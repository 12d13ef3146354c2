"""Two small tools for the edges: the newest value wins, and a thread that never dies silently."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """A slot that holds the newest value only. Video is never queued: what was not taken in time is lost
    and counted in `dropped`."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._value: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, value: T) -> None:
        with self._ready:
            if self._value is not None:
                self.dropped += 1
            self._value = value
            self._ready.notify_all()

    def take(self, timeout: float | None = None) -> T | None:
        """The newest value, once; waits up to `timeout` seconds. None: nothing came, or closed and empty."""
        with self._ready:
            self._ready.wait_for(lambda: self._value is not None or self._closed, timeout)
            value, self._value = self._value, None
            if value is not None:
                self._ready.notify_all()
            return value

    def wait_taken(self, timeout: float | None = None) -> bool:
        """True once the slot is empty: lets a producer go in step where nothing may be lost."""
        with self._ready:
            return self._ready.wait_for(lambda: self._value is None or self._closed, timeout)

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed


class Worker:
    """A named thread with a stop event. What its body raises is kept and raised again by `check`/`join`
    in the thread that owns it."""

    def __init__(self, name: str, body: Callable[[threading.Event], None]) -> None:
        self.name = name
        self.stopping = threading.Event()
        self._body = body
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Worker:
        self._thread.start()
        return self

    def _run(self) -> None:
        try:
            self._body(self.stopping)
        except BaseException as error:
            self._error = error

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def check(self) -> None:
        """Raises what the thread died of, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def join(self, timeout: float = 1.0) -> bool:
        """Asks the thread to stop and waits; False when it is still busy (a daemon, it dies with us)."""
        self.stopping.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()
