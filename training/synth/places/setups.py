"""The named set-ups of light that people sit in before a webcam: which lamps, where, in which colour.

Levels are irradiance over pi (at the head, for lamps) relative to an ambient light of about 1;
azimuth 0 is the camera's side of the head, positive to the picture's right, elevation up.
Nothing here knows the person's pose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from training.synth.meshes import F32

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
ODDS = {
    "environment": 0.20, "overcast": 0.07, "sun": 0.09, "window": 0.15, "ceiling": 0.12, "monitor": 0.09,
    "ring": 0.07, "mixed": 0.08, "back": 0.06, "dark": 0.03, "flat": 0.04,
}  # fmt: skip
Bulb = tuple[F32, F32]  # place [4] (direction and 0, or metres and 1), power [3]


@dataclass(frozen=True)
class Setup:
    """Lamps in order (the first may cast shadows), ambient level, colour and shape, camera's habits.

    shape: "environment" (its own harmonics), "sky" (from above) or "room" (from everywhere);
    shadow: strength 0..1; softness in shadow-map texels; balance: share of the light's colour that
    the camera's white balance takes away, 0..1.
    """

    lamps: list[Bulb]
    ambient: float
    balance: float
    shape: str = "room"
    tint: F32 = field(default_factory=lambda: np.ones(3, np.float32))
    shadow: float = 1.0
    softness: float = 2.0


def kelvin(temperature: float) -> F32:
    """Linear RGB [3] of a black body, luminance 1 (a fit good to a few per cent, 1800-12000 K)."""
    t = np.log(temperature / 6500.0)
    rgb = np.exp(np.array([-0.62 * t, -0.02 * t, 0.85 * t - 0.35 * t * t * (t < 0)]))
    return (rgb / (rgb @ LUMA)).astype(np.float32)


def hue(rng: np.random.Generator) -> F32:
    """A saturated colour of luminance 1 (blue of less: it would be too strong), linear RGB [3]."""
    rgb = np.roll([1.0, rng.uniform(0, 0.7) ** 2, rng.uniform(0, 0.25)], int(rng.integers(3)))
    rgb = rgb[::-1] if rng.random() < 0.5 else rgb
    return (rgb / max(float(rgb @ LUMA), 0.25)).astype(np.float32)


def around_head(
    azimuth: float, elevation: float, level: float, colour: F32, distance: float, reach: float | None
) -> Bulb:
    """A lamp seen from the head in a direction (degrees), `reach` metres away or (None) directional."""
    a, e = np.radians(azimuth), np.radians(elevation)
    way = np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)], np.float32)
    power = (colour * np.float32(level)).astype(np.float32)
    if reach is None:
        return np.array([*way, 0], np.float32), power
    where = way * np.float32(reach) - np.array([0, 0, distance], np.float32)
    return np.array([*where, 1], np.float32), power * np.float32(reach**2)


def by_camera(x: float, y: float, level: float, colour: F32, distance: float) -> Bulb:
    """A lamp in the camera's plane, metres right and up of it; `level` arrives at the head."""
    reach2 = x * x + y * y + distance * distance
    return np.array([x, y, 0, 1], np.float32), (colour * np.float32(level * reach2)).astype(np.float32)


def _balance(rng: np.random.Generator, trust: float = 4.0) -> float:
    return float(rng.beta(trust, 1.5))


def _shadow(rng: np.random.Generator, low: float, odds: float) -> float:
    """Strength `low`..1, or none: lamps beside the camera hide their shadows, large ones hardly cast any."""
    return float(rng.uniform(low, 1)) if rng.random() < odds else 0.0


def _level(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _side(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


def _environment(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """The environment and what in it is far brighter than the rest, as a lamp."""
    lamps = []
    if sun[1].any() and rng.random() < 0.8:
        lamps.append((np.array([*sun[0], 0], np.float32), sun[1] * np.float32(_level(rng, 0.3, 3))))
    if rng.random() < 0.3:
        colour = kelvin(rng.uniform(2800, 8000))
        where = rng.normal(0, 60), rng.uniform(-20, 70)
        lamps.append(around_head(*where, _level(rng, 0.2, 1.5), colour, distance, rng.uniform(0.5, 1.8)))
    strength = rng.uniform(0.7, 1.0) if rng.random() < 0.85 else 0.0
    return Setup(lamps, rng.uniform(0.5, 1), _balance(rng), "environment", shadow=strength,
                 softness=rng.uniform(0.5, 6))  # fmt: skip


def _overcast(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """A grey sky: no lamp, light from above."""
    return Setup([], 1.0, _balance(rng), "sky", kelvin(rng.uniform(6000, 9500)), shadow=0.0)


def _sun(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """Hard sun, low and warm or high and white, under a blue sky."""
    high = rng.uniform(8, 65)
    colour = kelvin(rng.uniform(2900, 4300) if high < 22 else rng.uniform(4600, 6300))
    lamp = around_head(rng.uniform(-165, 165), high, _level(rng, 1.5, 6), colour, distance, None)
    shape = "sky" if rng.random() < 0.5 else "environment"
    return Setup([lamp], rng.uniform(0.3, 1.0), _balance(rng), shape, kelvin(rng.uniform(7000, 12000)),
                 rng.uniform(0.9, 1), rng.uniform(0.7, 1.8))  # fmt: skip


def _window(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """A window beside the person: soft daylight, or the sun through it."""
    azimuth, hard = _side(rng) * rng.uniform(30, 115), rng.random() < 0.3
    colour = kelvin(rng.uniform(3300, 5600) if hard else rng.uniform(5600, 9500))
    reach = None if hard else rng.uniform(0.8, 2.6)
    lamp = around_head(azimuth, rng.uniform(5, 40), _level(rng, 0.7, 4.5), colour, distance, reach)
    lamps = [lamp]
    if rng.random() < 0.4:
        warm = kelvin(rng.uniform(2500, 4000))
        lamps.append(around_head(rng.uniform(-90, 90), rng.uniform(30, 80), _level(rng, 0.1, 0.6), warm,
                                 distance, rng.uniform(1, 2.2)))  # fmt: skip
    softness = rng.uniform(0.8, 2) if hard else rng.uniform(4, 9)
    tint, strength = kelvin(rng.uniform(4200, 7500)), rng.uniform(0.75, 1)
    return Setup(lamps, rng.uniform(0.15, 0.7), _balance(rng), "room", tint, strength, softness)


def _ceiling(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """One to three ceiling lights: eye sockets and chin lie in shade."""
    colour = kelvin(rng.uniform(3000, 6500))
    lamps = [
        around_head(rng.uniform(-180, 180), rng.uniform(48, 85), _level(rng, 0.4, 1.8), colour, distance,
                    rng.uniform(0.9, 2.2))
        for _ in range(int(rng.integers(1, 4)))
    ]  # fmt: skip
    return Setup(lamps, rng.uniform(0.25, 1), _balance(rng), tint=colour, shadow=_shadow(rng, 0.5, 0.75),
                 softness=rng.uniform(3, 9))  # fmt: skip


def _screen(rng: np.random.Generator, distance: float, level: float) -> Bulb:
    """The glow of a screen below the camera, in the colour of what it shows."""
    colour = kelvin(rng.uniform(6500, 12000))
    if rng.random() < 0.35:
        colour = 0.5 * colour + 0.5 * hue(rng)
    return by_camera(rng.normal(0, 0.12), rng.uniform(-0.4, -0.05), level, colour, distance)


def _monitor(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """A screen's cold glow from the front below, in a dim room."""
    lamps = [_screen(rng, distance, _level(rng, 0.6, 1.5))]
    if rng.random() < 0.5:
        warm = kelvin(rng.uniform(2200, 3600))
        lamps.append(around_head(rng.uniform(60, 300), rng.uniform(-10, 60), _level(rng, 0.05, 0.5), warm,
                                 distance, rng.uniform(0.8, 2)))  # fmt: skip
    tint = kelvin(rng.uniform(2500, 9000))
    return Setup(lamps, rng.uniform(0.04, 0.3), _balance(rng, 1.5), tint=tint, shadow=_shadow(rng, 0.5, 0.4),
                 softness=rng.uniform(5, 9))  # fmt: skip


def _ring(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """A bright ring light around or above the camera."""
    lamp = by_camera(rng.normal(0, 0.06), rng.uniform(0, 0.25), _level(rng, 0.8, 2.5),
                     kelvin(rng.uniform(3200, 7500)), distance)  # fmt: skip
    return Setup([lamp], rng.uniform(0.1, 0.6), _balance(rng), tint=kelvin(rng.uniform(2800, 7500)),
                 shadow=_shadow(rng, 0.5, 0.3), softness=rng.uniform(4, 8))  # fmt: skip


def _mixed(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """Two colours from two sides: a warm lamp and a cold window, or neon."""
    side, neon = _side(rng), rng.random() < 0.4
    pair = (
        [hue(rng), hue(rng)] if neon else [kelvin(rng.uniform(2200, 3300)), kelvin(rng.uniform(7000, 12000))]
    )
    lamps = [
        around_head(s * rng.uniform(30, 120), rng.uniform(-10, 50), _level(rng, 0.4, 2), c, distance,
                    rng.uniform(0.6, 2))
        for s, c in zip((side, -side), pair, strict=True)
    ]  # fmt: skip
    return Setup(lamps, rng.uniform(0.08, 0.5), _balance(rng, 1.5 if neon else 3), shadow=rng.uniform(0.6, 1),
                 tint=kelvin(rng.uniform(3000, 8000)), softness=rng.uniform(2, 8))  # fmt: skip


def _back(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """A window behind the person: bright edges, a face in the shade."""
    colour = kelvin(rng.uniform(4500, 9000))
    azimuth = 180 + rng.normal(0, 28)
    reach = None if rng.random() < 0.6 else rng.uniform(1.5, 3)
    lamps = [around_head(azimuth, rng.uniform(2, 40), _level(rng, 1.2, 5), colour, distance, reach)]
    if rng.random() < 0.75:
        lamps.append(_screen(rng, distance, rng.uniform(0.08, 0.6)))
    strength, softness = rng.uniform(0.8, 1), rng.uniform(1, 6)
    return Setup(lamps, rng.uniform(0.35, 1.0), _balance(rng), "room", colour, strength, softness)


def _dark(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """A screen and next to nothing else."""
    return Setup([_screen(rng, distance, 1.0)], rng.uniform(0.005, 0.04), _balance(rng, 1.2),
                 shadow=_shadow(rng, 0.5, 0.4), softness=rng.uniform(5, 9))  # fmt: skip


def _flat(rng: np.random.Generator, distance: float, sun: tuple[F32, F32]) -> Setup:
    """Two equal soft lights left and right of the camera: video light, hardly any shading."""
    colour, high, wide = kelvin(rng.uniform(3200, 6500)), rng.uniform(5, 35), rng.uniform(20, 50)
    level, reach = rng.uniform(0.4, 1.0), rng.uniform(0.9, 1.8)
    lamps = [around_head(s * wide, high, level, colour, distance, reach) for s in (-1, 1)]
    return Setup(lamps, rng.uniform(0.5, 1), _balance(rng), tint=colour, shadow=0.6 * _shadow(rng, 0.3, 0.4),
                 softness=rng.uniform(6, 9))  # fmt: skip


SETUPS: dict[str, Callable[[np.random.Generator, float, tuple[F32, F32]], Setup]] = {
    "environment": _environment, "overcast": _overcast, "sun": _sun, "window": _window,
    "ceiling": _ceiling, "monitor": _monitor, "ring": _ring, "mixed": _mixed, "back": _back,
    "dark": _dark, "flat": _flat,
}  # fmt: skip
