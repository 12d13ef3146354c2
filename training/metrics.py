"""Measures of normals, depth and mattes; pure functions of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
LIMITS = (11.25, 22.5, 30.0)
REACH = 4
"""Pixels over which a gradient at an edge is taken: an edge drawn one pixel beside is mostly right."""
NORMAL_EDGE, DEPTH_EDGE = 45.0, 8.0
"""Degrees and per cent of the distance, over REACH pixels, from which there is an edge."""


def angles(pred: F32, truth: F32, mask: F32) -> F32:
    """Degrees between unit normals [H,W,3] where mask is set, as a flat array."""
    on = mask > 0.5
    cos = np.clip((pred[on] * truth[on]).sum(-1), -1, 1)
    return np.degrees(np.arccos(cos)).astype(np.float32)


def summarise(all_angles: list[F32]) -> dict[str, float]:
    """Mean and median in degrees and the share within 11.25, 22.5 and 30 degrees, over pixels."""
    flat = np.concatenate(all_angles) if all_angles else np.zeros(0, np.float32)
    if not len(flat):
        return {"mean": float("nan"), "median": float("nan"), **{f"within_{x}": float("nan") for x in LIMITS}}
    within = {f"within_{x}": float((flat < x).mean()) for x in LIMITS}
    return {"mean": float(flat.mean()), "median": float(np.median(flat)), **within}


def depth_error(pred: F32, truth: F32, mask: F32) -> float:
    """Mean of |z' - z| / z inside the mask after the best scale (median of ratios)."""
    on = mask > 0.5
    if not on.any():
        return float("nan")
    p, t = pred[on], truth[on]
    scale = float(np.median(t / np.maximum(p, 1e-6)))
    return float((np.abs(p * scale - t) / np.maximum(t, 1e-6)).mean())


def depth_within(pred: F32, truth: F32, mask: F32, limit: float = 1.05) -> float:
    """Share 0..1 of the pixels inside the mask where the larger of z' and z is less than `limit` times the
    smaller, after the best scale (median of ratios)."""
    on = mask > 0.5
    if not on.any():
        return float("nan")
    ratio = truth[on] / np.maximum(pred[on], 1e-6)
    ratio = ratio / np.median(ratio)
    return float((np.maximum(ratio, 1 / np.maximum(ratio, 1e-6)) < limit).mean())


def slopes(field: F32, reach: int = REACH) -> F32:
    """Differences [H-reach,W-reach,2C] of each pixel of [H,W,C] to those `reach` pixels right and below."""
    here = field[:-reach, :-reach]
    return np.concatenate([field[:-reach, reach:] - here, field[reach:, :-reach] - here], -1)


def edge_errors(pred: F32, truth: F32, mask: F32, least: float) -> F32:
    """How wrong the gradient of [H,W,C] is where the truth has an edge, as a flat array, in units of the
    field over REACH pixels.

    Edges are the pixels inside the mask, with those REACH to the right and below inside too, where the
    truth's gradient (the length of `slopes` over both ways and all channels) exceeds `least`: creases and one
    limb before another, not the person's own outline. The error is the length of the difference of the
    gradients, so one constant value is wrong by the height of the edge.
    """
    on = mask > 0.5
    inside = on[:-REACH, :-REACH] & on[:-REACH, REACH:] & on[REACH:, :-REACH]
    true = slopes(truth)
    edge = inside & (np.linalg.norm(true, axis=-1) > least)
    return np.linalg.norm(slopes(pred)[edge] - true[edge], axis=-1).astype(np.float32)


def normal_edges(pred: F32, truth: F32, mask: F32) -> F32:
    """`edge_errors` of unit normals [H,W,3] where they turn by more than NORMAL_EDGE; degrees (of a chord)
    over REACH pixels."""
    return np.degrees(edge_errors(pred, truth, mask, float(np.radians(NORMAL_EDGE))))


def depth_edges(pred: F32, truth: F32, mask: F32) -> F32:
    """`edge_errors` of the logarithm of z [H,W], which no scale changes, where z changes by more than
    DEPTH_EDGE per cent; per cent of the distance over REACH pixels."""
    logs = (np.log(np.maximum(z, 1e-6))[..., None] for z in (pred, truth))
    return 100 * edge_errors(*logs, mask, DEPTH_EDGE / 100)


def sad(pred: F32, truth: F32) -> float:
    """Sum of absolute differences of two mattes in per mille of the picture's pixels: at 256x192, 1 is 49
    pixels taken wholly wrong."""
    return 1000 * float(np.abs(pred - truth).mean())


def iou(pred: F32, truth: F32) -> float:
    """Intersection over union of the mattes at one half; 1 if both are empty."""
    a, b = pred > 0.5, truth > 0.5
    union = float((a | b).sum())
    return 1.0 if union == 0 else float((a & b).sum()) / union
