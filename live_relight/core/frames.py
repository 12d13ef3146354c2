"""The values that travel through the pipeline. All are immutable: threads hand them over whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""H x W x 3 uint8, BGR (OpenCV's order), sRGB-encoded, row 0 at the top."""

Map = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and when it was taken."""

    image: Image
    time: float
    """Seconds on the monotonic clock at capture (live), or the position in the clip (files)."""
    index: int
    """Counts what the source produced from 0; gaps are dropped frames."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the camera sees, as shape. Size h x w is the estimator's own, not the frame's.

    Camera space is OpenGL's: x right, y up, z toward the viewer.
    """

    normal: Map
    """h x w x 3 float32 unit vectors; a surface that faces the camera is (0, 0, 1)."""
    depth: Map
    """h x w float32 > 0: z-distance along the optical axis, 1.0 = the person's median distance."""
    alpha: Map
    """h x w float32 in 0..1: soft coverage of the person."""
    guide: Image
    """h x w x 3 uint8 BGR: the picture that this was seen in, at the same size."""
    shading: Map | None = None
    """h x w float32: log2 of the luma of the light that falls on the person, 0 where it is the person's mean.
    None where the estimator does not tell it from the paint."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        h, w = self.alpha.shape
        return w, h
