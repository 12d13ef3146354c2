"""Parts of rendered clips for training a memory: one crop, one camera, noise of its own in every frame.

A batch is a list, one dict a frame, each as in data.py (without what a joint network learns).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data import BARE, EDGE_ON, SKIN, crop, crop_box, disturb, facing, make_batch, scale
from training.synth.shards import CLIPS, Record, find_shards, read_shard

F32 = NDArray[np.float32]
STILL = 0.35
"""Share of parts in which one frame is repeated: nothing moves but the noise."""


@dataclass
class Clips:
    """All clips of a folder of shards."""

    records: list[Record]

    @staticmethod
    def open(folder: Path) -> Clips:
        """Map every complete shard of clips."""
        return Clips([record for path in find_shards(folder, CLIPS) for record in read_shard(path)])


def frame_item(record: Record, t: int, box: tuple[float, ...], size: tuple[int, int]) -> dict[str, F32]:
    """Frame `t` of a clip in `box` at `size` (width, height), undisturbed: the fields of data.load_item apart
    from shade and shade_mask, channels last."""
    cover = crop(record["alpha"][t], box) / 255
    weighted = scale(np.dstack([crop(record["normal"][t], box) * (cover / 127)[..., None], cover]), size)
    depth, alpha = scale(crop(record["depth"][t], box) * cover, size), weighted[..., 3]
    length = np.linalg.norm(weighted[..., :3], axis=-1)
    zoom = size[0] / box[2]
    focal = record["colour"].shape[2] / 2 / float(record.about["tan"]) * zoom
    width, height = record["colour"].shape[2], record["colour"].shape[1]
    camera = np.array([focal, (width / 2 - box[0]) * zoom - 0.5, (height / 2 - box[1]) * zoom - 0.5])
    sound = facing(weighted[..., :3], camera) > EDGE_ON * length
    mask = ((alpha > 0.5) & (length > 0.75 * alpha) & sound).astype(np.float32)
    normal = weighted[..., :3] / np.maximum(length, 1e-4)[..., None] * mask[..., None]
    metres = np.where(mask > 0, depth / np.maximum(alpha, 1e-3), 1.0)
    middle = float(np.median(metres[mask > 0])) if mask.any() else 1.0
    bare = scale(crop(BARE[record["part"][t]], box), size)
    return {
        "image": scale(crop(record["colour"][t], box), size) / 255,
        "normal": normal,
        "log_depth": np.where(mask > 0, np.log(np.maximum(metres, 1e-2) / middle), 0.0).astype(np.float32),
        "alpha": alpha,
        "mask": mask,
        "weight": mask * (1 + (SKIN - 1) * bare),
        "camera": camera.astype(np.float32),
    }


def mirrored(item: dict[str, F32]) -> dict[str, F32]:
    """Left and right exchanged."""
    made = {name: value[:, ::-1] if value.ndim > 1 else value.copy() for name, value in item.items()}
    made["camera"][1] = item["alpha"].shape[1] - 1 - made["camera"][1]
    return made | {"normal": made["normal"] * np.array([-1, 1, 1], np.float32)}


def draw_part(
    rng: np.random.Generator, record: Record, length: int, size: tuple[int, int]
) -> list[dict[str, F32]]:
    """`length` frames one after another, forward or backward, of one random crop, alike disturbed but for the
    noise."""
    count, height, width = record["colour"].shape[:3]
    box = crop_box(rng, (width, height), size, bool(rng.random() < 0.35))
    first = int(rng.integers(0, max(count - length, 0) + 1))
    times = [min(first + k, count - 1) for k in range(length)]
    if rng.random() < STILL:
        times = [times[0]] * length
    elif rng.random() < 0.5:
        times.reverse()
    items = [frame_item(record, t, box, size) for t in times]
    if rng.random() < 0.5:
        items = [mirrored(item) for item in items]
    seed, noise = int(rng.integers(2**31)), rng.uniform(0, 0.03)
    for item in items:
        steady = disturb(np.random.default_rng(seed), item["image"])
        item["image"] = np.clip(
            steady + rng.standard_normal(steady.shape, np.float32) * np.float32(noise), 0, 1
        )
    return items


def draw_parts(
    rng: np.random.Generator, clips: Clips, batch: int, length: int, size: tuple[int, int]
) -> list[dict[str, Tensor]]:
    """A random batch: `length` dicts of tensors [batch,C,H,W]."""
    chosen = rng.integers(0, len(clips.records), batch)
    parts = [draw_part(rng, clips.records[int(k)], length, size) for k in chosen]
    return [make_batch([part[t] for part in parts]) for t in range(length)]


def stacked(frames: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """All frames of a batch one after another along the first axis."""
    return {name: torch.cat([frame[name] for frame in frames]) for name in frames[0]}
