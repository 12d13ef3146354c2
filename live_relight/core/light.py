"""One virtual light: its kinds, its fields, and how it is written on a command line."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .colour import hex_to_rgb, kelvin_to_rgb
from .errors import UsageError, nearest

# What a kind of light starts as: a photographer's usual place for it.
KINDS: dict[str, dict[str, float | str | bool]] = {
    "key": {"az": 40.0, "el": 30.0, "dist": 1.2, "power": 1.0, "size": 0.25, "shadow": True},
    "fill": {"az": -45.0, "el": 10.0, "dist": 1.5, "power": 0.35, "size": 0.6},
    "rim": {"az": -140.0, "el": 35.0, "dist": 1.2, "power": 1.0, "size": 0.3},
    "point": {"az": 0.0, "el": 0.0, "dist": 1.0, "power": 1.0, "size": 0.0, "shadow": True},
    "directional": {"az": 30.0, "el": 40.0, "dist": 1.0, "power": 1.0, "size": 0.0, "shadow": True},
    "spot": {"az": 30.0, "el": 45.0, "dist": 1.5, "power": 1.0, "size": 0.1, "cone": 35.0, "shadow": True},
    "area": {"az": 50.0, "el": 25.0, "dist": 1.2, "power": 1.0, "size": 0.8, "shadow": True},
    "ambient": {"az": 0.0, "el": 90.0, "dist": 1.0, "power": 0.25, "size": 0.0},
    "env": {"az": 0.0, "el": 0.0, "dist": 1.0, "power": 0.6, "size": 0.0, "file": "softboxes"},
}
SHAPES = ("rect", "disk")
MAX_LIGHTS = 8

# name: (lowest, highest, unit for people)
RANGES: dict[str, tuple[float, float, str]] = {
    "az": (-180.0, 180.0, "degrees"),
    "el": (-90.0, 90.0, "degrees"),
    "dist": (0.1, 10.0, "subject distances"),
    "power": (0.0, 10.0, "times a normal key light"),
    "kelvin": (1700.0, 20000.0, "K"),
    "size": (0.0, 4.0, "subject distances"),
    "cone": (2.0, 170.0, "degrees"),
    "soft": (0.0, 1.0, "share of the cone"),
    "aspect": (0.1, 10.0, "heights to a width"),
}
TEXTS = ("color", "shape", "file")
FLAGS = ("shadow", "on")
USED_BY = {"cone": ("spot",), "soft": ("spot",), "aspect": ("area",), "shape": ("area",), "file": ("env",)}
"""Fields that only some kinds have."""


@dataclass(frozen=True, slots=True)
class Light:
    """One virtual light.

    `az`: degrees, 0 = from the camera, + = from the viewer's right of the picture, +-180 = from behind.
    `el`: degrees, + = from above. `dist`: subject distances from the subject's head (no effect on a
    directional or ambient light). `power`: 1.0 = a normal key light, measured at the head, so that
    moving a light does not change the exposure there. `kelvin`: colour temperature; 5600 = white.
    `color`: sRGB '#rrggbb' instead of kelvin. `size`: width of the source in subject distances; a large
    one wraps round the face and its shadows are soft. `shadow`: whether the person casts shadows in it.
    Spot: `cone` is the beam's full angle, `soft` how much of it fades toward the rim. Area: a `shape` 'rect'
    or 'disk' that faces the head, `aspect` heights to a width. Ambient: a hemisphere, brightest from its
    direction. Env: a picture of surroundings, `file` a built-in name or an equirectangular picture (.hdr,
    .exr, or any other), turned by `az`.
    """

    kind: str = "key"
    az: float = 0.0
    el: float = 0.0
    dist: float = 1.0
    power: float = 1.0
    kelvin: float = 5600.0
    color: str = ""
    size: float = 0.0
    shadow: bool = False
    on: bool = True
    cone: float = 40.0
    soft: float = 0.5
    aspect: float = 1.0
    shape: str = "rect"
    file: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"light kind '{self.kind}'", todo=nearest(self.kind, KINDS))
        for name, (low, high, unit) in RANGES.items():
            value = float(getattr(self, name))
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(f"light {self.kind}: {name}", f"{value:g}", f"{low:g}..{high:g} {unit}")
        if self.color:
            try:
                hex_to_rgb(self.color)
            except ValueError:
                raise UsageError(f"light {self.kind}: color", f"'{self.color}'", "#rrggbb") from None
        for name in ("shadow", "on"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"light {self.kind}: {name}", repr(getattr(self, name)), "True or False")
        if self.shape not in SHAPES:
            raise UsageError(f"light {self.kind}: shape", f"'{self.shape}'", " or ".join(SHAPES))

    @classmethod
    def of(cls, kind: str, **changes: object) -> Light:
        """A light of that kind at its usual place, with `changes`. Raises UsageError."""
        for name, kinds in USED_BY.items():
            if name in changes and kind in KINDS and kind not in kinds:
                raise UsageError(f"light {kind}: {name}", "given", f"only with {' or '.join(kinds)}")
        return cls(**{"kind": kind, **KINDS.get(kind, {}), **changes})  # type: ignore[arg-type]

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Linear Rec. 709 colour times power."""
        base = hex_to_rgb(self.color) if self.color else kelvin_to_rgb(self.kelvin)
        return (base[0] * self.power, base[1] * self.power, base[2] * self.power)

    @property
    def direction(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Unit vector from the subject's head toward the light, camera space (x right, y up, z to viewer)."""
        az, el = math.radians(self.az), math.radians(self.el)
        return np.array([math.sin(az) * math.cos(el), math.sin(el), math.cos(az) * math.cos(el)])

    def moved(self, **deltas: float) -> Light:
        """Adds to numeric fields: az wraps round, everything else stops at its limit."""
        values: dict[str, float] = {}
        for name, delta in deltas.items():
            low, high, _ = RANGES[name]
            value = float(getattr(self, name)) + delta
            if name == "az":
                values[name] = (value + 180.0) % 360.0 - 180.0
            else:
                values[name] = min(max(value, low), high)
        return replace(self, **values)  # type: ignore[arg-type]


def parse_light(spec: str) -> Light:
    """'key:az=45,el=30,dist=1.2,power=1.0,kelvin=5600,size=0.3,shadow=1' to a Light. Raises UsageError."""
    kind, _, rest = spec.partition(":")
    fields: dict[str, object] = {}
    keys = [*RANGES, *TEXTS, *FLAGS]
    for part in filter(None, (p.strip() for p in rest.split(","))):
        key, equals, value = (p.strip() for p in part.partition("="))
        if not equals:
            raise UsageError(f"--light '{spec}'", f"'{part}'", "name=value")
        if key not in keys:
            raise UsageError(f"--light '{spec}': unknown '{key}'", todo=nearest(key, keys))
        if key in fields:
            raise UsageError(f"--light '{spec}'", f"'{key}' twice", "each once")
        fields[key] = _field(spec, key, value)
    return Light.of(kind.strip(), **fields)


def _field(spec: str, key: str, value: str) -> object:
    if key in TEXTS:
        return value
    if key in FLAGS:
        if value.lower() not in ("0", "1", "true", "false"):
            raise UsageError(f"--light '{spec}': {key}", f"'{value}'", "0 or 1")
        return value.lower() in ("1", "true")
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"--light '{spec}': {key}", f"'{value}'", "a number") from None
