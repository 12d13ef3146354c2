"""Trains the part of a fast network that gives faces their relief, on crops harvested once.

    python -m training.relief --data DIR --start RUN/last.pt --out RUN2 --crops 24000 --minutes 60

The rest of the network stands still: what it sees in a crop is worked out once, so that a step costs a tenth
and a face is seen many times. RUN2 gets one .npy a field, `log.csv` and `last.pt`, which export.py takes.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data import Pool, disturb, head_box, load_item, make_batch
from training.losses import masked_mean
from training.model import (
    GeometryNet,
    double,
    half_cover,
    load_matching,
    load_model,
    save_checkpoint,
    split_normal,
)
from training.schedule import average_at, rate_at
from training.told import in_one_line
from training.train import average, log

CROP, SIDE = 128, 96
"""Pixels a side of a harvested crop, and of what a step sees of it."""
OTHERS = 1 / 6
"""Share of crops that show anything, so that cloth and hair are not spoiled."""
# Field: channels, type, value of 1.0, how much smaller than the crop.
FIELDS: dict[str, tuple[int, type, float, int]] = {
    "image": (3, np.uint8, 255.0, 1),
    "normal": (3, np.int8, 127.0, 1),
    "weight": (1, np.uint8, 60.0, 1),
    "coarse": (3, np.int8, 127.0, 2),
    "cover": (1, np.uint8, 255.0, 2),
}


@dataclass(frozen=True)
class ReliefConfig:
    """What a run is made of. `data` is read only where the crops are not there yet; `steps` > 0 ends the
    schedule by steps instead of by the clock."""

    data: str
    start: str
    out: str
    crops: int = 24000
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


def draw(rng: np.random.Generator, pool: Pool, count: int) -> dict[str, Tensor]:
    """A batch of crops, CROP x CROP, undisturbed: heads, and some of anything."""
    items: list[dict[str, Any]] = []
    while len(items) < count:
        record, k = pool.index[int(rng.integers(len(pool.index)))]
        head = rng.random() > OTHERS
        if head and head_box(rng, record, (CROP, CROP)) is None:
            continue
        item = load_item(rng, record, k, (CROP, CROP), False, head=head)
        if item["mask"].mean() > 0.05:
            items.append(item)
    return make_batch(items)


def harvest(config: ReliefConfig, folder: Path) -> None:
    """Draws crops and what the network sees in them; a file is whole or absent."""
    pool, rng = Pool.open(Path(config.data)), np.random.default_rng([config.seed, 11])
    model = load_model(config.start).to(memory_format=torch.channels_last)
    arrays = {}
    for name, (channels, kind, _, smaller) in FIELDS.items():
        side = CROP // smaller
        shape = (config.crops, side, side, channels)
        arrays[name] = np.lib.format.open_memmap(folder / f"{name}.part", "w+", kind, shape)
    for start in range(0, config.crops, 16):
        count = min(16, config.crops - start)
        found = draw(rng, pool, count)
        with torch.no_grad():
            x = (found["image"] - model.mean) / model.std
            shape, matte = model.coarse(model.decoded(x.contiguous(memory_format=torch.channels_last)))
        found |= {"coarse": split_normal(shape), "cover": half_cover(matte)}
        for name, (_, kind, one, _) in FIELDS.items():
            values = (found[name] * one).round().permute(0, 2, 3, 1).numpy()
            arrays[name][start : start + count] = values.astype(kind)
        if start % 1600 == 0:
            print(f"{start} of {config.crops} crops", flush=True)
    for name, array in arrays.items():
        array.flush()
        (folder / f"{name}.part").rename(folder / f"{name}.npy")


def batch_of(rng: np.random.Generator, crops: dict[str, NDArray[Any]], count: int) -> dict[str, Tensor]:
    """Random SIDE x SIDE parts, mirrored, their pictures disturbed; [B,C,H,W] float32."""
    chosen = rng.integers(0, len(crops["image"]), count)
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in FIELDS}
    for k in chosen:
        x, y = (2 * int(v) for v in rng.integers(0, (CROP - SIDE) // 2 + 1, 2))
        mirror = rng.random() < 0.5
        for name, (_, _, one, smaller) in FIELDS.items():
            a, b, side = y // smaller, x // smaller, SIDE // smaller
            part = crops[name][k, a : a + side, b : b + side].astype(np.float32) / np.float32(one)
            if mirror:
                part = part[:, ::-1] * (np.float32([-1, 1, 1]) if name in ("normal", "coarse") else 1)
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
    if not all((out / f"{name}.npy").exists() for name in FIELDS):
        harvest(config, out)
    crops = {name: np.load(out / f"{name}.npy", mmap_mode="r") for name in FIELDS}
    model = GeometryNet(replace(load_model(config.start).config, relief=config.width, joint=False))
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
            part = out / "last.part"
            save_checkpoint(str(part), model, ema=mean, step=step, seconds=spent)
            part.rename(out / "last.pt")
    return out / "last.pt"


def train_step(
    model: GeometryNet, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor]
) -> dict[str, float]:
    """One update; returns 1 - cos of the angle with the correction and without."""
    assert model.relief is not None
    x = ((batch["image"] - model.mean) / model.std).contiguous(memory_format=torch.channels_last)
    more = model.relief(x, batch["coarse"], batch["cover"])
    error = [
        masked_mean(1 - (split_normal(double(n)) * batch["normal"]).sum(1, keepdim=True), batch["weight"])
        for n in (batch["coarse"] + more, batch["coarse"])
    ]
    optimizer.zero_grad(set_to_none=True)
    error[0].backward()
    torch.nn.utils.clip_grad_norm_(model.relief.parameters(), 3.0)
    optimizer.step()
    return {"normal": float(error[0].detach()), "without": float(error[1])}


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line: every field of ReliefConfig is an option."""
    parser = argparse.ArgumentParser(prog="python -m training.relief", description=__doc__)
    for name, spec in ReliefConfig.__dataclass_fields__.items():
        kind = {"str": str, "int": int, "float": float}[str(spec.type)]
        needed = name in ("data", "start", "out")
        default = None if needed else spec.default
        parser.add_argument(f"--{name}", type=kind, required=needed, default=default)
    print(train(ReliefConfig(**vars(parser.parse_args(argv)))))


if __name__ == "__main__":
    sys.exit(main())
