"""The values that travel through the pipeline. All are immutable: threads hand them over whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

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


STACK = {"normal": 0, "depth": 3, "alpha": 4, "shading": 5}
"""A map's place in the stack of planes, h rows each, that a card hands to OpenGL. Shading may be missing."""


class Link(Protocol):
    """Two OpenGL textures that another library may write into. To be closed before they are released."""

    def close(self) -> None:
        """Also where the card has failed; raises nothing."""
        ...


class Resident(Protocol):
    """Where a geometry's maps still lie on a card, until its estimator's next frame."""

    def stands_for(self, geometry: Geometry) -> bool:
        """Whether they still are this geometry's: it has not been changed, and nothing was written since."""
        ...

    def copy(self, maps: int, guide: int, link: Link | None) -> Link:
        """Copies on the card into the current OpenGL context's textures of these numbers (see STACK and
        shade/intake.py). `link`: what this gave last time for them, or None. Raises EstimatorError."""
        ...


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
    half: Image | None = None
    """The picture at half its size, where the estimator came by it on the way to its own; for the light pass,
    which works at that."""
    resident: Resident | None = None
    """A short way to the same maps for a light pass on the same card. The arrays are there all the same."""
    ready: object | None = None
    """What the shader that this goes to has made of it (stages.Shader.ready). Nobody else's business."""

    def sound(self) -> Geometry:
        """The same with nobody, one subject distance away and facing the camera wherever a number is none:
        filters would spread it over the picture. Itself where all are numbers."""
        bad = ~(np.isfinite(self.normal).all(axis=-1) & np.isfinite(self.depth) & np.isfinite(self.alpha))
        if self.shading is not None:
            bad |= ~np.isfinite(self.shading)
        if not bad.any():
            return self
        normal, depth, alpha = self.normal.copy(), self.depth.copy(), self.alpha.copy()
        normal[bad], depth[bad], alpha[bad] = (0.0, 0.0, 1.0), 1.0, 0.0
        shading = None if self.shading is None else np.where(bad, np.float32(0.0), self.shading)
        return Geometry(normal, depth, alpha, self.guide, shading, self.half)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        h, w = self.alpha.shape
        return w, h
