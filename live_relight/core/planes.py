"""The geometry as the light pass takes it, in plain NumPy: planes that follow the picture's edges.

1. `fill_outside`    carries the person's surface a little beyond the silhouette;
2. `coefficients`    guided filter (He, Sun, Tang 2013; fast form He & Sun 2015): each geometry map q is
                     written as q = a . I + b, with a, b from a small window, so that evaluating it with the
                     full-size picture I brings q up along the picture's edges instead of blurring over them;
3. `softened`        the surface without its fine relief, and how deep inside the silhouette a place is;
4. `contrast`        how much brighter the person is than what is behind their edge.

shade/guided.py is the fast twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .colour import REC709_LUMA
from .frames import Geometry, Map

Floats = npt.NDArray[Any]

# Radius in pixels, and regularisation in units of guide variance. Alpha, on the geometry's own grid, follows
# fine edges; normals and depth only strong ones, so that make-up and cloth patterns do not become relief, and
# on a grid half as fine: it is smooth anyway and costs a quarter.
ALPHA_FILTER = (3, 2e-4)
SHAPE_FILTER = (1, 1e-2)
FILL_RADIUS = 2
SOFT_RADIUS = 1
ALPHA_LOW, ALPHA_HIGH = 0.38, 0.9  # what a network says of a wall beside somebody is not quite 0
CLEAR_LOW, CLEAR_HIGH = 0.1, 0.98
"""The same where one side of the edge outshines the other by CLEAR in any channel: there the guided filter
finds in the picture how the camera mixed both."""
CLEAR = 0.4
FAINT, MOST = 0.02, 8.0  # value that counts as noise; by how much one side of an edge outshines the other
LUMA = REC709_LUMA[::-1]  # BGR

PLANES = ("alpha", "depth", "normal x", "normal y", "normal z")


def box_mean(values: Floats, radius: int) -> Floats:
    """Mean over (2 radius + 1)^2 pixels, edges repeated. h x w or h x w x c."""
    k = 2 * radius + 1
    pad = [(radius, radius), (radius, radius)] + [(0, 0)] * (values.ndim - 2)
    p = np.pad(values.astype(np.float64), pad, mode="edge")
    for axis in (0, 1):
        total = np.cumsum(p, axis=axis)
        total = np.insert(total, 0, 0.0, axis=axis)
        n = total.shape[axis]
        p = np.take(total, range(k, n), axis) - np.take(total, range(n - k), axis)
    return np.asarray(p / (k * k))


def fill_outside(normal: Floats, depth: Floats, alpha: Floats) -> Floats:
    """h x w x 4: depth and normal, from maps h x w x 3, h x w, h x w. Outside the mask the network's shape
    means nothing: replace it by the person's nearby shape, or by a surface facing the camera where nobody is
    near, so that light does not break at the silhouette."""
    solid = np.clip(alpha * 2.0 - 0.8, 0.0, 1.0) ** 2
    maps = np.concatenate([depth[..., None], normal], axis=-1)
    weight = box_mean(box_mean(solid, FILL_RADIUS), FILL_RADIUS)[..., None]
    spread = box_mean(box_mean(maps * solid[..., None], FILL_RADIUS), FILL_RADIUS)
    facing = np.array([1.0, 0.0, 0.0, 1.0])
    near = (spread + facing * 1e-3) / (weight + 1e-3)
    return np.asarray(near + (maps - near) * solid[..., None])


def guided(guide: Floats, target: Floats, radius: int, eps: float) -> Floats:
    """h x w x 3 guide in 0..1, h x w target: h x w x 4 (a for the guide's three channels, b)."""
    mean_i = box_mean(guide, radius)
    mean_t = box_mean(target, radius)
    cov_it = box_mean(guide * target[..., None], radius) - mean_i * mean_t[..., None]
    outer = guide[..., :, None] * guide[..., None, :]
    h, w = target.shape
    cov_ii = box_mean(outer.reshape(h, w, 9), radius).reshape(h, w, 3, 3)
    cov_ii -= mean_i[..., :, None] * mean_i[..., None, :]
    a = np.linalg.solve(cov_ii + eps * np.eye(3), cov_it[..., None])[..., 0]
    b = mean_t - (a * mean_i).sum(axis=-1)
    return box_mean(np.concatenate([a, b[..., None]], axis=-1), radius)


def guided_by_luma(guide: Floats, target: Floats, radius: int, eps: float) -> Floats:
    """As `guided`, but only the guide's luma counts: a is one number, spread over the channels. For shape
    it follows fewer of the colours that are paint and not relief."""
    luma = guide @ np.asarray(LUMA)
    mean_i, mean_t = box_mean(luma, radius), box_mean(target, radius)
    a = (box_mean(luma * target, radius) - mean_i * mean_t) / (
        box_mean(luma * luma, radius) - mean_i**2 + eps
    )
    a, b = box_mean(a, radius), box_mean(mean_t - a * mean_i, radius)
    return np.concatenate([a[..., None] * np.asarray(LUMA), b[..., None]], axis=-1)


def halved(values: Floats) -> Floats:
    """Means of 2 x 2, h x w (x c). A side that is odd stays: everything is then done at full size."""
    h, w = values.shape[:2]
    if h % 2 or w % 2:
        return values.astype(np.float64)
    return np.asarray(values.reshape(h // 2, 2, w // 2, 2, *values.shape[2:]).mean(axis=(1, 3)))


def filled(geometry: Geometry) -> Floats:
    """`fill_outside` on half the geometry's grid: h/2 x w/2 x 4."""
    return fill_outside(*(halved(v) for v in (geometry.normal, geometry.depth, geometry.alpha)))


def softened(geometry: Geometry) -> Map:
    """h/2 x w/2 x 4 float32 on half the geometry's grid: the normal (not of length one) as light that has
    spread under the skin meets it, and alpha, both blurred: 1 well inside the person, 0.5 at its edge."""
    maps = np.concatenate([filled(geometry)[..., 1:], halved(geometry.alpha)[..., None]], axis=-1)
    return box_mean(box_mean(maps, SOFT_RADIUS), SOFT_RADIUS).astype(np.float32)


def contrast(geometry: Geometry) -> Map:
    """h/2 x w/2 x 4 float32 on half the geometry's grid: blue, green and red of the person near their edge
    over those of what is behind them there, both carried across the edge, 1/MOST..MOST; and `clearness` of
    that. 1, 1, 1, 0 where either is far."""
    alpha, seen = halved(geometry.alpha), halved(geometry.guide.astype(np.float64) / 255.0)
    sides = []
    for share in (np.clip(alpha * 2.0 - 0.8, 0.0, 1.0) ** 2, np.clip(1.0 - 2.5 * alpha, 0.0, 1.0) ** 2):
        weight = box_mean(box_mean(share, FILL_RADIUS), FILL_RADIUS)[..., None]
        spread = box_mean(box_mean(seen * share[..., None], FILL_RADIUS), FILL_RADIUS)
        sides.append((spread + 1e-3 * seen) / (weight + 1e-3) + FAINT)
    ratio = np.clip(sides[0] / sides[1], 1.0 / MOST, MOST)
    return np.concatenate([ratio, clearness(ratio)[..., None]], axis=-1).astype(np.float32)


def shading(geometry: Geometry) -> Map:
    """h/2 x w/2 float32 on half the geometry's grid: log2 of the light that is there, carried beyond the
    silhouette; 0 everywhere where it is not known."""
    if geometry.shading is None:
        return np.zeros_like(halved(geometry.alpha), np.float32)
    plane = halved(geometry.shading)
    solid = np.clip(halved(geometry.alpha) * 2.0 - 0.8, 0.0, 1.0) ** 2
    weight = box_mean(box_mean(solid, FILL_RADIUS), FILL_RADIUS) + 1e-3
    spread = box_mean(box_mean(plane * solid, FILL_RADIUS), FILL_RADIUS) / weight
    return np.asarray(spread + (plane - spread) * solid, np.float32)


def shape(geometry: Geometry) -> Floats:
    """h x w x 4 on the geometry's grid: depth and normal (not of length one) as they are inside the person,
    carried beyond the silhouette as in `filled`. Nothing inside is smoothed: a nose is a few cells wide."""
    own = np.concatenate([geometry.depth[..., None], geometry.normal], axis=-1)
    beyond = sample(filled(geometry), geometry.size)
    inside = np.clip(geometry.alpha * 2.0 - 0.8, 0.0, 1.0) ** 2
    return np.asarray(beyond + (own - beyond) * inside[..., None])


def occluder(geometry: Geometry) -> Map:
    """h x w x 2 float32 on the geometry's grid: what casts shadows. Depth, carried beyond the silhouette, and
    alpha."""
    return np.stack([shape(geometry)[..., 0], geometry.alpha], axis=-1).astype(np.float32)


def half_of(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of what `halved` makes of a map of `size`."""
    w, h = size
    return size if w % 2 or h % 2 else (w // 2, h // 2)


def coefficients(geometry: Geometry) -> Map:
    """5 x h x w x 4 float32 at the geometry's size, planes as in PLANES. How shape follows the picture comes
    from half of it (the fast guided filter of He and Sun, 2015); on the grid itself it is `shape`."""
    g = geometry.guide.astype(np.float64) / 255.0
    size = geometry.size
    coarse, fine = filled(geometry), shape(geometry)
    planes = [guided(g, geometry.alpha.astype(np.float64), *ALPHA_FILTER)]
    small = halved(g)
    for i in range(4):
        plane = sample(guided_by_luma(small, coarse[..., i], *SHAPE_FILTER), size)
        plane[..., 3] = fine[..., i] - (plane[..., :3] * g).sum(axis=-1)
        planes.append(plane)
    return np.stack(planes).astype(np.float32)


def sample(values: Floats, size: tuple[int, int]) -> Floats:
    """Bilinear resampling of h x w (x c) to `size` (width, height): texel centres at +0.5, edges clamped,
    as OpenGL's LINEAR filter samples a texture."""
    h, w = values.shape[:2]
    y = np.clip((np.arange(size[1]) + 0.5) / size[1] * h - 0.5, 0, h - 1)
    x = np.clip((np.arange(size[0]) + 0.5) / size[0] * w - 0.5, 0, w - 1)
    y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
    y1, x1 = np.minimum(y0 + 1, h - 1), np.minimum(x0 + 1, w - 1)
    tail = (1,) * (values.ndim - 2)
    fy, fx = (y - y0).reshape(-1, 1, *tail), (x - x0).reshape(1, -1, *tail)
    top = values[y0][:, x0] * (1 - fx) + values[y0][:, x1] * fx
    low = values[y1][:, x0] * (1 - fx) + values[y1][:, x1] * fx
    return np.asarray(top * (1 - fy) + low * fy)


def apply(plane: Floats, guide: Floats) -> Floats:
    """a . I + b at the guide's size. plane h x w x 4; guide H x W x 3 in 0..1."""
    c = sample(plane, (guide.shape[1], guide.shape[0]))
    return np.asarray((c[..., :3] * guide).sum(axis=-1) + c[..., 3])


def clearness(ratio: Floats) -> Floats:
    """How far a guided alpha is to be trusted at an edge, 0..1, of shape ...: it goes by colour, so one
    channel that differs is enough. ratio: F over B, ... x 3."""
    apart = np.maximum(ratio, 1.0 / ratio).max(axis=-1)
    return np.asarray(np.clip((apart - 1.0) / CLEAR, 0.0, 1.0))


def ends(alpha: Floats, clear: Floats | float = 0.0) -> Floats:
    """Guided alpha with its soft ends pulled to exactly 0 and 1; any shape. clear: `clearness` there; 0: as
    where both sides are alike, where the ramp has an S's shape as well. At a clear edge it is straight: an S
    makes the person's side of the ramp, where the filter says too much already, a thin line of its own."""
    low, high = ALPHA_LOW + (CLEAR_LOW - ALPHA_LOW) * clear, ALPHA_HIGH + (CLEAR_HIGH - ALPHA_HIGH) * clear
    t = np.clip((alpha - low) / (high - low), 0.0, 1.0)
    curved = t * t * (3.0 - 2.0 * t)
    return np.asarray(curved + (t - curved) * clear)


def behind_share(alpha: Floats, contrast: Floats) -> Floats:
    """Share of a pixel's value that comes from behind the person: alpha F + (1 - alpha) B is mixed there, so
    with B the brighter it is more than 1 - alpha. Shapes that go together; contrast: F over B."""
    free = 1.0 - alpha
    return np.asarray(free / (free + alpha * contrast))
