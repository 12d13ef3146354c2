"""What the geometry network is made of: its encoder, its convolutions, the small networks that correct it."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# EfficientNet-B0's stages without squeeze-and-excite: repeats, kernel, stride, expansion, width.
LITE0_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
FAST_STAGES = (*LITE0_STAGES[:5], (3, 5, 2, 6, 192))
# The same with more blocks where the picture is small: a sixth more time, two thirds more weights.
DEEP_STAGES = (*LITE0_STAGES[:3], (4, 3, 2, 6, 80), (5, 5, 1, 6, 112), (5, 5, 2, 6, 192))


class Block(nn.Module):
    """Inverted residual: expand, depthwise, project."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        mid = cin * expand
        layers: list[nn.Module] = []
        if expand != 1:
            layers += [nn.Conv2d(cin, mid, 1, bias=False), nn.BatchNorm2d(mid, eps=1e-3), nn.ReLU6(True)]
        layers += [
            nn.Conv2d(mid, mid, kernel, stride, kernel // 2, groups=mid, bias=False),
            nn.BatchNorm2d(mid, eps=1e-3),
            nn.ReLU6(True),
            nn.Conv2d(mid, cout, 1, bias=False),
            nn.BatchNorm2d(cout, eps=1e-3),
        ]
        self.body = nn.Sequential(*layers)
        self.skip = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        """[B,cin,h,w] -> [B,cout,h/stride,w/stride]."""
        y = self.body(x)
        return x + y if self.skip else y


def conv_bn(cin: int, cout: int, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch norm, ReLU at the same size."""
    return nn.Sequential(
        nn.Conv2d(cin, cout, kernel, 1, kernel // 2, bias=False), nn.BatchNorm2d(cout), nn.ReLU(True)
    )


class Encoder(nn.Module):
    """EfficientNet-Lite0; gives features at strides 2, 4, 8, 16, 32. `plan`: its stages."""

    def __init__(self, plan: tuple[tuple[int, int, int, int, int], ...] = LITE0_STAGES) -> None:
        super().__init__()
        self.channels = (*(plan[k][-1] for k in (0, 1, 2, 4)), plan[-1][-1])
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32, eps=1e-3), nn.ReLU6(True)
        )
        stages, width = [], 32
        for repeats, kernel, stride, expand, out in plan:
            blocks = []
            for k in range(repeats):
                blocks.append(Block(width, out, kernel, stride if k == 0 else 1, expand))
                width = out
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Normalised image -> features, finest first."""
        x = self.stages[0](self.stem(x))
        out = [x]
        for k, stage in enumerate(self.stages[1:], 1):
            x = stage(x)
            if k in (1, 2, 4, len(self.stages) - 1):
                out.append(x)
        return out


def separable(width: int, kernel: int = 5) -> nn.Sequential:
    """Depthwise, then pointwise: a fifth of a full convolution's time where the picture is large."""
    return nn.Sequential(
        nn.Conv2d(width, width, kernel, 1, kernel // 2, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(True),
        *conv_bn(width, width, 1),
    )


def double(x: Tensor) -> Tensor:
    """Bilinear upsampling by two: no learned upsampling, hence no checker pattern."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def half_cover(matte: Tensor) -> Tensor:
    """Alpha [B,1,H/2,W/2] 0..1 from its logit [B,1,H,W]."""
    return F.avg_pool2d(torch.sigmoid(matte), 2)


class Relief(nn.Module):
    """What a face has beyond an egg: a small U-Net from the picture and the coarse normals to a correction.

    It sees many more faces in the same time than the whole network would, because the rest stands still
    while it is trained (relief.py).

    `features`: width of the decoder's features that it sees as well (0: none); then it also corrects
    log-depth, says how sure the normals are, and gives the shading. `trim`: it corrects log-depth and the
    matte's logits, four to a point.
    """

    def __init__(self, width: int, features: int = 0, trim: bool = False) -> None:
        super().__init__()
        w = (width, 2 * width, 3 * width, 4 * width)
        self.start = conv_bn(12 + 4, w[0])
        # pixel_unshuffle as a convolution with ones and zeros: exported it would be a transposition of six
        # axes, which takes ONNX Runtime ten times as long.
        self.register_buffer("blocks", torch.eye(12).view(12, 3, 2, 2), persistent=False)
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(True), *conv_bn(b, b)
            )
            for a, b in pairwise(w)
        )
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(w))
        self.join = nn.ModuleList(conv_bn(a, a) for a in w[:-1])
        self.head = nn.Conv2d(w[0], 3, 1)
        self.link = nn.Conv2d(features, w[0], 1) if features else None
        self.tail = nn.Conv2d(w[0], 3 if features else 1 + 4, 1) if features or trim else None
        for layer in (self.head, self.link, self.tail):  # nothing at first
            if layer is not None:
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, image: Tensor, normal: Tensor, alpha: Tensor, features: Tensor | None = None) -> Tensor:
        """Image [B,3,H,W] normalised, unit normals [B,3,H/2,W/2], alpha [B,1,H/2,W/2] 0..1 -> what to add to
        the normals [B,3,H/2,W/2]; with `features` [B,C,H/2,W/2] three channels more: what to add to
        log-depth, `sureness` and log shading of raw; with `trim` five: to log-depth and the four logits."""
        x = self.start(torch.cat([F.conv2d(image, self.blocks, stride=2), normal, alpha], 1))
        if self.link is not None:
            x = x + self.link(features)
        seen = [x]
        for down in self.down:
            seen.append(down(seen[-1]))
        y = seen[-1]
        for k in (2, 1, 0):
            y = self.join[k](double(self.up[k](y)) + seen[k])
        return self.head(y) if self.tail is None else torch.cat([self.head(y), self.tail(y)], 1)


class Memory(nn.Module):
    """A gated unit with one gate (Zhou et al. 2016: minimal gated unit) on features at stride 2: what share
    of the last frame's stays, by channel and place. The gate is worked out at stride 4. At first it is shut.
    """

    SHUT = -5.0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.look = nn.Conv2d(3 * width, width, 3, 1, 1)
        self.gate = nn.Conv2d(width, width, 3, 1, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, self.SHUT)

    def start(self, image: Tensor) -> Tensor:
        """The state before the first frame: zeros [B,width+1,H/2,W/2] for pictures [B,3,H,W]."""
        b, _, h, w = image.shape
        return image.new_zeros(b, self.width + 1, h // 2, w // 2)

    def forward(self, new: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B,width,h,w] and the state [B,width+1,h,w] (features, and 1 where there are any) -> the
        features to use and the next state."""
        old, there = state[:, : self.width], state[:, self.width :]
        seen = F.avg_pool2d(torch.cat([new, old, (new - old).abs()], 1), 2)
        hold = torch.sigmoid(double(self.gate(F.relu(self.look(seen))))) * there
        kept = new + hold * (old - new)
        return kept, torch.cat([kept, torch.ones_like(there)], 1)
