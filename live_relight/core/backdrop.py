"""Backdrop out of focus, in plain NumPy; shade/backdrop.py is the fast twin.

The person is left out of the blur (a normalised convolution: colours weighted by 1 - alpha), so no colour of
theirs hangs round the silhouette.
"""

from __future__ import annotations

import numpy as np

from .frames import Geometry, Image, Map
from .planes import Floats, apply, box_mean, ends, sample

START = 0.2
"""Strength up to which the blur comes in softly: less than a pixel of the geometry's grid there is not."""
LEAST_COVER = 1e-3
"""Weight that a place keeps which is all person: there is nothing else to show."""
WIDEST = 0.05
"""Radius of the two box blurs at strength 1, in widths of the picture."""


def radius_of(size: tuple[int, int], strength: float) -> int:
    """Radius in pixels of the geometry's grid (width, height), at least 1 where there is any strength."""
    return max(round(max(size) * WIDEST * strength), int(strength > 0.0))


def defocused(image: Image, geometry: Geometry, matte_plane: Map, edges: Map, strength: float) -> Image:
    """The picture with what is behind the person blurred. H x W x 3 uint8; edges: planes.contrast; strength
    0..1. Where an edge is clear hair is as soft in front of the blur as the camera saw it."""
    r = radius_of(geometry.size, strength)
    if r < 1:
        return image.copy()
    free = (1.0 - geometry.alpha.astype(np.float64))[..., None]
    held: Floats = np.concatenate([geometry.guide * free, free], axis=-1)
    held = box_mean(box_mean(held, r), r)
    small = (held[..., :3] + geometry.guide * LEAST_COVER) / (held[..., 3:] + LEAST_COVER)
    blurred = sample(small, (image.shape[1], image.shape[0]))
    clear = sample(edges[..., 3], (image.shape[1], image.shape[0]))
    alpha = ends(apply(matte_plane, image / 255.0), clear)[..., None]
    alpha = 1.0 - (1.0 - alpha) * min(strength / START, 1.0)
    return np.asarray(np.rint(image * alpha + blurred * (1.0 - alpha)), np.uint8)
