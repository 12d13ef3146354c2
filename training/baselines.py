"""What the network has to beat: a flat plane, a sphere fitted to the matte, one constant depth.

Arrays are channels-last: normals [H,W,3] unit (camera axes), depth [H,W], masks [H,W].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synth.truth import normals_from_depth

F32 = NDArray[np.float32]


def flat_normals(mask: F32) -> F32:
    """A plane that faces the camera."""
    out = np.zeros((*mask.shape, 3), np.float32)
    out[..., 2] = 1.0
    return out


def sphere_normals(mask: F32) -> F32:
    """Normals of an ellipsoid with the matte's centre and proportions that holds 98 % of its pixels.

    The second moments give the proportions (a uniform ellipse with semi-axis a has variance
    a^2/4 along it); the axis along the view is as long as the shorter of the other two. Beyond
    the outline the normals lie in the picture's plane.
    """
    out = flat_normals(mask)
    rows, cols = np.nonzero(mask > 0.5)
    if len(rows) < 10:
        return out
    sx, sy = max(2 * float(cols.std()), 1.0), max(2 * float(rows.std()), 1.0)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    u, v = (x - cols.mean()) / sx, -(y - rows.mean()) / sy
    reach = float(np.sqrt(np.quantile((u * u + v * v)[mask > 0.5], 0.98)))
    sx, sy, u, v = sx * reach, sy * reach, u / reach, v / reach
    z = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
    n = np.stack([u / sx, v / sy, z / min(sx, sy)], -1)
    return (n / np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-9)).astype(np.float32)


def constant_depth(mask: F32) -> F32:
    """Everything at distance 1."""
    return np.ones_like(mask, np.float32)


def normals_of_depth(depth: F32, camera: F32) -> F32:
    """Unit normals [H,W,3] of z-distances [H,W]: planes fitted to windows of 5 x 5 pixels. camera:
    (f, cx, cy) in pixels, centres of pixels at whole numbers, as data.load_item gives them."""
    f, cx, cy = (float(v) for v in camera)
    pinhole = {"fx": f, "fy": f, "cx": cx + 0.5, "cy": cy + 0.5}
    return normals_from_depth(depth, pinhole)
