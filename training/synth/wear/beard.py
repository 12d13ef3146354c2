"""Beards, moustaches, sideburns and body hair: a low shell with short strands on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synth.gl import Piece
from training.synth.meshes import F32, unit
from training.synth.noise import smoothstep, waves
from training.synth.people.figure import Figure, beard_mask
from training.synth.wear.hair import strand_piece
from training.synth.wear.posed import Anchors, Posed
from training.synth.wear.shells import shell_piece

KINDS = ("full", "boxed", "goatee", "vandyke", "moustache", "strap", "chops", "sideburns", "soul")
ODDS = (0.34, 0.2, 0.12, 0.08, 0.1, 0.04, 0.03, 0.06, 0.03)


def shape_mask(kind: str, rest: F32) -> NDArray[np.float32]:
    """Where a beard of this kind grows [V], 0..1."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    whole = beard_mask(rest)
    lip = smoothstep(0.663, 0.668, y) * smoothstep(0.684, 0.679, y) * smoothstep(0.036, 0.026, x)
    lip = lip * smoothstep(0.11, 0.125, z)
    chin = smoothstep(0.036, 0.022, x) * smoothstep(0.658, 0.650, y)
    line = smoothstep(0.05, 0.06, x) + smoothstep(0.640, 0.628, y)
    beside = smoothstep(0.060, 0.070, x) * smoothstep(0.045, 0.058, z)
    burns = beside * smoothstep(0.665, 0.69, y) * smoothstep(0.76, 0.735, y) * smoothstep(0.092, 0.074, z)
    jaw = beside * smoothstep(0.612, 0.625, y) * smoothstep(0.71, 0.69, y) * smoothstep(0.115, 0.09, z)
    whole = np.maximum(np.maximum(whole, lip), jaw)
    return {
        "full": np.maximum(whole, burns),
        "boxed": np.maximum(whole * smoothstep(0.605, 0.618, y), burns),
        "goatee": np.maximum(
            whole * np.maximum(chin, smoothstep(0.028, 0.02, x) * smoothstep(0.69, 0.68, y)), lip
        ),
        "vandyke": np.maximum(whole * chin, lip),
        "moustache": lip,
        "strap": np.maximum(beard_mask(rest) * np.clip(line, 0, 1) * (1 - smoothstep(0.66, 0.67, y)), burns),
        "chops": np.maximum(beard_mask(rest) * smoothstep(0.03, 0.045, x), burns),
        "sideburns": burns,
        "soul": whole
        * smoothstep(0.014, 0.008, x)
        * smoothstep(0.654, 0.648, y)
        * smoothstep(0.625, 0.635, y),
    }[kind].astype(np.float32)


def draw_beard(
    rng: np.random.Generator, figure: Figure, anchors: Anchors, posed: Posed
) -> tuple[str, list[Piece], NDArray[np.float32]]:
    """A random beard: its kind, its pieces, and where it grows [V]."""
    kind = str(rng.choice(KINDS, p=ODDS))
    rest = figure.template
    mask = shape_mask(kind, rest)
    long = (
        rng.uniform(0.004, 0.014) if rng.random() < 0.7 or kind == "sideburns" else rng.uniform(0.014, 0.06)
    )
    chin = np.exp(-((rest[:, 0] / 0.04) ** 2)) * smoothstep(0.655, 0.63, rest[:, 1])
    grown = np.flatnonzero(mask > 0)
    push = mask * long * (0.25 + 0.5 * chin)
    push[grown] *= 1 + 0.15 * waves(rest[grown], rng, 0.02)
    down = posed.head_turn @ np.array([0, -1, 0.15], np.float32)
    way = unit(posed.normals + (0.9 * chin * min(long / 0.02, 1))[:, None] * down)
    v = (posed.vertices + way * (push + 0.0006)[:, None]).astype(np.float32)
    aux = np.stack([mask * 0.85, np.ones(len(rest))], 1).astype(np.float32)
    grain = np.stack([rest[:, 0] + 0.4 * rest[:, 2], rest[:, 1]], 1).astype(np.float32)
    pieces = [shell_piece(figure, mask, v, "beard", "hair", grain, aux, 0.08)[0]]
    weight = mask[anchors.source] * (anchors.points[:, 1] > 0.55)
    count = int(np.clip(weight.sum() * 2.2, 40, 520))
    root = rng.choice(len(weight), count, p=weight / weight.sum())
    size = (0.5 + 0.7 * chin[anchors.source[root]]) * weight[root]
    pieces.append(_strands(rng, anchors, posed, root, long * size, "beard"))
    return kind, pieces, mask


def _strands(
    rng: np.random.Generator, anchors: Anchors, posed: Posed, root: NDArray, length: NDArray, role: str
) -> Piece:
    """Short strands from anchor vertices [N]."""
    n, count = anchors.normals[root], len(root)
    p = anchors.points[root] + rng.normal(0, 0.0022, (count, 3))
    p -= n * ((p - anchors.points[root]) * n).sum(1, keepdims=True)
    aside = np.sign(p[:, :1]) * (p[:, 1:2] > 0.655) * [[0.6, 0, 0]]
    length = (length + 0.002) * rng.uniform(0.7, 1.3, count)
    path = [p]
    for j in range(4):
        v = unit(n * (0.75 - 0.15 * j) + [0, -0.55 - 0.2 * j, 0.05] + aside + rng.normal(0, 0.16, (count, 3)))
        path.append(path[-1] + v * (length / 4)[:, None])
    line = np.stack(path, 1)
    out = unit(np.repeat(n[:, None], 5, 1) + 0.3 * np.array([0, 0.0, 1.0]))
    return strand_piece(anchors, posed, line, out, rng.uniform(0.0007, 0.0015, count), 0.85, role)


def body_hair(rng: np.random.Generator, figure: Figure, anchors: Anchors, posed: Posed) -> list[Piece]:
    """Hair on the chest and the forearms (seen where no cloth covers it)."""
    p, n = anchors.points, anchors.normals
    chest = (
        smoothstep(0.10, 0.04, np.abs(p[:, 0]))
        * smoothstep(0.40, 0.46, p[:, 1])
        * smoothstep(0.56, 0.53, p[:, 1])
    )
    arm = anchors.arm[anchors.source]
    fore = smoothstep(0.2, 0.26, arm) * smoothstep(0.455, 0.43, arm) * np.clip(n[:, 1] + 0.6, 0, 1)
    weight = chest * (n[:, 2] > 0.2) + 0.35 * fore
    root = rng.choice(len(weight), 200, p=weight / weight.sum())
    return [_strands(rng, anchors, posed, root, np.full(200, rng.uniform(0.008, 0.016)), "beard")]
