"""Do normals and depth of a label tell one story? Slopes of the depth against the normals."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.meshes import F32

STEP = 0.03  # metres of depth inside a window from which it holds an edge


def points_of(depth: F32, camera: dict[str, float]) -> F32:
    """Camera-space points [H,W,3] of depth [H,W] in metres; `camera` as stage.describe_camera gives it."""
    height, width = depth.shape
    x = (np.arange(width) + 0.5 - camera["cx"]) / camera["fx"]
    y = (camera["cy"] - np.arange(height) - 0.5) / camera["fy"]
    u, v = np.meshgrid(x, y)
    p, q = u, v
    for _ in range(5):  # undoes the lens: x_d = x (1 + k r^2)
        stretch = 1 + camera.get("k", 0.0) * (p * p + q * q)
        p, q = u / stretch, v / stretch
    return np.stack([p * depth, q * depth, -depth], -1).astype(np.float32)


def normals_from_depth(depth: F32, camera: dict[str, float], radius: int = 2) -> F32:
    """Unit normals [H,W,3] of planes fitted to windows of 2 radius + 1 pixels, toward the camera."""
    points = points_of(depth, camera)
    ramp = np.arange(-radius, radius + 1, dtype=np.float32)[None]
    ones = np.ones((2 * radius + 1, 1), np.float32)
    across, down = cv2.filter2D(points, -1, ones @ ramp), cv2.filter2D(points, -1, (ones @ ramp).T)
    normal = np.cross(down, across)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    away = (normal * points).sum(-1, keepdims=True) > 0
    return np.asarray(np.where(away, -normal, normal), np.float32)


def disagreement(
    normal: F32, depth: F32, inside: NDArray[np.bool_], camera: dict[str, Any], radius: int = 2
) -> F32:
    """Degrees between `normal` [H,W,3] and the depth's own, well `inside` [H,W] and off depth edges."""
    window = np.ones((2 * radius + 1,) * 2, np.uint8)
    within = cv2.erode(inside.astype(np.uint8), np.ones((2 * radius + 3,) * 2, np.uint8)) > 0
    within &= cv2.dilate(depth, window) - cv2.erode(depth, window) < STEP
    cosine = (normals_from_depth(depth, camera, radius) * normal).sum(-1)[within]
    length = np.linalg.norm(normal[within], axis=-1)
    return np.degrees(np.arccos(np.clip(cosine / np.maximum(length, 1e-6), -1, 1))).astype(np.float32)
