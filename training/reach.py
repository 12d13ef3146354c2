"""What reaches toward the camera: a small decoder beside a finished network that says which points stand
nearer than the network believes, by how much, and which way they face.

A hand before a face is a step of depth that a small network smooths away: it is rare, how large it is can
hardly be seen, and the best guess of one number for "perhaps a hand, perhaps a cheek" is no step at all
(LOG.md, runs h2 to h7: whatever taught the whole network hands took something from faces and mattes). Asked
the two questions apart, *whether* and *how far*, it can be sure of the first. The rest of the network stands
still meanwhile: where nothing reaches out it gives what it gave, to the last bit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.blocks import conv_bn, double, half_cover, separable
from training.losses import angle_loss, far_from_hands, masked_mean
from training.middle import to_camera

AHEAD = (0.06, 0.14)
"""By how much of its distance a point stands before what the network says of it that counts as reaching out:
up to the first not at all, from the second on in full. The network's own errors on bodies are 0.05."""
SURE = (0.3, 0.7)
"""Chance of reaching out up to which nothing is changed, and from which on all of it is: doubt about smooth
places adds up to dents, and half a step is a slope."""
HANDS = 3.0
"""How many times more a point at a hand counts."""
LEAST = 0.1
"""Share of the person that must be far from hands for a picture to say how far these are before it."""


class Reach(nn.Module):
    """From the encoder's features (`channels` wide at strides 32, 16, 8, 4) and the decoder's last
    (`features` wide at stride 2) to five maps at stride 2: logit of reaching out, how far (before `far`),
    change of the normal."""

    def __init__(self, width: int, channels: tuple[int, ...], features: int) -> None:
        super().__init__()
        self.take = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.join = nn.ModuleList([conv_bn(width, width), separable(width), separable(width)])
        self.shrink = nn.Conv2d(width, width // 2, 1)
        self.link = nn.Conv2d(features, width // 2, 1)
        self.last = separable(width // 2)
        self.say = nn.Conv2d(width // 2, 5, 1)
        nn.init.zeros_(self.say.weight)
        with torch.no_grad():  # nothing reaches out; if it did, by a fifth of its distance
            self.say.bias.copy_(torch.tensor([-2.5, -1.5, 0.0, 0.0, 0.0]))

    def forward(self, feats: list[Tensor], y: Tensor) -> Tensor:
        """Encoder's features, coarsest first, and the decoder's last [B,C,H/2,W/2] -> [B,5,H/2,W/2]."""
        z = F.relu(self.take[0](feats[0]))
        for k, join in enumerate(self.join):
            z = join(double(z) + self.take[k + 1](feats[k + 1]))
        return self.say(self.last(double(self.shrink(z)) + self.link(y)))


def far(said: Tensor) -> Tensor:
    """How far points stand out if they do [B,1,...], in log-depth, above 0, from what `Reach` says."""
    return F.softplus(said[:, 1:2])


def change(said: Tensor, cover: Tensor) -> Tensor:
    """What to add to normals and log-depth [B,4,...] for what `Reach` says [B,5,...] where the matte is
    `cover` [B,1,...]: of what is behind somebody nobody has told it anything."""
    low, high = SURE
    gate = cover * ((torch.sigmoid(said[:, :1]) - low) / (high - low)).clamp(0.0, 1.0)
    return gate * torch.cat([said[:, 2:], -far(said)], 1)


def before(log_depth: Tensor, truth: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """How far points stand before `log_depth` [B,1,H,W] (camera's axes) in truth, both levelled where no hand
    is near, and where that is known [B,1,H,W]: not in pictures that show little else than hands."""
    nearer, known = log_depth - truth["log_depth"], truth["mask"].clone()
    free = truth["mask"] * far_from_hands(truth["hand"])
    for k in range(len(nearer)):
        there = free[k] > 0.5
        if there.sum() < LEAST * known[k].sum() or not there.any():
            known[k] = 0
        else:
            nearer[k] = nearer[k] - nearer[k][there].median()
    return nearer, known


def reach_loss(raw: Tensor, said: Tensor, truth: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum of all terms and each of them, for `GeometryNet.raw` [B,5,H,W] and what `Reach` said on the way
    [B,5,H/2,W/2]. Only the latter learns; `truth` as in losses.total_loss, with hand."""
    from training.model import split_normal

    plain = raw[:, :4].detach() - double(change(said.detach(), half_cover(raw[:, 4:5].detach())))
    _, log_depth = to_camera(split_normal(plain), plain[:, 3:4], truth["camera"])
    nearer, known = before(log_depth, truth)
    reaches = ((nearer - AHEAD[0]) / (AHEAD[1] - AHEAD[0])).clamp(0.0, 1.0)
    at_hand = 1 - far_from_hands(truth["hand"])
    weight = known * (1 + (HANDS - 1) * at_hand)
    up = double(said)
    sure = F.binary_cross_entropy_with_logits(up[:, :1], reaches, reduction="none")
    off = (far(up) - nearer.clamp(0.0, 1.0)).abs()
    turned = split_normal(plain[:, :3] + up[:, 2:])
    turned, _ = to_camera(turned, plain[:, 3:4], truth["camera"])
    where = truth["mask"] * torch.maximum(reaches * known, truth["hand"])
    terms = {
        "whether": masked_mean(sure, weight),
        "far": 2.0 * masked_mean(off, weight * reaches),
        "turn": angle_loss(turned, truth["normal"], where),
    }
    return torch.stack(list(terms.values())).sum(), {k: v.detach() for k, v in terms.items()}
