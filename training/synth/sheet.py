"""Contact sheets: what the network learns from, at a glance."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.parts import PARTS
from training.synth.shards import CLIPS, STILLS, Record, find_shards, read_shard

# One colour a part, RGB, as in parts.PARTS.
PAINT = np.array(
    [(0, 0, 0), (230, 160, 130), (90, 60, 30), (70, 110, 190), (255, 255, 255), (0, 220, 220),
     (255, 120, 60), (200, 30, 60), (170, 170, 60), (120, 120, 120)], np.uint8,
)  # fmt: skip
assert len(PAINT) == len(PARTS)


def paint_normals(normal: NDArray, alpha: NDArray) -> NDArray[np.uint8]:
    """Unit normals [H,W,3] -> RGB = (n + 1) / 2, black where nobody is."""
    return np.clip((normal + 1) * 127.5 * (alpha > 0.02)[..., None], 0, 255).astype(np.uint8)


def paint_depth(depth: NDArray, alpha: NDArray) -> NDArray[np.uint8]:
    """Distance [H,W] -> grey RGB, near is bright; the person's range fills it."""
    on = alpha > 0.5
    if not on.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    near, far = np.percentile(depth[on].astype(np.float32), [1, 99])
    grey = np.clip(255 - 215 * (depth - near) / max(far - near, 1e-3), 0, 255) * on
    return np.repeat(grey.astype(np.uint8)[..., None], 3, -1)


def paint_linear(colour: NDArray) -> NDArray[np.uint8]:
    """Linear RGB [H,W,3] -> 8 bit, so exposed that its bright parts are just not white."""
    linear = colour.astype(np.float32)
    bright = float(np.percentile(linear.max(-1), 99)) or 1.0
    return np.round(np.clip(linear / max(bright, 1e-4), 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def relit(normal: NDArray, alpha: NDArray, azimuth: float, elevation: float = 25.0) -> NDArray[np.uint8]:
    """Plain Lambert shading of white material, light from azimuth (+ = picture's right): shows artefacts."""
    a, e = np.radians(azimuth), np.radians(elevation)
    light = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    shade = np.clip(normal @ light, 0, 1) ** (1 / 2.2) * alpha
    return np.repeat((shade * 255).astype(np.uint8)[..., None], 3, -1)


def row_of(record: Record) -> NDArray[np.uint8]:
    """Pictures, normals, depth, alpha, a plaster figure, and where they are there parts, albedo and the
    second light of one label, side by side."""
    alpha = record["alpha"].astype(np.float32) / 255
    normal = record["normal"].astype(np.float32) / 127
    cells = [*record["colour"], paint_normals(normal, alpha), paint_depth(record["depth"], alpha)]
    cells += [np.repeat(record["alpha"][..., None], 3, -1), relit(normal, alpha, -60)]
    if "part" in record.names:
        cells.append(PAINT[np.minimum(record["part"], len(PAINT) - 1)])
    if "albedo" in record.names:
        cells.append(record["albedo"])
    if "relit" in record.names:
        cells.append(paint_linear(record["relit"]))
    return np.hstack(cells)


def write_sheet(folder: Path, png: Path, rows: int, seed: int) -> None:
    """A random choice of samples of the data set as one picture."""
    rng = np.random.default_rng([seed, 4])
    shards = find_shards(folder, STILLS)
    lines = []
    for _ in range(rows):
        records = read_shard(shards[int(rng.integers(len(shards)))])
        lines.append(row_of(records[int(rng.integers(len(records)))]))
    wide = max(line.shape[1] for line in lines)
    _save(png, [np.pad(line, ((0, 0), (0, wide - line.shape[1]), (0, 0))) for line in lines])


def write_clip_sheet(folder: Path, png: Path, rows: int, seed: int, frames: int = 8) -> None:
    """A random choice of clips: `frames` of each, pictures above normals."""
    rng = np.random.default_rng([seed, 5])
    shards = find_shards(folder, CLIPS)
    lines = []
    for _ in range(rows):
        records = read_shard(shards[int(rng.integers(len(shards)))])
        record = records[int(rng.integers(len(records)))]
        at = np.linspace(0, len(record["colour"]) - 1, frames).round().astype(int)
        lines.append(np.hstack([record["colour"][k] for k in at]))
        lines.append(
            np.hstack(
                [
                    paint_normals(record["normal"][k].astype(np.float32) / 127, record["alpha"][k] / 255)
                    for k in at
                ]
            )
        )
    _save(png, lines)


def _save(path: Path, lines: list[NDArray[np.uint8]]) -> None:
    """RGB rows below one another, written beside and renamed. The ending says what it becomes."""
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    if not cv2.imwrite(str(part), np.vstack(lines)[..., ::-1]):
        raise OSError(f"{path}: could not write the picture")
    part.rename(path)
