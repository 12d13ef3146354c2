"""Where the camera stands: webcam framing of a head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.synth.gl import View
from training.synth.meshes import F32

HEAD = 0.25  # metres, chin to crown
STEPS = 6  # of at most 0.6 metres back


def rotate(axis: int, degrees: float) -> F32:
    """3x3 rotation about x (0), y (1) or z (2)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    out = np.eye(3)
    out[i, i], out[i, j], out[j, i], out[j, j] = c, -s, s, c
    return out.astype(np.float32)


def draw_view(rng: np.random.Generator, head: F32, aspect: float) -> tuple[View, float]:
    """A random camera for a person whose head is at `head` [3]; returns it and the distance in metres."""
    wide = float(np.tan(np.radians(rng.uniform(50, 95)) / 2))
    tall = wide / aspect
    kind = rng.choice(3, p=[0.62, 0.13, 0.25])
    share = [rng.uniform(0.26, 0.52), rng.uniform(0.15, 0.26), rng.uniform(0.5, 0.95)][kind]
    distance = float(np.clip(HEAD / (2 * tall * share), 0.3, 1.9))
    share = HEAD / (2 * tall * distance)
    turn = rng.uniform(-180, 180) if rng.random() < 0.07 else rng.normal(0, 17)
    tilt = rng.normal(-2, 9)
    rot = rotate(2, rng.normal(0, 3)) @ rotate(0, tilt) @ rotate(1, turn)
    room = max(1.0 - share, 0.12)
    across = float(np.clip(rng.normal(0, 0.22), -0.9, 0.9)) * (1.4 if rng.random() < 0.12 else 0.9)
    up = room * rng.uniform(-0.1, 0.95) if rng.random() < 0.87 else rng.uniform(-0.7, 1.0)
    target = np.array([across * wide, up * tall, -1.0], np.float32) * distance
    view = np.eye(4, dtype=np.float32)
    view[:3, :3] = rot
    view[:3, 3] = target - rot @ head
    # Wide webcams bend straight lines outward, a little; what corrects itself may overshoot.
    lens = float(np.clip(rng.normal(-0.03, 0.04), -0.12, 0.04)) if rng.random() < 0.6 else 0.0
    return View(view, (wide, tall), lens), distance


def step_back(view: View, points: F32, nearest: float = 0.16) -> View:
    """The camera moved back so far that none of `points` [N,3] that it may see is nearer than `nearest`
    metres: a hand before the lens must not be cut open by the near plane. At most 0.6 metres at a time; on
    while anything before the lens is still too near, in STEPS. What is behind it after the first is not seen.
    """
    for step in range(STEPS):
        turn, shift = view.view[:3, :3], view.view[:3, 3]
        z = -(points @ turn[2] + shift[2])
        close = np.flatnonzero(z < nearest - 1e-4)
        side = np.abs(points[close] @ turn[:2].T + shift[:2]) < 1.2 * nearest * np.array(view.tan_half)
        inside = close[side[:, 0] & side[:, 1]]
        if not len(inside) or (step and z[inside].max() <= 0):
            break
        moved = view.view.copy()
        moved[2, 3] -= min(nearest - float(z[inside].min()), 0.6)
        view = replace(view, view=moved)
    return view
