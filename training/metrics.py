"""Measures of normals, depth and mattes; pure functions of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
LIMITS = (11.25, 22.5, 30.0)


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


def iou(pred: F32, truth: F32) -> float:
    """Intersection over union of the mattes at one half; 1 if both are empty."""
    a, b = pred > 0.5, truth > 0.5
    union = float((a | b).sum())
    return 1.0 if union == 0 else float((a & b).sum()) / union
