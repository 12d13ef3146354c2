"""Lights and the look they make together. Pure values; the pipeline swaps one Look for the next."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .colour import hex_to_rgb, kelvin_to_rgb
from .errors import UsageError, nearest

# What a kind of light starts as: a photographer's usual place for it.
KINDS: dict[str, dict[str, float]] = {
    "key": {"az": 40.0, "el": 30.0, "dist": 1.2, "power": 1.0, "size": 0.25},
    "fill": {"az": -45.0, "el": 10.0, "dist": 1.5, "power": 0.35, "size": 0.6},
    "rim": {"az": -140.0, "el": 35.0, "dist": 1.2, "power": 1.0, "size": 0.3},
    "point": {"az": 0.0, "el": 0.0, "dist": 1.0, "power": 1.0, "size": 0.0},
    "directional": {"az": 30.0, "el": 40.0, "dist": 1.0, "power": 1.0, "size": 0.0},
    "ambient": {"az": 0.0, "el": 0.0, "dist": 1.0, "power": 0.25, "size": 0.0},
}
RESERVED = ("spot", "area", "env")
MAX_LIGHTS = 8

# name: (lowest, highest, unit for people)
RANGES: dict[str, tuple[float, float, str]] = {
    "az": (-180.0, 180.0, "degrees"),
    "el": (-90.0, 90.0, "degrees"),
    "dist": (0.1, 10.0, "subject distances"),
    "power": (0.0, 10.0, "times a normal key light"),
    "kelvin": (1700.0, 20000.0, "K"),
    "size": (0.0, 1.0, "subject distances"),
}


@dataclass(frozen=True, slots=True)
class Light:
    """One virtual light.

    `az`: degrees, 0 = from the camera, + = from the viewer's right of the picture, +-180 = from behind.
    `el`: degrees, + = from above. `dist`: subject distances from the subject's head (no effect on a
    directional or ambient light). `power`: 1.0 = a normal key light, measured at the head, so that
    moving a light does not change the exposure there. `kelvin`: colour temperature; 5600 = white.
    `color`: sRGB '#rrggbb' instead of kelvin. `size`: width of the source in subject distances; a large
    one wraps round the face. `shadow`: kept for cast shadows, which this version does not draw.
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

    def __post_init__(self) -> None:
        if self.kind in RESERVED:
            raise UsageError(
                f"light kind '{self.kind}'", "a kind that this version cannot draw yet", " or ".join(KINDS)
            )
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

    @classmethod
    def of(cls, kind: str, **changes: object) -> Light:
        """A light of that kind at its usual place, with `changes`. Raises UsageError."""
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


@dataclass(frozen=True, slots=True)
class Look:
    """Everything the light pass needs besides the picture and its geometry."""

    lights: tuple[Light, ...] = ()
    ambient: float = 1.0
    """Scale of the light already on the person: 1 = untouched, 0 = dark."""
    background: float | None = None
    """The same for what is not the person; None follows `ambient`."""
    specular: float = 0.1
    """Strength of highlights on skin and cloth, 0..1. 0.25 is F0 = 0.04, as skin's; the default is less,
    because normals smoother than skin spread a highlight into haze."""
    fov: float = 65.0
    """Horizontal field of view of the camera in degrees, as a webcam's."""

    def __post_init__(self) -> None:
        if len(self.lights) > MAX_LIGHTS:
            raise UsageError("lights", str(len(self.lights)), f"at most {MAX_LIGHTS}")
        checks = [("ambient", self.ambient, 0.0, 4.0), ("specular", self.specular, 0.0, 1.0)]
        checks.append(("fov", self.fov, 10.0, 150.0))
        if self.background is not None:
            checks.append(("background", self.background, 0.0, 4.0))
        for name, value, low, high in checks:
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(name, f"{value:g}", f"{low:g}..{high:g}")

    @property
    def backdrop(self) -> float:
        return self.ambient if self.background is None else self.background

    @property
    def active(self) -> tuple[Light, ...]:
        """The lights that add anything."""
        return tuple(light for light in self.lights if light.on and light.power > 0.0)

    @property
    def untouched(self) -> bool:
        """True when the picture leaves the light pass as it came."""
        return not self.active and self.ambient == 1.0 and self.backdrop == 1.0


def parse_light(spec: str) -> Light:
    """'key:az=45,el=30,dist=1.2,power=1.0,kelvin=5600,size=0.3,shadow=1' to a Light. Raises UsageError."""
    kind, _, rest = spec.partition(":")
    fields: dict[str, object] = {}
    keys = [*RANGES, "color", "shadow", "on"]
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
    if key == "color":
        return value
    if key in ("shadow", "on"):
        if value.lower() not in ("0", "1", "true", "false"):
            raise UsageError(f"--light '{spec}': {key}", f"'{value}'", "0 or 1")
        return value.lower() in ("1", "true")
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"--light '{spec}': {key}", f"'{value}'", "a number") from None
