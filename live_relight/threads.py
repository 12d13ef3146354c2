"""Small tools for the edges: the newest value wins, a thread that never dies silently, one that works
ahead."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

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


class Ahead(Generic[T]):
    """What an iterator gives, made in a thread of its own that is one ahead and no more: `make` begins on the
    next value when this one is taken. `make` is handed the event that asks it to stop."""

    HANGS = 60.0
    """Seconds after which what is being made is taken to hang: the longest that a first frame compiles."""

    def __init__(self, name: str, make: Callable[[threading.Event], Iterator[T]]) -> None:
        self._make = make
        self._slot: Latest[T] = Latest()
        self._ended = False
        self._worker = Worker(name, self._body).start()
        # A daemon that is at work in a library when the program ends takes it down.
        atexit.register(self.close)

    def _body(self, stopping: threading.Event) -> None:
        try:
            for value in self._make(stopping):
                self._slot.put(value)
                while not stopping.is_set() and not self._slot.wait_taken(0.1):
                    pass
                if stopping.is_set():
                    return
        finally:
            self._slot.close()

    @property
    def ended(self) -> bool:
        """True once everything has been taken."""
        return self._ended

    def take(self, timeout: float | None = None) -> T | None:
        """The next value; None: nothing came within `timeout` seconds, or there is no more (`ended`). Raises
        what `make` raised."""
        value = self._slot.take(timeout)
        if value is None and self._slot.closed:
            value = self._slot.take(0)  # it may have been put just before the closing
            if value is None:
                self._worker.join()
                self._worker.check()
                self._ended = True
        return value

    def close(self) -> None:
        """Waits for what is being made: what it is made with is closed next. What hangs for good is ended by
        a second Ctrl-C. May be called twice."""
        self._worker.join(self.HANGS)
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
