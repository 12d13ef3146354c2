"""Face relief that MakeHuman lacks: ICT-FaceKit's scanned neutral face and its identity PCA.

The base mesh's face is laid onto ICT's neutral once (`lay.py`); what is kept says, for each base
vertex that may move, which ICT triangle it lies on and how far it may follow. A body's face is
then moved by `fade * (w_0 own + sum_k w_k delta_k)`, turned and sized with the head, so that
garments, clips and labels all see the same face. Ears, eyes, lids, neck and scalp stay.

Axes and units: metres, y up, facing +z, the template's own frame.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from training.synth.meshes import F32, I32, incidence, neighbours, unit, vertex_normals
from training.synth.noise import smoothstep
from training.synth.people.lay import Lain, Scan, lay, on_scan

ICT_FILE = Path("synth/ict/ict_facekit_f16.npz")
NAME = "relief.npz"  # beside a bank's bodies
KEEP = 48  # components; the rest move the face by less than 0.1 mm on average
WIDE = (5399, 11998)  # base vertices whose distance measures the head's size
SPREAD, LIMIT = 1.0, 3.0  # of a component's weight: standard deviation, furthest
SHARE = (0.5, 1.0)  # of the neutral's own relief
FINE, EVEN = 0.012, 0.004  # metres: what is fine of the neutral; how smooth the components are
EYES = ("eye_front", "eye_back", "eye_cavity")


@dataclass(frozen=True)
class Relief:
    """What moves a face.

    index: [A] int32 base vertices that move; fade: [A] float32 0..1; own: [A,3] float32 metres,
    the scanned neutral's fine relief less the template's; delta: [K,A,3] float32 metres per
    standard deviation (both already faded); head: bone that turns them; wide: the template's
    distance between `WIDE`, metres; seed: the bank's.
    """

    index: I32
    fade: F32
    own: F32
    delta: F32
    head: int
    wide: float
    seed: int

    def draw(self, rng: np.random.Generator) -> F32:
        """Weights [1+K]: share of the neutral's own relief, then the components, normal."""
        free = np.clip(rng.normal(0, SPREAD, len(self.delta)), -LIMIT, LIMIT)
        return np.concatenate([[rng.uniform(*SHARE)], free]).astype(np.float32)

    def weights(self, body: int) -> F32:
        """The weights of a bank's body: a pure function of the bank's seed and the number."""
        return self.draw(np.random.default_rng([self.seed, 7, body]))

    def offsets(self, weights: F32) -> F32:
        """Displacement [A,3] in the template's frame for weights [1+K]."""
        return weights[0] * self.own + np.tensordot(weights[1:], self.delta, 1)

    def apply(self, vertices: F32, turn: F32, weights: F32) -> F32:
        """Posed bodies [...,V,3] (bone rotations [...,J,3,3]) with their faces moved; a new array."""
        apart = vertices[..., WIDE[0], :] - vertices[..., WIDE[1], :]
        size = np.linalg.norm(apart, axis=-1)[..., None, None] / self.wide
        head = np.swapaxes(turn[..., self.head, :, :], -1, -2)
        out = vertices.copy()
        out[..., self.index, :] += (size * (self.offsets(weights) @ head)).astype(np.float32)
        return out


def fade_of(template: F32, tri: I32, part: NDArray[np.uint8], parts: list[str]) -> F32:
    """[V] 0..1: how far a base vertex may follow the scan; 1 on brow, nose, cheeks, lips, chin."""
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]

    def away(still: NDArray[np.bool_] | I32, near: float, far: float) -> NDArray[np.float32]:
        distance, _ = cKDTree(template[still]).query(template)
        return smoothstep(near, far, distance.astype(np.float32))

    def of(names: tuple[str, ...]) -> I32:
        return np.unique(tri[np.isin(part, [parts.index(n) for n in names if n in parts])]).astype(np.int32)

    ears = (x > 0.068) & (y > 0.66) & (y < 0.75) & (z > 0.0) & (z < 0.07)
    fade = smoothstep(-0.01, 0.095, z) * smoothstep(-0.01, 0.075, (0.795 - y) + 0.94 * (z - 0.144))
    fade *= away(ears, 0.004, 0.04) * away(of(EYES), 0.001, 0.014) * away(of(("body",)), 0.004, 0.04)
    out = np.zeros(len(template), np.float32)
    head = of(("head",))
    out[head] = fade[head]
    return out


def without_similarity(delta: F32, points: F32, weight: F32) -> F32:
    """Deltas [K,A,3] less the weighted best shift, turn and growth (linear), at points [A,3].

    The head's size and stance are drawn with the body; here only the face's shape is wanted.
    """
    p = points.astype(np.float64)
    zero, one = np.zeros(len(p)), np.ones(len(p))
    moves = [np.stack(m, 1) for m in ((one, zero, zero), (zero, one, zero), (zero, zero, one))]
    moves += [np.cross(axis, p) for axis in np.eye(3)] + [p]
    basis = np.stack(moves, 1).transpose(0, 2, 1).reshape(-1, 7)
    root = np.sqrt(np.repeat(weight, 3))[:, None].astype(np.float64)
    flat = delta.reshape(len(delta), -1).T.astype(np.float64)
    fit, *_ = np.linalg.lstsq(basis * root, flat * root, rcond=None)
    return (flat - basis @ fit).T.reshape(delta.shape).astype(np.float32)


def blur(field: F32, points: F32, sigma: float) -> F32:
    """The Gaussian average of a field [A,C] over `sigma` metres."""
    weight = np.exp(-0.5 * cdist(points, points, "sqeuclidean") / sigma**2).astype(np.float32)
    return weight @ field / weight.sum(1, keepdims=True)


def calm(fixed: F32, moves: F32, moving: I32, mesh: tuple[F32, I32], wide: float) -> F32:
    """Fade [A] 0..1 for moves [M,A,3] that keeps triangles from folding over beside `fixed` [M,A,3].

    mesh: template [V,3] and its head's triangles. Where a triangle comes to face against its
    corners' normals (nostrils: the template has hardly any), its vertices give way, and those
    around them over `wide` metres.
    """
    template, head = mesh
    points = template[moving]
    near = np.exp(-0.5 * cdist(points, points, "sqeuclidean") / wide**2).astype(np.float32)
    place = np.full(len(template), -1)
    place[moving] = np.arange(len(moving))
    touch = incidence(head, len(template))
    fade = np.ones(len(moving), np.float32)

    def clash(base: F32, move: F32) -> NDArray[np.intp]:
        moved = template.copy()
        moved[moving] += base + fade[:, None] * move
        corner = place[head[folded(moved, head, touch, 0.3)]].ravel()
        return np.unique(corner[corner >= 0])

    for _ in range(2):  # giving way for one move can, rarely, spoil another
        for base, move in zip(fixed, moves, strict=True):
            for _ in range(30):
                bad = clash(base, move)
                if not len(bad):
                    break
                fade *= 1 - 0.15 * near[bad].max(0)
    return fade


def folded(points: F32, tri: I32, touch: sp.csr_matrix, least: float = 0.0) -> NDArray[np.bool_]:
    """[F] bool: triangles whose normal makes a cosine under `least` with the mean of its corners'."""
    corner = points[tri]
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    around = unit(vertex_normals(points, tri, touch)[tri].sum(1))
    return (unit(face) * around).sum(1) < least


def extension(template: F32, moving: I32, rest: I32, reach: float = 0.025) -> tuple[I32, F32, I32]:
    """Helper vertices near the face and inside the mouth follow the skin around them.

    Returns (vertices [E], weights [E,24], which of `moving` [E,24]).
    """
    distance, near = cKDTree(template[moving]).query(template[rest], k=min(24, len(moving)))
    close = distance[:, 0] < reach
    distance, near = distance[close], near[close]
    weight = np.exp(-0.5 * (distance / np.maximum(distance[:, :1] + 0.004, 0.006)) ** 2)
    weight *= (1 - smoothstep(0.4 * reach, reach, distance[:, :1])) / weight.sum(1, keepdims=True)
    return rest[close], weight.astype(np.float32), near.astype(np.int32)


def shapes(template: F32, head: I32, moving: I32, fade: F32, scan: Scan, lain: Lain) -> tuple[F32, F32]:
    """The neutral's fine relief and the components [1+K,A,3], faded and free of folds; the fade left [A]."""
    points, own = template[moving], lain.moved - template[moving]
    own = own - blur(own, points, FINE)
    # Faces are compared with the eyes held still, since those do not move.
    eyes = np.exp(-0.5 * ((points[:, 1] - 0.728) / 0.015) ** 2) * (fade < 0.6)
    delta = without_similarity(on_scan(lain, scan.delta[:KEEP]), points, fade + 4 * eyes)
    flat = delta.transpose(1, 0, 2).reshape(len(points), -1)
    delta = blur(flat, points, EVEN).reshape(len(points), -1, 3).transpose(1, 0, 2)
    smooth = neighbours(head, len(template))[moving][:, moving]
    smooth = smooth.multiply(1 / smooth.sum(1)).tocsr()
    own, *parts = (fade[:, None] * (smooth @ f) for f in (own, *delta))
    delta = np.stack(parts).astype(np.float32)
    mesh = (template, head)
    part_way = np.linspace(*SHARE, 6)[:, None, None] * own
    own = own * calm(np.zeros_like(part_way), part_way, moving, mesh, 0.001)[:, None]
    rng = np.random.default_rng(0)
    tries = np.clip(rng.normal(0, 1.25 * SPREAD, (80, len(delta))), -LIMIT, LIMIT)
    share = rng.uniform(*SHARE, 80)[:, None, None]
    quiet = calm(share * own, np.tensordot(tries, delta, 1), moving, mesh, 0.004)
    return np.concatenate([own[None], quiet[:, None] * delta]).astype(np.float32), fade * quiet


def build(topology: dict[str, NDArray], scan: Scan, seed: int) -> tuple[Relief, Lain]:
    """Register once: the base mesh (`people.write_topology`'s arrays) on ICT's face."""
    template, tri, part = topology["template"], topology["tri"], topology["part"]
    parts = [str(p) for p in topology["parts"]]
    head = tri[part == parts.index("head")]
    fade = fade_of(template, tri, part, parts)
    moving = np.flatnonzero(fade > 0).astype(np.int32)
    lain = lay(template, head, moving, scan)
    field, left = shapes(template, head, moving, fade[moving], scan, lain)
    still = np.isin(part, [parts.index(n) for n in (*EYES, "head", "body") if n in parts])
    rest = np.setdiff1d(np.arange(len(template)), np.unique(tri[still])).astype(np.int32)
    more, share, near = extension(template, moving, rest)
    field = np.concatenate([field, np.einsum("en,kenc->kec", share, field[:, near])], 1)
    left = np.concatenate([left, (share * left[near]).sum(1)]).astype(np.float32)
    wide = float(np.linalg.norm(template[WIDE[0]] - template[WIDE[1]]))
    bone = [str(b) for b in topology["bones"]].index("head")
    index = np.concatenate([moving, more]).astype(np.int32)
    return Relief(index, left, field[0], field[1:], bone, wide, seed), lain


def write_relief(bank: Path, assets: Path, seed: int) -> bool:
    """Write `relief.npz` beside a bank's topology; False, and nothing written, without ICT's file."""
    source = assets / ICT_FILE
    if not source.exists():
        return False
    with np.load(bank / "topology.npz") as blob:
        topology = dict(blob)
    relief, lain = build(topology, Scan.read(source, KEEP), seed)
    arrays = {f.name: np.asarray(getattr(relief, f.name)) for f in fields(Relief)}
    arrays["delta"] = relief.delta.astype(np.float16)
    part = (bank / NAME).with_suffix(".part")
    with part.open("wb") as out:
        np.savez(out, **arrays, ict_tri=lain.tri, ict_bary=lain.bary)
    part.rename(bank / NAME)
    return True


@lru_cache(maxsize=4)
def read_relief(bank: Path) -> Relief | None:
    """A bank's relief, or None where it has none."""
    if not (bank / NAME).exists():
        return None
    with np.load(bank / NAME) as blob:
        values = {f.name: blob[f.name] for f in fields(Relief)}
    values["delta"] = values["delta"].astype(np.float32)
    for name, kind in (("head", int), ("wide", float), ("seed", int)):
        values[name] = kind(values[name])
    return Relief(**values)
