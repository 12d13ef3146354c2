"""Whether anybody is there: with nobody the picture passes as it came, and the room changes over softly."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .frames import Geometry
from .look import Look

LEAST, ENOUGH = 0.003, 0.01
"""Shares of the picture that the person covers: from nobody to somebody."""
SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class PresenceState:
    """What one frame hands to the next."""

    share: float | None = None
    """0 nobody .. 1 somebody; None before the first frame."""
    time: float = 0.0


def seen(geometry: Geometry) -> float:
    """0..1, continuous in how much of the picture is a person."""
    share = float(np.count_nonzero(geometry.alpha > 0.5)) / max(geometry.alpha.size, 1)
    return min(max((share - LEAST) / (ENOUGH - LEAST), 0.0), 1.0)


def step(state: PresenceState, now_seen: float, now: float) -> PresenceState:
    """One frame further; `now` in seconds. The argument is not changed."""
    if state.share is None:
        return PresenceState(now_seen, now)
    weight = 1.0 - math.exp(-max(now - state.time, 0.0) / SECONDS)
    return PresenceState(state.share + (now_seen - state.share) * weight, now)


def faded(look: Look, share: float) -> Look:
    """The look, already arranged, as it is where somebody is (share 1); where nobody is (0) one that leaves
    the picture as it came, also where a stray spot of it is taken for a person."""
    if share >= 0.999:
        return look
    share = 0.0 if share <= 0.001 else share
    return replace(
        look,
        lights=tuple(replace(light, power=light.power * share) for light in look.lights),
        ambient=1.0 + (look.ambient - 1.0) * share,
        delight=None if look.delight is None else look.delight * share,
        auto=False,
        background=1.0 + (look.backdrop - 1.0) * share,
        background_blur=look.background_blur * share,
        background_tint=_paler(look.background_tint, share),
    )


def _paler(colour: str, share: float) -> str:
    """'#rrggbb' mixed with grey, which tints nothing; '' for none of it."""
    if not colour or not share:
        return ""
    digits = colour.removeprefix("#")
    parts = (int(digits[k : k + 2], 16) for k in (0, 2, 4))
    return "#" + "".join(f"{round(128 + (c - 128) * share):02x}" for c in parts)
