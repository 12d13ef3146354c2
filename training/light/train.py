"""Training of the light network: one loop, by the clock or by steps, resumable.

The loss is what is measured in the end: the logarithm of the squared error of the whole relit picture, over
the person, encoded. A light map that is right on average and wrong on dark hair would hardly show in the
picture, and the other way round.
"""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from training.light.batch import (
    GUESS,
    INSIDE,
    TRUE,
    Batch,
    Sets,
    dyed,
    lit,
    prepare,
    read_set,
    relit,
    squared_error,
    window,
)  # fmt: skip
from training.light.model import FORMS, STRIDE, LightNet, read_net
from training.synth.shards import find_shards

RATE, DECAY, WARM, FLAT = 2e-3, 1e-2, 200, 0.3
FLOOR = 2e-4  # added to the squared error before its logarithm: 37 dB
CALM = 0.01  # weight of the mean stops: nothing is said where nothing is gained
TAUGHT = 1.0  # weight of the mean difference from the teacher, in stops over the person
LEAST = 200  # pixels of a person that count
SHARES, NOISES = (10, 12, 14, 16), (0.0, 0.0, 0.01, 0.03)
"""Widths of cuts in sixteenths of the picture, and standard deviations."""
DYES = 2.5  # how much colours are changed
WAVES = torch.tensor([8.0, 8.0, 3.0])  # how fast over hue and saturation, and where they begin
SMOOTH = 0.998  # of the moving average of the weights


@dataclass(frozen=True)
class Run:
    """data: shards of `draw`, the last `kept` of which are held out; out: checkpoint and log; minutes: of
    training in all, or `steps`; batch: pictures a step; start: a checkpoint to go on from anew; form: of
    FORMS; guess: share of pictures with a network's geometry; teacher: a checkpoint whose word is
    learned too."""

    data: Path
    out: Path
    minutes: float
    kept: int = 4
    batch: int = 16
    seed: int = 1
    steps: int = 0
    start: Path | None = None
    form: str = "light"
    guess: float = 0.5
    teacher: Path | None = None


def rate(step: int, share: float) -> float:
    """Learning rate at a step and a share 0..1 of the time."""
    fall = 1.0 if share < FLAT else 0.5 * (1 + math.cos(math.pi * (share - FLAT) / (1 - FLAT)))
    return RATE * min(1.0, (step + 1) / WARM) * fall + 1e-6


def measure(net: LightNet, sets: Sets, which: str) -> tuple[float, float]:
    """Mean PSNR as the application is, and with the network, over every second set."""
    net.eval()
    found = []
    with torch.no_grad():
        for at in range(0, len(sets), 32):
            raw = default_collate([read_set(record, k, which) for record, k in sets.items[at : at + 32 : 2]])
            batch = prepare(raw)
            found.append(torch.stack([-10 * error.log10() for error in errors(net, batch)]))
    net.train()
    without, with_it = torch.cat(found, 1).mean(1).tolist()
    return without, with_it


def errors(net: LightNet, batch: Batch) -> tuple[Tensor, Tensor]:
    """Squared errors [B] without the network and with it."""
    stops = net(batch.features.contiguous(memory_format=torch.channels_last))
    light = lit(stops, batch)
    made = (relit(batch.picture, value, batch.ambient) for value in (batch.light, light))
    without, with_it = (squared_error(value, batch.truth, batch.person) for value in made)
    return without, with_it


def loss_of(net: LightNet, batch: Batch, teacher: LightNet | None = None) -> Tensor:
    """Of one batch, a number."""
    with torch.autocast("cpu", torch.bfloat16):
        stops = net(batch.features.contiguous(memory_format=torch.channels_last))
    stops = stops.float()
    light = lit(stops, batch)
    error = squared_error(relit(batch.picture, light, batch.ambient), batch.truth, batch.person)
    counts = ((batch.person > INSIDE).sum((1, 2, 3)) > LEAST).float()
    loss = ((error + FLOOR).log() * counts).mean() + CALM * stops.abs().mean()
    if teacher is None:
        return loss
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        told = teacher(batch.features.contiguous(memory_format=torch.channels_last)).float()
    return loss + TAUGHT * ((stops - told).abs() * batch.person).sum() / batch.person.sum().clamp_min(1)


def drawn(raw: dict[str, Tensor], generator: torch.Generator) -> Batch:
    """A batch in other colours, another exposure and white balance, noise, mirrored, cut."""

    def pick(n: int) -> int:
        return int(torch.randint(n, (), generator=generator))

    count, full = raw["picture"].shape[0], raw["picture"].shape[-1]
    tint: Tensor | None = None
    if pick(10) < 7:
        tint = 1 - 0.3 * torch.rand(count, 3, 1, 1, generator=generator) ** 2
        if pick(2):
            size = 0.15 * torch.rand(count, 1, generator=generator) * torch.ones(count, 3) + 0.08
            turn = torch.randn(count, 1, 3, generator=generator) + 0.3 * torch.randn(
                count, 3, 3, generator=generator
            )
            tint = tint * dyed(raw["picture"].float() / 255, size * DYES, turn * WAVES)
    batch = prepare(raw, tint, NOISES[pick(len(NOISES))])
    width = SHARES[pick(len(SHARES))] * full // 16 // STRIDE * STRIDE
    return window(batch, pick(full - width + 1), width, bool(pick(2)))


def forever(loader: DataLoader[Any]) -> Iterator[dict[str, Tensor]]:
    """Batches, epoch after epoch."""
    while True:
        yield from loader


def save(path: Path, **what: Any) -> None:
    """Beside and renamed."""
    part = path.with_name(path.name + ".part")
    torch.save(what, part)
    os.replace(part, path)


def average(smooth: LightNet, net: LightNet, keep: float) -> None:
    """Moves the moving average on."""
    with torch.no_grad():
        for mean, value in zip(smooth.state_dict().values(), net.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)


def train(run: Run) -> None:
    """Trains for the minutes that are left of it; measures and saves as it goes."""
    run.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(run.seed)
    chance = torch.Generator().manual_seed(run.seed)
    count = len(find_shards(run.data))
    if not 0 < run.kept < count:
        raise ValueError(
            f"{run.data}: got {count} shards, {run.kept} of them kept; expected 1 and more of each"
        )
    sets, kept = Sets(run.data, 0, -run.kept, run.guess), Sets(run.data, -run.kept)
    if len(sets) < run.batch:
        raise ValueError(f"{run.data}: got {len(sets)} sets to learn from, expected {run.batch} and more")
    form = FORMS[run.form]
    net, smooth = LightNet(form).to(memory_format=torch.channels_last), LightNet(form)
    teacher = read_net(run.teacher)[0] if run.teacher else None
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    last, step, before = run.out / "last.pt", 0, 0.0
    if last.exists() or run.start:
        there = torch.load(last if last.exists() else run.start)
        net.load_state_dict(there["net"])
        smooth.load_state_dict(there["smooth"])
        if last.exists():
            optimiser.load_state_dict(there["optimiser"])
            step, before = there["step"], there["minutes"]
    else:
        smooth.load_state_dict(net.state_dict())
    loader = DataLoader(sets, run.batch, shuffle=True, num_workers=1, drop_last=True, persistent_workers=True)
    begun, told_at = time.monotonic(), step
    spent, losses = before, []

    def note() -> None:
        save(last, net=net.state_dict(), smooth=smooth.state_dict(), optimiser=optimiser.state_dict(),
             step=step, minutes=spent, form=run.form)  # fmt: skip
        figures = [round(v, 3) for which in (TRUE, GUESS) for v in measure(smooth, kept, which)]
        with (run.out / "log.csv").open("a", newline="") as file:
            csv.writer(file).writerow(
                [step, round(spent, 1), round(sum(losses) / max(len(losses), 1), 4), *figures]
            )
        print(
            f"step {step}, {spent:.0f} min, true and network's geometry without and with: {figures}",
            flush=True,
        )
        losses.clear()

    for raw in forever(loader):
        spent = before + (time.monotonic() - begun) / 60
        share = step / run.steps if run.steps else spent / run.minutes
        if share >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = rate(step, share)
        loss = loss_of(net, drawn(raw, chance), teacher)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        average(smooth, net, min(SMOOTH, step / (step + 50)))
        losses.append(float(loss.detach()))
        if step - told_at >= 500:
            told_at = step
            note()
    note()
