"""The Video4Linux queries that OpenCV does not offer: names, drivers, formats. Linux only, plain ioctls."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# From <linux/videodev2.h>: _IOC(direction, 'V', number, size of the struct).
VIDIOC_QUERYCAP = 0x80685600
VIDIOC_ENUM_FMT = 0xC0405602
VIDIOC_ENUM_FRAMESIZES = 0xC02C564A
_CAP_CAPTURE = 0x00000001
_CAP_CAPTURE_MPLANE = 0x00001000
_CAP_M2M = 0x00008000 | 0x00004000
_CAP_DEVICE_CAPS = 0x80000000
_BUF_CAPTURE = 1

SYSFS = Path("/sys/class/video4linux")


@dataclass(frozen=True)
class Format:
    fourcc: str
    """As the kernel names it: 'MJPG', 'YUYV'."""
    sizes: tuple[tuple[int, int], ...]
    """(width, height); a device with a range of sizes lists the smallest and the largest."""

    def __str__(self) -> str:
        return f"{self.fourcc} {' '.join(f'{w}x{h}' for w, h in self.sizes)}".strip()


@dataclass(frozen=True)
class CameraInfo:
    index: int
    """The N of /dev/videoN."""
    path: str
    name: str
    formats: tuple[Format, ...]
    """Empty when the device may not be opened (permissions)."""
    virtual: bool = False
    """A v4l2loopback device: some program's output (perhaps our own), not a camera."""


@dataclass(frozen=True)
class Capability:
    driver: str
    card: str
    capture: bool


def list_cameras() -> list[CameraInfo]:
    """Capture devices by number. Empty where there are none, and on systems other than Linux."""
    if not sys.platform.startswith("linux") or not SYSFS.is_dir():
        return []
    found = []
    for entry in SYSFS.iterdir():
        number = re.fullmatch(r"video(\d+)", entry.name)
        path = f"/dev/{entry.name}"
        if number is None or not os.path.exists(path):
            continue
        name = _text(entry / "name") or entry.name
        capability: Capability | None = None
        formats: tuple[Format, ...] = ()
        with contextlib.suppress(OSError), _opened(path) as fd:
            capability, formats = query(fd), tuple(_formats(fd))
        if capability is not None and not capability.capture:
            continue  # metadata, radio, codecs, and a loopback device that nobody writes into
        virtual = capability.driver == "v4l2 loopback" if capability else is_loopback(entry)
        found.append(CameraInfo(int(number[1]), path, name, formats, virtual))
    return sorted(found, key=lambda camera: camera.index)


def is_loopback(entry: Path) -> bool:
    """By sysfs alone, for a device that may not be opened: only v4l2loopback lives under 'virtual'."""
    return "/devices/virtual/video4linux/" in str(entry.resolve())


def query(fd: int) -> Capability:
    """Raises OSError for what is not a V4L2 device."""
    data = _ioctl(fd, VIDIOC_QUERYCAP, bytearray(104))
    driver, card, _, _, capabilities, device_caps = struct.unpack_from("16s32s32sIII", data)
    if capabilities & _CAP_DEVICE_CAPS:
        capabilities = device_caps  # this node alone, not the whole hardware behind it
    capture = bool(capabilities & (_CAP_CAPTURE | _CAP_CAPTURE_MPLANE)) and not capabilities & _CAP_M2M
    return Capability(_string(driver), _string(card), capture)


def problem(path: str) -> str:
    """Why a device cannot be used, found by opening it: '' when it opens and captures."""
    try:
        with _opened(path) as fd:
            return "" if query(fd).capture else "a device that gives no pictures"
    except FileNotFoundError:
        return "no such device"
    except PermissionError:
        return "no permission"
    except OSError as error:
        if error.errno == errno.ENOTTY:
            return "not a camera device"
        return error.strerror or str(error)


def holders(path: str) -> list[str]:
    """'name (pid)' of other programs that have the device open, as far as /proc may be read."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            if any(os.readlink(fd) == path for fd in (process / "fd").iterdir()):
                found.append(f"{_text(process / 'comm') or 'a program'} (pid {process.name})")
    return found


def _formats(fd: int) -> Iterator[Format]:
    for index in range(64):  # the kernel ends the list with EINVAL; the bound is for broken drivers
        data = bytearray(64)
        struct.pack_into("II", data, 0, index, _BUF_CAPTURE)
        try:
            _ioctl(fd, VIDIOC_ENUM_FMT, data)
        except OSError:
            return
        fourcc = bytes(data[44:48])
        yield Format(fourcc_text(fourcc), tuple(_sizes(fd, fourcc)))


def fourcc_text(fourcc: bytes) -> str:
    """As v4l2-ctl prints it: the top bit of the last letter marks a big-endian format."""
    letters = bytes(byte & 0x7F for byte in fourcc).decode("ascii").strip()
    return letters + ("-BE" if fourcc[3] & 0x80 else "")


def _sizes(fd: int, fourcc: bytes) -> Iterator[tuple[int, int]]:
    for index in range(64):
        data = bytearray(44)
        struct.pack_into("I4s", data, 0, index, fourcc)
        try:
            _ioctl(fd, VIDIOC_ENUM_FRAMESIZES, data)
        except OSError:
            return
        (kind,) = struct.unpack_from("I", data, 8)
        if kind != 1:  # stepwise or continuous: min width, max width, step, min height, max height, step
            low_w, high_w, _, low_h, high_h, _ = struct.unpack_from("6I", data, 12)
            yield low_w, low_h
            yield high_w, high_h
            return
        width, height = struct.unpack_from("II", data, 12)
        yield width, height


def _ioctl(fd: int, request: int, data: bytearray) -> bytearray:
    import fcntl  # not on Windows

    fcntl.ioctl(fd, request, data, True)
    return data


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
    try:
        yield fd
    finally:
        os.close(fd)


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace").strip()
    return ""


def _string(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode(errors="replace")
