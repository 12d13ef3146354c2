"""Reads the pictures that light a scene: Radiance .hdr, .exr, or any picture that OpenCV knows."""

from __future__ import annotations

import importlib
import logging
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .core import surroundings
from .core.colour import srgb_to_linear
from .core.environment import Environment
from .core.errors import LiveRelightError, UsageError
from .core.install import pip
from .core.look import Look
from .core.paths import read_whole, reason

Floats = npt.NDArray[Any]
_log = logging.getLogger("live_relight")  # where none is set up, Python prints the line on stderr

# A broken picture is our one line; the decoders' own lines would come on top of it.
cv2.utils.logging.setLogLevel(0)

MAX_BYTES = 1_000_000_000
MAX_WIDTH = 16384
"""Of .hdr and .exr: 16 bytes a pixel while one is read."""


_last: dict[str, Environment] = {}
"""What was found for a name the last time, and in `_told` those that have gone since."""
_told: set[str] = set()


def load(name: str) -> Environment:
    """A built-in environment or a file's, see core/surroundings.py. Raises LiveRelightError."""
    found = _last[name] = surroundings.load(name, decode)
    _told.discard(name)
    return found


def kept(name: str) -> Environment:
    """As `load`; a file that was there and has gone or is broken now, an unplugged disk, say, does not end a
    stream: what it held is used on, and said once."""
    try:
        return load(name)
    except LiveRelightError as error:
        if name not in _last:
            raise
        if name not in _told:
            _told.add(name)
            _log.warning("live-relight: %s; what was there is used on", error)
        return _last[name]


def decode(path: Path) -> Floats:
    """H x W x 3 linear BGR; integers are taken as sRGB, floats as linear. Raises LiveRelightError."""
    try:
        data = read_whole(path, MAX_BYTES)
    except OSError as error:
        raise UsageError(f"environment {path}", reason(error), "a picture") from error
    if data[:4] == b"\x76\x2f\x31\x01":
        return _exr(path)
    size = re.search(rb"\n[-+]Y (\d+) [-+]X (\d+)\n", data[:65536]) if data[:2] == b"#?" else None
    if size:
        _check_width(path, int(size[2]))
    try:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise _broken(path, "something that does not decode" if data else "an empty file")
    if pixels.dtype.kind == "f":
        return np.asarray(pixels)
    steps = np.linspace(0.0, 1.0, 2 ** (8 * pixels.dtype.itemsize))
    return np.asarray(srgb_to_linear(steps).astype(np.float32)[pixels])


def _exr(path: Path) -> Floats:
    try:
        exr: Any = importlib.import_module("OpenEXR")
    except ImportError:
        todo = f"{pip('OpenEXR')}, or save it as .hdr"
        raise LiveRelightError(f"environment {path}", "an .exr file", "the package OpenEXR", todo) from None
    try:
        with exr.File(str(path), header_only=True) as file:
            low, high = file.header()["dataWindow"]
        _check_width(path, int(high[0]) - int(low[0]) + 1)
        with exr.File(str(path), separate_channels=True) as file:
            planes = {key: np.asarray(channel.pixels) for key, channel in file.channels().items()}
    except LiveRelightError:
        raise
    except Exception as error:  # the library raises RuntimeError, ValueError and its own
        raise _broken(path, str(error) or "something that does not decode") from None
    names = "YYY" if "Y" in planes else "BGR"
    if not all(name in planes for name in names):
        raise _broken(path, f"channels {', '.join(sorted(planes)) or 'none'}")
    return np.stack([planes[name] for name in names], axis=-1)


def _check_width(path: Path, width: int) -> None:
    if width > MAX_WIDTH:
        got, expected = f"{width} pixels wide", f"at most {MAX_WIDTH}"
        raise UsageError(f"environment {path}", got, expected, "save it smaller")


def _broken(path: Path, got: str) -> UsageError:
    expected = "an equirectangular .hdr, .exr, .png or .jpg"
    return UsageError(f"environment {path}", got, expected, "save it again")


def check(look: Look) -> Look:
    """The look, its surroundings read: what is wrong with them is said here and not in mid-stream. Raises
    UsageError."""
    for light in look.lights:
        if light.kind == "env":
            load(light.file)
    return look
