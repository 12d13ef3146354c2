"""Motion-adaptive smoothing of geometry over time, as a pure step: state in, state out.

Where the picture stands still, geometry settles on a slow running mean and the network's flicker goes;
where it moves, the new value is taken at once, so nothing trails. What counts as moving is measured on
a small blurred luma picture against its own running mean, so that sensor noise does not look like motion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .colour import REC709_LUMA
from .errors import UsageError
from .frames import Geometry, Image, Map


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How strongly to smooth. All thresholds are in units of luma 0..1."""

    enabled: bool = True
    rest: float = 0.15
    """Weight of the new frame where nothing moves: 0.15 settles in about 10 frames."""
    still: float = 0.02
    """Blurred luma change up to which a pixel is at rest."""
    moving: float = 0.06
    """Blurred luma change from which a pixel takes the new value alone."""
    cut: float = 0.18
    """Mean luma change over the picture that is a cut: everything starts afresh."""

    def __post_init__(self) -> None:
        checks = (  # a NaN passes none of them
            ("rest", 0.0 <= self.rest <= 1.0, "0..1"),
            ("still", 0.0 <= self.still < 1.0, "0..1"),
            ("moving", self.still < self.moving <= 1.0, f"above {self.still:g} (still), at most 1"),
            ("cut", 0.0 < self.cut < math.inf, "above 0"),
        )
        for name, good, expected in checks:
            if not good:
                raise UsageError(name, f"{getattr(self, name):g}", expected)


@dataclass(frozen=True, slots=True)
class TemporalState:
    """What one step hands to the next: smoothed maps and the luma they were seen with, all h x w."""

    geometry: Geometry
    luma: Map
    """Blurred luma that the smoothed maps belong to, 0..1."""


def box3(image: Map) -> Map:
    """3 x 3 mean, edges repeated. h x w float32."""
    p = np.pad(image, 1, mode="edge")
    rows = p[:-2] + p[1:-1]
    rows += p[2:]
    mean = rows[:, :-2] + rows[:, 1:-1]
    mean += rows[:, 2:]
    mean *= np.float32(1 / 9)
    return np.asarray(mean, np.float32)


def _dilate3(image: Map) -> Map:
    p = np.pad(image, 1, mode="edge")
    rows = np.maximum(np.maximum(p[:-2], p[1:-1]), p[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])


def luma(image: Image) -> Map:
    """h x w x 3 uint8 BGR to h x w float32 0..1, Rec. 709 weights on the encoded values."""
    return np.asarray(
        image.astype(np.float32) @ (np.asarray(REC709_LUMA[::-1], np.float32) / 255), np.float32
    )


def _blend(old: Geometry, new: Geometry, weight: Map) -> Geometry:
    """old + (new - old) * weight; normals again of length one. Plane by plane: NumPy is slow on triples."""
    normal = np.empty((3, *weight.shape), np.float32)
    for i, plane in enumerate(normal):
        np.subtract(new.normal[..., i], old.normal[..., i], out=plane)
        plane *= weight
        plane += old.normal[..., i]
    normal /= np.maximum(np.sqrt((normal * normal).sum(axis=0)), np.float32(1e-6))
    shading = new.shading
    if shading is not None and old.shading is not None:
        shading = np.asarray(old.shading + (shading - old.shading) * weight, np.float32)
    return Geometry(
        np.moveaxis(normal, 0, -1),
        np.asarray(old.depth + (new.depth - old.depth) * weight, np.float32),
        np.asarray(old.alpha + (new.alpha - old.alpha) * weight, np.float32),
        new.guide,
        shading,
        new.half,
    )


def step(
    state: TemporalState | None, geometry: Geometry, smoothing: Smoothing
) -> tuple[TemporalState, Geometry]:
    """One frame further. A change of size or a cut resets.

    Returns the new state and the geometry to use; neither argument is written to.
    """
    seen = box3(box3(luma(geometry.guide)))
    if not smoothing.enabled or state is None or state.luma.shape != seen.shape:
        return TemporalState(geometry, seen), geometry
    change = np.abs(seen - state.luma)
    # A change of exposure moves every pixel alike and is no cut; a cut changes the pattern.
    if float(np.abs(seen - seen.mean() - state.luma + state.luma.mean()).mean()) > smoothing.cut:
        return TemporalState(geometry, seen), geometry
    t = np.clip((change - smoothing.still) / (smoothing.moving - smoothing.still), 0.0, 1.0)
    # A moving edge also uncovers its neighbours: they must not keep the old surface.
    weight = np.float32(smoothing.rest) + np.float32(1.0 - smoothing.rest) * _dilate3(t * t * (3.0 - 2.0 * t))
    smooth = _blend(state.geometry, geometry, weight)
    kept = np.asarray(state.luma + (seen - state.luma) * weight, np.float32)
    return TemporalState(smooth, kept), smooth
