"""`auto`: key and fill set after the light that the picture has. Pure steps over what `present.fit` finds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .light import RANGES, Light
from .look import Look
from .present import Present, shading

SECONDS = 1.5
"""Time constant of the smoothing: light in a room changes slowly, fits wobble."""
TURN = 0.2
"""Stops by which one cheek must be brighter before the key comes over to that side."""
TARGET = 0.2
"""Linear luma that medium skin is brought to in mean light: a stop and a half below a white wall."""
LEAST_GAIN, MOST_GAIN = 0.6, 3.0
"""More would show the noise that a dark picture has."""
KEPT = 0.55
"""Share of the wanted light that is left to the light that is there."""
SURE = 0.45
"""Confidence of the fit from which on it is followed in full."""
RATIO = 2.0
"""Key side to fill side."""
REACHED = 0.8
"""What a light some 40 degrees off the face gives to the side that faces it, of its power."""


@dataclass(frozen=True, slots=True)
class PresentState:
    """What one frame hands to the next."""

    present: Present | None = None
    time: float = 0.0
    """Seconds, of the last frame."""
    side: float = 1.0
    """-1..1: on which side the key is, + = the picture's right; moves over in about SECONDS."""


def step(state: PresentState, found: Present | None, now: float) -> PresentState:
    """One frame further; `now` in seconds. Without anything found the last is kept. The argument is not
    changed."""
    if found is None:
        return replace(state, time=now)
    old = state.present
    if old is None:
        return PresentState(found, now, -1.0 if found.balance < -TURN else 1.0)
    share = 1.0 - math.exp(-max(now - state.time, 0.0) / SECONDS)

    def mixed(a: float, b: float) -> float:
        return a + (b - a) * share

    there = replace(
        found,
        terms=tuple(mixed(a, b) for a, b in zip(old.terms, found.terms, strict=True)),
        level=mixed(old.level, found.level),
        scene=mixed(old.scene, found.scene),
        confidence=mixed(old.confidence, found.confidence),
    )
    aim = math.copysign(1.0, there.balance if abs(there.balance) > TURN else state.side or 1.0)
    return PresentState(there, now, mixed(state.side, aim))


def arrange(look: Look, state: PresentState) -> Look:
    """For `look.auto`: the first key goes to the side that the picture's light suggests and the first fill
    opposite, both as strong as it takes to bring skin toward TARGET and the sides to RATIO, with the room's
    light down to KEPT. Other lights stay. A look without `auto` comes back as it is."""
    if not look.auto:
        return look
    present = state.present or Present(level=TARGET)
    # TARGET is for medium skin; the square root leaves dark skin dark and light skin light.
    gain = min(max((TARGET / max(present.level, 1e-3)) ** 0.5, LEAST_GAIN), MOST_GAIN)
    gain = 1.0 + (gain - 1.0) * min(present.confidence / SURE, 1.0)
    ambient = KEPT * gain
    right, left = (float(v) for v in shading(present, np.array([[0.6, 0.0, 0.8], [-0.6, 0.0, 0.8]])))
    on_right = 0.5 + 0.5 * state.side
    key_side = ambient * (left + (right - left) * on_right)
    fill_side = ambient * (right + (left - right) * on_right)
    fill_wanted = 2.0 * gain / (1.0 + RATIO)
    powers = {
        "key": (RATIO * fill_wanted - key_side) / REACHED,
        "fill": (fill_wanted - fill_side) / REACHED,
    }
    lights, done = [], set()
    for light in look.lights:
        if light.kind in powers and light.kind not in done:
            done.add(light.kind)
            light = _placed(light, state.side, powers[light.kind])
        lights.append(light)
    background = look.background if look.background is not None else min(gain, 1.0) * 0.85
    return replace(look, lights=tuple(lights), ambient=min(ambient, 4.0), background=background)


def _placed(light: Light, side: float, power: float) -> Light:
    way = 1.0 if light.kind == "key" else -1.0
    low, high, _ = RANGES["power"]
    return replace(light, az=way * side * abs(light.az), power=min(max(power, low), high))
