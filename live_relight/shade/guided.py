"""Guided-filter coefficients with OpenCV: the fast twin of `core.planes.coefficients`.

Everything is worked out plane by plane (contiguous h x w float32), which is several times faster than
arrays of small vectors.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..core import planes as plain
from ..core.frames import Geometry, Image, Map

Plane = npt.NDArray[Any]


def _mean(plane: Plane, radius: int) -> Plane:
    k = 2 * radius + 1
    # OpenCV drops sides of length 1
    return np.asarray(cv2.blur(plane, (k, k), borderType=cv2.BORDER_REPLICATE)).reshape(plane.shape)


def _means(planes: list[Plane], radius: int) -> list[Plane]:
    """`_mean` of four planes at once: half the time of one after the other."""
    return list(cv2.split(_mean(np.asarray(cv2.merge(planes)), radius)))


def _halved(plane: Plane) -> Plane:
    """Means of 2 x 2 (plain.halved)."""
    h, w = plane.shape
    if h % 2 or w % 2:
        return plane
    return np.asarray(cv2.resize(plane, (w // 2, h // 2), interpolation=cv2.INTER_AREA)).reshape(
        h // 2, w // 2
    )


def fill(geometry: Geometry) -> list[Plane]:
    """Depth, the normal's x, y, z and, where it is known, the light that is there, carried beyond the
    silhouette (plain.filled, plain.shading), halved."""
    r = plain.FILL_RADIUS
    solid = np.clip(_halved(geometry.alpha) * np.float32(2.0) - np.float32(0.8), 0.0, 1.0) ** 2
    weight = _mean(_mean(solid, r), r) + np.float32(1e-3)
    filled = []
    planes = _shape(geometry)
    if geometry.shading is not None:
        planes.append(geometry.shading)
    for full, facing in zip(planes, (1e-3, 0.0, 0.0, 1e-3, 0.0), strict=False):
        plane = _halved(full)
        spread = (_mean(_mean(plane * solid, r), r) + np.float32(facing)) / weight
        filled.append(spread + (plane - spread) * solid)
    return filled


def _shape(geometry: Geometry) -> list[Plane]:
    return [geometry.depth, *(np.ascontiguousarray(geometry.normal[..., i]) for i in range(3))]


def _by_colour(guide: Image, target: Plane, radius: int, eps: float) -> list[Plane]:
    """Coefficients for a three-channel guide: a 3 x 3 solve a pixel, by cofactors."""
    i = [np.multiply(guide[..., c], np.float32(1 / 255)) for c in range(3)]
    target = np.asarray(target, np.float32)
    *m, mt = _means([*i, target], radius)
    *with_target, m00 = _means([*(c * target for c in i), i[0] * i[0]], radius)
    m01, m02, m11, m12 = _means([i[0] * i[1], i[0] * i[2], i[1] * i[1], i[1] * i[2]], radius)
    mixed = {
        (0, 0): m00,
        (0, 1): m01,
        (0, 2): m02,
        (1, 1): m11,
        (1, 2): m12,
        (2, 2): _mean(i[2] * i[2], radius),
    }
    cov = [both - mc * mt for both, mc in zip(with_target, m, strict=True)]

    def var(j: int, k: int) -> Plane:
        return np.asarray(mixed[j, k] - m[j] * m[k])

    e = np.float32(eps)
    a, b, c, d, f, g = var(0, 0) + e, var(0, 1), var(0, 2), var(1, 1) + e, var(1, 2), var(2, 2) + e
    ia, ib, ic = d * g - f * f, c * f - b * g, b * f - c * d
    id_, if_, ig = a * g - c * c, b * c - a * f, a * d - b * b
    scale = 1.0 / (a * ia + b * ib + c * ic)
    x = (ia * cov[0] + ib * cov[1] + ic * cov[2]) * scale
    y = (ib * cov[0] + id_ * cov[1] + if_ * cov[2]) * scale
    z = (ic * cov[0] + if_ * cov[1] + ig * cov[2]) * scale
    return [x, y, z, mt - x * m[0] - y * m[1] - z * m[2]]


def matte(geometry: Geometry) -> Map:
    """The first plane of `coefficients`: h x w x 4 for alpha."""
    radius, eps = plain.ALPHA_FILTER
    planes = _by_colour(geometry.guide, geometry.alpha, radius, eps)
    return _mean(np.asarray(cv2.merge([np.asarray(p, np.float32) for p in planes])), radius)


def _luma(guide: Image) -> Plane:
    weights = np.asarray([plain.LUMA]) / 255.0
    return np.asarray(cv2.transform(guide.astype(np.float32), weights)).reshape(guide.shape[:2])


def _surface(geometry: Geometry, filled: list[Plane], full_luma: Plane) -> tuple[Map, Map]:
    """Factors a and b on the guide's luma, each h x w x 4: depth and the normal's x, y, z."""
    factors = _slopes(geometry, filled, full_luma)
    rests = cv2.merge(
        [p - a * full_luma for p, a in zip(carried(geometry, filled), cv2.split(factors), strict=True)]
    )
    return factors, np.asarray(rests)


def _slopes(geometry: Geometry, filled: list[Plane], full_luma: Plane) -> Map:
    """How much of the luma's change each of depth and the normal's x, y, z takes up: h x w x 4."""
    radius, eps = plain.SHAPE_FILTER
    luma = _halved(full_luma)
    mean = _mean(luma, radius)
    scale = 1.0 / (_mean(luma * luma, radius) - mean * mean + np.float32(eps))
    factors = []
    for target in filled[:4]:
        mean_t = _mean(target, radius)
        a = (_mean(luma * target, radius) - mean * mean_t) * scale
        factors.append(_mean(a, radius))
    return _grown(factors, geometry.size)


def _grown(planes: list[Plane], size: tuple[int, int]) -> Map:
    together = cv2.merge(planes)
    grown = np.asarray(cv2.resize(together, size, interpolation=cv2.INTER_LINEAR), np.float32)
    return grown.reshape(size[1], size[0], len(planes))


def softened(geometry: Geometry, filled: list[Plane]) -> Map:
    """The fast twin of plain.softened; filled: from `fill`."""
    planes = [*filled[1:4], _halved(geometry.alpha)]
    r = plain.SOFT_RADIUS
    return np.asarray(cv2.merge([_mean(_mean(np.asarray(p, np.float32), r), r) for p in planes]))


def contrast(geometry: Geometry) -> Map:
    """The fast twin of plain.contrast."""
    alpha, r, own = _halved(geometry.alpha), plain.FILL_RADIUS, np.float32(1e-3)
    colours = [_halved(np.asarray(c, np.float32)) * np.float32(1 / 255) for c in cv2.split(geometry.guide)]
    sides = []
    for slope, start in ((2.0, -0.8), (-2.5, 1.0)):
        share = np.clip(alpha * np.float32(slope) + np.float32(start), 0.0, 1.0) ** 2
        near, *seen = _means(_means([share, *(c * share for c in colours)], r), r)
        weight = 1 / (near + own)
        sides.append(
            [(s + own * c) * weight + np.float32(plain.FAINT) for s, c in zip(seen, colours, strict=True)]
        )
    ratios = [np.clip(front / back, 1 / plain.MOST, plain.MOST) for front, back in zip(*sides, strict=True)]
    apart = np.maximum(1 / np.minimum.reduce(ratios), np.maximum.reduce(ratios))
    clear = np.clip((apart - 1) * np.float32(1 / plain.CLEAR), 0.0, 1.0)
    return np.stack([*ratios, clear], axis=-1).astype(np.float32)


def occluder(geometry: Geometry, depth: Plane) -> Map:
    """The fast twin of plain.occluder; depth: the first of `carried`."""
    return np.asarray(cv2.merge([depth, np.asarray(geometry.alpha, np.float32)]))


def carried(geometry: Geometry, filled: list[Plane]) -> list[Plane]:
    """The fast twin of plain.shape, plane by plane, for as many as there are in `filled`."""
    size = geometry.size
    inside = np.clip(geometry.alpha * np.float32(2.0) - np.float32(0.8), 0.0, 1.0) ** 2
    made = []
    for own, small in zip(_shape(geometry), filled, strict=False):
        plane = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.float32)
        plane = plane.reshape(size[1], size[0])
        plane += (own - plane) * inside
        made.append(plane)
    return made


def coefficients(geometry: Geometry, pool: Executor | None = None, filled: list[Plane] | None = None) -> Map:
    """5 x h x w x 4 float32 (plain.PLANES). `pool`: works on the matte beside the surface; `filled`: from
    `fill`, where it is there already."""
    planes = np.empty((5, *geometry.alpha.shape, 4), np.float32)
    beside = pool.submit(matte, geometry) if pool else None
    a, b = _surface(geometry, filled or fill(geometry), _luma(geometry.guide))
    for k in range(4):
        planes[k + 1, ..., :3] = a[..., k, None] * np.asarray(plain.LUMA, np.float32)
        planes[k + 1, ..., 3] = b[..., k]
    planes[0] = beside.result() if beside else matte(geometry)
    return planes


def shape(geometry: Geometry, planes: list[Plane] | None = None) -> Map:
    """The surface on the geometry's own grid, for light that is worked out there: h x w x 4, depth and unit
    normal. `planes`: from `carried`, where they are there already."""
    depth, x, y, z = planes or carried(geometry, fill(geometry)[:4])
    length = cv2.sqrt(cv2.add(cv2.add(cv2.multiply(x, x), cv2.multiply(y, y)), cv2.multiply(z, z)))
    length = np.maximum(length, np.float32(1e-6))
    return np.asarray(cv2.merge([depth, *(cv2.divide(p, length) for p in (x, y, z))]))
