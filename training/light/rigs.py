"""What the light network learns from: lights as people set them, drawn at random, and the light that is
there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from live_relight.core.light import Light

SETS = (
    ((0, 1), 0.45), ((0,), 0.15), ((1,), 0.1), ((0, 1, 2), 0.15), ((0, 2), 0.05), ((2, 1), 0.05), ((2,), 0.05)
)  # fmt: skip
POWERS = {"key": (0.6, 1.7), "area": (0.6, 1.7), "fill": (0.2, 0.7), "rim": (0.5, 1.3)}
ALONE = (0.6, 1.5)  # power of a fill that is the only light
KEPT, ADDED = 0.45, 0.3  # shares of rigs instead of the light that is there, and beside all of it


@dataclass(frozen=True)
class Use:
    """Some of `draw_sources`' lights (`which`) with their powers and colours; ambient: of the light there."""

    which: tuple[int, ...]
    lights: tuple[Light, ...]
    ambient: float


def draw_sources(rng: np.random.Generator) -> tuple[Light, Light, Light]:
    """A key, a fill from the other side, and a panel or a rim: where they stand and how large they are."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    key = Light.of(
        "key", az=side * rng.uniform(5, 85), el=rng.uniform(-10, 60), dist=rng.uniform(0.7, 2.0),
        size=rng.uniform(0.05, 0.5),
    )  # fmt: skip
    fill = Light.of(
        "fill", az=-side * rng.uniform(15, 75), el=rng.uniform(-10, 35), dist=rng.uniform(1, 2),
        size=rng.uniform(0.3, 0.7),
    )  # fmt: skip
    if rng.random() < 0.5:
        az = (side if rng.random() < 0.5 else -side) * rng.uniform(5, 80)
        third = Light.of(
            "area", az=az, el=rng.uniform(-10, 60), dist=rng.uniform(0.7, 2.0), size=rng.uniform(0.4, 1.0),
            aspect=rng.uniform(0.6, 1.6),
        )  # fmt: skip
    else:
        third = Light.of("rim", az=-side * rng.uniform(110, 165), el=rng.uniform(5, 55))
    return key, fill, third


def draw_use(rng: np.random.Generator, sources: Sequence[Light]) -> Use:
    """Which of them shine, how strongly and in which colour."""
    sets, shares = zip(*SETS, strict=True)
    which = sets[int(rng.choice(len(sets), p=shares))]
    if which in ((2, 1), (2,)) and sources[2].kind == "rim":
        which = (0, *which) if which == (2, 1) else (0, 2)
    lights = []
    for k in which:
        power = rng.uniform(*(ALONE if which == (1,) else POWERS[sources[k].kind]))
        kelvin = 5600.0 if rng.random() < 0.6 else rng.uniform(2800, 8500)
        lights.append(replace(sources[k], power=float(power), kelvin=float(kelvin)))
    share = rng.random()
    ambient = 0.0 if share < KEPT else 1.0 if share < KEPT + ADDED else float(rng.uniform(0.05, 0.9))
    return Use(which, tuple(lights), ambient)
