"""What is known of the base mesh before anyone is dressed: regions, smoothers, split faces.

Landmarks of the template (metres, y up, facing +z): eyes y 0.728 at x +-0.031, mouth line 0.662,
chin 0.616, brows 0.74, hairline 0.795, top of the head 0.849, base of the neck 0.60.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from training.synth.meshes import F32, I32, Mesh, Split, cross, incidence, neighbours, split_uv, unit
from training.synth.noise import smoothstep
from training.synth.people.bodies import Topology

SKIN_PARTS = ("none", "head", "body", "hand.L", "hand.R")
INNER_PARTS = ("eye_cavity", "mouth_cavity", "tongue")
EYE_HEIGHT, EYE_SIDE, EYE_FRONT = 0.728, 0.031, 0.139
EYE_EVEN = 0.0035
"""Metres: half the width of the means that labels are round the eyes."""


def scalp_height(rest: F32) -> NDArray[np.float32]:
    """Signed distance-like height above the hairline plane [N], metres; positive on the scalp."""
    return (rest[:, 1] - 0.795) - 0.94 * (rest[:, 2] - 0.144)


def ear_mask(rest: F32) -> NDArray[np.float32]:
    """1 on the ears, 0 elsewhere [N]."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    box = (y > 0.672) & (y < 0.742) & (z > 0.024) & (z < 0.066)
    return smoothstep(0.068, 0.073, x) * box


def beard_mask(rest: F32) -> NDArray[np.float32]:
    """Where a beard grows [N], 0..1: jaw, chin, upper lip; lips and neck excluded."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    side = smoothstep(0.0, 0.03, x)
    top = 0.683 - 0.02 * smoothstep(0.01, 0.05, x) + 0.035 * smoothstep(0.055, 0.075, x)
    low = 0.603 + 0.02 * side
    jaw = smoothstep(0, 0.014, top - y) * smoothstep(0, 0.012, y - low) * smoothstep(0.035, 0.06, z)
    lips = np.exp(-(((x / 0.024) ** 2 + ((y - 0.661) / 0.010) ** 2) ** 2))
    return (jaw * (1 - lips)).astype(np.float32)


def eye_mask(rest: F32) -> NDArray[np.float32]:
    """1 at the eyes and their sockets, falling to 0 over the brow and cheek [N]."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    d = np.sqrt(((x - EYE_SIDE) / 0.030) ** 2 + ((y - EYE_HEIGHT) / 0.0185) ** 2)
    return (1 - smoothstep(0.6, 1.15, d)) * smoothstep(0.06, 0.1, z)


@dataclass(frozen=True)
class Figure:
    """The base mesh with its precomputed parts; `template` is `topology.mesh.vertices` [V,3]."""

    topology: Topology

    @property
    def template(self) -> F32:
        """[V,3] the base mesh at rest."""
        return self.topology.mesh.vertices

    @cached_property
    def touch(self) -> sp.csr_matrix:
        """[V,F] which triangles touch which vertex."""
        return incidence(self.topology.mesh.tri, len(self.template))

    @cached_property
    def average(self) -> sp.csr_matrix:
        """[V,V] one step of averaging with the neighbours."""
        return neighbours(self.topology.mesh.tri, len(self.template))

    def part_faces(self, names: tuple[str, ...]) -> NDArray[np.bool_]:
        """[F] bool: triangles of the named parts."""
        return np.isin(self.topology.part, [self.topology.parts.index(n) for n in names])

    def piece(self, faces: NDArray[np.bool_]) -> Split:
        """The chosen triangles as a GPU mesh."""
        mesh = self.topology.mesh
        return split_uv(Mesh(mesh.vertices, mesh.uv, mesh.tri[faces], mesh.tri_uv[faces]))

    @cached_property
    def skin(self) -> Split:
        """Everything outside but the eyeballs."""
        return self.piece(self.part_faces(SKIN_PARTS))

    @cached_property
    def skin_faces(self) -> NDArray[np.bool_]:
        """[F] bool."""
        return self.part_faces(SKIN_PARTS)

    @cached_property
    def eyes(self) -> Split:
        """Eyeballs."""
        return self.piece(self.part_faces(("eye_front", "eye_back")))

    @cached_property
    def inside(self) -> Split:
        """Mouth, tongue, eye sockets."""
        return self.piece(self.part_faces(INNER_PARTS))

    @cached_property
    def eye_weight(self) -> NDArray[np.float32]:
        """[V] how far labels are evened out around the eyes."""
        weight = eye_mask(self.template)
        inner = np.unique(self.topology.mesh.tri[self.part_faces(("eye_front", "eye_back", "eye_cavity"))])
        weight[inner] = 1.0
        return weight

    @cached_property
    def eye_even(self) -> tuple[I32, sp.csr_matrix]:
        """(eye vertices [E], matrix [E,V]): means of normals within some millimetres (EYE_EVEN), of skin and
        eyeball that face forward.

        Lashes, the edges of lids and the slit between them are too fine for a network to see and would be a
        dark band when lit; what stays is the socket under its brow, and the bulge of lid and eyeball in it.
        """
        rest, tri = self.template, self.topology.mesh.tri
        a, b, c = (rest.take(corner, 0) for corner in tri.T)
        sized = self.touch @ cross(b - a, c - a)  # as long as what is round a vertex is large
        area = np.linalg.norm(sized, axis=1)
        giving = np.zeros(len(rest), bool)
        giving[np.unique(tri[self.part_faces(("head", "eye_front"))])] = True
        giving &= (np.abs(rest[:, 1] - EYE_HEIGHT) < 0.05) & (rest[:, 2] > 0.06) & (sized[:, 2] > 0.2 * area)
        eyes = np.flatnonzero(self.eye_weight > 0.01).astype(np.int32)
        apart = cdist(rest[eyes], rest[giving], "sqeuclidean")
        # The second term is for vertices that have none of those within reach, behind the eyeball.
        weight = area[giving] * (np.exp(apart * (-0.5 / EYE_EVEN**2)) + 1e-9 * np.exp(-np.sqrt(apart) / 0.01))
        weight /= weight.sum(axis=1, keepdims=True)
        weight[weight < 1e-4] = 0.0
        spread = np.zeros((len(eyes), len(rest)), np.float32)
        spread[:, giving] = weight
        return eyes, sp.csr_matrix(spread)

    def label_normals(self, normals: F32) -> F32:
        """Exact vertex normals [V,3] with the eyes evened out."""
        eyes, spread = self.eye_even
        out = normals.copy()
        w = self.eye_weight[eyes, None]
        out[eyes] = unit((1 - w) * normals[eyes] + w * unit(spread @ normals))
        return out

    @cached_property
    def bone_weights(self) -> sp.csr_matrix:
        """[V,J] skinning weights."""
        index, weight = self.topology.bone_index, self.topology.bone_weight
        rows = np.repeat(np.arange(len(index)), index.shape[1])
        shape = (len(index), len(self.topology.bones))
        return sp.csr_matrix((weight.ravel(), (rows, index.ravel())), shape=shape)

    def turns(self, bone_turn: F32) -> F32:
        """Rotation of each vertex [V,3,3] from those of the bones [J,3,3]."""
        return (self.bone_weights @ bone_turn.reshape(-1, 9)).reshape(-1, 3, 3).astype(np.float32)

    @cached_property
    def head_bone(self) -> int:
        """Index of the head among the bones."""
        return self.topology.bones.index("head")

    @cached_property
    def ears(self) -> NDArray[np.float32]:
        """[V] 1 on the ears."""
        return ear_mask(self.template)
