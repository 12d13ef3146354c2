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
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live_relight.core.errors import SinkError
from live_relight.core.frames import Frame

from .pad import check_frame, even, pad_to_even

LABEL = "Live Relight"
INSTALL = "pip install 'live-relight[vcam]'"

_HOW_TO_MAKE_ONE = {
    "linux": "sudo apt install v4l2loopback-dkms && sudo modprobe v4l2loopback exclusive_caps=1 "
    f'card_label="{LABEL}" video_nr=10',
    "win32": "install OBS 26 or newer (its virtual camera comes with it) or Unity Capture",
    "darwin": "install OBS 30 or newer and start its virtual camera once",
}
_VIDIOC_QUERYCAP = 0x80685600
_CAP_OUTPUT, _CAP_DEVICE_CAPS = 0x00000002, 0x80000000


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
    """v4l2loopback devices that can be written into, our own label first. Linux only: elsewhere the drivers
    cannot be asked without opening them, and the list is empty."""
    found = []
    for entry in Path("/sys/class/video4linux").glob("video*"):
        path = f"/dev/{entry.name}"
        with contextlib.suppress(OSError):
            if _is_loopback_output(path):
                label = (entry / "name").read_text(errors="replace").strip()
                found.append(VirtualCameraInfo(path, label))
    return sorted(found, key=lambda camera: (camera.label != LABEL, _number(camera.device)))


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


def _open(size: tuple[int, int], fps: float, device: str) -> Any:
    try:
        import pyvirtualcam
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "pyvirtualcam"
        got = "pyvirtualcam is not installed" if missing else f"pyvirtualcam does not load: {error}"
        raise SinkError("no virtual camera", got, todo=f"{INSTALL}, or use --sink web") from error
    if not device and sys.platform.startswith("linux"):
        there = list_virtual_cameras()
        device = there[0].device if there else ""
    try:
        return pyvirtualcam.Camera(
            *size, fps, fmt=pyvirtualcam.PixelFormat.BGR, device=device or None, print_fps=False
        )
    except (RuntimeError, ValueError, OSError) as error:
        if device and sys.platform.startswith("linux") and os.path.exists(device):
            if not os.access(device, os.W_OK):
                todo = "sudo usermod -aG video $USER, then log in again"
            else:
                todo = "is another program writing to it? 'live-relight doctor' lists virtual cameras"
            raise SinkError(f"cannot open virtual camera {device}", _short(error), todo=todo) from error
        what = f"no virtual camera {device}" if device else "no virtual camera"
        raise SinkError(what, todo=f"to make one: {how_to_make_one()}") from error


def _short(error: Exception) -> str:
    return re.sub(r"^'\w+' backend: ", "", str(error).splitlines()[0]) if str(error) else type(error).__name__


def _number(device: str) -> int:
    digits = re.search(r"(\d+)$", device)
    return int(digits[1]) if digits else 0


def _is_loopback_output(path: str) -> bool:
    """Asks the driver. The capture stage has its own, fuller version: stages do not import each other."""
    import fcntl

    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        data = bytearray(104)
        fcntl.ioctl(fd, _VIDIOC_QUERYCAP, data, True)
    finally:
        os.close(fd)
    driver, capabilities, device_caps = struct.unpack_from("16s68xII", data)
    if capabilities & _CAP_DEVICE_CAPS:
        capabilities = device_caps
    return bool(driver.rstrip(b"\0") == b"v4l2 loopback" and capabilities & _CAP_OUTPUT)
