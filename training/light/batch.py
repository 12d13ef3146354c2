"""Shards of views (draw.py) as batches of tensors, and what the network is told of them.

`features` and `lit` are core/told.py's `features` and `corrected` in PyTorch; a test holds them together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from live_relight.core import told
from live_relight.core.lamps import lamps
from live_relight.core.light import MAX_LIGHTS, Light
from live_relight.core.look import Look
from live_relight.core.planes import LUMA
from live_relight.core.reference import GAMMA
from training.synth.shards import Record, find_shards, read_shard

TRUE, GUESS = "t", "n"
INSIDE = 0.97  # alpha


class Sets(Dataset[dict[str, Tensor]]):
    """Every set of every view, with the true geometry or (at random, a share `guess` of the time) a
    network's."""

    def __init__(self, folder: Path, first: int = 0, last: int | None = None, guess: float = 0.5) -> None:
        self.guess = guess
        records = [record for path in find_shards(folder)[first:last] for record in read_shard(path)]
        self.items = [(record, k) for record in records for k in range(record["picture"].shape[0])]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        record, k = self.items[index]
        return read_set(record, k, GUESS if torch.rand(()) < self.guess else TRUE)


def read_set(record: Record, k: int, which: str) -> dict[str, Tensor]:
    """Set `k` of a view, lit by way of the true geometry or a network's: planes [C,H,W] as they are stored,
    `lamps` [MAX_LIGHTS,6] (place, luma of the power, Lamp.reference, Lamp.radius2), `tangents` [2],
    `ambient` []."""
    about = record.about
    used = about["sets"][k]
    fov = about["fov"] if which == TRUE else Look().fov
    look = Look(lights=tuple(Light(**light) for light in used["lights"]), ambient=used["ambient"], fov=fov)
    table = np.zeros((MAX_LIGHTS, 6), np.float32)
    for row, lamp in zip(table, lamps(look, tuple(used[f"head_{which}"])), strict=False):
        row[:] = (*lamp.place, float(np.dot(lamp.bgr, LUMA)), lamp.reference, lamp.radius2)
    names = ("normal", "depth", "alpha")
    normal, depth, alpha = (record[n] if which == TRUE else record[f"{n}_n"][k] for n in names)
    across = math.tan(math.radians(fov) / 2)
    planes = {
        "picture": record["picture"][k], "truth": record["truth"][k], "factor": record[f"factor_{which}"][k],
        "normal": normal, "depth": depth[..., None], "alpha": alpha[..., None],
        "person": record["alpha"][..., None],
    }  # fmt: skip
    found = {n: torch.from_numpy(np.moveaxis(v, -1, 0).copy()) for n, v in planes.items()}
    height, width = depth.shape
    return {
        **found,
        "lamps": torch.from_numpy(table),
        "tangents": torch.tensor([across, across * height / width]),
        "ambient": torch.tensor(float(used["ambient"])),
    }


@dataclass
class Batch:
    """What a step needs, float32 [B,C,H,W]. picture, truth: encoded 0..1; light: our lamps' share of the
    light map, linear; much: what may come there; person: true alpha, 0 where the application draws no light;
    ambient [B,1,1,1]."""

    features: Tensor
    picture: Tensor
    truth: Tensor
    light: Tensor
    much: Tensor
    person: Tensor
    ambient: Tensor


def prepare(raw: dict[str, Tensor], tint: Tensor | None = None, noise: float = 0.0) -> Batch:
    """A batch of `read_set`s. tint [B,3,1,1]: factor on picture and truth alike (another exposure and white
    balance); noise: standard deviation on the picture as the network sees it."""
    picture, truth = raw["picture"].float() / 255, raw["truth"].float() / 255
    if tint is not None:
        picture, truth = picture * tint, truth * tint
    seen = (picture + torch.randn_like(picture) * noise).clamp(0, 1) if noise else picture
    depth = torch.nan_to_num(raw["depth"].float(), posinf=5.0).clamp(0.2, 5.0)
    alpha, ambient = raw["alpha"].float() / 255, raw["ambient"][:, None, None, None]
    normal = raw["normal"].float() / 127
    toward, free = arriving(depth, normal, raw["lamps"], raw["tangents"])
    much = toward.norm(dim=1, keepdim=True)
    light = (raw["factor"].float().clamp_min(0) ** GAMMA - ambient).clamp_min(0)
    bright, free = (
        (value * (alpha > told.NOBODY) + told.FAINT).log2().clamp_max(told.BRIGHTEST)
        for value in (light, free)
    )
    planes = [
        seen * 2 - 1, normal, depth.log().clamp(-1, 1) * 2, alpha * 2 - 1,
        bright / told.BRIGHTEST, ambient.expand_as(depth) * 2 - 1, toward / (1 + much), free / told.BRIGHTEST,
    ]  # fmt: skip
    return Batch(
        torch.cat(planes, 1),
        picture,
        truth,
        light,
        much,
        raw["person"].float() / 255 * (alpha > told.NOBODY),
        ambient,
    )


def dyed(picture: Tensor, size: Tensor, turn: Tensor) -> Tensor:
    """Factor on encoded values [B,3,H,W], up to one: other dyes, hair and skins on the same shapes in the
    same light. What a colour turns into is a smooth function of its hue and saturation alone, not of its
    brightness, so that picture and truth times it still differ by the light.

    size [B,3]: by how much, natural log of linear light; turn [B,3,3]: waves over hue and saturation."""
    linear = picture**GAMMA + 1e-3
    share = linear / linear.sum(1, keepdim=True) - 1 / 3
    place = torch.cat([share[:, :1], share[:, 2:], torch.ones_like(share[:, :1])], 1)
    wave = torch.sin(torch.einsum("bij,bjhw->bihw", turn, place))
    logs = size[:, :, None, None] * wave
    return torch.exp((logs - logs.amax((1, 2, 3), keepdim=True)) / GAMMA)


def arriving(depth: Tensor, normal: Tensor, table: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """told.arriving of lamps that stand near, [B,3,H,W] and [B,1,H,W]."""
    height, width = depth.shape[-2:]
    x = ((torch.arange(width) + 0.5) / width * 2 - 1)[None, None, None] * tangents[:, 0, None, None, None]
    y = (1 - (torch.arange(height) + 0.5) / height * 2)[None, None, :, None] * tangents[
        :, 1, None, None, None
    ]
    point = torch.cat([x * depth, y * depth, -depth], 1)
    total, light = torch.zeros_like(point), torch.zeros_like(depth)
    for k in range(table.shape[1]):
        lamp = table[:, k, :, None, None]
        if not bool((lamp[:, 3] > 0).any()):
            continue
        to = lamp[:, :3] - point
        square = (to * to).sum(1, keepdim=True).clamp_min(1e-4)
        fall = lamp[:, 4:5] / (square + lamp[:, 5:6]) * lamp[:, 3:4]
        toward = to * (fall / square.sqrt())
        total = total + toward
        light = light + (normal * toward).sum(1, keepdim=True).clamp_min(0)
    return total, light


def window(batch: Batch, left: int, width: int, flip: bool) -> Batch:
    """Columns `left` to `left + width`, mirrored if `flip`."""
    planes: dict[str, Any] = {}
    for name, value in vars(batch).items():
        if value.shape[-1] > 1:
            value = value[..., left : left + width]
            value = value.flip(-1) if flip else value
        planes[name] = value
    if flip:
        sign = torch.ones(planes["features"].shape[1])
        sign[[3, 12]] = -1  # x of the normal and of `arriving`
        planes["features"] = planes["features"] * sign[:, None, None]
    return Batch(**planes)


def lit(stops: Tensor, batch: Batch) -> Tensor:
    """told.corrected's light, linear [B,3,H,W]."""
    stray = told.STRAY * batch.much
    return ((batch.light + stray) * torch.exp2(stops) - stray).clamp_min(0)


def relit(picture: Tensor, light: Tensor, ambient: Tensor) -> Tensor:
    """The person as the application composes it (core/reference.py: factor_map, shoulder), encoded."""
    after = picture * (ambient + light).clamp_min(1e-4) ** (1 / GAMMA)
    least = picture.amax(1, keepdim=True).clamp_max(1)
    most = after.amax(1, keepdim=True)
    added, room = (most - least).clamp_min(0), (1 - least).clamp_min(1e-3)
    kept = room * added / (room**4 + added**4).clamp_min(1e-20) ** 0.25
    return after * (1 - (added - kept) / most.clamp_min(1e-3))


def squared_error(made: Tensor, truth: Tensor, person: Tensor) -> Tensor:
    """Mean over the inside of the person of each picture [B]; PSNR is -10 log10 of it. Along the outline the
    application mixes person and backdrop, which `relit` does not."""
    on = (person > INSIDE).float()
    return ((made - truth) ** 2 * on).sum((1, 2, 3)) / (3 * on.sum((1, 2, 3))).clamp_min(1)
