"""Beanies, caps, hoods and headscarves, made on the cap around the skull."""

from __future__ import annotations

import numpy as np

from training.synth.gl import Piece, pack
from training.synth.meshes import F32
from training.synth.noise import smoothstep, waves
from training.synth.wear import props
from training.synth.wear.posed import Posed
from training.synth.wear.scalp import Scalp
from training.synth.wear.shells import SHELL
from training.synth.wear.trims import scarf

KINDS = ("beanie", "cap", "hood", "hijab")
ODDS = (0.34, 0.22, 0.14, 0.3)


def _opening(direction: F32, wide: float, up: float, down: float) -> F32:
    """1 on the edge of a face opening [N], less inside: an ellipse seen from the head's middle."""
    ahead = np.maximum(direction[:, 2], 1e-3)
    tall = np.where(direction[:, 1] > 0, up, down)
    out = np.hypot(direction[:, 0] / ahead / wide, direction[:, 1] / ahead / tall)
    return np.minimum(out, 3.0).astype(np.float32)


def head_cover(
    rng: np.random.Generator, scalp: Scalp, posed: Posed, over: Posed, kind: str, base: float
) -> list[Piece]:
    """Cloth over the head; its drape lies on the clothes `over`, `base` metres above them."""
    p = scalp.base
    y, z = p[:, 1], p[:, 2]
    pieces, fabric, flare, reach = [], 1, np.zeros(len(p), np.float32), np.zeros(len(p), np.float32)
    lump = waves(p, rng, 0.06)
    thick = rng.uniform(0.006, 0.014) * (1 + 0.15 * lump)
    if kind == "beanie":
        mask = y - rng.uniform(0.745, 0.785) - 0.22 * (z - 0.05)
        slouch = rng.uniform(0.0, 0.03)
        thick = thick + slouch * smoothstep(0.79, 0.84, y) * (1 + 0.4 * smoothstep(0.06, -0.02, z))
        brim = rng.uniform(0.03, 0.045)
        flare = 0.005 * smoothstep(brim + 0.003, brim - 0.003, mask.astype(np.float32)) * (rng.random() < 0.7)
        fabric = int(rng.choice([2, 3, 3, 6]))
    elif kind == "cap":
        mask = y - 0.779 - 0.10 * (z - 0.05)
        thick = 0.008 + 0.022 * smoothstep(0.79, 0.83, y) * smoothstep(0.02, 0.09, z) + 0 * thick
        back = -1 if rng.random() < 0.15 else 1
        peak = props.visor(rng, 0.008)
        v = props.wear((peak.points - [0, 0, 0.053]) * [1, 1, back] + [0, 0, 0.053], posed)
        n = peak.normals * np.float32([1, 1, back]) @ posed.head_turn.T
        aux = np.tile(np.float32([[1, 0]]), (len(v), 1))
        pieces.append(Piece("hat", "cloth", pack(v, n, n, peak.uv, peak.points, aux), peak.tri))
    elif kind == "hood":
        mask = np.minimum((_opening(scalp.direction, 0.85, rng.uniform(0.85, 1.05), 1.6) - 1) * 0.08, 0.06)
        thick = 0.012 + thick + 0.03 * smoothstep(0.0, -0.05, z) + 0.012 * smoothstep(0.8, 0.85, y)
        reach = 0.035 * smoothstep(0.06, 0.0, mask.astype(np.float32)) * smoothstep(0.0, 0.08, z)
        fabric = int(rng.choice([1, 6]))
    else:
        mask = (_opening(scalp.direction, rng.uniform(0.68, 0.76), rng.uniform(0.62, 0.8), 1.25) - 1) * 0.07
        mask = np.minimum(mask, 0.05)
        thick = (
            0.5 * thick + 0.014 * smoothstep(0.05, -0.03, z) + 0.003 * np.sin(90 * (y + 0.6 * z) + 2 * lump)
        )
        fabric = int(rng.choice([0, 1]))
    mask = np.where(y > 0.6, mask, -0.1 if kind in ("beanie", "cap") else mask).astype(np.float32)
    near = smoothstep(-0.004, 0.012, mask)
    smooth = (p + scalp.way * (thick * near + flare + 0.002)[:, None]).astype(np.float32)
    smooth[:, 2] += reach
    uv = np.stack([mask / 0.02, np.ones(len(p))], 1).astype(np.float32)
    aux = np.tile(np.float32([[1.0, SHELL + fabric]]), (len(p), 1))
    pieces.append(scalp.piece(posed, smooth, smooth, mask + 0.012, "hat", "cloth", uv, aux))
    if kind in ("hood", "hijab"):
        pieces += scarf(rng, scalp.anchors, over, base, True)
    return pieces
