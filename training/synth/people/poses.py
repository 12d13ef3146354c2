"""Poses: how a body bends its head and trunk, and what its arms and fingers do, drawn at random.

Axes: anny's, z up, facing -y, x to the person's left; angles in degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HEAD_SHARE = {"neck01": 0.15, "neck02": 0.2, "neck03": 0.25, "head": 0.4}
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
ELBOW_AXIS = np.array([-0.75, -0.06, -0.66]) / np.linalg.norm([0.75, 0.06, 0.66])


def rotation(axis: NDArray, degrees: float) -> NDArray:
    """Rodrigues: 3x3 rotation about a unit axis."""
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


def euler(pitch: float, yaw: float, roll: float) -> NDArray:
    """Degrees in anny axes: + pitch nods down, + yaw turns to the person's left, + roll tilts."""
    eye = np.eye(3)
    return rotation(eye[2], yaw) @ rotation(eye[0], pitch) @ rotation(eye[1], roll)


def draw_pose(rng: np.random.Generator, bones: list[str]) -> tuple[NDArray, dict[str, float]]:
    """Random pose: rotations [J,4,4] in anny's reference axes, and a description."""
    pose = np.tile(np.eye(4), (len(bones), 1, 1))
    where = {name: k for k, name in enumerate(bones)}
    yaw = rng.uniform(-75, 75) if rng.random() < 0.3 else rng.normal(0, 18)
    bent = rng.random()  # some heads are bent far back, fewer far down
    pitch = rng.uniform(-40, -12) if bent < 0.13 else rng.uniform(12, 36) if bent < 0.22 else rng.normal(0, 9)
    roll = rng.uniform(-42, 42) if rng.random() < 0.2 else rng.normal(0, 7)
    for name, share in HEAD_SHARE.items():
        pose[where[name], :3, :3] = euler(pitch * share, yaw * share, roll * share)
    lean, twist, side = rng.normal(2, 9), rng.normal(0, 9), rng.normal(0, 6)
    for name in SPINE:
        pose[where[name], :3, :3] = euler(lean / 5, twist / 5, side / 5)
    for mirror, tag in ((1, ".L"), (-1, ".R")):
        _draw_arm(rng, pose, where, mirror, tag)
    for k, name in enumerate(bones):
        if name.startswith("finger"):
            axis = rng.normal(size=3)
            pose[k, :3, :3] = rotation(axis / np.linalg.norm(axis), rng.normal(0, 9))
    return pose, {"yaw": float(yaw), "pitch": float(pitch), "roll": float(roll)}


def _draw_arm(rng: np.random.Generator, pose: NDArray, where: dict[str, int], mirror: int, tag: str) -> None:
    """One arm: hanging, typing, gesturing, or a hand up at the face."""
    kind = rng.choice(["down", "typing", "free", "up"], p=[0.4, 0.3, 0.18, 0.12])
    lower, swing, bend = {
        "down": (rng.uniform(20, 38), rng.normal(-5, 8), rng.uniform(-35, 10)),
        "typing": (rng.uniform(15, 36), rng.uniform(-40, -5), rng.uniform(-10, 45)),
        "free": (rng.uniform(-35, 35), rng.uniform(-60, 10), rng.uniform(-20, 80)),
        "up": (rng.uniform(20, 40), rng.uniform(-65, -25), rng.uniform(70, 105)),
    }[str(kind)]
    axis = ELBOW_AXIS * np.array([1, mirror, mirror])
    eye = np.eye(3)
    shoulder = rotation(eye[0], swing) @ rotation(eye[1], mirror * lower)
    shoulder = shoulder @ rotation(eye[2], mirror * rng.normal(0, 8))
    pose[where["upperarm01" + tag], :3, :3] = shoulder
    pose[where["lowerarm01" + tag], :3, :3] = rotation(axis, bend)
    pose[where["clavicle" + tag], :3, :3] = rotation(eye[1], -mirror * rng.normal(0, 6))
    pose[where["wrist" + tag], :3, :3] = euler(rng.normal(0, 15), rng.normal(0, 15), rng.normal(0, 15))
