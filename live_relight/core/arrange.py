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
LEAST_ANSWER = 0.05
"""Of a side to a light, below which that light cannot set it."""


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
        if light.kind in powers and light.kind not in done:
            done.add(light.kind)
            light = _placed(light, state.side, powers[light.kind])
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
    times that: two equations, since either light reaches over to the other side. room, ours: of the key's
    side and the other, the light that is there and what ours are multiplied by."""
    answers = {k: _answers(light) for k in ("key", "fill") if (light := _first(look, k)) is not None}
    key, fill = answers.get("key", (0.0, 0.0)), answers.get("fill", (0.0, 0.0))
    a, b = ours[0] * key[0], ours[0] * fill[1]
    c, d = ours[1] * key[1], ours[1] * fill[0]
    near, far = RATIO * wanted - room[0], wanted - room[1]
    whole = a * d - b * c
    if whole > LEAST_ANSWER**2:
        one, other = (near * d - b * far) / whole, (a * far - c * near) / whole
        if one >= 0.0 and other >= 0.0:
            return {"key": one, "fill": other}
    # One of them is not there, or has nothing to add: the other sets what it can.
    alone = (RATIO * room[1] - room[0]) / max(a - RATIO * c, LEAST_ANSWER)
    most = max(near, 0.0) / max(a, LEAST_ANSWER)
    return {
        "key": min(max(alone, 0.0), most) if "fill" in answers else most,
        "fill": max(far, 0.0) / max(d, LEAST_ANSWER) if near <= 0.0 or "key" not in answers else 0.0,
    }


def _first(look: Look, kind: str) -> Light | None:
    return next((light for light in look.lights if light.kind == kind), None)


def _answers(light: Light) -> tuple[float, float]:
    """What a cheek on its own side gets of a light of power 1, and what the other one."""
    toward = replace(light, az=abs(light.az)).direction
    spread = max(light.size / (2.0 * light.dist), LEAST_SPREAD)
    own, other = (float(v) for v in horizon(CHEEKS @ toward, min(spread, 1.0)))
    return own, other


def _placed(light: Light, side: float, power: float) -> Light:
    way = 1.0 if light.kind == "key" else -1.0
    low, high, _ = RANGES["power"]
    return replace(light, az=way * side * abs(light.az), power=min(max(power, low), high))
