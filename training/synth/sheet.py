"""Contact sheets: what the network learns from, at a glance."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.shards import Shard, find_shards, read_shard


def paint_normals(normal: NDArray, alpha: NDArray) -> NDArray[np.uint8]:
    """Unit normals [H,W,3] -> RGB = (n + 1) / 2, black where nobody is."""
    return np.clip((normal + 1) * 127.5 * (alpha > 0.02)[..., None], 0, 255).astype(np.uint8)


def paint_depth(depth: NDArray, alpha: NDArray) -> NDArray[np.uint8]:
    """Distance [H,W] -> grey RGB, near is bright; the person's range fills it."""
    on = alpha > 0.5
    if not on.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    near, far = np.percentile(depth[on], [1, 99])
    grey = np.clip(255 - 215 * (depth - near) / max(far - near, 1e-3), 0, 255) * on
    return np.repeat(grey.astype(np.uint8)[..., None], 3, -1)


def relit(normal: NDArray, alpha: NDArray, azimuth: float, elevation: float = 25.0) -> NDArray[np.uint8]:
    """Plain Lambert shading of white material, light from azimuth (+ = picture's right): shows artefacts."""
    a, e = np.radians(azimuth), np.radians(elevation)
    light = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    shade = np.clip(normal @ light, 0, 1) ** (1 / 2.2) * alpha
    return np.repeat((shade * 255).astype(np.uint8)[..., None], 3, -1)


def row_of(shard: Shard, row: int) -> NDArray[np.uint8]:
    """Pictures, normals, depth, alpha and a relit plaster figure of one label row, side by side."""
    alpha = shard.alpha[row].astype(np.float32) / 255
    normal = shard.normal[row].astype(np.float32) / 127
    pictures = [np.asarray(shard.colour[k]) for k in np.flatnonzero(shard.label == row)]
    matte = np.repeat(shard.alpha[row][..., None], 3, -1)
    plaster = relit(normal, alpha, -60)
    return np.hstack(
        [*pictures, paint_normals(normal, alpha), paint_depth(shard.depth[row], alpha), matte, plaster]
    )


def write_sheet(folder: Path, png: Path, rows: int, seed: int) -> None:
    """A random choice of label rows of the data set as one picture."""
    rng = np.random.default_rng([seed, 4])
    shards = find_shards(folder)
    lines = []
    for _ in range(rows):
        shard = read_shard(shards[int(rng.integers(len(shards)))])
        lines.append(row_of(shard, int(rng.integers(len(shard.alpha)))))
    part = png.with_suffix(".part.png")
    if not cv2.imwrite(str(part), np.vstack(lines)[..., ::-1]):
        raise OSError(f"{png}: could not write the picture")
    part.rename(png)
