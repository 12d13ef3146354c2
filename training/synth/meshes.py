"""Reading OBJ and .mhclo files; connectivity helpers for vertex normals and smoothing."""

from __future__ import annotations

import re
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
    text = path.read_text(errors="replace")
    verts, uvs, faces = (
        re.findall(rf"^\s*{kind}[ \t]+(.*)", text, re.MULTILINE) for kind in ("v", "vt", "f")
    )
    uv = _table(uvs, 2) if uvs else np.zeros((1, 2))
    count = np.array([len(face.split()) for face in faces], np.int64)
    corner = _corners(" ".join(faces), int(count.sum()))
    # Triangle k of a polygon has its corners 0, k + 1 and k + 2.
    fans = count - 2
    first, step = np.repeat(np.cumsum(count) - count, fans), np.arange(fans.sum())
    step = step - np.repeat(np.cumsum(fans) - fans, fans)
    fan = np.stack([first, first + step + 1, first + step + 2], 1)
    tri, tri_uv = (column[fan].astype(np.int32) for column in corner.T)
    return Mesh(_table(verts, 3).astype(np.float32), uv.astype(np.float32), tri, tri_uv)


WITHOUT_DIGITS = str.maketrans("", "", "0123456789")


def _corners(text: str, count: int) -> NDArray[np.int64]:
    """(position, uv) [count,2], from 0, of corners as OBJ writes them: a, a/b, a//c or a/b/c."""
    slashes = text.translate(WITHOUT_DIGITS).split()  # of each corner that has any
    if "//" in text or len(slashes) not in (0, count) or len(set(slashes)) > 1:
        words = [word.split("/") for word in text.split()]
        return np.array([[int(w[0]) - 1, int(w[1]) - 1 if len(w) > 1 and w[1] else 0] for w in words])
    numbers = _numbers(text.replace("/", " ")).astype(np.int64).reshape(count, -1) - 1
    return numbers[:, :2] if slashes else np.concatenate([numbers, np.zeros_like(numbers)], 1)


def _numbers(text: str) -> NDArray[np.float64]:
    """All numbers of a text that holds nothing else."""
    return np.fromstring(text, sep=" ")


def _table(rows: list[str], width: int) -> NDArray[np.float64]:
    """The first `width` numbers of each row [N,width]."""
    numbers = _numbers(" ".join(rows))
    if len(numbers) != width * len(rows):
        numbers = _numbers(" ".join(" ".join(row.split()[:width]) for row in rows))
    return numbers.reshape(len(rows), width)


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
    rows: list[str] = []
    scale: dict[str, tuple[int, int, float]] = {}
    hidden: list[int] = []
    mode = ""
    for line in path.read_text(errors="replace").splitlines():
        head = line[:1]
        if mode == "verts" and (head.isdigit() or head in ("-", " ", "\t")):
            rows.append(line)
            continue
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
        elif part[0] == "weights":
            mode = ""
    return Fit(*_fitted(rows), scale, np.asarray(hidden, np.int32))


def _fitted(rows: list[str]) -> tuple[I32, F32, F32]:
    """`Fit.index`, `Fit.weight` and `Fit.offset` of lines of one number, or of nine."""
    full = np.array([len(row.split()) >= 9 for row in rows], bool)
    index = np.zeros((len(rows), 3), np.int32)
    weight, offset = np.zeros((2, len(rows), 3), np.float32)
    index[~full] = _table([row for row, many in zip(rows, full, strict=True) if not many], 1)
    weight[~full, 0] = 1.0
    table = _table([row for row, many in zip(rows, full, strict=True) if many], 9)
    index[full], weight[full], offset[full] = table[:, :3], table[:, 3:6], table[:, 6:]
    return index, weight, offset


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
    key = mesh.tri.ravel().astype(np.int64) * len(mesh.uv) + mesh.tri_uv.ravel()
    unique, inverse = np.unique(key, return_inverse=True)
    source, corner = np.divmod(unique, len(mesh.uv))
    return Split(
        source.astype(np.int32), mesh.uv[corner].astype(np.float32), inverse.reshape(-1, 3).astype(np.int32)
    )


def incidence(tri: I32, count: int) -> sp.csr_matrix:
    """[count, F] 0/1 matrix: which triangles touch which vertex."""
    faces = np.repeat(np.arange(len(tri)), 3)
    ones = np.ones(len(faces), np.float32)
    return sp.csr_matrix((ones, (tri.ravel(), faces)), shape=(count, len(tri)))


def vertex_normals(vertices: F32, tri: I32, touch: sp.csr_matrix) -> F32:
    """Area-weighted unit normals [V,3]; vertices without a triangle get (0,0,1)."""
    a, b, c = (vertices.take(corner, 0) for corner in tri.T)
    return unit(touch @ cross(b - a, c - a))


def cross(a: NDArray, b: NDArray) -> NDArray:
    """Cross products [...,3]: `np.cross` without what it does for other shapes."""
    (ax, ay, az), (bx, by, bz) = (np.moveaxis(v, -1, 0) for v in (a, b))
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), np.result_type(a, b))
    out[..., 0], out[..., 1], out[..., 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return out


def unit(v: NDArray) -> F32:
    """Normalise the last axis, of three; zero vectors become (0,0,1)."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    length = np.sqrt(x * x + y * y + z * z)
    out = np.asarray(v / np.maximum(length, 1e-12)[..., None])
    none = length < 1e-12
    if none.any():
        out[none] = (0.0, 0.0, 1.0)
    return out.astype(np.float32)


def every(mask: NDArray[np.bool_], tri: I32) -> NDArray[np.bool_]:
    """[F]: whether a mask [V] holds at all three corners of each triangle [F,3]."""
    a, b, c = tri.T
    return np.asarray(mask[a] & mask[b] & mask[c])


def some(mask: NDArray[np.bool_], tri: I32) -> NDArray[np.bool_]:
    """[F]: whether a mask [V] holds at any corner of each triangle [F,3]."""
    a, b, c = tri.T
    return np.asarray(mask[a] | mask[b] | mask[c])


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
