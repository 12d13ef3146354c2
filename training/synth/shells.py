"""Cloth and hair made from the body itself: parts of the skin, smoothed and pushed outward."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synth.figure import Figure, beard_mask, scalp_height
from training.synth.gl import Piece, pack
from training.synth.meshes import F32, incidence, unit, vertex_normals
from training.synth.noise import folds, smoothstep, waves
from training.synth.posed import Posed


def shell_piece(
    figure: Figure, mask: NDArray[np.float32], v: F32, role: str, material: str, aux: F32, least: float
) -> Piece:
    """The part of the skin where mask > least, at displaced positions v [V,3], as a piece."""
    tri = figure.skin.tri[(mask[figure.skin.source] > least)[figure.skin.tri].any(1)]
    used, inverse = np.unique(tri, return_inverse=True)
    source = figure.skin.source[used]
    local = inverse.reshape(-1, 3).astype(np.int32)
    _, first, merged = np.unique(source, return_index=True, return_inverse=True)
    joined = merged[local]
    points = v[source[first]]
    n = vertex_normals(points, joined, incidence(joined, len(points)))[merged]
    data = pack(v[source], n, n, figure.skin.uv[used], figure.template[source], aux[source])
    return Piece(role, material, data, local)


def scalp_hair(
    rng: np.random.Generator, figure: Figure, posed: Posed, thick: float, role: str, material: str
) -> Piece:
    """Short or bushy hair: the scalp pushed outward."""
    rest = figure.template
    height = scalp_height(rest) + rng.uniform(-0.008, 0.008)
    height = np.where(rest[:, 1] > 0.62, height, -1).astype(np.float32) - 0.05 * figure.ears
    push = smoothstep(-0.006, 0.02 + 0.5 * thick, height) * thick
    lumps = 1 + 0.12 * waves(rest, rng, 0.05) + 0.08 * waves(rest, rng, 0.02)
    fringe = rng.uniform(0.6, 1.5) * smoothstep(0.05, 0.12, rest[:, 2]) + 1
    smooth = posed.normals
    for _ in range(6):
        smooth = figure.average @ smooth
    way = unit(0.5 * unit(smooth) + 0.5 * unit(posed.vertices - posed.centre))
    v = posed.vertices + way * (push * lumps * fringe**0.5 + 0.001)[:, None]
    aux = np.stack([smoothstep(-0.008, 0.012, height), np.zeros(len(rest))], 1).astype(np.float32)
    return shell_piece(figure, height, v.astype(np.float32), role, material, aux, -0.008)


def head_cover(rng: np.random.Generator, figure: Figure, posed: Posed) -> Piece:
    """A beanie, a hood or a headscarf: cloth over the head, with or without the neck."""
    rest = figure.template
    scarf = rng.random() < 0.4
    if scarf:
        face = np.sqrt((rest[:, 0] / 0.062) ** 2 + ((rest[:, 1] - 0.705) / 0.096) ** 2)
        mask = np.where(rest[:, 2] > 0.05, (face - 1) * 0.06, 0.05)
        mask = np.minimum(mask, rest[:, 1] - rng.uniform(0.5, 0.58)).astype(np.float32)
        mask = np.where(np.abs(rest[:, 0]) > 0.2, -1, mask)
    else:
        mask = rest[:, 1] - rng.uniform(0.735, 0.775) - 0.25 * (rest[:, 2] - 0.05)
    thick = rng.uniform(0.01, 0.03)
    v = posed.vertices
    for _ in range(8 if scarf else 3):
        v = figure.average @ v
    n = vertex_normals(v, figure.topology.mesh.tri, figure.touch)
    push = thick * smoothstep(-0.004, 0.02, mask) + 0.004 + 0.0025 * folds(rest, rng) * scarf
    v = np.where((mask > -0.012)[:, None], v + n * push[:, None], posed.vertices)
    aux = np.stack([mask / 0.02, np.zeros(len(rest))], 1).astype(np.float32)
    return shell_piece(figure, mask.astype(np.float32), v.astype(np.float32), "hat", "cloth", aux, -0.01)


def full_beard(rng: np.random.Generator, figure: Figure, posed: Posed) -> Piece:
    """A full beard: the jaw pushed outward and down."""
    rest = figure.template
    mask = beard_mask(rest)
    thick = rng.uniform(0.003, 0.03)
    chin = np.exp(-((rest[:, 0] / 0.04) ** 2)) * smoothstep(0.655, 0.63, rest[:, 1])
    push = mask * thick * (0.35 + chin) * (1 + 0.2 * waves(rest, rng, 0.02))
    down = posed.head_turn @ np.array([0, -1, 0.2], np.float32)
    way = unit(posed.normals + (0.8 * chin)[:, None] * down)
    v = (posed.vertices + way * (push + 0.0008)[:, None]).astype(np.float32)
    aux = np.stack([mask, np.zeros(len(rest))], 1).astype(np.float32)
    return shell_piece(figure, mask, v, "beard", "hair", aux, 0.03)


def body_shell(
    rng: np.random.Generator,
    figure: Figure,
    posed: Posed,
    pieces: list[Piece],
    role: str,
    thick: float,
    jacket: bool,
) -> NDArray[np.bool_]:
    """A shirt, jumper, dress or open jacket: the smoothed body pushed outward, with folds."""
    rest = figure.template
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    neck = rng.uniform(0.585, 0.62) if rng.random() < 0.85 else rng.uniform(0.63, 0.655)
    dip = rng.uniform(0, 1.6) if rng.random() < 0.4 else 0.0
    edge = neck - y - 0.35 * z - dip * np.maximum(0.06 - x, 0) * (z > 0)
    sleeve = float(rng.choice([0.17, 0.285, 0.33, 0.455], p=[0.1, 0.35, 0.1, 0.45]))
    mask = np.minimum(edge, (0.455 if jacket else sleeve) - x)
    if jacket:
        gap = rng.uniform(0.01, 0.05) + rng.uniform(0, 0.12) * np.maximum(y - 0.3, 0)
        mask = np.where(z > 0, np.minimum(mask, x - gap), mask)
    mask = mask.astype(np.float32)
    v = posed.vertices
    for _ in range(int(rng.integers(3, 16))):
        v = figure.average @ v
    n = vertex_normals(v, figure.topology.mesh.tri, figure.touch)
    relief = folds(rest, rng) * rng.uniform(0.001, 0.007) + waves(rest, rng, 0.13) * rng.uniform(0.001, 0.004)
    push = (thick + relief) * smoothstep(-0.01, 0.03, mask) + 0.003
    cover = smoothstep(-0.02, 0.0, mask)[:, None]
    v = posed.vertices * (1 - cover) + (v + n * push[:, None]) * cover
    aux = np.stack([mask / 0.02, np.zeros(len(rest))], 1).astype(np.float32)
    pieces.append(shell_piece(figure, mask, v.astype(np.float32), role, "cloth", aux, -0.012))
    return (mask > 0.012)[figure.topology.mesh.tri].all(1)
