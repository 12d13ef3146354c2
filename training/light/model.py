"""The light network in PyTorch: a small U-Net that corrects the light map of our lamps.

features   what it is told (live_relight/core/told.py), [B,FEATURES,H,W], H and W multiples of STRIDE
stops      what it says, [B,1,H,W]: by how many stops (log2) our lamps' light is more or less
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEATURES, STRIDE, MOST = 16, 16, 3.0


@dataclass(frozen=True)
class Form:
    """first: blocks of first x first pixels are one place of the first stage; widths: channels of the stages,
    each half the size of the one before; down, up: residual blocks on the way there, and on the way back (the
    last stage has no way back). The smallest stage is STRIDE times smaller than the picture."""

    first: int = 2
    widths: tuple[int, ...] = (32, 64, 96, 128)
    down: tuple[int, ...] = (1, 1, 2, 3)
    up: tuple[int, ...] = (1, 1, 1)

    def __post_init__(self) -> None:
        if self.first * 2 ** (len(self.widths) - 1) != STRIDE:
            raise ValueError(f"got {self.first} and {len(self.widths)} stages, expected a stride of {STRIDE}")


FORMS = {"light": Form(), "live": Form(2, (16, 32, 64, 96), (1, 1, 1, 2))}
"""For photo and video, and for what must keep up with a camera."""


def conv(inside: int, outside: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    """Convolution and batch norm."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, size, stride, size // 2, bias=False), nn.BatchNorm2d(outside)
    )


class Block(nn.Module):
    """Residual block of two 3x3 convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv(width, width), conv(width, width)
        nn.init.constant_(self.second[1].weight, 0.25)  # lives from the first step on, and hardly shouts

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class LightNet(nn.Module):
    """features -> stops, as above."""

    def __init__(self, form: Form | None = None) -> None:
        super().__init__()
        self.form = form = form or Form()
        wide = form.widths
        stages = range(len(wide))
        self.stem = conv(form.first**2 * FEATURES, wide[0], size=3 if form.first == 2 else 1)
        self.down = nn.ModuleList([
            nn.Sequential(*([] if k == 0 else [conv(wide[k - 1], wide[k], 2), nn.ReLU()]),
                          *(Block(wide[k]) for _ in range(form.down[k])))
            for k in stages
        ])  # fmt: skip
        self.whole = nn.Linear(wide[-1], wide[-1])
        self.across = nn.ModuleList([conv(wide[k + 1], wide[k], size=1) for k in stages[:-1]])
        self.up = nn.ModuleList([
            nn.Sequential(*(Block(wide[k]) for _ in range(form.up[k]))) for k in stages[:-1]
        ])  # fmt: skip
        self.head = nn.Conv2d(wide[0], form.first**2, 3, padding=1)
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: Tensor) -> Tensor:
        first = self.form.first
        x = F.relu(self.stem(F.pixel_unshuffle(features, first)))
        seen = []
        for stage in self.down:
            x = stage(x)
            seen.append(x)
        x = F.relu(x + self.whole(x.mean((2, 3)))[:, :, None, None])
        for k in reversed(range(len(self.up))):
            x = F.interpolate(self.across[k](x), scale_factor=2.0, mode="nearest")
            x = self.up[k](F.relu(x + seen[k]))
        return MOST * torch.tanh(F.pixel_shuffle(self.head(x), first) / MOST)


def read_net(checkpoint: Path) -> tuple[LightNet, dict[str, float]]:
    """The averaged weights, ready to use, and how long they were trained."""
    there = torch.load(checkpoint, map_location="cpu", weights_only=True)
    net = LightNet(FORMS[there.get("form", "light")])
    net.load_state_dict(there["smooth"])
    return net.eval(), {"steps": there["step"], "minutes": round(there["minutes"])}
