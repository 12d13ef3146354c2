"""`auto`: key and fill set after the light that the picture has. Pure steps over what `present.fit` finds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .brdf import horizon
from .lamps import LEAST_SPREAD
from .light import RANGES, Light
from .look import Look
from .present import Floats, Present, quotient, shading

SECONDS = 1.5
"""Time constant of the smoothing: light in a room changes slowly, fits wobble."""
TURN = 0.2
"""Stops by which one cheek must be brighter before the key comes over to that side."""
FIRST = 0.05
"""The same where it has no side yet; it is the right one in more even light."""
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
CHEEKS = np.array([[0.6, 0.0, 0.8], [-0.6, 0.0, 0.8]])
"""Normals of the two sides, the picture's right and left."""
LEAST_ANSWER = 0.3
"""Of a cheek to a light on its side: a light that gives it less (one from behind) keeps its own power."""
ALIKE = 0.05
"""Of the determinant, below which key and fill stand in one place and only one of them is set."""


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
        return PresentState(found, now, -1.0 if found.balance < -FIRST else 1.0)
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
    # What is left of the room on either side, and what of ours: both are corrected for what is there.
    there = shading(present, CHEEKS)
    room, ours = (there * quotient(present, CHEEKS, strength) for strength in look.evened)
    wanted = 2.0 * gain / (1.0 + RATIO)
    powers = _powers(look, _keyed(ambient * room, state.side), _keyed(ours, state.side), wanted)
    lights, done = [], set()
    for light in look.lights:
        if light.kind in ("key", "fill") and light.kind not in done:
            done.add(light.kind)
            light = _placed(light, state.side, powers.get(light.kind, light.power))
        lights.append(light)
    background = look.background if look.background is not None else min(gain, 1.0) * 0.85
    return replace(look, lights=tuple(lights), ambient=min(ambient, 4.0), background=background)


def _keyed(sides: Floats, side: float) -> tuple[float, float]:
    """(Of the key's side, of the other) out of (right, left)."""
    right, left = (float(v) for v in sides)
    on_right = 0.5 + 0.5 * side
    return left + (right - left) * on_right, right + (left - right) * on_right


def _powers(
    look: Look, room: tuple[float, float], ours: tuple[float, float], wanted: float
) -> dict[str, float]:
    """Of the first key and the first fill, so that the fill's side has `wanted` light and the key's RATIO
    times that: two equations, since either light reaches over to the other side. Lights that are off or do
    not reach their side are left out. room, ours: of the key's side and the other, the light that is there
    and what ours are multiplied by."""
    key, fill = _answers(look, "key"), _answers(look, "fill")
    near, far = RATIO * wanted - room[0], wanted - room[1]
    if key is None and fill is None:
        return {}
    if key is None or fill is None:
        one, left, share = ("key", near, key) if fill is None else ("fill", far, fill)
        assert share is not None
        return {one: max(left, 0.0) / (ours[fill is not None] * share[0])}
    a, b = ours[0] * key[0], ours[0] * fill[1]
    c, d = ours[1] * key[1], ours[1] * fill[0]
    whole = a * d - b * c
    if whole < ALIKE * a * d:
        return {"key": max(near, 0.0) / a, "fill": 0.0}
    powers = {"key": (near * d - b * far) / whole, "fill": (a * far - c * near) / whole}
    if powers["key"] < 0.0:  # the room is more one-sided than that
        return {"key": 0.0, "fill": max(far, 0.0) / d}
    if powers["fill"] < 0.0:  # the key gives the other side more than is wanted there
        alone = (RATIO * room[1] - room[0]) / max(a - RATIO * c, ALIKE * a)
        return {"key": min(max(alone, 0.0), max(near, 0.0) / a), "fill": 0.0}
    return powers


def _answers(look: Look, kind: str) -> tuple[float, float] | None:
    """What a cheek on its own side gets of the first light of a kind, at power 1, and what the other one."""
    light = next((light for light in look.lights if light.kind == kind), None)
    if light is None or not light.on:
        return None
    toward = replace(light, az=abs(light.az)).direction
    spread = max(light.size / (2.0 * light.dist), LEAST_SPREAD)
    own, other = (float(v) for v in horizon(CHEEKS @ toward, min(spread, 1.0)))
    return (own, other) if own >= LEAST_ANSWER else None


def _placed(light: Light, side: float, power: float) -> Light:
    way = 1.0 if light.kind == "key" else -1.0
    low, high, _ = RANGES["power"]
    return replace(light, az=way * side * abs(light.az), power=min(max(power, low), high))
