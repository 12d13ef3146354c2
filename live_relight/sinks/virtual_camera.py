"""A camera for other programs to choose, through pyvirtualcam.

pyvirtualcam is GPL-2 and we are MIT: it is optional, and imported only inside the functions of this file.

Colour: frames go in as BGR, and pyvirtualcam makes the I420 that the drivers want with libyuv: BT.601,
limited range. V4L2 loopback devices carry no matrix tag, and untagged YUV means 601 to V4L2 and to browsers
(Chromium shows the right colours). OBS takes every V4L2 picture for BT.709 and shows it slightly shifted;
for exact colours in OBS use the web preview as a media source.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live_relight.core.errors import SinkError
from live_relight.core.frames import Frame
from live_relight.core.install import pip
from live_relight.core.paths import JOIN_VIDEO

from . import loopback
from .loopback import State
from .pad import check_frame, even, pad_to_even

LABEL = "Live Relight"
INSTALL = pip("live-relight[vcam]")

_HOW_TO_MAKE_ONE = {
    "linux": "sudo apt install v4l2loopback-dkms && sudo modprobe v4l2loopback exclusive_caps=1 "
    f'card_label="{LABEL}" video_nr=10',
    "win32": "install OBS 26 or newer (its virtual camera comes with it) or Unity Capture",
    "darwin": "install OBS 30 or newer and start its virtual camera once",
}


@dataclass(frozen=True)
class VirtualCameraInfo:
    device: str
    """What `--sink vcam:DEVICE` takes: a path on Linux."""
    label: str
    """What other programs show."""


def how_to_make_one() -> str:
    """The command or the step that gives this computer a virtual camera."""
    return _HOW_TO_MAKE_ONE.get(sys.platform, "use --sink web on this system")


def installed() -> bool:
    """Whether pyvirtualcam is there; does not import it."""
    return importlib.util.find_spec("pyvirtualcam") is not None


def list_virtual_cameras() -> list[VirtualCameraInfo]:
    """v4l2loopback devices that nobody feeds, our own label first. Linux only: elsewhere the drivers cannot
    be asked without opening them, and the list is empty."""
    return [info for info, state in loopback_devices() if state in (State.FREE, State.STUCK)]


class VirtualCameraSink:
    """`size` (width, height) and `fps` are told to the device; odd sizes are padded to even ones.

    `device`: a path on Linux, a camera's name elsewhere; '' takes the first. Raises SinkError with the next
    step when pyvirtualcam is missing or no device opens.
    """

    live = True

    def __init__(self, size: tuple[int, int], fps: float, device: str = "") -> None:
        self.note = ""
        self._size = size
        self._camera = _open(even(size), fps, device)
        self.device = str(self._camera.device)
        self.name = f"virtual camera {self.device}"
        # A device file that disappears (rmmod) is noticed here: pyvirtualcam only prints when a write fails.
        self._path = self.device if self.device.startswith("/dev/") else ""
        self._next_check = 0.0

    def send(self, frame: Frame) -> None:
        if self._camera is None:
            return
        check_frame(self.name, frame.image, self._size)
        now = time.monotonic()
        if self._path and now >= self._next_check:
            self._next_check = now + 1.0
            if not os.path.exists(self._path):
                raise SinkError(f"{self.name} is gone", "its driver was removed?", todo=how_to_make_one())
        try:
            self._camera.send(pad_to_even(frame.image))
        except (RuntimeError, ValueError, OSError) as error:
            raise SinkError(f"{self.name} stopped taking frames", str(error)) from error

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
            if self._path and loopback.state(self._path) in (State.STUCK, State.FED):
                loopback.free(self._path)  # we were the one who fed it, so nobody is disturbed


def _open(size: tuple[int, int], fps: float, device: str) -> Any:
    try:
        import pyvirtualcam
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "pyvirtualcam"
        got = "pyvirtualcam is not installed" if missing else f"pyvirtualcam does not load: {error}"
        raise SinkError("no virtual camera", got, todo=f"{INSTALL}, or use --sink web") from error
    if sys.platform.startswith("linux"):
        device = _free_device(device)
    try:
        return pyvirtualcam.Camera(
            *size, fps, fmt=pyvirtualcam.PixelFormat.BGR, device=device or None, print_fps=False
        )
    except (RuntimeError, ValueError, OSError) as error:
        what = f"cannot open virtual camera {device}" if device else "no virtual camera"
        raise SinkError(what, _short(error), todo=f"to make one: {how_to_make_one()}") from error


def _free_device(device: str) -> str:
    """The device to feed on Linux. We look before pyvirtualcam does: a refusal of its own leaves the device
    open for as long as the program runs, and says less. Raises SinkError."""
    if not device:
        there = loopback_devices()
        if not there:
            raise SinkError("no virtual camera", todo=f"to make one: {how_to_make_one()}")
        # A free one if there is any; else the first one tells why it cannot be had.
        device = next((i.device for i, s in there if s in (State.FREE, State.STUCK)), there[0][0].device)
    state = loopback.state(device)
    what = f"cannot open virtual camera {device}"
    if state is State.MISSING:
        raise SinkError(what, "no such device", todo=f"to make one: {how_to_make_one()}")
    if state is State.FORBIDDEN:
        raise SinkError(what, "no permission", todo=JOIN_VIDEO)
    if state is State.OTHER:
        raise SinkError(what, "another kind of device", "a v4l2loopback device", "see 'live-relight doctor'")
    if state is State.FED:
        todo = "close the program that feeds it; after a crash also those that show it"
        raise SinkError(what, "in use already", todo=todo)
    if state is State.STUCK:
        loopback.free(device)
    return device


def loopback_devices() -> list[tuple[VirtualCameraInfo, State]]:
    """All of them, whatever their state, our own label first."""
    found = []
    for entry in Path("/sys/class/video4linux").glob("video*"):
        device = f"/dev/{entry.name}"
        state = loopback.state(device)
        # One that may not be opened is recognised by its place: cameras hang on a bus, loopbacks on nothing.
        virtual = "/devices/virtual/video4linux/" in str(entry.resolve())
        if state in (State.FREE, State.FED, State.STUCK) or (state is State.FORBIDDEN and virtual):
            with contextlib.suppress(OSError):
                label = (entry / "name").read_text(errors="replace").strip()
                found.append((VirtualCameraInfo(device, label), state))
    return sorted(found, key=lambda item: (item[0].label != LABEL, _number(item[0].device)))


def _short(error: Exception) -> str:
    line = str(error).partition("\n")[0] or type(error).__name__
    return re.sub(r"^'\w+' backend: ", "", line).rstrip(".")


def _number(device: str) -> int:
    digits = re.search(r"(\d+)$", device)
    return int(digits[1]) if digits else 0
