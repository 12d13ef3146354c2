"""What a training keeps: averaged weights, `last.pt` to go on from, `log.csv`."""

from __future__ import annotations

import csv
from pathlib import Path

import torch
from torch import Tensor, nn


@torch.no_grad()
def average(mean: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    """Move the averaged weights toward the model's."""
    now = model.state_dict()
    names = [name for name, value in now.items() if value.dtype.is_floating_point]
    torch._foreach_lerp_([mean[name] for name in names], [now[name] for name in names], 1 - decay)
    for name in now.keys() - names:
        mean[name].copy_(now[name])


def resume(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    mean: dict[str, Tensor],
    head: nn.Module | None = None,
) -> tuple[int, float]:
    """Load `last.pt` if it is there; returns the step and the seconds spent. `head`: what else learns."""
    if not path.exists():
        return 0, 0.0
    blob = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(blob["model"])
    if head is None and "head" in blob:
        raise ValueError(
            f"{path}: got a run with --weight-hand, expected one without; give it, or begin another"
        )
    if head is not None:
        if "head" not in blob:
            raise ValueError(
                f"{path}: got a run begun without --weight-hand, expected one with it; begin another"
            )
        head.load_state_dict(blob["head"])
    optimizer.load_state_dict(blob["optimizer"])
    for name, value in blob["ema"].items():
        mean[name].copy_(value)
    return int(blob["step"]), float(blob["seconds"])


def log(
    path: Path, step: int, share: float, spent: float, shape: torch.Size, terms: dict[str, float], have: int
) -> None:
    """Print and append one line."""
    row = {"step": step, "share": round(share, 4), "seconds": round(spent), "size": f"{shape[3]}x{shape[2]}"}
    row |= {"pictures": have, **{k: round(v, 5) for k, v in terms.items()}}
    print(" ".join(f"{k}={v}" for k, v in row.items()), flush=True)
    fresh = not path.exists()
    with path.open("a", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)
