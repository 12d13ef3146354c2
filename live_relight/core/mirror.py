"""What is seen of a picture and of its mirror image, together.

A network says something else of the mirrored picture, six to ten degrees of angle away, though what it sees
is the same: part of its error. The middle of both has less of it, for twice the time: stills and files can
have that, a camera cannot.
"""

from __future__ import annotations

import numpy as np

from .frames import Geometry, Image, Map


def mirrored_frame(frame: Image) -> Image:
    """h x w x 3 uint8 BGR: left becomes right."""
    return np.ascontiguousarray(frame[:, ::-1])


def mirrored(geometry: Geometry) -> Geometry:
    """What was seen of a mirrored picture, as it lies in the picture itself: left and right change places,
    normals point the other way across."""
    normal = np.asarray(geometry.normal[:, ::-1] * np.array([-1, 1, 1], np.float32), np.float32)
    depth, alpha = _turned(geometry.depth), _turned(geometry.alpha)
    shading = None if geometry.shading is None else _turned(geometry.shading)
    return Geometry(normal, depth, alpha, mirrored_frame(geometry.guide), shading)


def _turned(plane: Map) -> Map:
    return np.ascontiguousarray(plane[:, ::-1])


def between(one: Geometry, two: Geometry) -> Geometry:
    """The middle of two of one size: the direction between the normals (opposite ones: the first), the
    geometric mean of the depths, the mean of mattes and of shadings; the first one's guide."""
    total = one.normal + two.normal
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    normal = np.where(length > 1e-3, total / np.maximum(length, 1e-3), one.normal)
    shading = None
    if one.shading is not None and two.shading is not None:
        shading = _mean(one.shading, two.shading)
    depth, alpha = np.sqrt(one.depth * two.depth), _mean(one.alpha, two.alpha)
    return Geometry(normal.astype(np.float32), depth, alpha, one.guide, shading)


def _mean(a: Map, b: Map) -> Map:
    return np.asarray((a + b) * np.float32(0.5), np.float32)
