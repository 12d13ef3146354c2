"""What the light network (geometry/light_net.py) is told of a picture, its lamps and the light map, in plain
NumPy, and what its answer does to the light map.

One layer of depth does not know how thick a thing is, nor what hides behind it, and hair and cloth have a
relief that no normal tells. The network has seen how light really falls on rendered people; it says by how
many stops our lamps' share of the light map is more or less at every place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .lamps import Lamp, shadowed
from .look import Look
from .planes import LUMA
from .reference import GAMMA, SKY

Floats = npt.NDArray[Any]

CHANNELS = 16
"""Planes of `features`."""
HEARD = ("key", "fill", "point", "area")
"""Kinds of lights that it has learnt. What the others add stays as it is: a rim is drawn along the outline,
not where light would fall, and surroundings come from everywhere."""
NOBODY = 0.02
"""Alpha below which there is no light to speak of."""
FAINT, BRIGHTEST = 0.02, 3.0
"""Added to light before its log2 is taken, and where that ends."""
STRAY = 0.03
"""Share of what an open surface would get that a wrong shadow may be lifted by, a factor of the network's."""


def heard(look: Look) -> Look | None:
    """The look with the lights alone that the network corrects; None where there are none of them."""
    return _with(look, True)


def others(look: Look) -> Look | None:
    """The look with the lights alone that it does not correct; None where there are none of them. Drawn apart
    from the first, highlights take the colour of their own lights alone (reference.light_map)."""
    return _with(look, False)


def _with(look: Look, known: bool) -> Look | None:
    """Shadows are cast by the lights that cast them in the whole look, of which there are only so many."""
    cast = shadowed(look)
    some = tuple(
        replace(light, shadow=light.shadow and k in cast)
        for k, light in enumerate(look.active)
        if (light.kind in HEARD) == known
    )
    return replace(look, lights=some) if some else None


def beside(better: Floats, rest: Floats) -> Floats:
    """h x w x 4: the light map of some lamps, `better`, with what other lamps add in `rest`, their light map
    (h x w x 4 each, as in `lamps_share`)."""
    light = np.maximum(better[..., :3], 0.0) ** GAMMA + lamps_share(rest)
    return np.concatenate([light ** (1.0 / GAMMA), better[..., 3:]], axis=-1)


def arriving(
    depth: Floats, normal: Floats, found: list[Lamp], tangents: tuple[float, float]
) -> tuple[Floats, Floats]:
    """What would come to the surface were nothing in the way, luma (1: power 1 at the head). Surroundings
    count for nothing.

    h x w x 3 float32, camera space: the sum of unit vectors toward the lamps, each times what a surface there
    gets that faces it; h x w: what the surface as it is gets, matt.

    depth: h x w, subject distances; normal: h x w x 3, unit; tangents: of half the field of view, across and
    up."""
    h, w = depth.shape
    x = ((np.arange(w, dtype=np.float32) + np.float32(0.5)) / np.float32(w) * 2 - 1) * np.float32(tangents[0])
    y = (1 - (np.arange(h, dtype=np.float32) + np.float32(0.5)) / np.float32(h) * 2) * np.float32(tangents[1])
    point = np.stack([x[None] * depth, y[:, None] * depth, -depth], axis=-1).astype(np.float32)
    total, light = np.zeros_like(point), np.zeros((h, w), np.float32)
    for lamp in found:
        if lamp.mode == "env":
            continue
        toward = _toward(point, lamp)
        total += toward
        cosine = np.einsum("hwc,hwc->hw", normal, toward)
        if lamp.mode == "hemisphere":
            light += np.float32(np.dot(lamp.bgr, LUMA)) + cosine
        else:
            light += np.maximum(cosine, 0.0)
    return total, light


def _toward(point: Floats, lamp: Lamp) -> Floats:
    """Of one lamp, h x w x 3."""
    power, place = np.float32(np.dot(lamp.bgr, LUMA)), np.asarray(lamp.place, np.float32)
    if lamp.mode in ("directional", "hemisphere"):
        share = power * np.float32(SKY if lamp.mode == "hemisphere" else 1.0)
        return np.broadcast_to(place * share, point.shape)
    to = place - point
    d2 = np.maximum(np.einsum("hwc,hwc->hw", to, to), np.float32(1e-4))
    fall = lamp.falloff(d2) * power
    if lamp.mode == "spot":
        along = -(to @ np.asarray(lamp.axis, np.float32)) / np.sqrt(d2)
        beam = np.clip((along - lamp.cone[0]) * lamp.cone[1], 0.0, 1.0)
        fall = fall * beam * beam * (3.0 - 2.0 * beam)
    return np.asarray(to * (fall / np.sqrt(d2))[..., None])


def lamps_share(factors: Floats) -> Floats:
    """h x w x 3: linear light that our lamps add, of `factors` h x w x 4 as shaders/light.frag writes them:
    encoded factors of all light, and the share of the light that is there (linear)."""
    return np.maximum(np.maximum(factors[..., :3], 0.0) ** GAMMA - factors[..., 3:], 0.0)


def features(
    seen: Floats,
    normal: Floats,
    depth: Floats,
    alpha: Floats,
    light: Floats,
    ambient: Floats,
    toward: Floats,
    open_: Floats,
) -> Floats:
    """CHANNELS x h x w float32, about -1..1 each.

    seen: h x w x 3, encoded BGR 0..1; normal: x 3; depth, alpha: h x w; light: x 3, `lamps_share`; ambient:
    h x w, of the light that is there; toward, open_: x 3 and h x w, `arriving`."""
    near = np.clip(np.log(np.clip(depth, 0.2, 5.0)), -1.0, 1.0) * 2.0
    bright, free = (_stops(v * (alpha > NOBODY)[..., None]) for v in (light, open_[..., None]))
    much = np.sqrt(np.einsum("hwc,hwc->hw", toward, toward))[..., None]
    planes = [
        seen * 2.0 - 1.0, normal, near[..., None], alpha[..., None] * 2.0 - 1.0, bright,
        np.minimum(ambient, 1.0)[..., None] * 2.0 - 1.0, toward / (1.0 + much), free,
    ]  # fmt: skip
    return np.ascontiguousarray(np.moveaxis(np.concatenate(planes, axis=-1), -1, 0), np.float32)


def _stops(light: Floats) -> Floats:
    return np.asarray(np.minimum(np.log2(light + FAINT), BRIGHTEST) / BRIGHTEST)


def corrected(factors: Floats, stops: Floats, much: Floats) -> Floats:
    """h x w x 4: `factors` (h x w x 4) with the lamps' share changed by `stops` (h x w, log2). much: h x w,
    how much light may come there (length of `arriving`): where a shadow is wrong there is nothing to
    multiply, so the change is of the light and a little of `much`, and that is taken off again."""
    stray, times = (STRAY * much)[..., None], np.exp2(stops)[..., None]
    light = np.maximum((lamps_share(factors) + stray) * times - stray, 0.0)
    there = factors[..., 3:]
    return np.concatenate([(there + light) ** (1.0 / GAMMA), there], axis=-1).astype(np.float32)
