"""A posed body and everything derived from it once; fixing things made at rest to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from training.synth.meshes import F32, I32, incidence, neighbours, unit, vertex_normals
from training.synth.noise import smoothstep
from training.synth.people.figure import Figure
from training.synth.solids import compact

TEMPLES = (5399, 11998)
"""Skull vertices above the ears; face actions do not move them."""
SHOULDER, ELBOW, WRIST = (
    np.array(p) for p in ((0.16, 0.53, 0.015), (0.30, 0.36, 0.025), (0.43, 0.238, 0.184))
)
UPPER = float(np.linalg.norm(ELBOW - SHOULDER))
ARM = ("upperarm", "lowerarm", "wrist", "metacarpal", "finger")


@dataclass(frozen=True)
class Posed:
    """A body and everything derived from it once.

    vertices, normals, labels: [V,3]; turns: [V,3,3]; head_turn: [3,3]; eyes, centre: [3] the middle
    of the eyes and of the head; scale: the head's width over the template's; fit: [3] its width,
    height and depth over the template's.
    """

    vertices: F32
    normals: F32
    labels: F32
    turns: F32
    head_turn: F32
    eyes: F32
    centre: F32
    scale: float
    fit: F32


def prepare(figure: Figure, vertices: F32, bone_turn: F32) -> Posed:
    """Normals and the head's frame of a posed body."""
    normals = vertex_normals(vertices, figure.topology.mesh.tri, figure.touch)
    eyes = vertices[figure.eyes.source].mean(0)
    rest, turn = figure.template, bone_turn[figure.head_bone]
    crown = int(np.argmax(rest[: len(vertices), 1] * (np.abs(rest[:, 0]) < 0.02)))
    left, right = TEMPLES
    wide = np.linalg.norm(vertices[left] - vertices[right]) / np.linalg.norm(rest[left] - rest[right])
    here = (np.stack([vertices[crown], 0.5 * (vertices[left] + vertices[right])]) - eyes) @ turn
    there = np.stack([rest[crown], 0.5 * (rest[left] + rest[right])]) - rest[figure.eyes.source].mean(0)
    fit = np.array([wide, here[0, 1] / there[0, 1], here[1, 2] / there[1, 2]], np.float32)
    centre = eyes + turn @ np.array([0, 0.03, -0.075], np.float32) * wide
    return Posed(
        vertices,
        normals,
        figure.label_normals(normals),
        figure.turns(bone_turn),
        turn,
        eyes,
        centre,
        float(wide),
        np.clip(fit, 0.75, 1.3),
    )


@dataclass(frozen=True)
class Bind:
    """Points fixed to a body: index, weight [N,K]; offset [N,3] from the weighted mean, in rest axes."""

    index: I32
    weight: F32
    offset: F32

    def hang(self, posed: Posed) -> tuple[F32, F32]:
        """Where the points are on a posed body [N,3], and the rotation of each [N,3,3]."""
        base = np.einsum("nk,nkc->nc", self.weight, posed.vertices[self.index])
        turns = posed.turns.reshape(-1, 9)[self.index]
        turn = np.einsum("nk,nkc->nc", self.weight, turns).reshape(-1, 3, 3)
        return (base + rotate(turn, self.offset) * posed.scale).astype(np.float32), turn


def rotate(turn: F32, v: F32) -> F32:
    """[N,3,3] applied to [N,3]."""
    return np.einsum("nij,nj->ni", turn, v).astype(np.float32)


@dataclass(frozen=True)
class Trunk:
    """A part of the base mesh by itself: index [N] of its vertices, rest [N,3], tri [F,3], smoothers."""

    index: I32
    rest: F32
    tri: I32
    touch: sp.csr_matrix
    average: sp.csr_matrix


def under_jaw(rest: F32) -> NDArray[np.float32]:
    """1 on chin and jaw [V], which are as low as a collar is high; 0 on neck and chest."""
    return smoothstep(0.077, 0.092, rest[:, 2]) * smoothstep(0.583, 0.6, rest[:, 1])


class Anchors:
    """Where things can be fixed: the skin of head and trunk, its smooth normals, arms measured."""

    def __init__(self, figure: Figure) -> None:
        from scipy.spatial import cKDTree

        self.figure = figure
        rest, source = figure.template, np.unique(figure.skin.source)
        hand = np.unique(figure.topology.mesh.tri[figure.part_faces(("hand.L", "hand.R"))])
        trunk = source[(rest[source, 1] > 0.0) & (figure.ears[source] < 0.3) & ~np.isin(source, hand)]
        mouth = (np.abs(rest[trunk, 0]) < 0.03) & (rest[trunk, 2] < 0.1) & (rest[trunk, 1] > 0.63)
        trunk = trunk[~(mouth & (rest[trunk, 1] < 0.69) & (rest[trunk, 2] > 0.04))]
        self.source = trunk.astype(np.int32)
        self.points = rest[trunk]
        normals = vertex_normals(rest, figure.topology.mesh.tri, figure.touch)
        for _ in range(4):
            normals = figure.average @ normals
        self.normals = unit(normals)[trunk]
        self.tree = cKDTree(self.points)
        # Clothes hang on the trunk and the root of the neck: a turned head must not take them along.
        low = trunk[
            (rest[trunk, 1] < 0.618) & (rest[trunk, 2] < 0.09 + 2 * np.maximum(0.6 - rest[trunk, 1], 0))
        ]
        self._low, self._low_tree = low.astype(np.int32), cKDTree(rest[low])
        front = self.points[
            (self.points[:, 2] > 0.0) & (self.points[:, 1] < 0.62) & (self.normals[:, 2] > 0.1)
        ]
        self._front, self._front_tree = front[:, 2], cKDTree(front[:, :2])

    def bind(self, points: NDArray, k: int = 8, spread: float = 0.012, trunk: bool = False) -> Bind:
        """Fix points [N,3], given at rest, to the skin around them; `trunk`: to that below the neck only."""
        tree, source = (self._low_tree, self._low) if trunk else (self.tree, self.source)
        distance, near = tree.query(points, k=k)
        weight = 1.0 / (distance**2 + spread**2) ** 2
        weight = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
        index = source[near]
        base = np.einsum("nk,nkc->nc", weight, self.figure.template[index])
        return Bind(index, weight, (points - base).astype(np.float32))

    def front(self, xy: NDArray) -> NDArray:
        """Height z of the chest [N] in front of points [N,2] of the template's x, y plane."""
        distance, near = self._front_tree.query(xy, k=8)
        weight = 1.0 / (distance**2 + 0.01**2) ** 2
        return (weight * self._front[near]).sum(1) / weight.sum(1)

    def _cloth(self, low: float, high: float) -> Trunk:
        figure, rest = self.figure, self.figure.template
        tri = figure.topology.mesh.tri[figure.part_faces(("none", "head", "body"))]
        keep = (rest[tri, 1] > low).all(1) & (rest[tri, 1] < high).all(1)
        index, local = compact(tri[keep], len(rest))
        size = len(index)
        return Trunk(index, rest[index], local, incidence(local, size), neighbours(local, size))

    @cached_property
    def trunk(self) -> Trunk:
        """The skin that tops are made from."""
        return self._cloth(-0.45, 0.7)

    @cached_property
    def legs(self) -> Trunk:
        """The skin that trousers are made from."""
        return self._cloth(-0.79, 0.14)

    @cached_property
    def neck_edges(self) -> tuple[I32, I32]:
        """Edges [E], [E] of the skin around the neck and on the shoulders, without the jaw."""
        figure, rest = self.figure, self.figure.template
        tri = figure.topology.mesh.tri[figure.skin_faces]
        pair = np.concatenate([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]])
        p = rest[pair]
        keep = (p[..., 1] > 0.4) & (p[..., 1] < 0.66) & (np.abs(p[..., 0]) < 0.17)
        keep &= (under_jaw(p.reshape(-1, 3)) < 0.3).reshape(-1, 2)
        a, b = np.unique(np.sort(pair[keep.all(1)], 1), axis=0).T
        return a, b

    @cached_property
    def arm(self) -> NDArray[np.float32]:
        """[V] metres along the arm from the shoulder (about 0.22 elbow, 0.46 wrist); below 0 elsewhere."""
        figure, rest = self.figure, self.figure.template
        bones = [k for k, name in enumerate(figure.topology.bones) if name.startswith(ARM)]
        weight = np.asarray(figure.bone_weights[:, bones].sum(1)).ravel()
        p = np.abs(rest[:, :1]) * [[1, 0, 0]] + rest * [[0, 1, 1]]
        upper = (p - SHOULDER) @ unit(ELBOW - SHOULDER)
        fore = (p - ELBOW) @ unit(WRIST - ELBOW)
        # The two lengths meet over the bend of the elbow, so that a sleeve's edge is one line.
        blend = smoothstep(-0.04, 0.04, (fore + upper - UPPER).astype(np.float32))
        along = np.minimum(upper, UPPER) * (1 - blend) + (UPPER + fore) * blend
        return (along * weight - 0.12 * (1 - weight)).astype(np.float32)
