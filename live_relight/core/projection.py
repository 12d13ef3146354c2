"""The pinhole camera between pixels and camera space, and where the subject's head is."""

from __future__ import annotations

import math

import numpy as np

from .frames import Geometry, Map

ENOUGH = 160
"""Places along the longer side of the grid that the head is looked for on, at most."""


def half_tangents(size: tuple[int, int], fov: float) -> tuple[float, float]:
    """tan of half the horizontal and vertical field of view. `size` (width, height) pixels; `fov`
    degrees across the longer side, so that an upright phone picture is not taken for a telephoto one."""
    w, h = size
    t = math.tan(math.radians(fov) / 2.0) / max(w, h)
    return t * w, t * h


def intrinsics(size: tuple[int, int], fov: float) -> Map:
    """3 x 3 float32 pinhole matrix in pixels: square pixels, principal point in the centre,
    x right and y down as in pictures (OpenCV's use); pixel centres at +0.5."""
    w, h = size
    f = max(w, h) / (2.0 * math.tan(math.radians(fov) / 2.0))
    return np.array([[f, 0, w / 2.0], [0, f, h / 2.0], [0, 0, 1]], np.float32)


def unproject(depth: Map, fov: float) -> Map:
    """h x w depth (> 0) to h x w x 3 float32 points in camera space, subject distances."""
    h, w = depth.shape
    tx, ty = half_tangents((w, h), fov)
    x = ((np.arange(w, dtype=np.float32) + 0.5) / w * 2.0 - 1.0) * tx
    y = (1.0 - (np.arange(h, dtype=np.float32) + 0.5) / h * 2.0) * ty
    points = np.empty((h, w, 3), np.float32)
    points[..., 0] = x[None, :] * depth
    points[..., 1] = y[:, None] * depth
    points[..., 2] = -depth
    return points


def head_point(
    geometry: Geometry, fov: float, frame: tuple[int, int] | None = None
) -> tuple[float, float, float]:
    """Camera-space centre of the subject's head: lights are placed round it. `frame`: (width, height) of the
    picture, whose aspect the geometry's grid may not quite have; None: it has.

    The head is taken as the top 45 % of the mask's height, at most as tall as the mask is wide there.
    Without a person it is the point one subject distance straight ahead. On a grid larger than ENOUGH
    it is worked out from every second place or fewer: a mean over thousands is hardly moved by that.
    """
    step = max(-(-max(geometry.alpha.shape) // ENOUGH), 1)
    half = step // 2
    alpha, depth = (m[half::step, half::step] for m in (geometry.alpha, geometry.depth))
    w = alpha.shape[1]
    solid = np.where(alpha > 0.5, alpha, 0.0)
    rows = solid.sum(axis=1)
    inside = np.flatnonzero(rows > max(1.0, 0.02 * w))
    if inside.size < 2:
        return (0.0, 0.0, -1.0)
    top, bottom = int(inside[0]), int(inside[-1]) + 1
    cut = top + max(1, round(0.45 * (bottom - top)))
    part = solid[top:cut]
    across, down = part.sum(axis=0), rows[top:cut]
    total = float(down.sum())
    full_h, full_w = geometry.alpha.shape
    cx = (float(across @ np.arange(w)) / total * step + half + 0.5) / full_w
    cy = ((top + float(down @ np.arange(cut - top)) / total) * step + half + 0.5) / full_h
    z = float(np.vdot(part, depth[top:cut])) / total
    tx, ty = half_tangents(frame or (full_w, full_h), fov)
    return ((cx * 2.0 - 1.0) * tx * z, (1.0 - cy * 2.0) * ty * z, -z)
