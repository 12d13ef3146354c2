"""The light network in PyTorch: a small U-Net that corrects the light map of our lamps.

features   what it is told (live_relight/core/told.py), [B,FEATURES,H,W], H and W multiples of STRIDE
stops      what it says, [B,3,H,W]: by how many stops (log2) our lamps' light is more or less, BGR
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEATURES, STRIDE, MOST = 16, 16, 3.0


@dataclass(frozen=True)
class Form:
    """widths: channels at 1/2, 1/4, 1/8 and 1/16 of the size; depths: residual blocks on the way down there,
    and on the way up (the last one has no way up)."""

    widths: tuple[int, int, int, int] = (32, 64, 96, 128)
    down: tuple[int, int, int, int] = (1, 1, 2, 3)
    up: tuple[int, int, int] = (1, 1, 1)


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
        self.stem = conv(4 * FEATURES, wide[0])
        self.down = nn.ModuleList([
            nn.Sequential(*([] if k == 0 else [conv(wide[k - 1], wide[k], 2), nn.ReLU()]),
                          *(Block(wide[k]) for _ in range(form.down[k])))
            for k in range(4)
        ])  # fmt: skip
        self.whole = nn.Linear(wide[3], wide[3])
        self.across = nn.ModuleList([conv(wide[k + 1], wide[k], size=1) for k in range(3)])
        self.up = nn.ModuleList([
            nn.Sequential(*(Block(wide[k]) for _ in range(form.up[k]))) for k in range(3)
        ])  # fmt: skip
        self.head = nn.Conv2d(wide[0], 4, 3, padding=1)
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: Tensor) -> Tensor:
        x = F.relu(self.stem(F.pixel_unshuffle(features, 2)))
        seen = []
        for stage in self.down:
            x = stage(x)
            seen.append(x)
        x = F.relu(x + self.whole(x.mean((2, 3)))[:, :, None, None])
        for k in (2, 1, 0):
            x = F.interpolate(self.across[k](x), scale_factor=2.0, mode="nearest")
            x = self.up[k](F.relu(x + seen[k]))
        return MOST * torch.tanh(F.pixel_shuffle(self.head(x), 2) / MOST)
