"""Trains the part of a fast network that gives faces their relief, on crops harvested once.

    python -m training.relief --data DIR --start RUN/last.pt --out RUN2 --crops 24000 --minutes 60

The rest of the network stands still: what it sees in a crop is worked out once, so that a step costs a tenth
and a face is seen many times. RUN2 gets one .npy a field, `log.csv` and `last.pt`, which export.py takes.
With `--trim` it also learns to correct depth and the matte; `--others 0.5` shows it more than heads.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from training.blocks import double, half_cover
from training.data import HAND, Pool, disturb, hand_of, head_box, load_item, make_batch, middle_box
from training.keep import average, log
from training.losses import Weights, alpha_loss, depth_loss, gradient_loss, masked_mean, pyramid_loss
from training.middle import to_middle
from training.model import GeometryNet, split_normal
from training.schedule import average_at, rate_at
from training.told import from_options, in_one_line
from training.weights import load_matching, load_model, save_checkpoint

CROP, SIDE = 128, 96
"""Pixels a side of a harvested crop, and of what a step sees of it."""
WHOLE = (256, 192)
"""Width and height of the pictures that windows are cut from: what is told of them comes from the whole."""
# Field: channels, type, value of 1.0, how much smaller than the crop.
FIELDS: dict[str, tuple[int, type, float, int]] = {
    "image": (3, np.uint8, 255.0, 1),
    "normal": (3, np.int8, 127.0, 1),
    "weight": (1, np.uint8, 60.0, 1),
    "coarse": (3, np.int8, 127.0, 2),
    "cover": (1, np.uint8, 255.0, 2),
}
# What is wanted beside that to learn depth and the matte: the truth, and what the network says at half size.
TRIM_FIELDS: dict[str, tuple[int, type, float, int]] = {
    "alpha": (1, np.uint8, 255.0, 1),
    "mask": (1, np.uint8, 255.0, 1),
    "log_depth": (1, np.float16, 1.0, 1),
    "flat": (1, np.float16, 1.0, 2),
    "logit": (4, np.int8, 12.0, 2),
}
SWAPPED = [1, 0, 3, 2]
"""Order of a point's four logits when left and right are exchanged."""


@dataclass(frozen=True)
class ReliefConfig:
    """What a run is made of. `data` is read only where the crops are not there yet; `steps` > 0 ends the
    schedule by steps instead of by the clock. `others`: share of crops that show anything, so that cloth and
    hair are not spoiled: half of them windows at the matte's edge. `hands`: share that are windows round
    hands, besides those. `trim`: depth and matte are learnt too."""

    data: str
    start: str
    out: str
    crops: int = 24000
    others: float = 1 / 6
    hands: float = 0.0
    trim: bool = False
    minutes: float = 60.0
    steps: int = 0
    seed: int = 0
    width: int = 16
    batch: int = 32
    rate: float = 3e-3
    decay: float = 1e-4
    threads: int = 2
    report: int = 50
    save: int = 500


def fields_of(config: ReliefConfig) -> dict[str, tuple[int, type, float, int]]:
    """What a crop is made of."""
    return FIELDS | TRIM_FIELDS if config.trim else FIELDS


def draw(rng: np.random.Generator, pool: Pool, count: int, others: float) -> dict[str, Tensor]:
    """A batch of crops, CROP x CROP, undisturbed: heads, and a share `others` of anything; normals and depth
    in the axes of a camera that looks at the crop's middle, as the network tells them."""
    items: list[dict[str, Any]] = []
    while len(items) < count:
        record, k = pool.index[int(rng.integers(len(pool.index)))]
        head = rng.random() >= others
        if head and head_box(rng, record, (CROP, CROP)) is None:
            continue
        item = load_item(rng, record, k, (CROP, CROP), False, head=head)
        if item["mask"].mean() > 0.05:
            items.append(item)
    found = make_batch(items)
    turned = to_middle(found["normal"], found["log_depth"], found["camera"])
    return found | {"normal": turned[0], "log_depth": turned[1]}


def draw_whole(rng: np.random.Generator, pool: Pool, count: int) -> dict[str, Tensor]:
    """A batch of pictures of WHOLE, undisturbed, with a person in them."""
    items: list[dict[str, Any]] = []
    while len(items) < count:
        record, k = pool.index[int(rng.integers(len(pool.index)))]
        item = load_item(rng, record, k, WHOLE, False)
        if item["mask"].mean() > 0.03:
            items.append(item)
    return make_batch(items)


def draw_hands(
    rng: np.random.Generator, pool: Pool, count: int
) -> tuple[dict[str, Tensor], list[NDArray[np.bool_]]]:
    """A batch of pictures of WHOLE, undisturbed, with hands in them, and where these are [H,W]. Raises
    ValueError where the pool has none."""
    items: list[dict[str, Any]] = []
    places: list[NDArray[np.bool_]] = []
    for _ in range(1000 * count):
        record, k = pool.index[int(rng.integers(len(pool.index)))]
        if hand_of(record)[2]:
            items.append(load_item(rng, record, k, WHOLE, False, middle=True))
            x, y, w, h = (round(v) for v in middle_box(record["part"].shape[::-1], WHOLE))
            part = HAND[record["part"][y : y + h, x : x + w]].astype(np.uint8)
            places.append(cv2.resize(part, WHOLE, interpolation=cv2.INTER_NEAREST) > 0)
        if len(items) == count:
            return make_batch(items), places
    raise ValueError(f"{pool.folder}: hardly a picture with hands; make some with --hands")


def windows(rng: np.random.Generator, there: NDArray[np.bool_]) -> tuple[int, int]:
    """Left and top, both even, of a CROP x CROP window of a picture round a random place of `there` [H,W]."""
    edge = np.argwhere(there)
    h, w = there.shape
    y, x = edge[int(rng.integers(len(edge)))] if len(edge) else (h // 2, w // 2)
    y, x = (int(v) - CROP // 2 + int(rng.integers(-24, 25)) for v in (y, x))
    return min(max(x, 0), w - CROP) // 2 * 2, min(max(y, 0), h - CROP) // 2 * 2


def draw_some(
    rng: np.random.Generator, pool: Pool, config: ReliefConfig, count: int
) -> tuple[dict[str, Tensor], list[NDArray[np.bool_]]]:
    """A batch to harvest, and where windows are to be cut from its pictures; an empty list: they are crops
    already."""
    if config.hands > 0 and rng.random() < config.hands:
        return draw_hands(rng, pool, count)
    if config.trim and rng.random() < config.others / 2:
        found = draw_whole(rng, pool, count)
        alpha = found["alpha"][:, 0].numpy()
        return found, list((alpha > 0.2) & (alpha < 0.8))
    return draw(rng, pool, count, config.others), []


@torch.no_grad()
def seen(model: GeometryNet, image: Tensor) -> dict[str, Tensor]:
    """What the network without its relief says of pictures, at half size."""
    x = (image - model.mean) / model.std
    shape, matte = model.coarse(model.decoded(x.contiguous(memory_format=torch.channels_last)))
    return {
        "coarse": split_normal(shape),
        "cover": half_cover(matte),
        "flat": shape[:, 3:],
        "logit": F.pixel_unshuffle(matte, 2).clamp(-10, 10),
    }


def harvest(config: ReliefConfig, folder: Path) -> None:
    """Draws crops and what the network sees in them; a file is whole or absent."""
    pool, rng = Pool.open(Path(config.data)), np.random.default_rng([config.seed, 11])
    model = load_model(config.start).to(memory_format=torch.channels_last)
    fields, arrays = fields_of(config), {}
    for name, (channels, kind, _, smaller) in fields.items():
        side = CROP // smaller
        shape = (config.crops, side, side, channels)
        arrays[name] = np.lib.format.open_memmap(folder / f"{name}.part", "w+", kind, shape)
    for start in range(0, config.crops, 16):
        count = min(16, config.crops - start)
        found, there = draw_some(rng, pool, config, count)
        found |= seen(model, found["image"])
        for k in range(count):
            x, y = windows(rng, there[k]) if there else (0, 0)
            for name, (_, kind, one, smaller) in fields.items():
                a, b, side = y // smaller, x // smaller, CROP // smaller
                values = (found[name][k, :, a : a + side, b : b + side] * one).permute(1, 2, 0).numpy()
                arrays[name][start + k] = (values if kind is np.float16 else values.round()).astype(kind)
        if start % 1600 == 0:
            print(f"{start} of {config.crops} crops", flush=True)
    for name, array in arrays.items():
        array.flush()
        (folder / f"{name}.part").rename(folder / f"{name}.npy")


def batch_of(rng: np.random.Generator, crops: dict[str, NDArray[Any]], count: int) -> dict[str, Tensor]:
    """Random SIDE x SIDE parts, mirrored, their pictures disturbed; [B,C,H,W] float32."""
    chosen = rng.integers(0, len(crops["image"]), count)
    fields = {name: spec for name, spec in (FIELDS | TRIM_FIELDS).items() if name in crops}
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in fields}
    for k in chosen:
        x, y = (2 * int(v) for v in rng.integers(0, (CROP - SIDE) // 2 + 1, 2))
        mirror = rng.random() < 0.5
        for name, (_, _, one, smaller) in fields.items():
            a, b, side = y // smaller, x // smaller, SIDE // smaller
            part = crops[name][k, a : a + side, b : b + side].astype(np.float32) / np.float32(one)
            if mirror:
                part = part[:, ::-1] * (np.float32([-1, 1, 1]) if name in ("normal", "coarse") else 1)
                part = part[..., SWAPPED] if name == "logit" else part
            parts[name].append(disturb(rng, part) if name == "image" else part)
    return {
        name: torch.from_numpy(np.ascontiguousarray(np.stack(part).transpose(0, 3, 1, 2)))
        for name, part in parts.items()
    }


def train(config: ReliefConfig) -> Path:
    """Harvests where needed, then trains; returns the checkpoint's path."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    if not all((out / f"{name}.npy").exists() for name in fields_of(config)):
        harvest(config, out)
    crops = {name: np.load(out / f"{name}.npy", mmap_mode="r") for name in fields_of(config)}
    form = replace(load_model(config.start).config, relief=config.width, joint=False, trim=config.trim)
    model = GeometryNet(form)
    print(f"{load_matching(model, config.start)} tensors from {config.start}")
    relief = model.relief
    assert relief is not None
    mean = {k: v.clone() for k, v in model.state_dict().items()}
    relief.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(relief.parameters(), lr=config.rate, weight_decay=config.decay)
    begin, step, share = time.monotonic(), 0, 0.0
    rng = np.random.default_rng([config.seed, 12])
    while share < 1.0:
        batch = batch_of(rng, crops, config.batch)
        optimizer.param_groups[0]["lr"] = config.rate * rate_at(share)
        terms = train_step(model, optimizer, batch)
        average(mean, model, average_at(step))
        step += 1
        spent = time.monotonic() - begin
        share = step / config.steps if config.steps else spent / (60 * config.minutes)
        if step % config.report == 0:
            log(out / "log.csv", step, share, spent, batch["image"].shape, terms, len(crops["image"]))
        if step % config.save == 0 or share >= 1.0:
            save_checkpoint(out / "last.pt", model, ema=mean, step=step, seconds=spent)
    return out / "last.pt"


def train_step(
    model: GeometryNet, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor]
) -> dict[str, float]:
    """One update; returns 1 - cos of the angle with the correction and without, and of a trimming one the
    losses of depth and matte with it and without."""
    assert model.relief is not None
    x = ((batch["image"] - model.mean) / model.std).contiguous(memory_format=torch.channels_last)
    more = model.relief(x, batch["coarse"], batch["cover"])
    error = [
        masked_mean(1 - (split_normal(double(n)) * batch["normal"]).sum(1, keepdim=True), batch["weight"])
        for n in (batch["coarse"] + more[:, :3], batch["coarse"])
    ]
    told = {"normal": float(error[0].detach()), "without": float(error[1])}
    loss = error[0]
    if model.config.trim:
        shape, matte = (
            [f(batch, part) for part in (more, torch.zeros_like(more))] for f in (depth_error, matte_error)
        )
        loss = 4.0 * loss + shape[0] + matte[0]
        told |= {"depth": float(shape[0].detach()), "depth_without": float(shape[1])}
        told |= {"matte": float(matte[0].detach()), "matte_without": float(matte[1])}
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.relief.parameters(), 3.0)
    optimizer.step()
    return told


def depth_error(batch: dict[str, Tensor], more: Tensor) -> Tensor:
    """Losses of log-depth with a correction."""
    depth = double(batch["flat"] + more[:, 3:4])
    weights = Weights()
    level = depth_loss(depth, batch["log_depth"], batch["weight"], weights.depth_mean)
    steps = gradient_loss(depth, batch["log_depth"], batch["weight"])
    return weights.depth * level + weights.gradient * steps


def matte_error(batch: dict[str, Tensor], more: Tensor) -> Tensor:
    """Losses of the matte with a correction."""
    logit = F.pixel_shuffle(batch["logit"] + more[:, 4:], 2)
    return alpha_loss(logit, batch["alpha"]) + pyramid_loss(logit, batch["alpha"])


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line: every field of ReliefConfig is an option."""
    print(train(from_options(ReliefConfig, "training.relief", __doc__, argv)))


if __name__ == "__main__":
    sys.exit(main())
