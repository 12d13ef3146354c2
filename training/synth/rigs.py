"""The application's lights, drawn at random and as real sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from live_relight.core.light import Light
from training.synth.sources import Source

FLAT = ("area",)  # kinds that shine as a panel does
KINDS = ("key", "fill", "rim", "point", "area")


@dataclass(frozen=True)
class Rig:
    """What is asked for: the lights, and the light already there that stays (1) or goes (0)."""

    kind: str
    lights: tuple[Light, ...]
    ambient: float


def draw_rig(rng: np.random.Generator) -> Rig:
    """A key from somewhere in front, mostly a fill from the other side, at times a rim; added or instead."""
    kind = "add" if rng.random() < 0.5 else "replace"
    side = 1.0 if rng.random() < 0.5 else -1.0
    colour = 5600.0 if rng.random() < 0.6 else float(rng.uniform(3000, 8000))
    az, el = side * rng.uniform(10, 80), rng.uniform(0, 55)
    power, dist = rng.uniform(0.7, 1.6), rng.uniform(0.7, 2.0)
    if rng.random() < 0.2:
        key = Light.of("area", az=az, el=el, dist=dist, power=power, kelvin=colour,
                       size=rng.uniform(0.4, 1.0), aspect=rng.uniform(0.6, 1.6))  # fmt: skip
    else:
        key = Light.of(
            "key", az=az, el=el, dist=dist, power=power, kelvin=colour, size=rng.uniform(0.05, 0.5)
        )
    lights = [key]
    if kind == "replace" or rng.random() < 0.5:
        lights.append(Light.of("fill", az=-side * rng.uniform(20, 70), el=rng.uniform(-5, 30),
                               dist=rng.uniform(1, 2), power=rng.uniform(0.25, 0.6)))  # fmt: skip
    if rng.random() < 0.25:
        lights.append(Light.of("rim", az=-side * rng.uniform(120, 160), el=rng.uniform(10, 50)))
    return Rig(kind, tuple(lights), 1.0 if kind == "add" else 0.0)


def source_of(light: Light, head: Sequence[float], metre: float, unit: float) -> Source:
    """An application's light as a source. head [3]: subject distances; metre: metres in one of them; unit:
    irradiance over pi that power 1 gives."""
    if light.kind not in KINDS:
        raise ValueError(
            f"light {light.kind}: no true picture of this kind; expected one of {', '.join(KINDS)}"
        )
    middle = np.asarray(head, np.float64) * metre
    flat = light.kind in FLAT
    wide = light.size * metre
    return Source(
        (middle + light.direction * light.dist * metre).astype(np.float32),
        middle.astype(np.float32),
        np.asarray(light.rgb, np.float32) * np.float32(unit),
        wide,
        wide * (light.aspect if flat else 1.0),
        not flat or light.shape == "disk",
        flat,
    )
