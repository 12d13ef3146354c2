"""What state a v4l2loopback device is in, and a way out of a bad one. Linux only.

v4l2loopback 0.12.7 (Debian 12) with exclusive_caps=1 announces itself as an output until it is fed, and
as a camera from then on. When a program that fed it through write(2), as pyvirtualcam does, closes it, the
driver forgets to announce an output again: the device is useless until the module is reloaded. A writer that
called STREAMON is not forgotten, so one that does nothing else mends it.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import struct
from collections.abc import Iterator

# From <linux/videodev2.h>: _IOC(direction, 'V', number, size of the argument).
_VIDIOC_QUERYCAP = 0x80685600
_VIDIOC_STREAMON = 0x40045612
_CAPTURE, _OUTPUT, _DEVICE_CAPS = 0x00000001, 0x00000002, 0x80000000
_BUF_TYPE_OUTPUT = 2


class State(enum.Enum):
    FREE = "can be fed"
    FED = "some program feeds it, or one that shows it has not noticed that the feeding has ended"
    STUCK = "free, but announces nothing: `free` mends it"
    MISSING = "no such device"
    FORBIDDEN = "may not be opened"
    OTHER = "not a v4l2loopback device"


def state(device: str) -> State:
    """Asks the driver; opens the device for a moment. (The capture stage has its own queries: stages do not
    import each other.)"""
    import fcntl  # not on Windows

    data = bytearray(104)
    try:
        with _opened(device) as fd:
            fcntl.ioctl(fd, _VIDIOC_QUERYCAP, data, True)
    except (FileNotFoundError, NotADirectoryError):
        return State.MISSING
    except PermissionError:
        return State.FORBIDDEN
    except OSError as error:
        return State.MISSING if error.errno in (errno.ENODEV, errno.ENXIO) else State.OTHER
    driver, capabilities, device_caps = struct.unpack_from("16s68xII", data)
    if capabilities & _DEVICE_CAPS:
        capabilities = device_caps
    if driver.rstrip(b"\0") != b"v4l2 loopback":
        return State.OTHER
    if capabilities & _OUTPUT:
        return State.FREE
    return State.FED if capabilities & _CAPTURE else State.STUCK


def free(device: str) -> None:
    """Makes the driver announce an output again. Only for a device that nobody feeds: a second writer could
    come in otherwise. Newer drivers have no need of it and take no notice."""
    import fcntl

    with contextlib.suppress(OSError), _opened(device) as fd:
        # It fails for want of buffers, after it has noted that this is a writer; closing then tidies up.
        fcntl.ioctl(fd, _VIDIOC_STREAMON, struct.pack("i", _BUF_TYPE_OUTPUT))


@contextlib.contextmanager
def _opened(device: str) -> Iterator[int]:
    fd = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)
