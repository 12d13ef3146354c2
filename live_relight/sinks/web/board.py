"""The newest frame for any number of viewers, encoded once and only when somebody looks."""

from __future__ import annotations

import threading
import time
from collections import deque

import cv2
import numpy as np

from live_relight.core.frames import Frame

JPEG_QUALITY = 88


class Board:
    """`post` replaces the frame and never waits for viewers; one viewer's thread does the encoding, and the
    others share its result."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._serial = 0
        self._closed = False
        self._times: deque[float] = deque(maxlen=64)
        self._encoding = threading.Lock()
        self._jpeg: tuple[int, bytes] = (0, b"")
        self.encoded = 0
        """JPEGs made so far."""

    def post(self, frame: Frame) -> None:
        with self._changed:
            self._frame = frame
            self._serial += 1
            self._times.append(time.monotonic())
            self._changed.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """The number of the newest frame once it differs from `seen`, else `seen` again; -1 when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._serial != seen or self._closed, timeout)
            return -1 if self._closed else self._serial

    def jpeg(self) -> tuple[int, bytes]:
        """(number, JPEG) of the newest frame; (0, b'') before the first."""
        with self._encoding:
            with self._changed:
                frame, serial = self._frame, self._serial
            if frame is not None and self._jpeg[0] != serial:
                _, data = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
                self._jpeg = (serial, np.asarray(data).tobytes())
                self.encoded += 1
            return self._jpeg

    def fps(self) -> float:
        """Frames a second over the last two seconds; 0 when nothing comes."""
        now = time.monotonic()
        with self._changed:
            recent = [t for t in self._times if now - t < 2.0]
        return (
            (len(recent) - 1) / (recent[-1] - recent[0])
            if len(recent) > 1 and recent[-1] > recent[0]
            else 0.0
        )

    @property
    def frames(self) -> int:
        return self._serial

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
