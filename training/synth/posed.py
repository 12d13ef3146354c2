"""A posed body and everything derived from it once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synth.figure import Figure
from training.synth.meshes import F32, vertex_normals


@dataclass(frozen=True)
class Posed:
    """A body and everything derived from it once."""

    vertices: F32
    normals: F32
    labels: F32
    turns: F32
    head_turn: F32
    eyes: F32
    centre: F32
    scale: float


def prepare(figure: Figure, vertices: F32, bone_turn: F32) -> Posed:
    """Normals and the head's frame of a posed body."""
    normals = vertex_normals(vertices, figure.topology.mesh.tri, figure.touch)
    eyes = vertices[figure.eyes.source].mean(0)
    wide = np.linalg.norm(vertices[5399] - vertices[11998]) / np.linalg.norm(
        figure.template[5399] - figure.template[11998]
    )
    turn = bone_turn[figure.head_bone]
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
    )
