"""Laying the base mesh's face onto a scanned one: similarity from landmarks, then closest points.

The rims of lids and lips are open loops in both meshes, which gives landmarks without any table:
their corners, the tip of the nose and the chin for the similarity (Umeyama 1991), the whole rims
for the first non-rigid steps. Those move the face to its closest points of like normal under a
stiffness that relaxes (after Amberg et al. 2007, "Optimal step nonrigid ICP").
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from training.synth.meshes import F32, I32, incidence, neighbours, unit, vertex_normals

F64 = NDArray[np.float64]
STIFF = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
STEPS = 4  # at each stiffness
BEND = 0.012  # metres that count as much as opposite normals do
REACH = 0.012  # metres; farther points pull less
GRID = 6  # samples along a scanned triangle's edge


@dataclass(frozen=True)
class Scan:
    """A scanned face. points: [P,3] and delta: [K,P,3] float32, any unit, y up, facing +z;
    tri: [F,3] int32, the face alone, open at lids and lips."""

    points: F32
    delta: F32
    tri: I32

    @staticmethod
    def read(path: Path, keep: int) -> Scan:
        """ICT-FaceKit's neutral and its first `keep` identity deltas (centimetres)."""
        with np.load(path) as blob:
            wanted = [k for k, name in enumerate(blob["materials"]) if str(name) == "M_Face"]
            quad = blob["faces"][np.isin(blob["face_material"], wanted)]
            tri = np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])
            tri = tri[(tri[:, 0] != tri[:, 1]) & (tri[:, 1] != tri[:, 2]) & (tri[:, 0] != tri[:, 2])]
            return Scan(blob["neutral"], blob["identity"][:keep].astype(np.float32), tri.astype(np.int32))


@dataclass(frozen=True)
class Lain:
    """Where base vertices lie on a scan.

    tri: [A,3] int32 vertices of the scan; bary: [A,3] float32 their weights; moved: [A,3] float32
    the base vertices where the stiff mesh came to rest on the scan, template's frame, metres;
    scale, turn [3,3]: from the scan's frame to the template's.
    """

    tri: I32
    bary: F32
    moved: F32
    scale: float
    turn: F64


def on_scan(lain: Lain, fields: F32) -> F32:
    """Displacements [K,P,3] of a scan's points at the base vertices [K,A,3], in the template's frame."""
    mixed = np.einsum("an,kanc->kac", lain.bary, fields[:, lain.tri])
    return (lain.scale * mixed @ lain.turn.T).astype(np.float32)


def rims(tri: I32) -> list[I32]:
    """The open boundary's loops, each a list of vertices in order."""
    edge = np.concatenate([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]])
    _, inverse, count = np.unique(np.sort(edge, 1), axis=0, return_inverse=True, return_counts=True)
    after = {int(a): int(b) for a, b in edge[count[inverse.ravel()] == 1]}
    out = []
    while after:
        at, loop = next(iter(after)), []
        while at in after:
            loop.append(at)
            at = after.pop(at)
        out.append(np.array(loop, np.int32))
    return out


def eyes_and_mouth(points: NDArray, tri: I32) -> list[I32]:
    """The rims of right lids, left lids and lips: the three highest narrow loops at the front."""
    width = np.ptp(points[np.unique(tri), 0])
    loops = [loop for loop in rims(tri) if len(loop) > 8 and np.ptp(points[loop, 0]) < 0.4 * width]
    eyes = sorted(loops, key=lambda k: -points[k, 1].mean())[:2]
    mouth = [k for k in loops if k is not eyes[0] and k is not eyes[1]]
    mouth = max(mouth, key=lambda k: points[k, 2].max())
    return [*sorted(eyes, key=lambda k: points[k, 0].mean()), mouth]


def landmarks(points: NDArray, tri: I32, loops: list[I32]) -> F64:
    """[8,3]: corners of the eyes and the mouth, tip of the nose, chin."""
    corners = [points[k[pick]] for k in loops for pick in (points[k, 0].argmin(), points[k, 0].argmax())]
    used = np.unique(tri)
    used = used[np.abs(points[used, 0]) < 0.03 * np.ptp(points[used, 0])]
    gap = np.mean(corners[:4], axis=0)[1] - points[loops[2], 1].mean()  # eyes to mouth
    below = used[points[used, 1] < points[loops[2], 1].min() - 0.23 * gap]
    return np.array(
        [*corners, points[used[points[used, 2].argmax()]], points[below[points[below, 2].argmax()]]]
    )


def similarity(source: F64, target: F64) -> tuple[float, F64, F64]:
    """Least-squares scale, rotation, shift that take source [N,3] to target [N,3] (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    left, size, right = np.linalg.svd(b.T @ a)
    sign = np.diag([1, 1, np.sign(np.linalg.det(left @ right))])
    turn = left @ sign @ right
    scale = float((size * np.diag(sign)).sum() / (a**2).sum())
    return scale, turn, target.mean(0) - scale * turn @ source.mean(0)


def along(points: NDArray, loop: I32, count: int = 24) -> F64:
    """[2 count,3] a rim resampled by length from its right to its left corner: upper, then lower half."""
    start, end, n = int(points[loop, 0].argmin()), int(points[loop, 0].argmax()), len(loop)
    one = points[loop[np.arange(start, start + (end - start) % n + 1) % n]]
    two = points[loop[np.arange(end, end + (start - end) % n + 1) % n]][::-1]
    out = []
    for half in sorted((one, two), key=lambda h: -h[:, 1].mean()):
        way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(half, axis=0), axis=1))])
        at = np.linspace(0, way[-1], count)
        out.append(np.stack([np.interp(at, way, half[:, k]) for k in range(3)], 1))
    return np.concatenate(out)


class Surface:
    """A scan's surface as dense samples, for closest points of like normal."""

    def __init__(self, points: F64, tri: I32) -> None:
        grid = [(a, b, GRID - a - b) for a in range(GRID + 1) for b in range(GRID + 1 - a)]
        share = np.array(grid, np.float32) / GRID
        normal = vertex_normals(points.astype(np.float32), tri, incidence(tri, len(points)))
        self.tri, self.share = np.repeat(tri, len(share), 0), np.tile(share, (len(tri), 1))
        self.points = np.einsum("nk,nkc->nc", self.share, points[self.tri])
        bent = unit(np.einsum("nk,nkc->nc", self.share, normal[self.tri]))
        self.tree = cKDTree(np.concatenate([self.points, BEND * bent], 1))

    def closest(self, points: F64, normals: F32) -> NDArray[np.intp]:
        """The sample for each point [N] with its unit normal."""
        return self.tree.query(np.concatenate([points, BEND * normals], 1))[1]


def lay(template: F32, head: I32, wanted: I32, scan: Scan) -> Lain:
    """Lay the head's triangles [F,3] of the template [V,3] onto the scan; answers for `wanted` [A]."""
    own, theirs = eyes_and_mouth(template, head), eyes_and_mouth(scan.points, scan.tri)
    points = template.astype(np.float64)
    scale, turn, shift = similarity(
        landmarks(scan.points.astype(np.float64), scan.tri, theirs), landmarks(points, head, own)
    )
    target = scale * scan.points @ turn.T + shift
    surface = Surface(target, scan.tri)
    used = np.unique(head)
    place = np.full(len(points), -1)
    place[used] = np.arange(len(used))
    even = sp.eye(len(used)) - neighbours(head, len(points))[used][:, used]
    bend = (even.T @ even).tocsc()
    touch = incidence(head, len(points))
    rim = place[np.concatenate(own)]
    goal = [
        along(target, t)[cKDTree(along(points, o)).query(points[o])[1]]
        for o, t in zip(own, theirs, strict=True)
    ]
    goal = np.concatenate(goal)
    # Only the front has a counterpart: scalp, ears and neck follow it stiffly.
    front = np.clip((template[used, 2] - template[used, 2].min()) / np.ptp(template[used, 2]) * 4 - 0.8, 0, 1)
    for step in range(STEPS * len(STIFF)):
        normals = vertex_normals(points.astype(np.float32), head, touch)[used]
        pull = surface.points[surface.closest(points[used], normals)] - points[used]
        weight = front * np.exp(-(pull**2).sum(1) / REACH**2) + 1e-3
        right = weight[:, None] * pull
        hold = 2.0 if step < 16 else 0.3
        np.add.at(right, rim, hold * (goal - points[used][rim]))
        np.add.at(weight, rim, hold)
        system = (sp.diags(weight) + STIFF[step // STEPS] * bend).tocsc()
        points[used] += spla.splu(system).solve(right)
    normals = vertex_normals(points.astype(np.float32), head, touch)
    hit = surface.closest(points[wanted], normals[wanted])
    return Lain(
        surface.tri[hit],
        surface.share[hit].astype(np.float32),
        points[wanted].astype(np.float32),
        scale,
        turn,
    )
