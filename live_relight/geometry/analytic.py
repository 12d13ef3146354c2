"""Exact geometry without a network: a sphere in front of the camera, or a plane. For tests and checks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.frames import Geometry, Image
from ..core.projection import half_tangents
from ..resize import resized


def sphere(size: tuple[int, int], radius: float = 0.3, fov: float = 65.0) -> Geometry:
    """A sphere of `radius` (subject distances) whose centre is 1 + radius straight ahead.

    Ray and sphere: with d the ray through the pixel (z = -1), t = (b - sqrt(b^2 - d.d c)) / d.d.
    Depth is scaled so that its median over the sphere is 1, as from a network.
    """
    w, h = size
    tx, ty = half_tangents(size, fov)
    x = np.broadcast_to(((np.arange(w) + 0.5) / w * 2 - 1) * tx, (h, w))
    y = np.broadcast_to(((1 - (np.arange(h) + 0.5) / h * 2) * ty)[:, None], (h, w))
    ray = np.stack([x, y, -np.ones((h, w))], axis=-1)
    centre = np.array([0.0, 0.0, -(1.0 + radius)])
    dd = (ray * ray).sum(-1)
    b = ray @ centre
    root = b * b - dd * (centre @ centre - radius**2)
    hit = root >= 0
    t = (b - np.sqrt(np.maximum(root, 0))) / dd
    normal = np.where(hit[..., None], (ray * t[..., None] - centre) / radius, (0.0, 0.0, 1.0))
    depth = np.where(hit, t, 1.0)
    if hit.any():
        depth = depth / np.median(depth[hit])
    return Geometry(normal.astype(np.float32), depth.astype(np.float32), hit.astype(np.float32), _grey(size))


def plane(size: tuple[int, int]) -> Geometry:
    """A wall at distance 1 that faces the camera and fills the picture."""
    w, h = size
    normal = np.zeros((h, w, 3), np.float32)
    normal[..., 2] = 1.0
    return Geometry(normal, np.ones((h, w), np.float32), np.ones((h, w), np.float32), _grey(size))


def _grey(size: tuple[int, int]) -> Image:
    return np.full((size[1], size[0], 3), 128, np.uint8)


class AnalyticEstimator:
    """Estimator that sees a sphere (or a plane) in every picture."""

    def __init__(self, shape: str = "sphere", longer_side: int = 256) -> None:
        self.name = f"analytic {shape}"
        self._shape = sphere if shape == "sphere" else plane
        self._longer = longer_side
        self._cache: dict[tuple[int, int], Geometry] = {}

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        h, w = image.shape[:2]
        scale = self._longer * share**0.5 / max(w, h)
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        if size not in self._cache:
            self._cache = {size: self._shape(size)}
        return replace(self._cache[size], guide=resized(image, size))

    def close(self) -> None:
        self._cache.clear()
