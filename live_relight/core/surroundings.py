"""Environments by name: files, and what a photographer would choose, made by code.

Those are small pictures for core/environment.py: HEIGHT x WIDTH x 3 float64, linear BGR, any scale. `az` and
`el` are a light's degrees.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .colour import hex_to_rgb, kelvin_to_rgb
from .environment import Environment, directions, make
from .errors import UsageError, nearest
from .paths import kind, reason

Floats = npt.NDArray[Any]
Decoder = Callable[[Path], Floats]
"""Reads a picture: H x W x 3 linear BGR. Raises LiveRelightError where it is none; core reads no formats."""

KEPT = 8
"""Environments that are kept ready; one is about 700 kB."""

_ready: dict[tuple[str, int, int], Environment] = {}
WIDTH, HEIGHT = 128, 64
_TOWARD = directions(WIDTH, HEIGHT)
_AZ = np.degrees(np.arctan2(_TOWARD[..., 0], _TOWARD[..., 2]))
_EL = np.degrees(np.arcsin(_TOWARD[..., 1]))


def load(name: str, decode: Decoder) -> Environment:
    """A built-in environment, or the equirectangular picture at the path `name`.

    Kept ready until the file changes (its time or size), so it may be called for every frame. Raises
    UsageError for a name that is nothing and for pictures that `make` refuses, and what `decode` raises.
    """
    key = (name, 0, 0) if name in BUILT_IN else _stamp(name)
    if key not in _ready:
        picture = BUILT_IN[name]() if name in BUILT_IN else decode(Path(name).expanduser())
        made = make(picture, name)
        while len(_ready) >= KEPT:
            _ready.pop(next(iter(_ready)), None)
        _ready[key] = made
    return _ready[key]


def _stamp(name: str) -> tuple[str, int, int]:
    """The file's place, time and size. Raises UsageError where there is none."""
    try:
        path = Path(name).expanduser()
        found = kind(path)
        if found == "a file":
            state = path.stat()
            return str(path.absolute()), state.st_mtime_ns, state.st_size
    except (OSError, RuntimeError) as error:  # RuntimeError: no such user's home
        found = reason(error)
    expected = "an equirectangular picture or a built-in name"
    raise UsageError(f"environment {name}", found or "no such file", expected, nearest(name, BUILT_IN))


def softboxes() -> Floats:
    """A studio: a large soft box right of the camera, a weaker one left, a strip for the hair from behind."""
    studio = _room(_kelvin(5600) * 0.05, _kelvin(4800) * 0.03)
    studio += _panel(45, 22, 46, 60, 5.0) * _kelvin(5600) * 1.5
    studio += _panel(-55, 12, 46, 66, 5.0) * _kelvin(5900) * 0.5
    return studio + _panel(-158, 30, 12, 90, 4.0) * _kelvin(6200) * 1.5


def window() -> Floats:
    """One large window at the left with the sky in it; a room with warm walls and a lamp at the far right."""
    room = _room(_kelvin(4600) * 0.13, _kelvin(3700) * 0.065)
    glass = _panel(-72, 14, 64, 70, 3.0) * (1.0 - 0.8 * _panel(-72, 14, 2.5, 80, 1.0))
    glass = glass * (1.0 - 0.8 * _panel(-72, 20, 80, 2.5, 1.0))
    room += glass * _kelvin(7200) * (2.6 + 0.03 * _EL)[..., None]
    return room + _glow(100, 5, 14) * _kelvin(3100) * 0.9


def overcast() -> Floats:
    """A bright grey sky, three times as bright overhead as at the horizon (Moon and Spencer); dull ground."""
    sky = (1.0 + 2.0 * np.maximum(_TOWARD[..., 1:2], 0.0)) / 3.0 * _kelvin(6700)
    return _mixed(_colour("#6f695c") * 0.5, sky, 4.0)


def sunset() -> Floats:
    """A low orange sun right of the camera, its glow along the horizon, and a sky of blue and violet."""
    high = np.clip(_TOWARD[..., 1:2], 0.0, 1.0) ** 0.6
    sky = _colour("#b98d99") * 0.5 * (1.0 - high) + _colour("#6878b4") * 0.6 * high
    band = np.exp(-((np.maximum(_EL, 0.0) / 12.0) ** 2))[..., None]
    facing = (0.5 + 0.5 * np.cos(np.radians(_AZ - 62)))[..., None] ** 2
    sky += band * facing * _colour("#ffb878") * 1.1
    sky += _glow(62, 9, 22) * _colour("#ffaa68") * 1.4 + _glow(62, 9, 8) * _kelvin(3000) * 2.5
    ground = _colour("#3a3044") * 0.5 + _glow(62, 0, 25) * _colour("#ff8a3c") * 0.25
    return _mixed(ground, sky, 3.0)


def neon() -> Floats:
    """Tubes at night: magenta at the left, cyan at the right, a violet one behind, in a blue-black room."""
    night = _room(_colour("#20204a") * 0.5, _colour("#301a38") * 0.4)
    night += _panel(-62, 5, 14, 100, 3.0) * _colour("#ff1fb4") * 9.0
    night += _panel(64, 5, 14, 100, 3.0) * _colour("#12d8ff") * 6.0
    night += _panel(170, 45, 60, 8, 3.0) * _colour("#8a3cff") * 8.0
    return night + _panel(20, 55, 40, 5, 3.0) * _colour("#ff9ad8") * 2.0


BUILT_IN: dict[str, Callable[[], Floats]] = {
    "softboxes": softboxes,
    "window": window,
    "overcast": overcast,
    "sunset": sunset,
    "neon": neon,
}


def _panel(az: float, el: float, width: float, height: float, soft: float) -> Floats:
    """HEIGHT x WIDTH x 1, 0..1: a flat rectangle that faces us at (az, el), its sides in degrees as seen from
    here; its edges fade over about `soft` degrees."""
    forward, right, up = _frame(az, el)
    ahead = _TOWARD @ forward
    across = [np.degrees(np.arctan2(np.abs(_TOWARD @ axis), ahead)) for axis in (right, up)]
    sides = [(0.5 * size - off) / soft for size, off in zip((width, height), across, strict=True)]
    inside = np.clip(0.5 + np.stack(sides), 0.0, 1.0)
    return np.asarray((inside * inside * (3.0 - 2.0 * inside)).prod(axis=0)[..., None])


def _glow(az: float, el: float, size: float) -> Floats:
    """HEIGHT x WIDTH x 1, 1 at (az, el) and falling off over `size` degrees."""
    return np.asarray(np.exp((_TOWARD @ _frame(az, el)[0] - 1.0) / np.radians(size) ** 2)[..., None])


def _frame(az: float, el: float) -> Floats:
    """3 x 3: unit vectors toward (az, el), to the right of it as the picture lies, and up from it."""
    a, e = np.radians(az), np.radians(el)
    forward = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    right = np.array([np.cos(a), 0.0, -np.sin(a)])
    return np.stack([forward, right, np.cross(forward, right)])


def _room(above: Floats, below: Floats) -> Floats:
    """Walls that go from one colour at the ceiling to another at the floor."""
    up = (0.5 + 0.5 * _TOWARD[..., 1])[..., None]
    return np.asarray(below + (above - below) * up)


def _mixed(below: Floats, above: Floats, soft: float) -> Floats:
    """Ground and sky, with a horizon of `soft` degrees."""
    share = np.clip(0.5 + _EL / soft, 0.0, 1.0)[..., None]
    return np.asarray(below + (above - below) * share)


def _kelvin(kelvin: float) -> Floats:
    return np.array(kelvin_to_rgb(kelvin)[::-1])


def _colour(text: str) -> Floats:
    return np.array(hex_to_rgb(text)[::-1])
