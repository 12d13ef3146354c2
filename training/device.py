"""Where training runs: one processor, one card, or several processes of torchrun.

    torchrun --nproc-per-node 4 -m -- training.train --data DIR --out RUN --fast --times 8

Each process draws its own batches and steps with the mean of all gradients, so weights stay alike.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Place:
    """Which of `count` processes this is, and what it computes on."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """The one that prints and writes."""
        return self.rank == 0

    @property
    def card(self) -> bool:
        """Whether this is a card: then the data is kept and cut there."""
        return self.device.type == "cuda"

    @property
    def half(self) -> bool:
        """Whether convolutions run in bfloat16: a card's tensor cores do, and processors with AVX512-BF16 or
        AMX."""
        cpu = torch.cpu
        return self.card or cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported()


def join(wanted: str = "auto") -> Place:
    """This process's place; joins the others that torchrun started. A ValueError for a device that is not
    there."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise ValueError(f"--device: got '{wanted}', expected auto, cpu or cuda")
    card = torch.cuda.is_available()
    if wanted == "cuda" and not card:
        raise ValueError("--device cuda: got no card that torch can use, expected one; use --device cpu")
    kind = "cuda" if card and wanted != "cpu" else "cpu"
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if kind == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        torch.backends.cudnn.benchmark = True
    if count > 1:
        dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    return Place(torch.device(kind), rank, count)


def meet(place: Place) -> None:
    """Waits for all processes."""
    if place.count > 1:
        dist.barrier()


def leave(place: Place) -> None:
    """Ends what `join` began."""
    if place.count > 1:
        dist.destroy_process_group()


def share_gradients(model: nn.Module, place: Place) -> None:
    """Every gradient becomes the mean over all processes, in one message."""
    if place.count == 1:
        return
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    flat /= place.count
    start = 0
    for grad in grads:
        grad.copy_(flat[start : start + grad.numel()].view_as(grad))
        start += grad.numel()


def same_progress(share: float, place: Place) -> float:
    """The first process's word on how far the schedule is: clocks differ, and all must end together."""
    if place.count == 1:
        return share
    told = torch.tensor([share], dtype=torch.float64, device=place.device)
    dist.broadcast(told, 0)
    return float(told)


def to_device(batch: dict[str, Tensor], place: Place) -> dict[str, Tensor]:
    """The batch where the network is."""
    if place.device.type == "cpu":
        return batch
    return {name: value.to(place.device, non_blocking=True) for name, value in batch.items()}
