"""Light from polygons, in plain NumPy; shaders/area.glsl is the same.

A matt surface gathers from a polygon what Lambert (1760) found: a sum over its edges of the angle that an
edge spans times how far its plane leans from the normal. For a glossy surface, space is first transformed
so that its lobe becomes a cosine (Heitz, Dupuy, Hill, Neubelt 2016); training/ltc.py fits the transforms and
says how.

What is below the surface's horizon is clipped away on the way round: an edge that crosses is cut, and one
edge along the horizon, from where the polygon sets to where it rises, closes it. The transform keeps the
horizon, so both sums share that.

Units: irradiance over pi times the light's radiance, 1 under a light that covers the whole sky; divide by
`facing` at a place that is to get 1. Highlights are in the same units: a small light's, divided by what a
surface that faces it gets, stands for pi * D F G / (4 n.l n.v) * n.l, `ggx` of brdf.py. Camera space
throughout: x right, y up, z toward the viewer. Lights shine to the side from which their corners run
counter-clockwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
Vector = Sequence[float] | Floats

MAX_CORNERS = 8
LEAST_SIDE = 0.02
"""Width and height that a light has at least, subject distances: one of no size gives no light."""
ROUGHNESS = (0.1, 1.0)
"""Of the first and last row of the table."""
LAYERS = (0.02, 0.04, 0.08, 0.16, 1.0)
"""F0 of the table's layers."""
OCTAGON = math.sqrt(math.pi / (2.0 * math.sqrt(2.0)))
"""Radius of a regular octagon as large as a disk of radius 1. Its corners stand out by 5.4 %, its
sides lie 2.6 % inside. Irradiance is off by 0.1 % of what a facing surface gets from 2 radii on, by 1 % at
1.5 radii."""


def corners(shape: str, width: float, height: float, centre: Vector, toward: Vector) -> Floats:
    """k x 3 corners of a light at `centre` that faces `toward`, counter-clockwise as seen from there: a
    rectangle (shape 'rect', k = 4), or an octagon (k = 8) as large as the ellipse in it (any other).
    All in subject distances. Its height is along y as far as that goes; along z if it faces straight up or
    down, so that one in front that rises over the head does not turn."""
    at = np.asarray(centre, np.float64)
    look = at - np.asarray(toward, np.float64)
    length = float(np.linalg.norm(look))
    look = look / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])
    right = np.cross(look, [0.0, 1.0, 0.0])
    if np.linalg.norm(right) < 1e-4:
        right = np.cross(look, [0.0, 0.0, -math.copysign(1.0, look[1])])
    right /= np.linalg.norm(right)
    up = np.cross(right, look)
    half_x, half_y = 0.5 * max(width, LEAST_SIDE), 0.5 * max(height, LEAST_SIDE)
    if shape == "rect":
        spots = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    else:
        turn = (np.arange(8) + 0.5) * math.pi / 4.0
        spots = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * OCTAGON
    return np.asarray(at + spots[:, :1] * (half_x * right) + spots[:, 1:] * (half_y * up))


def facing(corners: Floats, point: Vector) -> float:
    """What a matt surface at `point` gets that faces the middle of the light, the unit of both sums below."""
    to = corners.mean(axis=0) - np.asarray(point, np.float64)
    normal = to / max(float(np.linalg.norm(to)), 1e-9)
    return float(polygon_irradiance(np.asarray(point, np.float64), normal, corners))


def polygon_irradiance(points: Floats, normals: Floats, corners: Floats) -> Floats:
    """h x w (or any shape): what matt surfaces at `points` with unit `normals`, both h x w x 3, get from the
    polygon, corners k x 3: the integral of the clamped cosine over it, over pi. 0..1. Exact if convex."""
    return np.asarray(np.maximum(_gathered(_seen(points, normals, normals, corners)), 0.0))


def polygon_specular(
    points: Floats, normals: Floats, view: Floats, corners: Floats, roughness: float, f0: float, table: Floats
) -> Floats:
    """h x w: highlights of the polygon, GGX with alpha = roughness ** 2 and Schlick's Fresnel term from `f0`.
    points, normals, view (unit vectors toward the viewer): h x w x 3; roughness 0.1..1; table as in
    shaders/ltc.npy (`row_of`). Divided by `facing` where the light is measured, a small light's is near
    `ggx` of brdf.py: 7 % off straight on, up to 40 % too bright at 50 degrees, twice at 70. What large lights
    give is within 5 % of the brightest highlight at most places, 25 % where the surface is seen edge on."""
    cosine = np.clip((normals * view).sum(axis=-1), 0.0, 1.0)
    row = row_of(table, roughness, f0)
    at = cosine * (len(row) - 1)
    low = np.minimum(at.astype(int), len(row) - 2)
    a, b, d, albedo = np.moveaxis(row[low] + (row[low + 1] - row[low]) * (at - low)[..., None], -1, 0)
    sb = b * np.linalg.norm(np.cross(normals, view), axis=-1)  # the sine: 1 - cosine * cosine has no digits
    seen = [
        np.stack([a * v[..., 0] + sb * v[..., 2], v[..., 1], d * v[..., 2]], axis=-1)
        for v in _seen(points, normals, view, corners)
    ]
    return np.asarray(np.maximum(_gathered(seen), 0.0) * albedo)


def row_of(table: Floats, roughness: float, f0: float) -> npt.NDArray[np.float32]:
    """n x 4 float32: the transform's a, b, d and the lobe's albedo by the cosine of normal and viewer, 0..1
    evenly, for one look. It is what shaders/area.glsl reads. table: as in shaders/ltc.npy, layers x rows x n
    x 4 float32, layers by F0 as in LAYERS, rows by roughness, ROUGHNESS evenly."""
    layer = min(max(int(np.searchsorted(LAYERS, f0)) - 1, 0), len(LAYERS) - 2)
    share = (f0 - LAYERS[layer]) / (LAYERS[layer + 1] - LAYERS[layer])
    low, high = ROUGHNESS
    at = min(max((roughness - low) / (high - low), 0.0), 1.0) * (table.shape[1] - 1)
    first = min(int(at), table.shape[1] - 2)
    rows = table[:, first] + (table[:, first + 1] - table[:, first]) * (at - first)
    # The albedo is linear in F0 and goes on beyond the table; the transform stays.
    shares = np.array([*[min(max(share, 0.0), 1.0)] * 3, share])
    return np.asarray(rows[layer] + (rows[layer + 1] - rows[layer]) * shares, np.float32)


def _seen(points: Floats, normals: Floats, view: Floats, corners: Floats) -> list[Floats]:
    """Each corner from each point: z along the normal, x in the plane of normal and view, toward the view."""
    across = view - normals * (normals * view).sum(axis=-1, keepdims=True)
    length = np.linalg.norm(across, axis=-1, keepdims=True)
    # Straight on any direction will do: the lobe is round.
    other = np.where(np.abs(normals[..., :1]) > 0.5, np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    spare = np.cross(normals, other)
    spare = spare / np.linalg.norm(spare, axis=-1, keepdims=True)
    x = np.where(length > 1e-3, across / np.maximum(length, 1e-9), spare)
    frame = np.stack([x, np.cross(normals, x), normals], axis=-2)
    return [np.asarray((frame @ (corner - points)[..., None])[..., 0]) for corner in corners]


def _gathered(seen: list[Floats]) -> Floats:
    """The clamped cosine over a polygon, over pi; negative from behind. seen: corners, ... x 3 each, z up."""
    total = np.zeros(seen[0].shape[:-1])
    sets, rises = np.zeros_like(seen[0]), np.zeros_like(seen[0])
    last = seen[-1]
    for here in seen:
        down, up = last[..., 2:] < 0.0, here[..., 2:] < 0.0
        fall = last[..., 2:] - here[..., 2:]
        way = np.clip(last[..., 2:] / np.where(np.abs(fall) < 1e-12, 1e-12, fall), 0.0, 1.0)
        cut = last + (here - last) * way
        cut[..., 2] = 0.0
        total += _edge(np.where(down, cut, last), np.where(up, cut, here))
        sets, rises = np.where(up & ~down, cut, sets), np.where(down & ~up, cut, rises)
        last = here
    return np.asarray(total + _edge(sets, rises))


def _edge(a: Floats, b: Floats) -> Floats:
    """An edge's part of the sum: the angle between a and b times z of the unit normal of their plane, over
    2 pi. Nothing where both are below the horizon: they are one point there."""
    length = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    cross = a[..., 1] * b[..., 0] - a[..., 0] * b[..., 1]
    cosine = np.clip((a * b).sum(axis=-1) / np.maximum(length, 1e-18), -1.0, 1.0)
    sine = np.linalg.norm(np.cross(a, b), axis=-1) / np.maximum(length, 1e-18)
    ratio = np.where(sine > 1e-9, np.arctan2(sine, cosine) / np.maximum(sine, 1e-9), 1.0)
    return np.asarray(ratio * cross / np.maximum(length, 1e-18) / (2.0 * math.pi))
