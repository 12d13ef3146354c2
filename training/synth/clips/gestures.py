"""Arms of a clip: hands that rest, talk, wave, or meet the chin, the glasses, the hair.

A hand is led in space (a place, a palm, an elbow's direction) and the joints follow by inverse
kinematics, so that it meets the chin of this very body while the head moves. Axes are anny's: x to
the person's left, y back, z up; metres. Everything is given for the left side and mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from training.synth.clips.curves import F64, bump, wander
from training.synth.clips.holds import GESTURES, HOLD_TIME, RESTS, Hold, busy
from training.synth.clips.reach import (
    NECK,
    SPINE,
    Deltas,
    Hand,
    Stance,
    about,
    bend_arm,
    curl_fingers,
    follow,
    frame,
    measure,
    mirrored,
    split_hand,
    unit,
)


@dataclass(frozen=True)
class Body:
    """Where the trunk is, frame by frame: turns [T,3,3] and places [T,3] of chest, shoulder and head."""

    chest: F64
    shoulder: F64
    head: F64
    head_place: F64


@dataclass(frozen=True)
class Arm:
    """One way to hold an arm: wrist from shoulder and elbow direction in chest axes [T,3]; hand turns."""

    reach: F64
    pole: F64
    twist: F64
    wrist: F64


def hold_arm(stance: Stance, hand: Hand, body: Body, hold: Hold, side: int, swing: F64, move: F64) -> Arm:
    """Bring the hand to where `hold` wants it, as far as the wrist's limits allow."""
    turn = body.head if hold.frame == "head" else body.chest
    local = frame(unit(mirrored(hold.fingers, side)), unit(mirrored(hold.palm, side)))
    palm = turn @ local[:, 1]
    at_rest = frame(hand.fingers, hand.palm)
    wanted = (
        Rotation.from_rotvec(np.radians(side * swing)[:, None] * palm).as_matrix() @ turn @ local @ at_rest.T
    )
    offset = mirrored(hold.place, side) + move * np.array([side, 1, 1])
    if hold.frame == "head":
        mark = stance.marks[hold.mark] * np.array([side, 1, 1]) - stance.heads["head"]
        goal = body.head_place + np.einsum("tij,tj->ti", turn, mark + offset)
    else:
        place = mirrored(hold.place, side) * hand.length + move * np.array([side, 1, 1])
        goal = body.shoulder + np.einsum("tij,tj->ti", turn, place)
    pole = np.broadcast_to(body.chest @ unit(mirrored(hold.pole, side)), goal.shape)
    point, got = hand.points[hold.point], wanted
    for _ in range(3):  # the limits of the wrist move the point of contact, which moves the arm
        reach = goal - got @ point - body.shoulder
        upper, elbow = bend_arm(hand, reach, pole)
        low = upper @ elbow
        twist, wrist = split_hand(hand, low.swapaxes(-1, -2) @ wanted)
        got = low @ twist @ wrist
    back = body.chest.swapaxes(-1, -2)
    return Arm(np.einsum("tij,tj->ti", back, reach), np.einsum("tij,tj->ti", back, pole), twist, wrist)


def between(a: F64, b: F64, share: F64) -> F64:
    """Rotations [T,3,3] on the way from `a` (share 0) to `b` (share 1)."""
    step = Rotation.from_matrix(a.swapaxes(-1, -2) @ b).as_rotvec()
    return a @ Rotation.from_rotvec(share[:, None] * step).as_matrix()


def draw_hold_time(rng: np.random.Generator, name: str, last: float) -> tuple[float, float, float, float]:
    """(start, rise, hold, fall) of a gesture so that a clip of `last` seconds shows some of it."""
    rise, fall = rng.uniform(0.55, 0.95, 2)
    hold = HOLD_TIME[name] * rng.uniform(0.6, 1.4)
    start = rng.uniform(-rise - 0.9 * hold - 0.2 * fall, 0.6 * last)
    return float(start), float(rise), float(hold), float(fall)


def draw_arm(
    rng: np.random.Generator,
    stance: Stance,
    deltas: Deltas,
    t: F64,
    side: int,
    rest: str,
    gesture: str,
    lift: F64,
    stresses: list[float],
) -> None:
    """One arm (side 1 left, -1 right) over the times `t`: adds its bones to `deltas`.

    deltas holds spine and neck already; lift: [T] degrees by which breathing and shrugs raise the
    shoulder; stresses: times of stressed syllables, which hands accompany.
    """
    tag = ".L" if side > 0 else ".R"
    hand = measure(stance, side, tag)
    span = draw_hold_time(rng, gesture, float(t[-1])) if gesture != "none" else (0.0, 1.0, 0.0, 1.0)
    weight = bump(t, *span) if gesture != "none" else np.zeros(t.shape)
    high = {"hair": 11.0, "wave": 5.0, "glasses": 5.0, "raise": 7.0}.get(gesture, 0.0)
    deltas["clavicle" + tag] = about(np.array([0, 1.0, 0]), -side * (lift + high * weight))
    still, root = np.tile(np.eye(3), (len(t), 1, 1)), np.tile(stance.heads["root"], (len(t), 1))
    chest, place = follow(stance, deltas, SPINE, still, root)
    chain = ("spine01", *(n + tag for n in ("clavicle", "shoulder01", "upperarm01")))
    below = {k: v for k, v in deltas.items() if k != "spine01"}
    _, shoulder = follow(stance, below, chain, chest, place)
    head, head_place = follow(stance, below, ("spine01", *NECK), chest, place)
    body = Body(chest, shoulder, head, head_place)
    jitter = 0.02 * np.stack([wander(rng, t, 0.12) for _ in range(3)], 1) + rng.normal(0, 0.03, 3)
    arm = hold_arm(stance, hand, body, RESTS[rest], side, wander(rng, t, 0.8) + rng.normal(0, 6), jitter)
    curl = [np.full(t.shape, c) for c in RESTS[rest].curl]
    if gesture != "none":
        swing, move = busy(rng, gesture, t, span[0] + span[1], stresses)
        move = move + rng.normal(0, 0.008 if GESTURES[gesture].frame == "head" else 0.03, 3)
        other = hold_arm(stance, hand, body, GESTURES[gesture], side, swing, move)
        arc = (4 * weight * (1 - weight))[:, None] * np.array([side * 0.05, -0.13, -0.02]) * 0.5
        arm = Arm(
            arm.reach + weight[:, None] * (other.reach - arm.reach) + arc,
            arm.pole + weight[:, None] * (other.pole - arm.pole),
            between(arm.twist, other.twist, weight),
            between(arm.wrist, other.wrist, weight),
        )
        curl = [c + weight * (g - c) for c, g in zip(curl, GESTURES[gesture].curl, strict=True)]
    out = chest @ deltas["clavicle" + tag]
    upper, elbow = bend_arm(
        hand, np.einsum("tij,tj->ti", chest, arm.reach), np.einsum("tij,tj->ti", chest, arm.pole)
    )
    deltas["upperarm01" + tag] = out.swapaxes(-1, -2) @ upper
    deltas["lowerarm01" + tag] = elbow
    deltas["lowerarm02" + tag] = arm.twist
    deltas["wrist" + tag] = arm.wrist
    curl_fingers(hand, tag, *(c + wander(rng, t, 1.2) for c in curl), rng.normal(0, 6, 5), deltas)
