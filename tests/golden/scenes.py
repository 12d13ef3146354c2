"""What golden pictures are made of: a ball before a wall, and a head that our own generator rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from live_relight.core.frames import Geometry, Image
from live_relight.core.projection import half_tangents

HERE = Path(__file__).parent
SIZE = (256, 144)


def ball_on_wall() -> tuple[Image, Geometry]:
    """A ball of radius 0.22 at distance 1 and a wall that stands 0.1 behind its middle: all of it is lit."""
    w, h = SIZE
    tx, ty = half_tangents(SIZE, 65.0)
    x = ((np.arange(w) + 0.5) / w * 2 - 1)[None] * tx
    y = (1 - (np.arange(h) + 0.5) / h * 2)[:, None] * ty
    ray = np.stack(np.broadcast_arrays(x, y, -np.ones((1, 1))), axis=-1)
    centre, radius, far = np.array([0.0, 0.0, -1.0]), 0.22, 1.1
    b, c = ray @ centre, centre @ centre - radius**2
    a = (ray * ray).sum(axis=-1)
    root = b * b - a * c
    hit = root > 0
    depth = np.where(hit, (b - np.sqrt(np.maximum(root, 0))) / a, far)
    normal = np.where(hit[..., None], (ray * depth[..., None] - centre) / radius, [0.0, 0.0, 1.0])
    image = np.where(hit[..., None], [140, 150, 175], [150, 150, 150]).astype(np.uint8)
    ones = np.ones((h, w), np.float32)
    return image, Geometry(normal.astype(np.float32), depth.astype(np.float32), ones, image)


def head() -> tuple[Image, Geometry]:
    """A rendered person with true geometry."""
    stored = np.load(HERE / "head.npz")
    normal = stored["normal"].astype(np.float32)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    alpha = stored["alpha"].astype(np.float32) / 255
    picture = np.ascontiguousarray(stored["picture"])
    return picture, Geometry(normal, stored["depth"].astype(np.float32), alpha, picture)


SCENES = {"ball": ball_on_wall, "head": head}
