"""Counts frames and throws them away: for measuring, and for running without an output."""

from __future__ import annotations

from live_relight.core.frames import Frame


class NullSink:
    name = "nothing"
    live = False

    def __init__(self) -> None:
        self.note = ""
        self.frames = 0
        """How many were sent."""

    def send(self, frame: Frame) -> None:
        self.frames += 1

    def close(self) -> None:
        pass
