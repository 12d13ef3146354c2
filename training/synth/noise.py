"""Smooth random fields on points: sums of random waves, cheap and seeded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synth.meshes import F32


def waves(points: F32, rng: np.random.Generator, length: float, count: int = 8) -> NDArray[np.float32]:
    """[N] values of about unit variance that vary over `length` metres."""
    direction = rng.normal(size=(3, count))
    direction /= np.linalg.norm(direction, axis=0)
    pitch = 2 * np.pi / (length * rng.uniform(0.6, 1.8, count))
    start = rng.uniform(0, 2 * np.pi, (count, 1)).astype(np.float32)
    phase = (direction * pitch).T.astype(np.float32) @ points.astype(np.float32).T + start
    return np.asarray(np.sin(phase).sum(0) * np.float32(np.sqrt(2.0 / count)), np.float32)


def folds(points: F32, rng: np.random.Generator) -> NDArray[np.float32]:
    """[N] cloth relief in metres: ridges that run roughly one way, bent by slower waves."""
    bend = waves(points, rng, 0.25, 5) * np.float32(1.2) + waves(points, rng, 0.1, 5) * np.float32(0.5)
    along = rng.normal(size=3)
    along[1] *= 0.5
    along /= np.linalg.norm(along)
    pitch = 2 * np.pi / rng.uniform(0.05, 0.14)
    ridge = np.sin(points.astype(np.float32) @ (along * pitch).astype(np.float32) + np.float32(2.2) * bend)
    gate = np.clip(0.5 + waves(points, rng, 0.2, 5), 0, 1)
    return (ridge * gate).astype(np.float32)


def smoothstep(low: float, high: float, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
