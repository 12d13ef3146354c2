"""A ball as tests of training see it: what stands in for a person."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]


def ball_at(size: tuple[int, int], x: float, y: float, radius: float) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Where a ball is in a picture of `size` (width, height), h x w, and its unit normals there, h x w x 3, x
    right, y up, z toward the viewer; zero elsewhere. Place and radius in pixels."""
    row, column = np.mgrid[: size[1], : size[0]]
    u, v = (column - x) / radius, -(row - y) / radius
    on = (u * u + v * v) < 1
    normal = np.stack([u, v, np.sqrt(np.clip(1 - u * u - v * v, 0, 1))], -1)
    return on, normal * on[..., None]
