"""Kinematics of anny's skeleton: where a bone goes, and how an arm bends so that a hand gets somewhere.

Axes are anny's: x to the person's left, y back, z up; metres. Rotations are relative to the body
posed with identity rotations, whose joints a `Stance` holds: there a bone's absolute rotation is
the product of the relative ones along its chain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from training.synth.clips.curves import F64, soft_clip

Deltas = dict[str, F64]  # bone -> [T,3,3] rotation in anny's reference axes
SPINE = ("root", "spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "neck02", "neck03", "head")
MARKS = ("chin", "bridge", "jaw", "side", "top")


@dataclass(frozen=True)
class Stance:
    """A body at rest (posed with identity rotations), anny axes, metres.

    heads: bone -> [3] where it begins; marks: points of the skin -> [3]: chin, bridge (of the
    nose, between the eyes), and on the person's left: jaw (cheek), side (temple), top.
    """

    heads: dict[str, F64]
    marks: dict[str, F64]


def mirrored(v: NDArray, side: int) -> F64:
    """A direction or place given for the left side, for side 1 (left) or -1 (right)."""
    return np.asarray(v, np.float64) * np.array([side, 1.0, 1.0])


def unit(v: F64) -> F64:
    """Rows of length one."""
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def about(axis: NDArray, degrees: F64 | float) -> F64:
    """Rotations [T,3,3] about one axis [3] by angles [T]."""
    return Rotation.from_rotvec(np.radians(np.atleast_1d(degrees))[:, None] * np.asarray(axis)).as_matrix()


def frame(first: F64, second: F64) -> F64:
    """Right-handed frames [...,3,3]: columns `first`, `second` made perpendicular to it, their cross."""
    a = unit(first)
    b = unit(second - (second * a).sum(-1, keepdims=True) * a)
    return np.stack([a, b, np.cross(a, b)], -1)


def follow(stance: Stance, deltas: Deltas, chain: tuple[str, ...], turn: F64, place: F64) -> tuple[F64, F64]:
    """Forward kinematics along `chain` (the first bone stands at `place` [T,3] under `turn` [T,3,3])."""
    before = None
    for name in chain:
        if before is not None:
            place = place + np.einsum("tij,j->ti", turn, stance.heads[name] - stance.heads[before])
        if name in deltas:
            turn = turn @ deltas[name]
        before = name
    return turn, place


@dataclass(frozen=True)
class Hand:
    """The resting hand and arm of one side, from a stance: the vectors that kinematics needs."""

    upper: F64  # shoulder to elbow
    fore: F64  # elbow to wrist
    fingers: F64  # unit, wrist to middle knuckle
    palm: F64  # unit, out of the palm
    points: dict[str, F64]  # from the wrist

    @property
    def length(self) -> float:
        """Arm length, shoulder to wrist, metres."""
        return float(np.linalg.norm(self.upper) + np.linalg.norm(self.fore))


def measure(stance: Stance, side: int, tag: str) -> Hand:
    """Arm and hand vectors of a resting body."""
    h = {n: stance.heads[n + tag] for n in ("upperarm01", "lowerarm01", "wrist", "finger2-1", "finger2-3")}
    middle, little, tip = (stance.heads[n + tag] for n in ("finger3-1", "finger5-1", "finger3-3"))
    fingers = unit(middle - h["wrist"])
    palm = np.cross(fingers, h["finger2-1"] - little) * side
    palm = unit(palm - (palm @ fingers) * fingers)
    points = {
        "wrist": np.zeros(3),
        "palm": 0.7 * (middle - h["wrist"]) + 0.012 * palm,
        "knuckle": 0.5 * (middle + tip) - h["wrist"] - 0.01 * palm,
        "tip": h["finger2-3"] - h["wrist"] + 0.02 * unit(h["finger2-3"] - h["finger2-1"]),
    }
    upper, fore = h["lowerarm01"] - h["upperarm01"], h["wrist"] - h["lowerarm01"]
    return Hand(upper, fore, fingers, palm, points)


def bend_arm(hand: Hand, reach: F64, pole: F64) -> tuple[F64, F64]:
    """Two-bone inverse kinematics: rotations [T,3,3] of upper arm (absolute) and elbow (relative).

    reach: [T,3] shoulder to wrist; pole: [T,3] direction toward which the elbow points.
    """
    u, f = np.linalg.norm(hand.upper), np.linalg.norm(hand.fore)
    share = np.linalg.norm(reach, axis=-1) / (u + f)
    share = 0.5 * (share + 0.30 + np.hypot(share - 0.30, 0.06))  # a smooth "at least"
    far = 0.5 * (u + f) * (share + 0.98 - np.hypot(share - 0.98, 0.03))  # and "at most"
    angle = np.arccos(np.clip((far**2 - u**2 - f**2) / (2 * u * f), -1, 1))
    normal = unit(np.cross(hand.upper, hand.fore))
    at_rest = np.arccos(np.clip(hand.upper @ hand.fore / (u * f), -1, 1))
    elbow = about(normal, np.degrees(angle - at_rest))
    whole = hand.upper + elbow @ hand.fore
    rest = frame(whole, np.cross(normal, whole))  # the elbow is on the negative side of the second axis
    return frame(reach, -pole) @ rest.swapaxes(-1, -2), elbow


def split_hand(hand: Hand, turn: F64) -> tuple[F64, F64]:
    """Share a hand's rotation relative to the forearm [T,3,3] between forearm twist and wrist.

    Limits: about 85 degrees of twist and 60 of bend, approached smoothly.
    """
    axis = unit(hand.fore)
    q = Rotation.from_matrix(turn).as_quat()
    q *= np.where(q[:, 3:] < 0, -1, 1)
    twist = soft_clip(2 * np.degrees(np.arctan2(q[:, :3] @ axis, q[:, 3])), 85.0)
    pure = Rotation.from_matrix(about(axis, 2 * np.degrees(np.arctan2(q[:, :3] @ axis, q[:, 3]))))
    bend = (Rotation.from_quat(q) * pure.inv()).as_rotvec()
    size = np.linalg.norm(bend, axis=1, keepdims=True)
    bend = bend * np.tanh(size) / np.maximum(size, 1e-9)  # one radian at most
    first, rest = about(axis, 0.55 * twist), about(axis, 0.45 * twist)
    wrist = first.swapaxes(-1, -2) @ Rotation.from_rotvec(bend).as_matrix() @ first @ rest
    return first, wrist


def curl_fingers(hand: Hand, tag: str, index: F64, others: F64, spread: NDArray, deltas: Deltas) -> None:
    """Bend every finger's joints toward the palm by degrees [T] (index and the rest), the thumb a little."""
    axis = np.cross(hand.fingers, hand.palm)
    for finger in range(1, 6):
        for joint in range(1, 4):
            bend = index if finger == 2 else others
            gain = 0.35 if finger == 1 else (0.9, 1.0, 0.7)[joint - 1]
            turned = about(axis, gain * (bend + spread[finger - 1]) - (8 if finger > 1 else 4))
            deltas[f"finger{finger}-{joint}{tag}"] = turned
