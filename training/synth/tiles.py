"""Shading only where something is: squares of pixels as points, and where their pixels look around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synth.meshes import F32

TILE = 16  # pixels


def disc(count: int) -> F32:
    """Places [count,2] that fill a disc of radius 1 evenly, by the golden angle."""
    at = np.arange(count)
    way = np.stack([np.cos(2.39996 * at), np.sin(2.39996 * at)], 1)
    return (np.sqrt((at + 0.5) / count)[:, None] * way).astype(np.float32)


def middles(cover: NDArray[np.uint8]) -> F32:
    """Middles [N,2], in clip space, of the squares of `TILE` pixels in which `cover` [H,W] is not all 0."""
    height, width = cover.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = np.zeros((rows * TILE, columns * TILE), bool)
    padded[:height, :width] = cover > 0
    y, x = np.nonzero(padded.reshape(rows, TILE, columns, TILE).any((1, 3)))
    # The last ones move inward, so that no middle is outside the picture (a point there is not drawn).
    left, low = np.minimum(x * TILE, max(width - TILE, 0)), np.minimum(y * TILE, max(height - TILE, 0))
    middle = np.stack([left, low], 1) + TILE / 2
    return (middle * 2 / (width, height) - 1).astype(np.float32)
