"""Lights as the light pass takes them: placed round the head, in camera space."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from . import area
from .area import Floats
from .colour import REC709_LUMA
from .environment import Environment
from .look import Look

MAX_SHADOWS = 4
"""Lights that cast shadows at a time: one channel each. The brightest that ask for it."""
Vector = tuple[float, float, float]
MODES = {"directional": "directional", "spot": "spot", "rim": "rim", "ambient": "hemisphere"}
"""Kind of a light to how it is worked out; the others are points or spheres."""
SHADOWLESS = ("ambient", "env")
"""Kinds of light from all round."""
LEAST_SPREAD = 0.02
LEAST_RADIUS = 0.02
"""Of a lamp that has no size, subject distances: light of a true point grows without end."""


class Shelf(Protocol):
    """Where lights find what is not in their settings."""

    def environment(self, name: str) -> Environment: ...

    @property
    def table(self) -> Floats:
        """As area.polygon_specular takes it."""
        ...


@dataclass(frozen=True, slots=True)
class Lamp:
    """One active light."""

    mode: str
    """'directional', 'point', 'spot', 'rim', 'hemisphere', 'area' or 'env': which formula."""
    place: Vector
    """Camera space, subject distances; a unit direction toward the light for directional and hemisphere."""
    bgr: Vector
    """Linear colour times power."""
    spread: float
    """Sine of half the source's angular size as seen from the head, LEAST_SPREAD..1."""
    reference: float
    """Squared distance from the head, and `radius2`: falloff is 1 there."""
    axis: Vector
    """Unit vector in which it shines at the head."""
    cone: tuple[float, float]
    """Spot: cosine at the rim, and one over how much the cosine grows until full light."""
    slot: int
    """Channel of its shadow, -1: casts none."""
    corners: Floats | None = None
    """Area: 4 or 8 x 3, camera space."""
    unit: float = 1.0
    """Area: what a surface at the head gets that faces it, as area.polygon_irradiance counts."""
    file: str = ""
    """Env: name of the surroundings."""
    az: float = 0.0
    """Env: degrees by which they are turned."""
    radius2: float = LEAST_RADIUS**2
    """Squared radius of the source."""

    def falloff(self, d2: Any) -> Any:
        """What a surface at squared distance `d2` gets, of what it gets at the head: on the axis of an evenly
        bright disk of radius r, pi L r^2 / (d^2 + r^2). Inverse square from a few radii on, and never more
        than the disk is bright. A number or an array, as `d2` is; keeps float32."""
        if isinstance(d2, np.ndarray):
            return d2.dtype.type(self.reference) / (d2 + d2.dtype.type(self.radius2))
        return self.reference / (d2 + self.radius2)


def casting(look: Look) -> list[int]:
    """Which of the active lights would cast shadows, were there room for all."""
    return [k for k, light in enumerate(look.active) if light.shadow and light.kind not in SHADOWLESS]


def shadowed(look: Look) -> list[int]:
    """Which of the active lights cast shadows: the brightest of them, in the look's order."""
    able = casting(look)
    brightest = sorted(able, key=lambda k: -float(np.dot(look.active[k].rgb, REC709_LUMA)))
    return sorted(brightest[:MAX_SHADOWS])


def crowded(look: Look) -> str:
    """What to say where more lights ask for shadows than there are; '' otherwise. Lights are numbered as the
    keys 1 to 8 choose them."""
    able = casting(look)
    if len(able) <= MAX_SHADOWS:
        return ""
    has = shadowed(look)
    names = ", ".join(f"{look.active[k].kind} {look.lit[k] + 1}" for k in able if k not in has)
    return f"{len(able)} lights ask for shadows, the {MAX_SHADOWS} brightest cast them; without: {names}"


def lamps(look: Look, head: Vector) -> list[Lamp]:
    """The active lights, placed round the head (camera space, subject distances). Of those that cast shadows
    the MAX_SHADOWS brightest do."""
    found: list[Lamp] = []
    slots = {k: slot for slot, k in enumerate(shadowed(look))}
    for k, light in enumerate(look.active):
        direction = light.direction
        mode = MODES.get(light.kind, light.kind if light.kind in ("area", "env") else "point")
        far = mode in ("directional", "hemisphere", "env")
        at = direction if far else np.asarray(head) + direction * light.dist
        half = 0.5 * light.size / (1.0 if far else light.dist)
        r, g, b = light.rgb
        radius2 = max(0.5 * light.size, LEAST_RADIUS) ** 2
        outer = math.cos(math.radians(light.cone) / 2)
        inner = math.cos(math.radians(light.cone) / 2 * (1 - light.soft))
        polygon = None
        if mode == "area":
            polygon = area.corners(light.shape, light.size, light.size * light.aspect, at, head)
        found.append(
            Lamp(
                mode,
                (float(at[0]), float(at[1]), float(at[2])),
                (b, g, r),
                min(max(half / math.hypot(1.0, half), LEAST_SPREAD), 1.0),
                light.dist**2 + radius2,
                (-float(direction[0]), -float(direction[1]), -float(direction[2])),
                (outer, 1.0 / max(inner - outer, 1e-3)),
                slots.get(k, -1),
                polygon,
                1.0 if polygon is None else max(area.facing(polygon, head), 1e-6),
                light.file,
                light.az,
                radius2,
            )
        )
    return found
