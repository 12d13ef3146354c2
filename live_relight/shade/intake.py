"""Raw geometry in textures: how it comes from the host, or from a card that has it already.

`maps`   w x 6h float32, one channel: planes of h rows one above the other (core/frames.py: STACK); w x 5h
         where the light that is there is not known
`guide`  3w x h bytes, one channel: the guide's bytes as they lie in memory

These are the forms in which a plain copy of rows is all that it takes, from either side.
"""

from __future__ import annotations

import moderngl
import numpy as np

from ..core.frames import STACK, Geometry, Link, Map, Resident


class Intake:
    """Textures for geometry of one size. Used with its context current."""

    def __init__(self, ctx: moderngl.Context, geometry: Geometry) -> None:
        w, h = self.size = geometry.size
        self.shaded = geometry.shading is not None
        self.maps = ctx.texture((w, h * (6 if self.shaded else 5)), 1, dtype="f4")
        self.guide = ctx.texture((3 * w, h), 1, alignment=1)
        self._link: Link | None = None

    def fits(self, geometry: Geometry) -> bool:
        return geometry.size == self.size and (geometry.shading is not None) == self.shaded

    def upload(self, geometry: Geometry) -> None:
        """From the host."""
        self._put("normal", np.moveaxis(geometry.normal, -1, 0))
        self._put("depth", geometry.depth)
        self._put("alpha", geometry.alpha)
        if geometry.shading is not None:
            self._put("shading", geometry.shading)
        self.guide.write(np.ascontiguousarray(geometry.guide), alignment=1)

    def copy(self, resident: Resident) -> None:
        """On the card. Raises EstimatorError; `unlink` then."""
        self._link = resident.copy(self.maps.glo, self.guide.glo, self._link)

    def unlink(self) -> None:
        """Ends what `copy` has begun."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def close(self) -> None:
        self.unlink()  # while the textures are there
        self.maps.release()
        self.guide.release()

    def _put(self, name: str, values: Map) -> None:
        w, h = self.size
        place = (0, STACK[name] * h, w, h * (3 if name == "normal" else 1))
        self.maps.write(np.ascontiguousarray(values, np.float32), viewport=place)
