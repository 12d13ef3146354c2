"""Cloth made from the body itself: parts of the skin, smoothed and pushed outward."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.synth.gl import Piece, pack
from training.synth.meshes import F32, I32, every, incidence, some, vertex_normals
from training.synth.noise import folds, smoothstep, waves
from training.synth.people.figure import Figure
from training.synth.solids import compact
from training.synth.wear.posed import Anchors, Posed, Trunk, under_jaw

SHELL = 10.0  # added to aux.y: the shader cuts where uv.x, uv.y or aux.x is below 0 (2 cm to the unit)
FABRICS = ("plain", "jersey", "knit", "rib", "denim", "weave", "fleece")
FABRIC_ODDS = (0.3, 0.24, 0.16, 0.07, 0.08, 0.1, 0.05)
NECK = np.array([0.0, 0.02])  # axis of the neck, x and z at rest


@dataclass(frozen=True)
class Cut:
    """A top's pattern, metres at rest.

    neck: height of its upper edge at the neck; dip, slope: a V or scoop in front; arms: how far the
    sleeves reach along the arm; thick: distance from the skin; smooth: steps of averaging; gap, flare:
    half opening in front at the waist and how it widens upward (below 0: closed); fabric: index;
    hem: height of its lower edge.
    """

    neck: float
    dip: float
    round_dip: bool
    arms: float
    thick: float
    smooth: int
    gap: float
    flare: float
    fabric: int
    hem: float


def draw_cut(rng: np.random.Generator, jacket: bool, thick: float | None = None) -> Cut:
    """A random top or, over it, a random open jacket."""
    u = rng.uniform
    neck = u(0.592, 0.615) if rng.random() < 0.85 else u(0.575, 0.592)
    dip = u(0.0, 0.13) if rng.random() < 0.45 else u(0.0, 0.015)
    arms = float(
        rng.choice([u(0.0, 0.03), u(0.09, 0.17), u(0.2, 0.25), u(0.43, 0.455)], p=[0.2, 0.31, 0.07, 0.42])
    )
    fabric = int(rng.choice(len(FABRICS), p=FABRIC_ODDS))
    size = u(0.003, 0.016) if thick is None else thick
    hem = u(-0.4, -0.1) if rng.random() < 0.1 else u(-0.07, 0.03)
    if jacket:
        return Cut(
            u(0.6, 0.62),
            0.0,
            False,
            u(0.435, 0.458),
            size,
            int(rng.integers(6, 16)),
            u(0.008, 0.05),
            u(0.0, 0.14),
            fabric,
            hem,
        )
    return Cut(
        neck, dip, bool(rng.random() < 0.5), arms, size, int(rng.integers(3, 14)), -1.0, 0.0, fabric, hem
    )


def neckline(cut: Cut, rest: F32) -> NDArray[np.float32]:
    """Signed distance-like field [V]: above 0 below the garment's upper edge, metres."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    away = np.hypot(x, z - NECK[1])
    front = smoothstep(0.0, 0.05, z)
    if cut.round_dip:
        dip = cut.dip * np.clip(1 - (x / (0.045 + 0.4 * cut.dip)) ** 2, 0, 1)
    else:
        dip = np.maximum(cut.dip - 1.9 * x, 0)
    edge = cut.neck + 0.75 * np.maximum(away - 0.062, 0) - 0.3 * np.clip(z, -0.03, 0.06) - front * dip - y
    return (edge - 0.2 * under_jaw(rest)).astype(np.float32)


def opening(cut: Cut, rest: F32) -> NDArray[np.float32]:
    """Signed distance-like field [V]: below 0 under the hem and in the open front of a jacket."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    if cut.gap < 0:
        return y - np.float32(cut.hem)
    gap = cut.gap + cut.flare * np.maximum(y - 0.28, 0)
    front = np.where(z > 0, x - gap * smoothstep(-0.01, 0.03, z), 0.1)
    return np.minimum(front, y - cut.hem).astype(np.float32)


def shell_piece(
    figure: Figure,
    mask: NDArray[np.float32],
    v: F32,
    role: str,
    material: str,
    uv: F32,
    aux: F32,
    least: float,
) -> tuple[Piece, I32]:
    """The part of the skin where mask > least, at displaced positions v [V,3]; uv, aux [V,2].

    Also which body vertex each of the piece's is.
    """
    tri = figure.skin.tri[some(mask[figure.skin.source] > least, figure.skin.tri)]
    source, local = compact(figure.skin.source[tri], len(figure.template))
    points = v[source]
    n = vertex_normals(points, local, incidence(local, len(points)))
    data = pack(points, n, n, uv[source], figure.template[source], aux[source])
    return Piece(role, material, data, local), source


def body_shell(
    rng: np.random.Generator,
    anchors: Anchors,
    posed: Posed,
    pieces: list[Piece],
    role: str,
    cut: Cut,
    below: F32 | None = None,
) -> tuple[NDArray[np.float32], F32, I32]:
    """A shirt, jumper, dress or jacket: the smoothed body pushed outward, with folds.

    below: [V,3] the surface that it is worn over, if not the skin. Returns how deep inside the
    garment each vertex is [V], metres (below 0: outside), and its surface [V,3].
    """
    rest = anchors.trunk.rest
    sleeve = (cut.arms - anchors.arm[anchors.trunk.index]).astype(np.float32)
    fields = (np.where(rest[:, 1] > 0.66, -0.1, neckline(cut, rest)), opening(cut, rest), sleeve)
    piece, mask, v, used = _shell(rng, anchors.trunk, posed, role, cut, fields, below)
    pieces.append(piece)
    deep = np.full(len(posed.vertices), -0.1, np.float32)
    surface = (posed.vertices if below is None else below).copy()
    deep[anchors.trunk.index] = mask
    surface[anchors.trunk.index[mask > 0]] = v[mask > 0]
    return deep, surface, anchors.trunk.index[used]


def trousers(rng: np.random.Generator, anchors: Anchors, posed: Posed, role: str) -> tuple[Piece, F32]:
    """Trousers or shorts from the waist; how deep inside them each vertex is [V], metres."""
    legs = anchors.legs
    low = rng.uniform(-0.75, -0.68) if rng.random() < 0.8 else rng.uniform(-0.4, -0.25)
    cut = Cut(
        0.0, 0.0, False, 0.0, rng.uniform(0.003, 0.012), 4, -1.0, 0.0, int(rng.choice([0, 4, 4, 5])), low
    )
    y = legs.rest[:, 1]
    fields = (np.float32(0.075) - y, y - np.float32(low), -0.04 - anchors.arm[legs.index])
    piece, mask, _, _ = _shell(rng, legs, posed, role, cut, fields, None)
    deep = np.full(len(posed.vertices), -0.1, np.float32)
    deep[legs.index] = mask
    return piece, deep


def _shell(
    rng: np.random.Generator,
    part: Trunk,
    posed: Posed,
    role: str,
    cut: Cut,
    fields: tuple[F32, F32, F32],
    below: F32 | None,
) -> tuple[Piece, F32, F32, I32]:
    """A part of the skin as cloth where three fields [N] are above 0: the piece, the least of the fields [N],
    the surface [N,3] and which of the part's vertices are used."""
    mask = np.minimum(np.minimum(fields[0], fields[1]), fields[2]).astype(np.float32)
    rest, skin = part.rest, (posed.vertices if below is None else below)[part.index]
    v = skin
    for _ in range(cut.smooth):
        v = part.average @ v
    # Averaging shrinks: near the edges the cloth follows the skin itself, or it would dip into it.
    near = smoothstep(0.0, 0.05, mask)[:, None]
    v = skin * (1 - near) + v * near
    n = vertex_normals(v.astype(np.float32), part.tri, part.touch)
    ridge, swell = rng.uniform(0.001, 0.007), rng.uniform(0.001, 0.003)
    relief = folds(rest, rng) * ridge + waves(rest, rng, 0.13) * swell + 0.7 * ridge + 2 * swell
    push = cut.thick + relief * smoothstep(0.0, 0.04, mask)
    v = (v + n * (push * (0.5 + 0.5 * smoothstep(-0.005, 0.03, mask)) + 0.0025)[:, None]).astype(np.float32)
    if below is not None:  # averaging must not take it through what is below
        inside = ((v - skin) * n).sum(1)
        v += n * np.clip(0.004 - inside, 0, 0.03)[:, None]
    used, tri = compact(part.tri[some(mask > -0.012, part.tri)], len(mask))
    n = vertex_normals(v[used], tri, incidence(tri, len(used)))
    uv = np.stack(fields[:2], 1)[used] / 0.02
    aux = np.stack([fields[2][used] / 0.02, np.full(len(used), SHELL + cut.fabric)], 1)
    return Piece(role, "cloth", pack(v[used], n, n, uv, rest[used], aux), tri, closed=True), mask, v, used


def under(piece: Piece, deep: NDArray[np.float32], near: I32) -> Piece:
    """A piece without the triangles that lie deep below another garment.

    deep: [V] metres inside the outer garment; near: [N] a body vertex for each of the piece's.
    """
    keep = ~every(deep[near] > 0.02, piece.tri)
    return replace(piece, tri=piece.tri[keep])
