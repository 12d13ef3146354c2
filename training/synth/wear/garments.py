"""MakeHuman garments (hair, suits, brows, teeth) hung on the posed base mesh by their .mhclo fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from training.synth.meshes import (
    F32,
    I32,
    Fit,
    Mesh,
    Split,
    every,
    incidence,
    neighbours,
    read_mhclo,
    read_obj,
    spatial_smoother,
    split_uv,
    unit,
    vertex_normals,
)

DECIMETRE = 0.1  # MakeHuman's unit in metres
HEAD = np.array([0.0, 0.755, 0.056], np.float32)  # middle of the template's head
AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class Garment:
    """One asset, ready to be hung on any body.

    rest: [V,3] float32 where the garment sits on the template (metres, y up, facing +z);
    smooth: averaging over neighbouring vertices; textures: paths by role (diffuse, ao); rest_normals:
    [V,3] unit normals at rest; outward: [V]
    +-1, whether a vertex normal at rest points away from the middle of the head (for hair).
    """

    name: str
    mesh: Mesh
    fit: Fit
    split: Split
    touch: sp.csr_matrix
    rest: F32
    smooth: sp.csr_matrix
    textures: dict[str, Path]
    rest_normals: F32
    outward: NDArray[np.float32]

    def hang(self, body: F32, turn: F32, template: F32) -> F32:
        """Garment vertices [V,3] on a posed body [B,3]; turn: [B,3,3] rotation of each body vertex."""
        size = body_size(self.fit, body, template)
        base = np.einsum("vk,vkc->vc", self.fit.weight, body[self.fit.index])
        offset = self.fit.offset * (size * DECIMETRE)
        return (base + np.einsum("vij,vj->vi", turn[self.fit.index[:, 0]], offset)).astype(np.float32)

    def normals(self, vertices: F32) -> F32:
        """Unit vertex normals [V,3]."""
        return vertex_normals(vertices, self.mesh.tri, self.touch)


def body_size(fit: Fit, body: F32, template: F32) -> F32:
    """How much larger than the reference the body is, per axis [3].

    The format measures along one axis of the unposed body; a posed one has only distances, so
    the template's ratio of axis to distance is kept.
    """
    size = np.ones(3, np.float32)
    for axis, (a, b, reference) in fit.scale_ref.items():
        rest = template[a] - template[b]
        ratio = abs(float(rest[AXES[axis]])) / max(float(np.linalg.norm(rest)), 1e-9)
        size[AXES[axis]] = np.linalg.norm(body[a] - body[b]) * ratio / (reference * DECIMETRE)
    return np.clip(size, 0.5, 2.0)


def load_garment(path: Path, template: F32, hairy: bool) -> Garment:
    """Read `NAME.mhclo` with its OBJ and textures; `hairy` smooths over space, not the mesh."""
    fit = read_mhclo(path)
    obj = path.with_suffix(".obj")
    mesh = read_obj(obj if obj.exists() else next(iter(sorted(path.parent.glob("*.obj")))))
    if len(mesh.vertices) != len(fit.index):
        raise ValueError(f"{path}: {len(fit.index)} fitted vertices, but the OBJ has {len(mesh.vertices)}")
    textures = {}
    for image in sorted(path.parent.glob("*.png")):
        role = image.stem.rsplit("_", 1)[-1]
        textures[role if role in ("diffuse", "ao", "normal") else "diffuse"] = image
    touch = incidence(mesh.tri, len(mesh.vertices))
    still = np.tile(np.eye(3, dtype=np.float32), (len(template), 1, 1))
    none = np.ones(len(mesh.vertices), np.float32)
    garment = Garment(
        path.stem, mesh, fit, split_uv(mesh), touch, mesh.vertices, touch, textures, mesh.vertices, none
    )
    rest = garment.hang(template, still, template)
    smooth = spatial_smoother(rest, 0.03) if hairy else neighbours(mesh.tri, len(rest))
    normals = garment.normals(rest)
    away = (normals * (rest - HEAD)).sum(1)
    outward = np.where(away < 0, -1, 1).astype(np.float32)
    return Garment(path.stem, mesh, fit, garment.split, touch, rest, smooth, textures, normals, outward)


def hair_label_normals(garment: Garment, normals: F32, vertices: F32, centre: F32) -> F32:
    """Macroscopic normals [V,3] of a hair mesh made of crossing strips.

    Strips face any way, so normals are turned outward (decided at rest, so that it holds for every
    pose), averaged over 3 cm, and mixed with the outward direction itself.
    """
    outward = unit(vertices - centre)
    return unit(garment.smooth @ (normals * garment.outward[:, None]) + 0.5 * outward)


def hidden_faces(garment: Garment, tri: I32, count: int) -> NDArray[np.bool_]:
    """[F] bool: body triangles that the garment covers completely."""
    covered = np.zeros(count, bool)
    covered[garment.fit.hidden[garment.fit.hidden < count]] = True
    return every(covered, tri)


def find_garments(assets: Path, kind: str) -> tuple[Path, ...]:
    """All `.mhclo` files under `synth/makehuman/base/KIND`, sorted."""
    root = assets / "synth" / "makehuman" / "base" / kind
    return tuple(sorted(root.glob("*/*.mhclo")))
