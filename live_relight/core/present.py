"""The light that a picture already has: its shading as a smooth function of the surface's normal.

1. `fit`        a frame's geometry to a Present: nine spherical harmonics of luma over the person;
2. `shading`    what it says of a normal, 1 where the light is average;
3. `quotient`   the bounded factor that takes that shading away, for core/reference.py and shaders/light.frag.

Skin is whatever has the colour of most of the head, so it may be of any tone and in any light. Everything
else of the person helps too: cells of one colour are taken for one paint, whose brightness is found along
with the light; hair, beard and prints that agree with neither are left out by their residual. The picture is
decoded with a power of 2.2, as core/reference.py does. core/arrange.py is what follows from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import Geometry, Image
from .planes import LUMA

Floats = npt.NDArray[Any]

TERMS = 9
LONG = 72
"""Cells along the longer side of the grid that is fitted on, at most."""
LEAST = 24
"""Cells of skin without which there is no fit."""
TALL, MIN_ROWS = 1.2, 4
HEAD = 0.45
"""Share of the person's height that is searched for the face, as in core/projection.py."""
SOLID, BLACK, BURNT, STEEP = 0.9, 2e-3, 0.95, 0.1
"""Usable cells: alpha above, luma above, every channel below, normal's z above."""
NEAR = 0.2
"""Log of a ratio of channels within which a colour counts as the face's."""
SHEER = 0.8
"""Skin brighter than this share of it stands for the lit face; what is far darker is rather hair."""
SKIN = 0.1
"""Likelihood from which a cell is taken for skin."""
PAINT = 0.3
"""Width of the classes that colours fall into, log of a ratio of channels."""
OTHERS = 0.6
"""Weight of what is not skin."""
ROUNDS, TOLERANCE = 6, 0.6
RIDGE = np.array([0.0, *[0.004] * 3, *[0.045] * 5])
"""Pulls toward even light: a face shows half of all normals, and those do not tell every term apart."""
MOST = 3.0
"""Coefficients end here."""
KNEE = 0.15
"""The fitted function bends from here on so that it stays above zero."""
DARKEST = 0.05
"""Shading is at least this."""
_DECODED = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Present:
    """The light in a picture."""

    terms: tuple[float, ...] = (1.0,) + (0.0,) * (TERMS - 1)
    """For 1, x, y, z, xy, yz, 3zz - 1, xz, xx - yy of a normal; the mean over the person is 1."""
    level: float = 0.2
    """Linear luma of skin in average light, 0..1."""
    scene: float = 0.2
    """Mean linear luma of the whole picture, 0..1."""
    confidence: float = 0.0
    """0..1: how much there was to fit on and how well it agreed. Everything that follows fades with it."""

    @property
    def balance(self) -> float:
        """How many stops (log2) a cheek turned 45 degrees right is brighter than a left one."""
        # `shading` of (+-r, 0, r), without arrays: this is asked in every frame.
        r, t = math.sqrt(0.5), self.terms
        even, odd = t[0] + r * t[3] + 0.5 * (t[6] + t[8]), r * t[1] + 0.5 * t[7]
        return math.log2(_positive_number(even + odd) / _positive_number(even - odd))

    @property
    def direction(self) -> tuple[float, float]:
        """Azimuth and elevation in degrees, as a Light's, of where most of the light comes from. Even light:
        (0, 0)."""
        # Over the half of normals that is seen, z is hard to tell from the constant: light on a surface that
        # faces the camera stands for both.
        x, y = self.terms[1:3]
        z = float(shading(self, np.array([0.0, 0.0, 1.0])))
        return math.degrees(math.atan2(x, z)), math.degrees(math.atan2(y, math.hypot(x, z)))

    @property
    def ratio(self) -> float:
        """Key to fill, >= 1: a surface turned 45 degrees toward the light, to one as far the other way."""
        x, y = self.terms[1:3]
        across = math.hypot(x, y)
        if across < 1e-6:
            return 1.0
        away = np.array([x, y]) / across * math.sqrt(0.5)
        lit, dark = shading(self, np.array([[*away, math.sqrt(0.5)], [*-away, math.sqrt(0.5)]]))
        return max(float(lit) / float(dark), 1.0)


def basis(normals: Floats) -> Floats:
    """... x 9: the functions that `Present.terms` belong to, of unit normals ... x 3."""
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    return np.stack([np.ones_like(x), x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=-1)


def shading(present: Present, normals: Floats) -> Floats:
    """Linear light on unit normals ... x 3, from DARKEST up; 1 is average. Non-finite normals count as facing
    the camera."""
    facing = np.array([0.0, 0.0, 1.0])
    there = np.where(np.isfinite(normals).all(axis=-1, keepdims=True), normals, facing)
    return _positive(basis(there) @ np.asarray(present.terms))


def quotient(present: Present, normals: Floats, strength: float) -> Floats:
    """Factor in linear light on what is at unit normals ... x 3, for `strength` 0..1: evens the picture's own
    shading out, by at most a factor of two. With t = log2(shading) it is

        2 ** (-strength * confidence * t / (1 + t ** 4) ** 0.25)

    which is smooth everywhere and 1 in average light."""
    return evened(np.log2(shading(present, normals)), strength * present.confidence)


def evened(stops: Floats, strength: float) -> Floats:
    """`quotient` for a shading whose log2 is known, any shape."""
    return np.asarray(np.exp2(-strength * stops / np.sqrt(np.sqrt(1.0 + stops**4))))


def fit(geometry: Geometry) -> Present | None:
    """The light in `geometry.guide`. None where nobody is, or too little of them that can be used."""
    normals, alpha, colours = _cells(geometry)
    scene = float(colours.reshape(-1, 3).mean(axis=0) @ np.asarray(LUMA)) if colours.size else 0.0
    solid = alpha > SOLID  # a NaN is not
    normal, colour = normals[solid], colours[solid]
    length = np.sqrt(np.einsum("ij,ij->i", normal, normal))
    burnt = np.maximum(np.maximum(colour[:, 0], colour[:, 1]), colour[:, 2]) >= BURNT
    luma = colour @ np.asarray(LUMA, np.float32)
    usable = (normal[:, 2] > STEEP * length) & (length < 2.0) & ~burnt & (luma > BLACK)
    logs = np.log(colour + np.float32(1e-3))
    ratios = logs[:, 2::-2] - logs[:, 1:2]
    found = _face(solid, usable, normal[:, 2], luma, ratios)
    if found is None or np.count_nonzero(found[usable] > SKIN) < LEAST:
        return _blinding(solid, burnt, luma, scene)
    skin, blown = found[usable], found[burnt]
    n = normal[usable] / length[usable, None]
    terms, level, agreed = _solve(n, luma[usable], skin, ratios[usable])
    # What burnt out was left out of the fit; the face is as bright as all of it.
    seen, lost = float(skin.sum()), float(blown.sum())
    level = (level * seen + float(blown @ luma[burnt])) / (seen + lost)
    enough = float(np.clip((seen - LEAST / 2) / (4.0 * LEAST), 0.05, 1.0))
    made = Present(tuple(float(v) for v in terms), min(level, 1.0), scene, math.sqrt(enough * agreed))
    return made if all(map(math.isfinite, (*made.terms, made.level, made.confidence))) else None


def _blinding(solid: Floats, burnt: Floats, luma: Floats, scene: float) -> Present | None:
    """Where most of a head is too bright to be fitted on: even light, of which there is too much. None where
    that is not the reason. solid: rows x columns, whether somebody is there; burnt, luma: of these n cells in
    turn; scene: as in Present."""
    row, _ = np.nonzero(solid)
    if not len(row):
        return None
    head = row < _chin(solid, int(row[0]), int(row[-1]) + 1)
    lost = burnt & head
    if np.count_nonzero(lost) < max(LEAST, 0.5 * np.count_nonzero(head)):
        return None
    return Present(level=min(float(luma[lost].mean()), 1.0), scene=scene, confidence=1.0)


def _cells(geometry: Geometry) -> tuple[Floats, Floats, Floats]:
    """A coarse grid, rows x columns: normals (x 3, not of length one), alpha, linear BGR (x 3), each from
    four places of a cell."""
    h, w = geometry.alpha.shape
    step = max(-(-max(h, w) // LONG), 1)
    rows, columns = h - h % step, w - w % step
    first, second = step // 4, step - 1 - step // 4
    places = [
        (slice(v, rows, step), slice(u, columns, step)) for v in (first, second) for u in (first, second)
    ]
    guide: Image = geometry.guide
    normal = sum(geometry.normal[at] for at in places) * np.float32(0.25)
    colour = sum(_DECODED[guide[at]] for at in places) * np.float32(0.25)
    return np.asarray(normal), np.minimum.reduce([geometry.alpha[at] for at in places]), np.asarray(colour)


def _face(solid: Floats, usable: Floats, facing: Floats, luma: Floats, ratios: Floats) -> Floats | None:
    """Likelihood 0..1 of being skin for each of `solid`'s cells in turn: the colour that most of the head's
    middle has."""
    row, column = np.nonzero(solid)
    if not len(row):
        return None
    in_head = row < _chin(solid, int(row[0]), int(row[-1]) + 1)
    head = in_head & usable
    if np.count_nonzero(head) < LEAST / 2:
        return None
    v, u = row[in_head], column[in_head]
    dv, du = (row[head] - v.mean()) / (v.std() + 1.0), (column[head] - u.mean()) / (u.std() + 1.0)
    colours = ratios[head]
    weight = np.exp(-0.5 * (dv * dv + du * du)) * facing[head] * np.sqrt(luma[head])
    middle = np.array([_quantile(colours[:, i], weight, 0.5) for i in (0, 1)])
    for _ in range(4):  # to the nearest peak of the distribution
        near = weight * np.exp(_squared(colours - middle) * (-0.5 / NEAR**2))
        middle = near @ colours / max(float(near.sum()), 1e-12)
    skin = np.exp(_squared(ratios - middle.astype(np.float32)) * np.float32(-0.5 / NEAR**2))
    clear = (skin > SKIN) & usable
    if not clear.any():
        return None
    bright = _quantile(luma[clear], skin[clear], SHEER)
    return np.asarray(skin * np.clip((luma / bright - 0.1) / 0.3, 0.02, 1.0))


def _squared(pairs: Floats) -> Floats:
    return np.asarray(pairs[..., 0] ** 2 + pairs[..., 1] ** 2)


def _chin(solid: Floats, top: int, bottom: int) -> int:
    """First row below the head: as far down as TALL times the width so far, else HEAD of the height."""
    widest = np.maximum.accumulate(solid[top:bottom].sum(axis=1))
    deep = np.flatnonzero(np.arange(1, bottom - top + 1) >= TALL * widest)
    deep = deep[deep >= MIN_ROWS]
    return top + (int(deep[0]) + 1 if deep.size else max(round(HEAD * (bottom - top)), 1))


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order[min(int(np.searchsorted(total, total[-1] * share)), len(order) - 1)]])


def _solve(normals: Floats, luma: Floats, skin: Floats, ratios: Floats) -> tuple[Floats, float, float]:
    """Terms, level and how well it agreed (0..1), from n cells. Iterated: brightness of every paint under the
    light so far, then the light with cells weighted by how well they agree (Geman and McClure)."""
    is_skin = skin > SKIN
    bins = np.clip(np.rint(ratios * np.float32(1 / PAINT)) + 16, 0, 31).astype(np.int64)
    paint = np.where(is_skin, 1024, bins[:, 0] * 32 + bins[:, 1])
    functions = basis(normals)
    trust = np.where(is_skin, skin, np.float32(OTHERS)) * np.clip(2 * normals[:, 2], 0, 1)
    weight, light = trust, np.ones_like(luma)
    terms = np.zeros(TERMS)
    albedo: Floats = np.ones(1025)
    for _ in range(ROUNDS):
        shown = weight * light
        given = np.maximum(np.bincount(paint, shown * light, 1025), 1e-9)
        albedo = np.asarray(np.bincount(paint, shown * luma, 1025) / given)
        relative = luma / np.maximum(albedo, 1e-4).astype(np.float32)[paint]
        weighted = functions * weight[:, None]
        equations = (weighted.T @ functions).astype(float) + np.diag(RIDGE * float(weight.sum()) + 1e-9)
        terms = np.linalg.solve(equations, (weighted.T @ relative).astype(float))
        light = np.maximum(functions @ terms.astype(np.float32), np.float32(DARKEST))
        residual = (relative - light) / (np.maximum(light, np.float32(0.1)) * np.float32(TOLERANCE))
        agreeing = 1.0 + residual * residual
        weight = trust / (agreeing * agreeing)
    # Lights of power 1 give the person in the mean what the picture's own light does, not the face alone.
    mean = float(light.mean())
    agreed = float((weight * is_skin).sum() / np.where(is_skin, trust, 0.0).sum())
    return np.clip(terms / mean, -MOST, MOST), float(albedo[1024]) * mean, min(agreed / 0.6, 1.0)


def _positive(value: Floats) -> Floats:
    """Above DARKEST, and the same as `value` where that is well above."""
    low = np.clip(value + KNEE, 0.0, 2.0 * KNEE)
    return np.asarray(np.maximum(low * low / (4.0 * KNEE) + np.maximum(value - KNEE, 0.0), DARKEST))


def _positive_number(value: float) -> float:
    """`_positive` of one number."""
    low = min(max(value + KNEE, 0.0), 2.0 * KNEE)
    return max(low * low / (4.0 * KNEE) + max(value - KNEE, 0.0), DARKEST)
