"""Trains a memory on top of a fast network, on clips: what of the last frame's features stays.

    python -m training.recurrent --data DIR --start RUN/last.pt --out RUN2 --minutes 40

Everything but the memory stands still, so a network without it is the same to the last bit, and the first
frame of a clip is what it was. RUN2 gets `log.csv` and `last.pt`, which export.py takes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.clips import Clips, draw_parts, stacked
from training.keep import average, log
from training.losses import Weights, masked_mean, total_loss
from training.middle import to_camera
from training.model import GeometryNet, split_normal
from training.schedule import average_at, rate_at
from training.told import from_options, in_one_line
from training.weights import load_matching, load_model, save_checkpoint

SIZES = ((192, 128), (128, 160), (160, 160), (192, 160))
WARM = 1
"""Frames at a part's start that count for nothing: there is nothing to hold yet."""


@dataclass(frozen=True)
class RecurrentConfig:
    """What a run is made of. `steps` > 0 ends the schedule by steps instead of by the clock; `coherence`
    weighs how far changes from frame to frame may differ from the true ones."""

    data: str
    start: str
    out: str
    minutes: float = 40.0
    steps: int = 0
    seed: int = 0
    batch: int = 3
    length: int = 5
    rate: float = 3e-3
    decay: float = 1e-4
    coherence: float = 4.0
    threads: int = 2
    report: int = 20
    save: int = 100


def coherence_loss(raw: list[Tensor], frames: list[dict[str, Tensor]]) -> Tensor:
    """Absolute error of the change from frame to frame of normals and log-depth, where the person is in both,
    and of alpha everywhere."""
    total = raw[0].new_zeros(())
    told = [
        to_camera(split_normal(r), r[:, 3:4], frame["camera"]) for r, frame in zip(raw, frames, strict=True)
    ]
    for k, ((a, b), (one, two)) in enumerate(zip(pairwise(raw), pairwise(frames), strict=True)):
        both = one["mask"] * two["mask"]
        turn, nearer = ((after - before) for before, after in zip(told[k], told[k + 1], strict=True))
        turn = turn - (two["normal"] - one["normal"])
        total = total + masked_mean(turn.abs().sum(1, keepdim=True), both)
        total = total + 2 * masked_mean((nearer - (two["log_depth"] - one["log_depth"])).abs(), both)
        cover = torch.sigmoid(b[:, 4:5]) - torch.sigmoid(a[:, 4:5])
        total = total + (cover - (two["alpha"] - one["alpha"])).abs().mean()
    return total / max(len(raw) - 1, 1)


def train_step(
    model: GeometryNet,
    optimizer: torch.optim.Optimizer,
    frames: list[dict[str, Tensor]],
    config: RecurrentConfig,
) -> dict[str, float]:
    """One update of the memory; returns the terms of the loss, and the coherence without a memory."""
    assert model.memory is not None
    together = stacked(frames)["image"].contiguous(memory_format=torch.channels_last)
    x = (together - model.mean) / model.std
    with torch.no_grad():
        features = model.decoded(x)
        before = list(model.finished(x, features).chunk(len(frames)))
    state, raw = model.memory.start(frames[0]["image"]), []
    for image, new in zip(x.chunk(len(frames)), features.chunk(len(frames)), strict=True):
        kept, state = model.memory(new, state)
        raw.append(model.finished(image, kept))
    truth = stacked(frames[WARM:])
    loss, terms = total_loss(torch.cat(raw[WARM:]), truth, replace(Weights(), relief=0.0, agree=0.0))
    steady = coherence_loss(raw, frames)
    optimizer.zero_grad(set_to_none=True)
    (loss + config.coherence * steady).backward()
    torch.nn.utils.clip_grad_norm_(model.memory.parameters(), 3.0)
    optimizer.step()
    with torch.no_grad():
        alone, _ = total_loss(torch.cat(before[WARM:]), truth, replace(Weights(), relief=0.0, agree=0.0))
        trembling = coherence_loss(before, frames)
    return {
        **{name: float(value) for name, value in terms.items()},
        "all": float(loss.detach()),
        "all_without": float(alone),
        "coherence": float(steady.detach()),
        "coherence_without": float(trembling),
    }


def train(config: RecurrentConfig) -> Path:
    """Trains; returns the checkpoint's path."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    clips = Clips.open(Path(config.data))
    model = GeometryNet(replace(load_model(config.start).config, memory=True, reach=0))
    print(f"{load_matching(model, config.start)} tensors from {config.start}, {len(clips.records)} clips")
    model = model.to(memory_format=torch.channels_last).eval()
    memory = model.memory
    assert memory is not None
    model.requires_grad_(False)
    memory.requires_grad_(True)
    mean = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.AdamW(memory.parameters(), lr=config.rate, weight_decay=config.decay)
    begin, step, share = time.monotonic(), 0, 0.0
    while share < 1.0:
        rng = np.random.default_rng([config.seed, 21, step])
        size = SIZES[int(rng.integers(len(SIZES)))]
        frames = draw_parts(rng, clips, config.batch, config.length, size)
        optimizer.param_groups[0]["lr"] = config.rate * rate_at(share)
        terms = train_step(model, optimizer, frames, config)
        average(mean, model, average_at(step, 0.99))
        step += 1
        spent = time.monotonic() - begin
        share = step / config.steps if config.steps else spent / (60 * config.minutes)
        if step % config.report == 0:
            log(out / "log.csv", step, share, spent, frames[0]["image"].shape, terms, len(clips.records))
        if step % config.save == 0 or share >= 1.0:
            save_checkpoint(out / "last.pt", model, ema=mean, step=step, seconds=spent)
    return out / "last.pt"


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line: every field of RecurrentConfig is an option."""
    print(train(from_options(RecurrentConfig, "training.recurrent", __doc__, argv)))


if __name__ == "__main__":
    sys.exit(main())
