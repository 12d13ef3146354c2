"""Smooth curves over time: what every movement of a clip is made of.

Times are seconds, [T] float64. Movements are minimum-jerk steps (Flash and Hogan 1985) that may
overlap, so a curve is smooth wherever it is sampled and no state is carried between frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def ease(x: F64 | float) -> F64:
    """Minimum-jerk step from 0 (x <= 0) to 1 (x >= 1): 10x^3 - 15x^4 + 6x^5."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * x * (10 - 15 * x + 6 * x * x)


@dataclass
class Glide:
    """A value that moves from target to target; steps are (start, length, target)."""

    first: float
    steps: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def target(self) -> float:
        """Where the last step ends."""
        return self.steps[-1][2] if self.steps else self.first

    def to(self, start: float, length: float, target: float) -> None:
        """Add a step; a step that begins before the last one has ended blends with it."""
        self.steps.append((start, length, target))

    def at(self, t: F64) -> F64:
        """[T] values at the times `t`."""
        out, before = np.full(t.shape, self.first, np.float64), self.first
        for start, length, target in self.steps:
            out += (target - before) * ease((t - start) / length)
            before = target
        return out


def bump(t: F64, start: float, rise: float, hold: float, fall: float) -> F64:
    """0, up to 1 within `rise` seconds, there for `hold`, back to 0 within `fall`."""
    return ease((t - start) / rise) - ease((t - start - rise - hold) / fall)


def swing(t: F64, start: float, rate: float, cycles: float) -> F64:
    """A train of `cycles` sine waves at `rate` Hz, eased in and out, dying away."""
    length = cycles / rate
    x = (t - start) / length
    window = ease(x / 0.25) * ease((1 - x) / 0.4)
    return np.sin(2 * np.pi * rate * (t - start)) * window * (1 - 0.5 * np.clip(x, 0, 1))


def wander(rng: np.random.Generator, t: F64, size: float, low: float = 0.1, high: float = 2.0) -> F64:
    """Aimless drift with a standard deviation of about `size`: sines whose strength falls as 1/f."""
    rate = np.geomspace(low, high, 8) * rng.uniform(0.9, 1.1, 8)
    strength = rate[0] / rate
    strength *= size * np.sqrt(2.0) / np.linalg.norm(strength)
    phase = rng.uniform(0, 2 * np.pi, 8)
    return np.sin(2 * np.pi * rate * t[:, None] + phase) @ strength


def soft_clip(x: F64, limit: float) -> F64:
    """Smoothly keep |x| below `limit`; nearly x while it is below half of it."""
    return limit * np.tanh(x / limit)


def jittered(rng: np.random.Generator, low: float, high: float, gap: tuple[float, float]) -> list[float]:
    """Event times between `low` and `high`, each `gap` (least, most) seconds after the one before."""
    out, now = [], low + rng.uniform(0, gap[1])
    while now < high:
        out.append(float(now))
        now += rng.uniform(*gap)
    return out
