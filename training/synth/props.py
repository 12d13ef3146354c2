"""Small solids worn on the head, built from tubes and ellipsoids in template coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synth.meshes import F32, I32, unit

EYE_MIDDLE = np.array([0.0, 0.728, 0.131], np.float32)


@dataclass(frozen=True)
class Solid:
    """points [N,3], normals [N,3] float32, tri [F,3] int32."""

    points: F32
    normals: F32
    tri: I32


def merge(parts: list[Solid]) -> Solid:
    """Several solids as one."""
    shift = np.cumsum([0] + [len(p.points) for p in parts[:-1]])
    tri = np.concatenate([p.tri + s for p, s in zip(parts, shift, strict=True)])
    return Solid(
        np.concatenate([p.points for p in parts]),
        np.concatenate([p.normals for p in parts]),
        tri.astype(np.int32),
    )


def tube(path: NDArray, radius: float, closed: bool, sides: int = 6, flat: float = 1.0) -> Solid:
    """A round tube along `path` [N,3]; `flat` < 1 squeezes it along z."""
    n = len(path)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    if not closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    ahead = unit(ahead)
    side = unit(np.cross(ahead, np.where(np.abs(ahead[:, 2:3]) < 0.9, [[0, 0, 1.0]], [[1.0, 0, 0]])))
    up = np.cross(side, ahead)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = side[:, None] * np.cos(angle)[None, :, None] + up[:, None] * np.sin(angle)[None, :, None]
    points = path[:, None] + radius * ring * np.array([1, 1, flat])
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


def glasses(rng: np.random.Generator) -> tuple[Solid, Solid]:
    """Frame and lenses of random shape, as worn on the template's head."""
    half = np.array([rng.uniform(0.022, 0.029), rng.uniform(0.015, 0.024)])
    power = rng.uniform(2.0, 5.0)  # 2 round .. 5 nearly rectangular
    thick = rng.uniform(0.0008, 0.003)
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    shape = np.stack([np.cos(angle), np.sin(angle)], 1)
    shape = shape / (np.abs(shape) ** power).sum(1, keepdims=True) ** (1 / power) * half
    drop, ahead = rng.uniform(-0.004, 0.006), rng.uniform(0.151, 0.158)
    parts, lens = [], []
    for side in (-1, 1):
        centre = np.array([side * 0.033, 0.726 - drop, ahead])
        rim = np.concatenate([shape, np.zeros((28, 1))], 1) + centre
        rim[:, 2] -= 0.25 * np.maximum(np.abs(rim[:, 0]) - 0.03, 0)
        parts.append(tube(rim, thick, True))
        hinge = centre + np.array([side * half[0], 0.4 * half[1], -0.006])
        ear = np.array([side * 0.083, 0.732, 0.045])
        parts.append(tube(np.linspace(hinge, ear, 6), thick, False, 5))
        fan = np.concatenate([rim, centre[None]])
        tri = np.stack([np.arange(28), (np.arange(28) + 1) % 28, np.full(28, 28)], 1)
        lens.append(Solid(fan.astype(np.float32), np.tile([[0.0, 0, 1]], (29, 1)).astype(np.float32), tri))
    bridge = np.array(
        [[-0.033 + half[0], 0.73, ahead], [0, 0.733, ahead + 0.004], [0.033 - half[0], 0.73, ahead]]
    )
    parts.append(tube(bridge - [0, drop, 0], thick, False, 5))
    return merge(parts), merge(lens)


def headphones(rng: np.random.Generator) -> Solid:
    """A band over the head and two cups on the ears."""
    angle = np.linspace(0.02, np.pi - 0.02, 24)
    wide, high = rng.uniform(0.092, 0.1), rng.uniform(0.142, 0.152)
    depth = rng.uniform(0.03, 0.06)
    arc = np.stack([wide * np.cos(angle), 0.72 + high * np.sin(angle), np.full(24, depth)], 1)
    cup = np.array([rng.uniform(0.012, 0.022), rng.uniform(0.03, 0.042), rng.uniform(0.026, 0.036)])
    parts = [tube(arc, rng.uniform(0.004, 0.011), False, 8)]
    parts += [ellipsoid(np.array([side * 0.092, 0.715, depth]), cup) for side in (-1, 1)]
    return merge(parts)


def wear(points: F32, eyes: F32, turn: F32, scale: float) -> F32:
    """Template coordinates [N,3] -> the posed head: eyes [3] = middle of the posed eyes, turn [3,3]."""
    return (eyes + (points - EYE_MIDDLE) * scale @ turn.T).astype(np.float32)
