"""Losses. Shapes: predictions and truths [B,C,H,W]; `mask` [B,1,H,W] in 0..1 weighs pixels.

Every loss is a scalar, zero for a perfect prediction (the matte's cross-entropy excepted: it is
zero for a hard truth), and finite when the mask is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.middle import to_camera

APART = 0.3
"""Slopes of depth and normals, in units of 1/f, that are no longer of one surface."""


STEP_MOST = 1.0
"""Errors of log-depth's steps count up to this. A hand before a face is a step of 0.2 and more: where they
ended at that, a hand that did not stand out at all had nothing to learn from."""
NEAR_HAND = 12
"""Pixels round a hand in which a teacher's shape is not asked for: the step is at its edge, and this is the
longest of `gradient_loss`."""
STEP_FULL = 0.15
"""A step of log-depth in the truth that counts as one in full."""


@dataclass(frozen=True)
class Weights:
    """How much each term counts."""

    normal: float = 2.5
    angle: float = 0.0  # absolute instead of squared: 2 sin(angle / 2)
    sure: float = 0.05
    shade: float = 1.0
    relief: float = 2.0
    depth: float = 4.0
    depth_mean: float = 0.15  # share of a picture's mean log-depth error that still counts
    gradient: float = 4.0
    step: float = 0.0  # how much more a real step of depth counts than a smooth place
    agree: float = 0.3
    alpha: float = 1.0
    pyramid: float = 0.0
    elsewhere: float = 1.0  # what a label of shape counts where no hand is near, beside one near a hand


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of x where mask is set; 0 if it is set nowhere."""
    return (x * mask).sum() / mask.sum().clamp_min(1.0)


def normal_loss(pred: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """1 - cos of the angle between unit normals."""
    return masked_mean(1 - (pred * truth).sum(1, keepdim=True), mask)


def angle_loss(pred: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Distance of unit normals, 2 sin(angle / 2): near the angle itself, and smooth at zero."""
    chord = torch.sqrt((2 - 2 * (pred * truth).sum(1, keepdim=True)).clamp_min(0) + 1e-4)
    return masked_mean(chord, mask)


def sureness_loss(kappa: Tensor, pred: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Negative log-likelihood of the angle between unit normals (Bae et al. 2021, angular von Mises-Fisher).
    The normals are taken as they are: only `kappa` [B,1,H,W] > 0 learns."""
    cosine = (pred.detach() * truth).sum(1, keepdim=True).clamp(-1 + 1e-5, 1 - 1e-5)
    angle = torch.acos(cosine)
    loss = kappa * angle - torch.log1p(kappa * kappa) + torch.log1p(torch.exp(-kappa * torch.pi))
    return masked_mean(loss, mask)


def shade_loss(pred: Tensor, truth: Tensor, mask: Tensor, steps: tuple[int, ...] = (1, 4)) -> Tensor:
    """Absolute error of log shading [B,1,H,W], whose level nobody asks for, and of its differences over some
    pixels: a smooth light must not take up what is painted."""
    error = pred - truth
    total = masked_mean(remove_mean(error, mask, 0.0).abs().clamp_max(1.5), mask)
    for s in steps:
        across = (error[..., :, s:] - error[..., :, :-s]).abs().clamp_max(0.5)
        down = (error[..., s:, :] - error[..., :-s, :]).abs().clamp_max(0.5)
        total = total + 0.5 * masked_mean(across, mask[..., :, s:] * mask[..., :, :-s])
        total = total + 0.5 * masked_mean(down, mask[..., s:, :] * mask[..., :-s, :])
    return total


def relief_loss(pred: Tensor, truth: Tensor, weight: Tensor, steps: tuple[int, ...] = (1, 3)) -> Tensor:
    """Absolute error of differences between unit normals some pixels apart, across and down: a nose is a
    change of normal, and the mean angle alone hardly misses one that has been smoothed away."""
    error = pred - truth
    total = error.new_zeros(())
    for s in steps:
        across = (error[..., :, s:] - error[..., :, :-s]).abs().sum(1, keepdim=True)
        down = (error[..., s:, :] - error[..., :-s, :]).abs().sum(1, keepdim=True)
        total = total + masked_mean(across, torch.minimum(weight[..., :, s:], weight[..., :, :-s]))
        total = total + masked_mean(down, torch.minimum(weight[..., s:, :], weight[..., :-s, :]))
    return total / (2 * len(steps))


def remove_mean(error: Tensor, mask: Tensor, keep: float) -> Tensor:
    """Subtract (1 - keep) of each picture's mean error: overall distance is hardly observable."""
    weight = mask.sum((1, 2, 3), keepdim=True).clamp_min(1.0)
    return error - (1 - keep) * (error * mask).sum((1, 2, 3), keepdim=True) / weight


def depth_loss(pred: Tensor, truth: Tensor, mask: Tensor, keep: float) -> Tensor:
    """Absolute error of log-depth after most of the mean error is removed."""
    return masked_mean(remove_mean(pred - truth, mask, keep).abs(), mask)


def gradient_loss(
    pred: Tensor, truth: Tensor, mask: Tensor, steps: tuple[int, ...] = (1, 4, 12), more: float = 0.0
) -> Tensor:
    """Absolute error of log-depth differences over some pixels, across and down, up to STEP_MOST. Two pixels
    count by the lesser of their weights in `mask`, and `more` times that on top where the truth has a step of
    STEP_FULL between them. An absolute error's best guess is the median: without `more` a step that is less
    than likely is best left out."""
    error = pred - truth

    def counts(least: Tensor, step: Tensor) -> Tensor:
        return least * (1 + more * (step.abs() / STEP_FULL).clamp_max(1.0)) if more else least

    total = error.new_zeros(())
    for s in steps:
        if error.shape[-1] <= s or error.shape[-2] <= s:
            continue
        across = (error[..., :, s:] - error[..., :, :-s]).abs().clamp_max(STEP_MOST)
        down = (error[..., s:, :] - error[..., :-s, :]).abs().clamp_max(STEP_MOST)
        least = torch.minimum(mask[..., :, s:], mask[..., :, :-s])
        total = total + masked_mean(across, counts(least, truth[..., :, s:] - truth[..., :, :-s]))
        least = torch.minimum(mask[..., s:, :], mask[..., :-s, :])
        total = total + masked_mean(down, counts(least, truth[..., s:, :] - truth[..., :-s, :]))
    return total


def slope_from_normal(normal: Tensor, camera: Tensor, limit: float = 3.0) -> tuple[Tensor, Tensor]:
    """Change of log-depth per pixel, across and down, that unit normals imply.

    camera: [B,3] focal length and principal point (f, cx, cy) in pixels, y down. With the ray
    r = (u/f, v/f, -1) (v up), log z has du-derivative n_x / (f * -(n . r)); steep faces are
    limited because they carry no information about depth.
    """
    b, _, h, w = normal.shape
    f, cx, cy = (camera[:, k].view(b, 1, 1, 1) for k in range(3))
    u = (torch.arange(w, device=normal.device, dtype=normal.dtype).view(1, 1, 1, w) - cx) / f
    v = (cy - torch.arange(h, device=normal.device, dtype=normal.dtype).view(1, 1, h, 1)) / f
    facing = normal[:, 2:3] - normal[:, 0:1] * u - normal[:, 1:2] * v
    scale = 1.0 / (f * facing.clamp_min(1.0 / (1.0 + limit)))
    return normal[:, 0:1] * scale, -normal[:, 1:2] * scale


def disagreement(log_depth: Tensor, normal: Tensor, camera: Tensor) -> tuple[Tensor, Tensor]:
    """By how much slopes of log-depth miss those that normals imply, from pixel to pixel across
    [B,1,H,W-1] and down [B,1,H-1,W], in units of 1/f."""
    across, down = slope_from_normal(normal, camera)
    gx = log_depth[..., :, 1:] - log_depth[..., :, :-1]
    gy = log_depth[..., 1:, :] - log_depth[..., :-1, :]
    f = camera[:, :1].view(-1, 1, 1, 1)
    ex = ((gx - 0.5 * (across[..., 1:] + across[..., :-1])) * f).abs()
    ey = ((gy - 0.5 * (down[..., 1:, :] + down[..., :-1, :])) * f).abs()
    return ex, ey


def agreement_loss(
    log_depth: Tensor,
    normal: Tensor,
    camera: Tensor,
    mask: Tensor,
    truth: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Mean `disagreement` inside the mask. `truth`: log-depth and normals of the labels; where those miss
    each other by more than APART (an arm before the chest, hair and folds, whose normals are smoother than
    their depth) nothing is asked: there agreement would be an error."""
    ex, ey = disagreement(log_depth, normal, camera)
    across = torch.minimum(mask[..., 1:], mask[..., :-1])
    down = torch.minimum(mask[..., 1:, :], mask[..., :-1, :])
    if truth is not None:
        tx, ty = disagreement(*truth, camera)
        across, down = across * (tx < APART), down * (ty < APART)
    return masked_mean(ex.clamp_max(2.0), across) + masked_mean(ey.clamp_max(2.0), down)


def alpha_loss(logit: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy + L1, and L1 of differences between neighbours for crisp edges."""
    alpha = torch.sigmoid(logit)
    error = alpha - truth
    edge = (error[..., 1:] - error[..., :-1]).abs().mean() + (
        error[..., 1:, :] - error[..., :-1, :]
    ).abs().mean()
    return F.binary_cross_entropy_with_logits(logit, truth) + error.abs().mean() + edge


def pyramid_loss(logit: Tensor, truth: Tensor, levels: int = 4) -> Tensor:
    """Absolute error of a matte in the bands of a Laplacian pyramid, coarser ones counting more (Hou and Liu
    2019): edges of every width are where the truth has them."""
    error, total = torch.sigmoid(logit) - truth, logit.new_zeros(())
    for k in range(levels):
        less = F.avg_pool2d(error, 2)
        fine = error - F.interpolate(less, size=error.shape[-2:], mode="bilinear", align_corners=False)
        total, error = total + 2.0**k * fine.abs().mean(), less
    return total + 2.0**levels * error.abs().mean()


def total_loss(raw: Tensor, truth: dict[str, Tensor], weights: Weights) -> tuple[Tensor, dict[str, Tensor]]:
    """All terms for `GeometryNet.raw` [B,5 or 7,H,W]; returns the sum and each term's value. What the network
    says is taken in the axes of a camera that looks at the crop's middle (middle.py).

    truth: normal [B,3,H,W], log_depth [B,1,H,W], alpha [B,1,H,W], mask [B,1,H,W] (1 where geometry is
    valid), weight [B,1,H,W] (the mask, more where normals count more), camera [B,3] = (f, cx, cy) in pixels;
    where the network gives it also shade and shade_mask [B,1,H,W]; with `weights.elsewhere` also hand.
    """
    from training.model import concentration, split_normal

    normal, log_depth = to_camera(split_normal(raw), raw[:, 3:4], truth["camera"])
    mask, weight = truth["mask"], truth["weight"]
    if weights.elsewhere != 1:
        counts = weights.elsewhere + (1 - weights.elsewhere) * (1 - far_from_hands(truth["hand"]))
        mask, weight = mask * counts, weight * counts
    terms = {
        "normal": weights.normal * normal_loss(normal, truth["normal"], weight),
        "depth": weights.depth * depth_loss(log_depth, truth["log_depth"], weight, weights.depth_mean),
        "gradient": weights.gradient
        * gradient_loss(log_depth, truth["log_depth"], weight, more=weights.step),
        "alpha": weights.alpha * alpha_loss(raw[:, 4:5], truth["alpha"]),
    }
    if weights.relief:
        terms["relief"] = weights.relief * relief_loss(normal, truth["normal"], weight)
    if weights.angle:
        terms["angle"] = weights.angle * angle_loss(normal, truth["normal"], weight)
    if weights.pyramid:
        terms["pyramid"] = weights.pyramid * pyramid_loss(raw[:, 4:5], truth["alpha"])
    if raw.shape[1] > 5:
        kappa = concentration(raw[:, 5:6])
        terms["sure"] = weights.sure * sureness_loss(kappa, normal, truth["normal"], mask)
        terms["shade"] = weights.shade * shade_loss(raw[:, 6:7], truth["shade"], truth["shade_mask"])
    if weights.agree:
        told = truth["log_depth"], truth["normal"]
        found = agreement_loss(log_depth, normal.detach(), truth["camera"], mask, told)
        terms["agree"] = weights.agree * found
    total = torch.stack(list(terms.values())).sum()
    return total, {k: v.detach() for k, v in terms.items()}


def far_from_hands(hand: Tensor) -> Tensor:
    """1 where no hand is within NEAR_HAND pixels, 0 where one is; `hand` and the result [B,1,H,W] in 0..1."""
    return 1 - F.max_pool2d(hand, 2 * NEAR_HAND + 1, 1, NEAR_HAND)


def teacher_loss(raw: Tensor, told: Tensor, truth: dict[str, Tensor], matte: float = 1.0) -> Tensor:
    """How far `GeometryNet.raw` [B,5 or 7,H,W] is from what another network says of the same picture
    (`told`): normals and log-depth where the mask is and no hand is near, the matte everywhere. What the
    other cannot see either is no aim then, which a small network has no room for; of hands, which no network
    of ours has told well, labels alone are told. `matte`: how much the matte's part counts."""
    from training.model import split_normal

    free = far_from_hands(truth["hand"])
    mask = truth["mask"] * free
    normal = angle_loss(split_normal(raw), split_normal(told), truth["weight"] * free)
    depth = masked_mean(remove_mean(raw[:, 3:4] - told[:, 3:4], mask, 0.0).abs(), mask)
    alpha = (torch.sigmoid(raw[:, 4:5]) - torch.sigmoid(told[:, 4:5])).abs().mean()
    return normal + 2.0 * depth + 2.0 * matte * alpha
