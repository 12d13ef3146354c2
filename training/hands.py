"""A second thing that a network is told while it is trained: where hands are.

A hand before a face is skin before skin, and a network of few weights takes both for one surface: its depth
is a smooth hill (LOG.md). The word "hand" is a plainer lesson than the step in depth that follows from it,
and what tells a hand from a face is then in the features. The head that says it is thrown away: the network
that is exported has nothing more in it.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from training.model import GeometryNet

LOOKED_AT = 2
"""Which of the decoder's maps the head sees, coarsest first: stride 4, where a finger is a pixel wide. Of a
network that says what reaches out the last that this says it from, at stride 2."""
RARE = 3.0
"""A hand's pixels count this many times in the cross-entropy: they are few."""


class HandHead(nn.Module):
    """Says from a network's features what share of each point is a hand. It looks at the features
    while the network works (a forward hook), so the network itself is as it was."""

    def __init__(self, model: GeometryNet) -> None:
        super().__init__()
        looked_at, width = model.smooth[LOOKED_AT], model.config.widths[LOOKED_AT + 1]
        if model.reach is not None:
            looked_at, width = model.reach.last, model.config.reach // 2
        self.say = nn.Conv2d(width, 1, 1)
        nn.init.zeros_(self.say.weight)
        nn.init.constant_(self.say.bias, -3.0)  # one point in twenty
        self.seen: list[Tensor] = []
        looked_at.register_forward_hook(lambda _, __, made: self.seen.append(made))

    def loss(self, hand: Tensor) -> Tensor:
        """Cross-entropy of what it says of the pictures last looked at with `hand` [B,1,H,W], a hand's
        coverage 0..1; H and W multiples of the features' stride."""
        logit = self.say(self.seen.pop().float())
        self.seen.clear()
        truth = F.avg_pool2d(hand, hand.shape[-1] // logit.shape[-1])
        rare = logit.new_tensor(RARE)
        return F.binary_cross_entropy_with_logits(logit, truth, pos_weight=rare)
