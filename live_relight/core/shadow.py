"""Cast shadows, in plain NumPy: the depth is marched from every place toward the light.

The person is a sheet of known depth and THICKNESS behind it: a ray that passes in front of the sheet or well
behind it is free. How far it stays clear of it, against how wide the light's cone is there, says how much of
the light is seen (after Aaltonen's and Quilez' soft shadows for distance fields): hard where the caster is
near, soft where it is far, and no noise that would have to settle over time. Steps start at one of sixteen
offsets, in a 4 x 4 pattern that `settled` averages out.

shaders/shadow.frag and settle.frag are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .lamps import Lamp

Floats = npt.NDArray[Any]

STEPS = 10
"""That a way is marched in where every millisecond counts; a cap's brim falls between fewer."""
MOST_STEPS = 16
"""The same where there is time: on a card, and for stills. More are not told apart."""
REACH = 0.6
"""Subject distances that a shadow reaches at most."""
THICKNESS = 0.2
"""Of the person behind what is seen of it, subject distances."""
LIFT = 0.004
"""Where rays start above the surface, along its normal: the depth is not that exact."""
SLACK = 0.01
"""How deep under the surface a ray may be without being blocked, a unit of way."""
LEAST_CONE = 0.08
"""Half width of the light's cone, a unit of way, that a small source is given."""
PATTERN = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])


def visibility(
    depth: Floats, normal: Floats, occluder: Floats, lamp: Lamp, tangents: tuple[float, float], steps: int
) -> Floats:
    """h x w in 0..1: how much of the lamp each place sees. depth, normal: h x w (x 3) of the surface;
    occluder: as planes.occluder, any size; tangents: of half the field of view."""
    h, w = depth.shape
    x = ((np.arange(w) + 0.5) / w * 2.0 - 1.0)[None] * tangents[0]
    y = (1.0 - (np.arange(h) + 0.5) / h * 2.0)[:, None] * tangents[1]
    points = np.stack(np.broadcast_arrays(x, y, -1.0), axis=-1) * depth[..., None]
    to = np.broadcast_to(np.asarray(lamp.place), points.shape)
    if lamp.mode != "directional":
        to = to - points
    far = np.linalg.norm(to, axis=-1)
    toward = to / np.maximum(far, 1e-4)[..., None]
    reach = np.minimum(REACH, 0.9 * far) if lamp.mode != "directional" else np.full((h, w), REACH)
    start = points + normal * LIFT
    cone = max(lamp.spread, LEAST_CONE)
    offset = (np.tile(PATTERN, (h // 4 + 1, w // 4 + 1))[:h, :w] + 0.5) / 16.0
    seen = np.ones((h, w))
    for k in range(steps):
        share = (k + offset) / steps
        way = reach * share * share + 1e-3
        at = start + toward * way[..., None]
        deep = np.maximum(-at[..., 2], 1e-3)
        u = at[..., 0] / (deep * tangents[0]) * 0.5 + 0.5
        v = 0.5 - at[..., 1] / (deep * tangents[1]) * 0.5
        there = sample_at(occluder, u, v)
        clear = there[..., 0] - deep
        clear = np.maximum(clear, -clear - THICKNESS)
        # Nobody there, or outside the picture: nothing in the way.
        off = np.maximum(np.maximum(np.abs(u - 0.5), np.abs(v - 0.5)) - 0.5, 0.0)
        clear = clear + np.clip(1.6 - 2.0 * there[..., 1], 0.0, 1.0) + 100.0 * off
        seen = np.minimum(seen, 1.0 + (clear + SLACK * way) / (way * cone))
    return np.clip(seen, 0.0, 1.0)


def settled(seen: Floats) -> Floats:
    """Means of 4 x 4, h x w x k: the pattern's sixteen offsets, each once. Half a pixel up and left of the
    middle, as four bilinear samples take it."""
    h, w = seen.shape[:2]
    rows, columns = np.arange(h), np.arange(w)
    total = np.zeros(seen.shape)
    for dy in (-2, -1, 0, 1):
        for dx in (-2, -1, 0, 1):
            total += seen[np.clip(rows + dy, 0, h - 1)][:, np.clip(columns + dx, 0, w - 1)]
    return total / 16.0


def sample_at(values: Floats, u: Floats, v: Floats) -> Floats:
    """Bilinear values of h x w x c at u, v (0..1, y down, any shape), edges clamped, as OpenGL's LINEAR."""
    h, w = values.shape[:2]
    x, y = np.clip(u * w - 0.5, 0, w - 1), np.clip(v * h - 0.5, 0, h - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    top = values[y0, x0] * (1 - fx) + values[y0, x1] * fx
    low = values[y1, x0] * (1 - fx) + values[y1, x1] * fx
    return np.asarray(top * (1 - fy) + low * fy)
