"""The capture thread: reads a source ahead of the pipeline, one frame and no more."""

from __future__ import annotations

import threading
from types import TracebackType

from live_relight.core.frames import Frame
from live_relight.core.stages import Source
from live_relight.threads import Latest, Worker


class Grabber:
    """Owns `source` and reads it in a thread of its own, from construction on.

    `latest_only`: the newest frame wins and what was not taken in time counts as dropped (cameras, paced
    playback). Otherwise the thread waits until each frame is taken: nothing is lost and nothing runs ahead by
    more than one frame.

        while (frame := grabber.take(0.5)) is not None or not grabber.ended: …
        grabber.check()
    """

    def __init__(self, source: Source, latest_only: bool) -> None:
        self.source = source
        self._latest_only = latest_only
        self._slot: Latest[Frame] = Latest()
        self._ended = False
        self._worker = Worker("capture", self._body).start()

    def _body(self, stopping: threading.Event) -> None:
        try:
            while not stopping.is_set():
                frame = self.source.read()
                if frame is None:
                    return
                self._slot.put(frame)
                while not self._latest_only and not stopping.is_set() and not self._slot.wait_taken(0.1):
                    pass
        finally:
            # Here, so that it also happens when `close` gave up waiting for a read that hung.
            self._slot.close()
            self.source.close()

    def take(self, timeout: float | None = None) -> Frame | None:
        """The newest frame, once. None: nothing came within `timeout` seconds, or the source is at its end
        (`ended`) or broke (`check` says why)."""
        closed = self._slot.closed  # asked first: what was put before closing is still handed out
        frame = self._slot.take(timeout)
        if frame is None and not closed and self._slot.closed:
            closed, frame = True, self._slot.take(0)  # it may have been put just before the closing
        if frame is None and closed and not self._ended:
            # The slot closes while the thread still cleans up; only then does it leave its error for `check`.
            self._worker.join(1.0)
            self._ended = True
        return frame

    @property
    def ended(self) -> bool:
        """True when nothing more will come and the last frame has been taken."""
        return self._ended

    @property
    def dropped(self) -> int:
        """Frames that were replaced by newer ones before anybody took them."""
        return self._slot.dropped

    def check(self) -> None:
        """Raises, once, what the source failed with."""
        self._worker.check()

    def close(self, timeout: float = 0.8) -> None:
        """Stops the thread, then closes the source. A read that hangs is left to its (daemon) thread after
        `timeout` seconds, so that it cannot hold up the program's exit."""
        self._slot.close()
        if not self._worker.join(timeout / 2):
            self.source.close()  # wakes a source that sleeps until its next frame is due
            self._worker.join(timeout / 2)

    def __enter__(self) -> Grabber:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
