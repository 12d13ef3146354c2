"""Schedules: pure functions of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """Crop sizes (width, height) used until `until`, a share of all steps."""

    until: float
    sizes: tuple[tuple[int, int], ...]
    batch: int

    def zoomed(self, factor: float) -> Phase:
        """Sizes times `factor`, as multiples of 32; batches shrink, though less than crops grow: they are
        noisy enough."""
        sizes = tuple(
            (max(round(w * factor / 32), 1) * 32, max(round(h * factor / 32), 1) * 32) for w, h in self.sizes
        )
        return Phase(self.until, sizes, max(round(self.batch / factor**1.5), 1))


PHASES = (
    Phase(0.15, ((128, 96), (160, 96), (128, 128), (96, 160)), 24),
    Phase(0.75, ((192, 160), (192, 128), (224, 128), (160, 160), (128, 192)), 16),
    # The sizes that are measured, and those that the application runs: 16:9 and 4:3 of about 43,000 pixels.
    Phase(1.00, ((256, 192), (256, 160), (288, 160), (224, 160), (224, 224), (160, 288)), 16),
)


LARGE_ZOOM = 2
"""Crops of a large network's training, over PHASES's: it is for 512 x 384."""


def phase_at(progress: float, phases: tuple[Phase, ...] = PHASES) -> Phase:
    """The phase for progress 0..1."""
    for phase in phases:
        if progress < phase.until:
            return phase
    return phases[-1]


def rate_at(progress: float, warm: float = 0.03, floor: float = 0.01) -> float:
    """Learning-rate factor for progress 0..1: linear warm-up, then cosine down to `floor`."""
    if progress < warm:
        return max(progress / warm, 0.02)
    share = min((progress - warm) / (1 - warm), 1.0)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share))


def average_at(step: int, longest: float = 0.998) -> float:
    """Decay of the averaged weights: short memory at first, so that the start is forgotten."""
    return min(longest, (1 + step) / (10 + step))
