"""A closed cap around the template's skull (hair, caps, hoods are made on it) and paths along it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from training.synth.gl import Piece, pack
from training.synth.meshes import F32, I32, incidence, neighbours, some, unit, vertex_normals
from training.synth.noise import smoothstep
from training.synth.people.figure import scalp_height
from training.synth.solids import Solid, compact
from training.synth.wear.posed import Anchors, Bind, Posed, rotate

MIDDLE = np.array([0.0, 0.735, 0.055])
EAR = np.array([0.079, 0.712, 0.045])


def icosphere(level: int) -> tuple[F32, I32]:
    """Unit directions [10 * 4^level + 2, 3] and triangles."""
    g = (1 + 5**0.5) / 2
    p = np.array(
        [[-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0], [0, -1, g], [0, 1, g],
         [0, -1, -g], [0, 1, -g], [g, 0, -1], [g, 0, 1], [-g, 0, -1], [-g, 0, 1]]
    )  # fmt: skip
    tri = np.array(
        [[0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4], [11, 10, 2],
         [10, 7, 6], [7, 1, 8], [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9], [4, 9, 5],
         [2, 4, 11], [6, 2, 10], [8, 6, 7], [9, 8, 1]]
    )  # fmt: skip
    for _ in range(level):
        edge = np.sort(np.concatenate([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]]), 1)
        pair, back = np.unique(edge, axis=0, return_inverse=True)
        mid = (len(p) + back.reshape(3, -1)).T
        p = np.concatenate([p, p[pair].mean(1)])
        a, b, c = mid.T
        rows = ((tri[:, 0], a, c), (tri[:, 1], b, a), (tri[:, 2], c, b), (a, b, c))
        tri = np.concatenate([np.stack(r, 1) for r in rows])
    return unit(p), tri.astype(np.int32)


class Scalp:
    """The cap: base [N,3] on the skull at rest, way [N,3] outward, height [N] above the hairline."""

    def __init__(self, anchors: Anchors) -> None:
        from scipy.spatial import cKDTree

        self.anchors = anchors
        direction, tri = icosphere(4)
        head = anchors.points[:, 1] > 0.6
        rays = anchors.points[head] - MIDDLE
        reach = np.linalg.norm(rays, axis=1)
        gap, near = cKDTree(rays / reach[:, None]).query(direction, k=6)
        weight = 1.0 / (gap**2 + 0.03**2) ** 2
        radius = (weight * reach[near]).sum(1) / weight.sum(1)
        keep = direction[:, 1] > -0.93
        tri = tri[keep[tri].all(1)]
        used, self.tri = compact(tri, len(direction))
        self.direction = direction[used]
        average = neighbours(self.tri, len(used))
        radius = average @ (average @ radius[used])
        self.base = (MIDDLE + self.direction * radius[:, None]).astype(np.float32)
        self.touch = incidence(self.tri, len(used))
        way = vertex_normals(self.base, self.tri, self.touch)
        for _ in range(6):
            way = average @ way
        self.way = unit(unit(way) + self.direction)
        self.height = scalp_height(self.base)
        beside = np.linalg.norm((self.base * [[1, 1, 1]] - EAR * np.sign(self.base[:, :1]) * [1, 0, 0]
                                 - EAR * [0, 1, 1]) / [0.035, 0.034, 0.024], axis=1)  # fmt: skip
        self.beside_ear = (1 - smoothstep(0.6, 1.5, beside.astype(np.float32))).astype(np.float32)
        self.bind = anchors.bind(self.base)

    def normals(self, points: F32) -> F32:
        """Unit normals [N,3] of the cap moved to `points`."""
        return vertex_normals(points, self.tri, self.touch)

    def onto(self, rest: F32) -> sp.csr_matrix:
        """[V,N] matrix that carries values from the cap to the skull's vertices (zero elsewhere)."""
        from scipy.spatial import cKDTree

        distance, near = cKDTree(self.base).query(rest, k=3, distance_upper_bound=0.03)
        row, column = np.nonzero(np.isfinite(distance))
        weight = 1.0 / (distance[row, column] + 0.003)
        out = sp.csr_matrix((weight, (row, near[row, column])), shape=(len(rest), len(self.base)))
        total = np.maximum(np.asarray(out.sum(1)).ravel(), 1e-9)
        return (sp.diags(1 / total) @ out).astype(np.float32).tocsr()

    def piece(
        self,
        posed: Posed,
        points: F32,
        smooth: F32,
        mask: NDArray[np.float32],
        role: str,
        material: str,
        uv: F32,
        aux: F32,
    ) -> Piece:
        """The part where mask > 0, at rest `points` [N,3]; `smooth` gives the label's normals."""
        used, tri = compact(self.tri[some(mask > 0, self.tri)], len(self.base))
        b = self.bind
        bind = Bind(b.index[used], b.weight[used], b.offset[used] + (points - self.base)[used])
        v, turn = bind.hang(posed)
        n, label = rotate(turn, self.normals(points)[used]), rotate(turn, self.normals(smooth)[used])
        data = pack(v, unit(n), unit(label), uv[used], points[used], aux[used])
        return Piece(role, material, data, tri)


def hang(anchors: Anchors, posed: Posed, solid: Solid) -> tuple[F32, F32]:
    """A solid made at rest, fixed to the trunk near it: posed points [N,3] and normals [N,3]."""
    points, turn = anchors.bind(solid.points, 16, 0.03, True).hang(posed)
    return points, unit(rotate(turn, solid.normals))


def trace(
    rng: np.random.Generator,
    anchors: Anchors,
    start: NDArray,
    flow: Callable[[NDArray], NDArray],
    length: NDArray,
    steps: int,
    fall: tuple[float, float],
    clear: NDArray,
    stray: NDArray | float,
    cling: bool = True,
    part: float | None = None,
) -> tuple[NDArray, NDArray]:
    """Paths [N,steps,3] of strands from `start` [N,3] and the outward direction along them.

    They follow `flow`, then gravity (its share at root and tip is `fall`), stay `clear` [N] metres
    off the skin and waver by `stray`; `cling`: near the skin they run along it;
    `part`: x of a parting from which they are combed to both sides of the face.
    """
    p, out, path, ways = start.copy(), None, [], []
    wander = rng.normal(size=(len(p), 3)) * np.broadcast_to(stray, (len(p),))[:, None]
    for j in range(steps):
        _, near = anchors.tree.query(p)
        n = anchors.normals[near]
        axis = unit((p - MIDDLE) * [1, 0.4, 1])
        o = unit(n + axis)
        out = o if out is None else unit(out + o)
        depth = ((p - anchors.points[near]) * n).sum(1)
        p = p + n * np.clip(clear - depth, 0, 0.03)[:, None]
        path.append(p)
        ways.append(out)
        g = fall[0] + (fall[1] - fall[0]) * j / max(steps - 1, 1)
        v = flow(p)
        if cling:
            v = unit(v - 0.9 * n * (v * n).sum(1, keepdims=True) * (depth < clear + 0.01)[:, None])
        if part is not None:
            face = (
                smoothstep(0.085, 0.06, np.abs(p[:, 0])) * smoothstep(0.03, 0.09, p[:, 2]) * (p[:, 1] > 0.6)
            )
            v = v + (2.5 * face * np.sign(p[:, 0] - part))[:, None] * [1, 0, 0]
            # Hanging hair closes in on the neck below the widest part of the head.
            v = (
                v
                - unit((p - MIDDLE) * [1, 0, 1]) * (1.6 * (depth > clear + 0.012) * (p[:, 1] < 0.74))[:, None]
            )
        g = g * (1 - 0.8 * face[:, None]) if part is not None else np.full((len(p), 1), g)
        v = unit(unit(v) * np.maximum(1 - g, 0.22) - g * [0, 1, 0] + wander * (0.3 + j / steps))
        p = p + v * (length / (steps - 1))[:, None]
    line = np.stack(path, 1)
    for _ in range(2 if steps > 8 else 0):  # where a strand meets the shoulder it bends, it does not break
        line[:, 1:-1] = 0.5 * line[:, 1:-1] + 0.25 * (line[:, :-2] + line[:, 2:])
    return line, np.stack(ways, 1)
