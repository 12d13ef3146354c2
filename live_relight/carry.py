"""Geometry carried from one picture of a clip to the next one, without asking the network.

What moved is found on the small pictures that the network saw (dense inverse search, Kroeger et al. 2016:
OpenCV's), and the maps are moved with it. A fifth of the network's time; where the pictures do not fit
each other, at a cut, there is nothing to carry. Who comes in is there one frame later.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .core.frames import Geometry, Image, Map
from .resize import with_half

APART = 8.0
"""Levels of 255 by which two pictures may still differ in the mean once what moved is moved back, and what is
brighter everywhere is left out."""
LEAST = 48
"""Pixels that either side of a geometry must have: OpenCV's search begins at a level that goes by the size,
and where that would lie behind FINEST it writes past its maps."""
FINEST = 1
"""The search ends at this level of the pyramid. At 0.8 ms of one core 1 in 9,000 pixels of a matte of 160x96
is on the other side than the network has it one frame later; a level less fine 2 (0.3 ms), as it was 6."""


class Carrier:
    """For one thread."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._search.setFinestScale(FINEST)

    def carry(self, geometry: Geometry, image: Image) -> Geometry | None:
        """`geometry` as it is in `image` (H x W x 3 uint8 BGR), a frame or two later in the same clip, of the
        same size; None where too much has changed to tell, or it is too small. `geometry` stays."""
        if min(geometry.size) < LEAST:
            return None
        half, small = with_half(image, geometry.size)
        now, then = (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (small, geometry.guide))
        still = np.zeros((*now.shape, 2), np.float32)
        moved = _places(*geometry.size) + np.asarray(self._search.calc(now, then, still), np.float32)
        change = cv2.subtract(now, _at(then, moved), dtype=cv2.CV_32F)
        if float(cv2.absdiff(change, np.full_like(change, change.mean())).mean()) > APART:
            return None
        normal = np.stack([_at(geometry.normal[..., i], moved) for i in range(3)])
        normal /= np.maximum(np.sqrt((normal * normal).sum(axis=0)), np.float32(1e-6))
        shading = None if geometry.shading is None else _at(geometry.shading, moved)
        depth, alpha = _at(geometry.depth, moved), _at(geometry.alpha, moved)
        return Geometry(np.moveaxis(normal, 0, -1), depth, alpha, small, shading, half)


def _at(plane: npt.NDArray[Any], places: Map) -> npt.NDArray[Any]:
    """h x w values at h x w x 2 places (x, y), between pixels linearly, the border going on outside."""
    x, y = places[..., 0], places[..., 1]
    return np.asarray(cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


@cache
def _places(width: int, height: int) -> Map:
    """h x w x 2 float32: where every pixel is."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
