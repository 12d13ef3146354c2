"""Backdrop out of focus: the fast twin of core/backdrop.py."""

from __future__ import annotations

import cv2
import numpy as np

from ..core import planes as plain
from ..core.backdrop import LEAST_COVER, START, radius_of
from ..core.frames import Geometry, Image, Map


def defocused(image: Image, geometry: Geometry, matte: Map, edges: Map, strength: float) -> Image:
    """The picture with what is behind the person blurred. matte: planes.coefficients' first plane; edges:
    planes.contrast; strength 0..1. H x W x 3 uint8, a new array."""
    r = radius_of(geometry.size, strength)
    if r < 1:
        return image.copy()
    size = image.shape[1], image.shape[0]
    free = 1.0 - geometry.alpha
    held = cv2.merge([*(cv2.multiply(c, free, dtype=cv2.CV_32F) for c in cv2.split(geometry.guide)), free])
    for _ in range(2):
        held = cv2.blur(held, (2 * r + 1, 2 * r + 1), borderType=cv2.BORDER_REPLICATE)
    weight = held[..., 3:] + np.float32(LEAST_COVER)
    small = (held[..., :3] + geometry.guide * np.float32(LEAST_COVER)) / weight
    blurred = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    half = max(size[0] // 2, 1), max(size[1] // 2, 1)
    guide = cv2.resize(image, half, interpolation=cv2.INTER_AREA).reshape(half[1], half[0], 3)
    c = cv2.resize(matte, half, interpolation=cv2.INTER_LINEAR).reshape(half[1], half[0], 4)
    alpha = np.einsum("ijk,ijk->ij", c[..., :3], guide.astype(np.float32) / 255) + c[..., 3]
    known = np.ascontiguousarray(edges[..., 3])
    clear = cv2.resize(known, half, interpolation=cv2.INTER_LINEAR).reshape(half[1], half[0])
    alpha = 1.0 - (1.0 - plain.ends(alpha, clear)) * min(strength / START, 1.0)
    t = cv2.resize(np.asarray(alpha, np.float32), size, interpolation=cv2.INTER_LINEAR).reshape(
        size[1], size[0]
    )
    behind = np.asarray(cv2.convertScaleAbs(blurred), np.uint8).reshape(image.shape)
    return np.asarray(cv2.blendLinear(image, behind, t, 1.0 - t), np.uint8)
