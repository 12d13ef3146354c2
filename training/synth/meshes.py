"""Reading OBJ and .mhclo files; connectivity helpers for vertex normals and smoothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh whose corners carry a position index and a texture index.

    vertices: [V,3] float32; uv: [T,2] float32 (0..1, v up); tri: [F,3] int32 into vertices;
    tri_uv: [F,3] int32 into uv.
    """

    vertices: F32
    uv: F32
    tri: I32
    tri_uv: I32


def read_obj(path: Path) -> Mesh:
    """Read `v`, `vt` and `f` lines; polygons become fans of triangles."""
    verts, uvs = [], []
    tri: list[tuple[int, int, int]] = []
    tri_uv: list[tuple[int, int, int]] = []
    for line in path.read_text(errors="replace").splitlines():
        part = line.split()
        if not part:
            continue
        if part[0] == "v":
            verts.append([float(x) for x in part[1:4]])
        elif part[0] == "vt":
            uvs.append([float(x) for x in part[1:3]])
        elif part[0] == "f":
            corner = [p.split("/") for p in part[1:]]
            vi = [int(c[0]) - 1 for c in corner]
            ti = [int(c[1]) - 1 if len(c) > 1 and c[1] else 0 for c in corner]
            for k in range(1, len(vi) - 1):
                tri.append((vi[0], vi[k], vi[k + 1]))
                tri_uv.append((ti[0], ti[k], ti[k + 1]))
    uv = np.asarray(uvs or [[0.0, 0.0]], np.float32)
    return Mesh(np.asarray(verts, np.float32), uv, np.asarray(tri, np.int32), np.asarray(tri_uv, np.int32))


@dataclass(frozen=True)
class Fit:
    """How a MakeHuman garment hangs on the base mesh (.mhclo).

    index: [V,3] int32 base-mesh vertices; weight: [V,3] float32; offset: [V,3] float32 in
    base-mesh units, to be multiplied per axis by the body's size; scale_ref: for x, y, z the
    two base vertices whose distance along the axis measures the size, and the reference
    distance; hidden: base-mesh vertices that the garment covers.
    """

    index: I32
    weight: F32
    offset: F32
    scale_ref: dict[str, tuple[int, int, float]]
    hidden: I32


def read_mhclo(path: Path) -> Fit:
    """Parse both line forms of the format: one vertex, or a weighted triangle with an offset."""
    index, weight, offset = [], [], []
    scale: dict[str, tuple[int, int, float]] = {}
    hidden: list[int] = []
    mode = ""
    for line in path.read_text(errors="replace").splitlines():
        part = line.split()
        if not part or part[0].startswith("#"):
            continue
        if part[0] in ("x_scale", "y_scale", "z_scale"):
            scale[part[0][0]] = (int(part[1]), int(part[2]), float(part[3]))
        elif part[0] == "verts":
            mode = "verts"
        elif part[0] == "delete_verts":
            mode = "delete"
        elif mode == "delete":
            hidden += _ranges(part)
        elif mode == "verts" and part[0].lstrip("-").isdigit():
            if len(part) >= 9:
                index.append([int(p) for p in part[:3]])
                weight.append([float(p) for p in part[3:6]])
                offset.append([float(p) for p in part[6:9]])
            else:
                index.append([int(part[0])] * 3)
                weight.append([1.0, 0.0, 0.0])
                offset.append([0.0, 0.0, 0.0])
        elif part[0] == "weights":
            mode = ""
    return Fit(
        np.asarray(index, np.int32),
        np.asarray(weight, np.float32),
        np.asarray(offset, np.float32),
        scale,
        np.asarray(hidden, np.int32),
    )


def _ranges(part: list[str]) -> list[int]:
    """`['3', '-', '5', '9']` -> [3, 4, 5, 9]."""
    out: list[int] = []
    k = 0
    while k < len(part):
        if k + 2 < len(part) and part[k + 1] == "-":
            out += range(int(part[k]), int(part[k + 2]) + 1)
            k += 3
        else:
            out.append(int(part[k]))
            k += 1
    return out


@dataclass(frozen=True)
class Split:
    """A mesh whose vertices are split where texture coordinates differ (ready for a GPU).

    source: [N] int32 position index of each corner vertex; uv: [N,2] float32; tri: [F,3] int32.
    """

    source: I32
    uv: F32
    tri: I32


def split_uv(mesh: Mesh) -> Split:
    """One GPU vertex per distinct (position, uv) pair."""
    pair = np.stack([mesh.tri.ravel(), mesh.tri_uv.ravel()], 1)
    unique, inverse = np.unique(pair, axis=0, return_inverse=True)
    tri = inverse.reshape(-1, 3).astype(np.int32)
    return Split(unique[:, 0].astype(np.int32), mesh.uv[unique[:, 1]].astype(np.float32), tri)


def incidence(tri: I32, count: int) -> sp.csr_matrix:
    """[count, F] 0/1 matrix: which triangles touch which vertex."""
    faces = np.repeat(np.arange(len(tri)), 3)
    ones = np.ones(len(faces), np.float32)
    return sp.csr_matrix((ones, (tri.ravel(), faces)), shape=(count, len(tri)))


def vertex_normals(vertices: F32, tri: I32, touch: sp.csr_matrix) -> F32:
    """Area-weighted unit normals [V,3]; vertices without a triangle get (0,0,1)."""
    a, b, c = vertices[tri[:, 0]], vertices[tri[:, 1]], vertices[tri[:, 2]]
    return unit(touch @ np.cross(b - a, c - a))


def unit(v: NDArray) -> F32:
    """Normalise the last axis; zero vectors become (0,0,1)."""
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    out = v / np.maximum(length, 1e-12)
    out[length[..., 0] < 1e-12] = (0.0, 0.0, 1.0)
    return out.astype(np.float32)


def neighbours(tri: I32, count: int) -> sp.csr_matrix:
    """[count, count] matrix that averages each vertex with its neighbours (rows sum to 1)."""
    edge = np.concatenate([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]])
    both = np.concatenate([edge, edge[:, ::-1]])
    link = sp.csr_matrix((np.ones(len(both), np.float32), (both[:, 0], both[:, 1])), shape=(count, count))
    link.data[:] = 1.0
    link = link + sp.eye(count, dtype=np.float32, format="csr")
    return (sp.diags(1.0 / np.asarray(link.sum(1)).ravel()) @ link).astype(np.float32).tocsr()


def spatial_smoother(points: F32, radius: float, limit: int = 24) -> sp.csr_matrix:
    """[N,N] Gaussian average over the nearest points within `radius` metres (rows sum to 1)."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    dist, near = tree.query(points, k=min(limit, len(points)), distance_upper_bound=radius)
    ok = np.isfinite(dist)
    rows = np.repeat(np.arange(len(points)), ok.sum(1))
    weight = np.exp(-0.5 * (dist[ok] / (radius * 0.5)) ** 2).astype(np.float32)
    mat = sp.csr_matrix((weight, (rows, near[ok])), shape=(len(points), len(points)))
    return (sp.diags(1.0 / np.asarray(mat.sum(1)).ravel()) @ mat).astype(np.float32).tocsr()
