"""Small closed and open surfaces built from curves: tubes, lathes, boxes, lofts and ribbons."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from training.synth.meshes import F32, I32, cross, unit


def _none() -> F32:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True)
class Solid:
    """points [N,3], normals [N,3] float32, tri [F,3] int32; uv, aux [N,2] float32 (empty: zeros)."""

    points: F32
    normals: F32
    tri: I32
    uv: F32 = field(default_factory=_none)
    aux: F32 = field(default_factory=_none)

    def __post_init__(self) -> None:
        for name in ("uv", "aux"):
            if len(getattr(self, name)) != len(self.points):
                object.__setattr__(self, name, np.zeros((len(self.points), 2), np.float32))

    def moved(self, turn: NDArray, shift: NDArray) -> Solid:
        """Turned (or stretched, or mirrored) by `turn` [3,3] and shifted by `shift` [3]."""
        points = (self.points @ np.asarray(turn).T + shift).astype(np.float32)
        return replace(self, points=points, normals=unit(self.normals @ np.linalg.inv(turn)))


def merge(parts: list[Solid]) -> Solid:
    """Several solids as one."""
    shift = np.cumsum([0] + [len(p.points) for p in parts[:-1]])
    tri = np.concatenate([p.tri + s for p, s in zip(parts, shift, strict=True)])
    return Solid(
        np.concatenate([p.points for p in parts]),
        np.concatenate([p.normals for p in parts]),
        tri.astype(np.int32),
        np.concatenate([p.uv for p in parts]),
        np.concatenate([p.aux for p in parts]),
    )


def face_normals(points: NDArray, tri: I32) -> F32:
    """Area-weighted unit vertex normals [N,3] of a mesh without a stored incidence matrix."""
    a, b, c = points[tri[:, 0]], points[tri[:, 1]], points[tri[:, 2]]
    face = cross(b - a, c - a)
    corner = tri.T.ravel()
    weight = np.concatenate([face, face, face])
    columns = [np.bincount(corner, weight[:, k], len(points)) for k in range(3)]
    return unit(np.stack(columns, 1))


def compact(tri: I32, count: int) -> tuple[I32, I32]:
    """The vertices [K] (ascending) that triangles use, of `count`, and the triangles numbered by them."""
    on = np.zeros(count, bool)
    on[tri] = True
    return np.flatnonzero(on).astype(np.int32), (np.cumsum(on) - 1).astype(np.int32)[tri]


def grid_tri(rows: int, columns: int, closed: bool) -> I32:
    """Triangles [F,3] of a grid of vertices numbered row by row; `closed` joins last row to first."""
    i, j = np.meshgrid(np.arange(rows if closed else rows - 1), np.arange(columns - 1), indexing="ij")
    a = (i * columns + j).ravel()
    b = (((i + 1) % rows) * columns + j).ravel()
    tri = np.concatenate([np.stack([a, b, a + 1], 1), np.stack([a + 1, b, b + 1], 1)])
    return tri.astype(np.int32)


def loft(points: NDArray, closed: bool) -> Solid:
    """A surface through a grid of points [R,C,3]; uv = (row, column) in metres along the surface."""
    rows, columns = points.shape[:2]
    tri = grid_tri(rows, columns, closed)
    flat = points.reshape(-1, 3).astype(np.float32)
    step = np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=-1).mean(1).cumsum()
    rise = np.linalg.norm(np.diff(points, axis=1, prepend=points[:, :1]), axis=-1).mean(0).cumsum()
    uv = np.stack(np.meshgrid(step, rise, indexing="ij"), -1).reshape(-1, 2).astype(np.float32)
    return Solid(flat, face_normals(flat, tri), tri, uv)


def tube(path: NDArray, radius: float | NDArray, closed: bool, sides: int = 6, flat: float = 1.0) -> Solid:
    """A round tube along `path` [N,3]; radius: metres, one or [N]; `flat` < 1 squeezes it along z."""
    n = len(path)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    if not closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    ahead = unit(ahead)
    side = unit(cross(ahead, np.where(np.abs(ahead[:, 2:3]) < 0.9, [[0, 0, 1.0]], [[1.0, 0, 0]])))
    up = cross(side, ahead)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = side[:, None] * np.cos(angle)[None, :, None] + up[:, None] * np.sin(angle)[None, :, None]
    wide = np.broadcast_to(np.asarray(radius, np.float64), (n,))[:, None, None]
    points = path[:, None] + wide * ring * np.array([1, 1, flat])
    rows = np.arange(n if closed else n - 1)
    a = rows[:, None] * sides + np.arange(sides)[None]
    b = rows[:, None] * sides + (np.arange(sides)[None] + 1) % sides
    c, d = (a + sides) % (n * sides), (b + sides) % (n * sides)
    tri = np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])
    return Solid(points.reshape(-1, 3).astype(np.float32), unit(ring.reshape(-1, 3)), tri.astype(np.int32))


def ellipsoid(centre: NDArray, radii: NDArray, steps: int = 12) -> Solid:
    """An ellipsoid with axes along x, y, z."""
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, steps), np.linspace(0, 2 * np.pi, 2 * steps), indexing="ij"
    )
    direction = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), np.sin(theta) * np.sin(phi)], -1)
    width = 2 * steps
    i, j = np.meshgrid(np.arange(steps - 1), np.arange(width - 1), indexing="ij")
    a = (i * width + j).ravel()
    tri = np.concatenate([np.stack([a, a + 1, a + width], 1), np.stack([a + 1, a + width + 1, a + width], 1)])
    flat = direction.reshape(-1, 3)
    return Solid((centre + flat * radii).astype(np.float32), unit(flat / radii), tri.astype(np.int32))


def lathe(profile: NDArray, steps: int = 20) -> Solid:
    """A profile [M,2] of (radius, height) turned about the y axis; sharp corners need repeated points."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    r, y = profile[:, 0], profile[:, 1]
    points = np.stack(
        [np.cos(angle)[:, None] * r, np.broadcast_to(y, (steps, len(y))), np.sin(angle)[:, None] * r], -1
    )
    return loft(points, True)


def box(half: NDArray, radius: float) -> Solid:
    """A box with half sizes [3], its outline in x and y rounded by `radius`, its rim slightly bevelled."""
    corner = np.linspace(0, np.pi / 2, 5)
    turn = (np.arange(4)[:, None] * np.pi / 2 + corner).ravel()
    sign = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], np.float64).repeat(5, 0)
    outline = sign * (np.asarray(half)[:2] - radius) + radius * np.stack([np.cos(turn), np.sin(turn)], 1)
    bevel = min(0.3 * half[2], 0.5 * radius)
    rows = []
    for shrink, z in (
        (None, -1),
        (bevel, -1),
        (bevel, -1),
        (0, -0.6),
        (0, 0.6),
        (bevel, 1),
        (bevel, 1),
        (None, 1),
    ):
        ring = outline * 0 if shrink is None else outline * (1 - shrink / np.abs(outline).max())
        rows.append(np.concatenate([ring, np.full((20, 1), z * half[2])], 1))
    return loft(np.stack(rows, 1), True)


def ribbons(path: NDArray, side: NDArray, out: NDArray, width: NDArray) -> Solid:
    """Ribbons along `path` [N,M,3], spread along unit vectors `side` [N,M,3], facing `out` [N,M,3].

    width: half width in metres [N] or [N,M]. uv = (metres across, from a start of the ribbon's own;
    0 at the root .. 1 at the tip).
    """
    n, m = path.shape[:2]
    wide = np.broadcast_to(np.asarray(width).reshape(n, -1), (n, m))[..., None]
    points = np.stack([path - wide * side, path + wide * side], 2)
    across = (np.arange(n) * 0.173)[:, None, None] + np.stack([-wide[..., 0], wide[..., 0]], -1)
    along = np.broadcast_to(np.linspace(0, 1, m)[None, :, None], across.shape)
    a = (np.arange(n)[:, None] * m + np.arange(m - 1)[None]).ravel() * 2
    tri = np.concatenate([np.stack([a, a + 1, a + 2], 1), np.stack([a + 1, a + 3, a + 2], 1)])
    normal = np.repeat(out[:, :, None], 2, 2).reshape(-1, 3)
    uv = np.stack([across, along], -1).reshape(-1, 2)
    return Solid(
        points.reshape(-1, 3).astype(np.float32), unit(normal), tri.astype(np.int32), uv.astype(np.float32)
    )
