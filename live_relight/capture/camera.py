"""Webcams through OpenCV: V4L2 on Linux, AVFoundation on macOS, Media Foundation or DirectShow on Windows."""

from __future__ import annotations

import os
import re
import sys
import time

import cv2
import numpy as np

from live_relight.core.errors import SourceError, nearest
from live_relight.core.frames import Frame, Image
from live_relight.core.paths import JOIN_VIDEO

from .chroma import kernel_of, smoothed
from .fit import Fit
from .guard import Guard
from .v4l2 import CameraInfo, holders, list_cameras, problem

__all__ = ["CameraInfo", "CameraSource", "find_camera", "list_cameras", "open_first_camera"]

DEFAULT_SIZE = (1280, 720)
DEFAULT_FPS = 30.0
PATIENCE = 3.0
"""Seconds without a picture after which a camera counts as stopped."""

_LINUX = sys.platform.startswith("linux")
_BACKENDS = {
    "linux": (cv2.CAP_V4L2,),
    "darwin": (cv2.CAP_AVFOUNDATION,),
    "win32": (cv2.CAP_MSMF, cv2.CAP_DSHOW),
}


class CameraSource:
    """A camera that gives what it can: the wanted size and rate are asked for, what comes is scaled to fill.

    `device`: a number, or a path on Linux. Webcam YUV is BT.601 by the UVC standard; OpenCV decodes it so.
    `Frame.time` is the driver's own capture time where it gives one, else the moment the frame arrived.
    Raises SourceError when it cannot be opened (missing, busy, no permission), and from `read` when it stops.
    """

    live = True

    def __init__(
        self, device: int | str, fit: Fit, *, fps: float | None = None, label: str = "", note: str = ""
    ) -> None:
        self._path = f"/dev/video{device}" if _LINUX and isinstance(device, int) else str(device)
        # Several nodes are links (/dev/v4l/by-id/…); other programs are found by the real one.
        self._path = os.path.realpath(self._path) if _LINUX else self._path
        self.name = f"camera {device}" + (f" ({label})" if label else "")
        self.note = note
        self._fit = fit
        self._size: tuple[int, int] | None = None
        self._capture = self._open(device, fit.size or DEFAULT_SIZE, fps or DEFAULT_FPS)
        self._guard = Guard(self._capture.release)
        self._kernel = kernel_of(self._capture.get(cv2.CAP_PROP_FOURCC))
        self._index = 0
        try:
            # The first picture tells the real size, and whether the camera works at all.
            self._first = self._grab()
        except BaseException:
            self._capture.release()
            raise
        assert self._first is not None  # nobody else can have closed it yet
        self._size = (self._first[0].shape[1], self._first[0].shape[0])
        said = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = said if 0 < said <= 1000 else fps or DEFAULT_FPS

    @property
    def size(self) -> tuple[int, int]:
        assert self._size is not None
        return self._size

    def read(self) -> Frame | None:
        """The next picture; None only after `close`."""
        with self._guard as open_:
            if not open_:
                return None
            item, self._first = self._first or self._grab(), None
        if item is None or self._guard.closed:
            return None
        frame = Frame(*item, self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        self._guard.close()

    def _open(self, device: int | str, size: tuple[int, int], fps: float) -> cv2.VideoCapture:
        if _LINUX:
            reason = problem(self._path)
            if reason:
                raise SourceError(f"cannot open {self.name}", reason, todo=_remedy(self._path, reason))
        # A select() of OpenCV's waits 10 s by default; it is read when a capture is made.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(int(PATIENCE)))
        cv2.utils.logging.setLogLevel(0)  # its warnings would go to stderr beside our one line
        for backend in _BACKENDS.get(sys.platform, (cv2.CAP_ANY,)):
            capture = _capture(device if not _LINUX else self._path, backend)
            if capture.isOpened():
                _ask(capture, size, fps)
                if capture.isOpened():
                    return capture
            capture.release()
        raise self._refused("it does not open")

    def _grab(self) -> tuple[Image, float] | None:
        """One good picture; None when closed meanwhile. Single bad ones (a torn JPEG) are passed over until
        patience runs out."""
        end = time.monotonic() + PATIENCE
        while True:
            ok, pixels = self._capture.read()
            now = time.monotonic()
            if ok and pixels is not None and pixels.size:
                image = _bgr(np.asarray(pixels))
                return self._fitted(
                    image if self._kernel is None else smoothed(image, self._kernel)
                ), self._capture_time(now)
            if self._guard.closed:
                return None
            if now > end:
                raise self._refused(f"nothing for {PATIENCE:g} seconds")
            if _LINUX and not os.path.exists(self._path):
                raise SourceError(f"{self.name} is gone", "unplugged?", todo="plug it in and start again")
            time.sleep(0.01)  # a dead device fails at once; do not spin

    def _fitted(self, image: Image) -> Image:
        # The second step does something only when a driver switches mode under us: the promised size stays.
        return Fit(self._size).apply(self._fit.apply(image))

    def _capture_time(self, now: float) -> float:
        """V4L2 stamps frames on the monotonic clock at capture; anything implausible counts as 'now'."""
        stamp = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000.0 if _LINUX else 0.0
        return stamp if now - 1.0 < stamp <= now else now

    def _refused(self, reason: str) -> SourceError:
        if self._size is not None:
            return SourceError(f"{self.name} stopped", reason, todo="plug it in again and start anew")
        others = holders(self._path) if _LINUX else []
        if others:
            who = ", ".join(others)
            return SourceError(f"{self.name} is busy", f"in use by {who}", todo="close that or take another")
        todo = "close other programs that use a camera, or plug it in again"
        return SourceError(f"{self.name} gives no picture", reason, todo=todo)


def open_first_camera(fit: Fit, *, fps: float | None = None) -> CameraSource:
    """The first camera that opens and gives a picture; virtual ones (perhaps our own output) are passed over.
    Raises SourceError that says why none did."""
    if not _LINUX:
        return CameraSource(0, fit, fps=fps)
    cameras = [camera for camera in list_cameras() if not camera.virtual]
    errors: list[SourceError] = []
    for camera in cameras:
        try:
            return CameraSource(camera.index, fit, fps=fps, label=camera.name)
        except SourceError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    raise SourceError("no camera found", todo="plug one in")


def find_camera(wanted: str) -> tuple[int | str, str]:
    """(device, label) for a number, a /dev path or a part of a camera's name, any case.
    Raises SourceError that names what there is."""
    cameras = list_cameras()
    if re.fullmatch("[0-9]{1,9}", wanted):
        return int(wanted), next((c.name for c in cameras if c.index == int(wanted)), "")
    if wanted.startswith("/dev/"):
        real = os.path.realpath(wanted)
        return wanted, next((c.name for c in cameras if c.path == real), "")
    same = [c for c in cameras if c.name.casefold() == wanted.casefold()]
    for camera in same or [c for c in cameras if wanted.casefold() in c.name.casefold()]:
        return camera.index, camera.name
    if not _LINUX:
        raise SourceError(f"no camera '{wanted}'", "a name", "a number (names work on Linux)", "try camera:0")
    if not cameras:
        raise SourceError(f"no camera named '{wanted}'", "no camera at all", todo="plug one in or use demo")
    raise SourceError(f"no camera named '{wanted}'", todo=nearest(wanted, [c.name for c in cameras]))


def _capture(device: int | str, backend: int) -> cv2.VideoCapture:
    return cv2.VideoCapture(device, backend)


def _ask(capture: cv2.VideoCapture, size: tuple[int, int], fps: float) -> None:
    """States wishes; drivers answer with the nearest they have. Uncompressed 720p at 30 fps does not fit
    through USB 2, so big pictures are asked for as JPEG; small ones as YUYV, which costs no decoding."""
    big = size[0] * size[1] > 640 * 480
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*("MJPG" if big else "YUYV")))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    capture.set(cv2.CAP_PROP_FPS, fps)


def _bgr(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Image:
    if pixels.ndim == 2 or pixels.shape[2] == 1:  # infrared and microscope cameras
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    return pixels


def _remedy(path: str, reason: str) -> str:
    if reason == "no permission":
        return JOIN_VIDEO
    if reason == "no such device":
        there = ", ".join(f"{c.path} ({c.name})" for c in list_cameras())
        return f"there is {there}" if there else "no camera is plugged in; try --source demo"
    return "see 'live-relight cameras'"
