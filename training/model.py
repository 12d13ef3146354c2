"""The geometry network: EfficientNet-Lite0 encoder, light decoder, three heads. blocks.py has its parts.

Input   image  [B,3,H,W] float32, RGB, sRGB-encoded, 0..1; H and W multiples of 32.
Outputs normal [B,3,H,W] unit vectors, camera space (x right, y up, z toward the viewer);
        depth  [B,1,H,W] positive, 1.0 = the person's median distance (exp of log-depth);
        alpha  [B,1,H,W] coverage of the person, 0..1;
        of a joint network (ModelConfig) also
        shading [B,1,H,W] natural log of the luma of the light on the person, up to a constant.

With a memory (ModelConfig) `follow` takes a state and gives the next one: frame after frame of one clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.blocks import (
    DEEP_STAGES,
    FAST_STAGES,
    LITE0_STAGES,
    Encoder,
    Memory,
    Relief,
    conv_bn,
    double,
    half_cover,
    separable,
)
from training.reach import Reach, change

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MAPS = 5  # normal (3), log-depth, alpha logit


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the decoder. Widths are listed from stride 32 to stride 2.

    `fast`: for CPUs. No last encoder stage (320 wide, a fifth of the weights) and one block less in the one
    before, depthwise convolutions where the picture is large, normals and depth at half size brought up
    bilinearly, the matte to full size by rearranging channels: about half the time. LOG.md has what it costs.
    `relief`: width of a small second network that corrects a fast one's normals (0: none).
    `trim`: that network also corrects depth and, at full size, the matte (relief.py).
    `joint`: that network also sees the decoder's features, corrects depth, says how sure the normals are and
    how the picture's own light falls; it is trained with the whole (train.py), not for itself (relief.py).
    `deep`: a fast one's form with more encoder blocks where the picture is small: a sixth more time, two
    thirds more weights. It is grown from a fast one (grow.py), not trained from nothing.
    `fine`: for cards, at twice the size: all of it is worked out at half the picture's size, and a relief
    network of this width corrects normals, depth and matte at the whole size (0: none). H and W are then
    multiples of 64. It is trained by itself, the rest standing still (train.py).
    `reach`: width of a small decoder that says what stands nearer than a fast network believes, hands above
    all (0: none). It is trained by itself, the rest standing still (reach.py).
    `memory`: a fast network's features are held over from frame to frame where that is told to help
    (recurrent.py).
    """

    widths: tuple[int, int, int, int, int] = (96, 64, 48, 40, 24)
    squeeze: int = 8
    detail: int = 8
    refine: int = 16
    log_depth_limit: float = 1.5
    fast: bool = False
    relief: int = 0
    trim: bool = False
    joint: bool = False
    deep: bool = False
    fine: int = 0
    memory: bool = False
    reach: int = 0


def read_widths(text: str) -> tuple[int, int, int, int, int]:
    """ "160,128,96,48,24" -> the five widths of a decoder; a ValueError for anything else."""
    try:
        a, b, c, d, e = (int(part) for part in text.split(","))
    except ValueError:
        a = b = c = d = e = 0
    if min(a, b, c, d, e) < 1:
        raise ValueError(f"--widths: got {text!r}, expected five whole numbers, as 160,128,96,48,24")
    return a, b, c, d, e


class GeometryNet(nn.Module):
    """Normals, depth and matte of a person from one picture (see the module's docstring)."""

    def __init__(self, config: ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config or ModelConfig()
        width = self.config.widths
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        if self.config.deep and not self.config.fast:
            raise ValueError("deep is a fast network's form with more in it: it needs fast as well")
        if self.config.fine and (self.config.joint or self.config.memory):
            raise ValueError("fine goes with neither joint nor memory")
        plan = DEEP_STAGES if self.config.deep else FAST_STAGES if self.config.fast else LITE0_STAGES
        self.encoder = Encoder(plan)
        coarse_first = self.encoder.channels[::-1]
        self.lateral = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(coarse_first, width, strict=True))
        self.context = nn.Sequential(
            nn.Linear(width[0], width[0]), nn.ReLU(True), nn.Linear(width[0], width[0])
        )
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(width))
        fast = self.config.fast
        self.smooth = nn.ModuleList(
            separable(w) if fast and stride <= 8 else conv_bn(w, w)
            for w, stride in zip(width[1:], (16, 8, 4, 2), strict=True)
        )
        if fast:
            # Each 2 x 2 block of the picture as one point at stride 2: what the first stride threw away.
            self.detail: nn.Module = nn.Conv2d(3, width[-1], 2, 2)
            self.refine: nn.Module = separable(width[-1], 3)
            # Normal and depth at stride 2; the matte's four pixels a point (Shi et al. 2016).
            self.head = nn.Conv2d(width[-1], MAPS - 1 + 4, 1)
        else:
            self.squeeze = nn.Conv2d(width[-1], self.config.squeeze, 1)
            self.detail = conv_bn(3, self.config.detail)
            self.refine = conv_bn(self.config.squeeze + self.config.detail, self.config.refine)
            self.head = nn.Conv2d(self.config.refine, MAPS, 3, padding=1)
        if self.config.relief and not fast:
            raise ValueError("relief goes with a fast network only")
        if self.config.joint and not self.config.relief:
            raise ValueError("joint says how relief is worked out: it needs a width for it")
        if self.config.memory and not fast:
            raise ValueError("a memory goes with a fast network only")
        self.memory = Memory(width[-1]) if self.config.memory else None
        self.tells = self.config.joint
        """Whether `forward` gives the shading; a plain attribute, for an export without it."""
        features = width[-1] if self.config.joint else 0
        if self.config.trim and (self.config.joint or not self.config.relief):
            raise ValueError("trim says what relief corrects: it needs a width for it, and is not joint's")
        made = self.config.relief > 0
        self.relief = Relief(self.config.relief, features, self.config.trim) if made else None
        self.fine = Relief(self.config.fine, trim=True) if self.config.fine else None
        if self.config.reach < 0 or self.config.reach == 1:
            raise ValueError(f"reach: got a width of {self.config.reach}, expected 2 and more, or 0 for none")
        if self.config.reach and (not fast or self.config.memory):
            raise ValueError("reach goes with a fast network only, and without a memory")
        there = (coarse_first[:4], width[-1])
        self.reach = Reach(self.config.reach, *there) if self.config.reach else None
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():  # start from a plane that faces the camera, at distance 1, half covered
            start = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])
            self.head.bias.copy_(torch.cat([start, start[4:].expand(3)]) if fast else start)

    def raw(self, image: Tensor) -> Tensor:
        """[B,3,H,W] 0..1 -> [B,5,H,W]: unnormalised normal (3), log-depth (1), alpha logit (1); of a joint
        network [B,7,H,W]: and sureness (1), `concentration` of which is von Mises-Fisher's kappa, and the log
        of the shading (1): luma of the light that falls on the person, up to a factor."""
        x = (image - self.mean) / self.std
        if self.fine is None:
            return self.plain(x)
        low = self.plain(F.avg_pool2d(x, 2))
        normal = split_normal(low)
        more = self.fine(x, normal, torch.sigmoid(low[:, 4:5]))
        shape = torch.cat([normal + more[:, :3], low[:, 3:4] + more[:, 3:4]], 1)
        return torch.cat([double(shape), double(low[:, 4:5]) + F.pixel_shuffle(more[:, 4:], 2)], 1)

    def plain(self, x: Tensor) -> Tensor:
        """`raw` of a normalised image, but for what `fine` adds."""
        feats = self.encoder(x)[::-1]
        y = self.decoded(x, feats)
        if not self.config.fast:
            y = double(self.squeeze(y))
            return self.head(self.refine(torch.cat([y, self.detail(x)], 1)))
        return self.finished(x, y, feats)

    def raw_after(self, image: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As `raw`, of a network with a memory: and the state for the next frame."""
        assert self.memory is not None
        x = (image - self.mean) / self.std
        y, state = self.memory(self.decoded(x), state)
        return self.finished(x, y), state

    def finished(self, x: Tensor, y: Tensor, feats: list[Tensor] | None = None) -> Tensor:
        """A fast network's normalised image, features at stride 2 and, where it reaches, the encoder's,
        coarsest first -> what `raw` gives."""
        shape, matte = self.coarse(y)
        if self.relief is not None:
            normal = split_normal(shape)
            more = self.relief(x, normal, half_cover(matte), y if self.config.joint else None)
            parts = [normal + more[:, :3], shape[:, 3:]]
            if self.config.joint:
                parts = [parts[0], shape[:, 3:] + more[:, 3:4], more[:, 4:]]
            elif self.config.trim:
                parts = [parts[0], shape[:, 3:] + more[:, 3:4]]
                matte = matte + F.pixel_shuffle(more[:, 4:], 2)
            shape = torch.cat(parts, 1)
        if self.reach is not None and feats is not None:
            nearer = change(self.reach(feats, y), half_cover(matte))
            shape = torch.cat([shape[:, :4] + nearer, shape[:, 4:]], 1)
        up = double(shape)
        return torch.cat([up[:, :4], matte, up[:, 4:]], 1)

    def decoded(self, x: Tensor, feats: list[Tensor] | None = None) -> Tensor:
        """Normalised image -> the decoder's features at stride 2. `feats`: the encoder's, coarsest first, if
        they are there already."""
        feats = self.encoder(x)[::-1] if feats is None else feats
        y = self.lateral[0](feats[0])
        y = F.relu(y + self.context(y.mean((2, 3)))[:, :, None, None])
        for k in range(4):
            y = double(self.shrink[k](y)) + self.lateral[k + 1](feats[k + 1])
            y = self.smooth[k](y + self.detail(x) if self.config.fast and k == 3 else y)
        return y

    def coarse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """A fast network's features -> normal and log-depth [B,4,H/2,W/2], alpha logit [B,1,H,W]."""
        y = self.head(self.refine(y))
        return y[:, : MAPS - 1], F.pixel_shuffle(y[:, MAPS - 1 :], 2)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """[B,3,H,W] 0..1 -> normal, depth, alpha as in the module's docstring."""
        return self.told(self.raw(image))

    def follow(self, image: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """One frame of a clip [1,3,H,W] 0..1 and the state (Memory.start before the first) -> what `forward`
        gives, and the next state."""
        raw, state = self.raw_after(image, state)
        return (*self.told(raw), state)

    def told(self, raw: Tensor) -> tuple[Tensor, ...]:
        """`raw` in the units of the module's docstring."""
        normal = split_normal(raw)
        limit = self.config.log_depth_limit
        depth = torch.exp(torch.clamp(raw[:, 3:4], -limit, limit))
        maps = (normal, depth, torch.sigmoid(raw[:, 4:5]))
        return (*maps, raw[:, 6:7]) if self.tells else maps


def split_normal(raw: Tensor) -> Tensor:
    """Unit normals [B,3,H,W] from the first three channels of `GeometryNet.raw`."""
    n = raw[:, :3]
    return n * torch.rsqrt((n * n).sum(1, keepdim=True) + 1e-6)


def concentration(sureness: Tensor) -> Tensor:
    """Kappa of the distribution of normals round the one that is told (Bae et al. 2021), above 0, from
    `GeometryNet.raw`; 1 where the network has learnt nothing."""
    return F.elu(sureness) + 1.01


def parameters(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in model.parameters())
