"""What the light pass reads of a geometry, on the host: everything that needs neither the picture at its full
size nor the lights, so that it can be worked out before them, in another thread (seeing.py)."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ..core.frames import Geometry, Image, Map
from . import guided
from .tiles import can_reach, levels


class Ready(NamedTuple):
    """Of a geometry of size h x w; maps are float32."""

    softened: Map
    """planes.softened."""
    occluder: Map
    """planes.occluder."""
    contrast: Map
    """planes.contrast."""
    present: Map | None
    """The light that is there, where the geometry tells it."""
    matte: Map
    """h x w x 4: the first of planes.PLANES."""
    hit: npt.NDArray[np.bool_]
    """h x w: where light may change the picture (tiles.can_reach)."""
    planes: Map | None
    """5 x h x w x 4: planes.PLANES; None where light is worked out on the grid."""
    shape: Map | None
    """There: planes.shape, h x w x 4."""
    guide: Image | None
    """There: the guide with a fourth channel."""


def make_ready(geometry: Geometry, on_grid: bool, pool: Executor | None = None) -> Ready:
    """`on_grid`: as OpenGLShader's; `pool`: works on the matte beside the surface."""
    filled = guided.fill(geometry)
    carried = guided.carried(geometry, filled[:4] if on_grid else filled[:1])
    softened, occluder = guided.softened(geometry, filled), guided.occluder(geometry, carried[0])
    contrast = guided.contrast(geometry)
    present = None if geometry.shading is None else np.ascontiguousarray(filled[4], np.float32)
    grid: tuple[Any, Any, Any]
    if on_grid:
        beside = pool.submit(guided.matte, geometry) if pool else None
        grid = None, guided.shape(geometry, carried), cv2.cvtColor(geometry.guide, cv2.COLOR_BGR2BGRA)
        matte = beside.result() if beside else guided.matte(geometry)
    else:
        planes = guided.coefficients(geometry, pool, filled)
        matte, grid = np.asarray(planes[0]), (planes, None, None)
    hit = can_reach(matte, levels(contrast, geometry.size))
    return Ready(softened, occluder, contrast, present, matte, hit, *grid)
