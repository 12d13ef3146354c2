"""Hands of single pictures that are led somewhere: to the face, or up before it and the chest.

Arms drawn joint by joint (people/poses.py) hardly ever meet a face, and a hand before a face is where light
is hardest: it stands out by a hand's breadth, and throws the shadow that one looks at. Axes are anny's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.synth.clips.curves import F64
from training.synth.clips.gestures import Body, hold_arm
from training.synth.clips.holds import GESTURES, Hold
from training.synth.clips.reach import (
    NECK,
    SPINE,
    Deltas,
    Hand,
    Stance,
    bend_arm,
    curl_fingers,
    follow,
    measure,
    mirrored,
    unit,
)

HOLDS = {"chin": 0.16, "cheek": 0.09, "glasses": 0.06, "hair": 0.05, "mouth": 0.12, "before": 0.52}
"""Where a led hand goes, and how often."""
MOUTH = Hold(
    "head",
    "chin",
    (0.0, -0.045, 0.03),
    "knuckle",
    (-0.6, 0.1, 0.75),
    (-0.1, 0.98, 0.1),
    (0.4, -0.5, -1),
    (50, 58),
)
SHAPES = {"flat": ((0, 14), (0, 14)), "relaxed": ((12, 35), (18, 40)), "fist": ((55, 75), (58, 75)),
          "pointing": ((0, 12), (55, 75)), "claw": ((28, 45), (28, 45))}  # fmt: skip
"""Degrees of each joint of the index finger, and of the others: ranges."""
HEAD_CLEAR = 0.17  # metres between a palm and the middle of a head, at least
BOTH = 0.3  # of those who lead a hand lead both


def draw_hold(rng: np.random.Generator) -> tuple[str, Hold]:
    """A name and where the left hand goes; directions and fingers somewhat off each time."""
    name = str(rng.choice(list(HOLDS), p=list(HOLDS.values())))
    if name == "before":
        return name, draw_before(rng)
    base = MOUTH if name == "mouth" else GESTURES[name]
    fingers, palm = (tuple(unit(np.array(v) + rng.normal(0, 0.18, 3))) for v in (base.fingers, base.palm))
    place = tuple(np.array(base.place) + rng.normal(0, 0.01, 3) - (0, abs(rng.normal(0, 0.012)), 0))
    curl = draw_curl(rng) if rng.random() < 0.4 else tuple(c + rng.normal(0, 8) for c in base.curl)
    return name, Hold(base.frame, base.mark, place, base.point, fingers, palm, base.pole, curl)


def draw_before(rng: np.random.Generator) -> Hold:
    """A palm somewhere before chest, neck or face, turned as hands are that talk or sign."""
    place = rng.uniform(-0.42, 0.22), -0.32 - 0.45 * rng.beta(1.3, 1.7), rng.uniform(-0.5, 0.55)
    fingers = unit(rng.normal(0, 0.55, 3) + np.array([-0.35, -0.25, 0.75]))
    palm = unit(rng.normal(0, 1.0, 3) + np.array([-0.3, 0.0, 0.0]))
    pole = tuple(rng.normal(0, 0.2, 3) + np.array([0.7, 0.2, -0.8]))
    return Hold("chest", "", place, "palm", tuple(fingers), tuple(palm), pole, draw_curl(rng))


def draw_curl(rng: np.random.Generator) -> tuple[float, float]:
    """Bend of the index finger's joints and of the others', degrees."""
    index, others = SHAPES[str(rng.choice(list(SHAPES)))]
    return float(rng.uniform(*index)), float(rng.uniform(*others))


def clear(stance: Stance, body: Body, hand: Hand, hold: Hold, side: int) -> bool:
    """Whether a palm held before the chest's frame stays out of the head."""
    if hold.frame == "head":
        return True
    goal = body.shoulder[0] + body.chest[0] @ (mirrored(np.array(hold.place), side) * hand.length)
    middle = 0.5 * (stance.marks["chin"] + stance.marks["bridge"]) + np.array([0, 0.08, 0.02])
    head = body.head_place[0] + body.head[0] @ (middle - stance.heads["head"])
    return bool(np.linalg.norm(goal - head) > HEAD_CLEAR)


def lead_arm(rng: np.random.Generator, stance: Stance, deltas: Deltas, side: int) -> str:
    """One arm (side 1 left, -1 right) led somewhere: its bones in `deltas`, which has spine, neck and
    clavicles. Returns where."""
    tag = ".L" if side > 0 else ".R"
    hand = measure(stance, side, tag)
    still, root = np.eye(3)[None], stance.heads["root"][None]
    chest, place = follow(stance, deltas, SPINE, still, root)
    below = {k: v for k, v in deltas.items() if k != "spine01"}
    chain = ("spine01", *(n + tag for n in ("clavicle", "shoulder01", "upperarm01")))
    _, shoulder = follow(stance, {k: v for k, v in below.items() if "arm" not in k}, chain, chest, place)
    head, head_place = follow(stance, below, ("spine01", *NECK), chest, place)
    body = Body(chest, shoulder, head, head_place)
    name, hold = draw_hold(rng)
    for _ in range(20):
        if clear(stance, body, hand, hold, side):
            break
        hold = draw_before(rng)
    none: F64 = np.zeros((1, 3))
    arm = hold_arm(stance, hand, body, hold, side, rng.normal(0, 12, 1), none)
    out = chest @ deltas["clavicle" + tag]
    upper, elbow = bend_arm(hand, arm.reach @ chest[0].T, arm.pole @ chest[0].T)
    deltas["upperarm01" + tag] = out.swapaxes(-1, -2) @ upper
    deltas["lowerarm01" + tag] = elbow
    deltas["lowerarm02" + tag] = arm.twist
    deltas["wrist" + tag] = arm.wrist
    curl = (np.full(1, c + rng.normal(0, 4)) for c in hold.curl)
    curl_fingers(hand, tag, *curl, rng.normal(0, 8, 5), deltas)
    return name


def lead(
    rng: np.random.Generator,
    model: Any,
    shapes: list[NDArray],
    locals_: list[NDArray],
    poses: list[NDArray],
    share: float,
) -> list[str]:
    """Lead a hand, or both, of about `share` of some bodies: `poses` N of [J,4,4] (anny's reference axes) is
    changed in place. Shapes [11], local changes [L]. Returns where hands went, "" for nowhere."""
    from training.synth.clips.clipbank import find_stance

    told = []
    for k in range(len(poses)):
        if rng.random() >= share:
            told.append("")
            continue
        stance = find_stance(model, shapes[k], locals_[k])
        bones = {name: number for number, name in enumerate(model.bone_labels)}
        deltas: Deltas = {
            name: poses[k][bones[name], :3, :3][None].astype(np.float64)
            for name in (*SPINE, *NECK, "clavicle.L", "clavicle.R")
        }
        first = 1 if rng.random() < 0.5 else -1
        sides = (first, -first) if rng.random() < BOTH else (first,)
        told.append("+".join(lead_arm(rng, stance, deltas, side) for side in sides))
        for name, turn in deltas.items():
            poses[k][bones[name], :3, :3] = turn[0]
    return told
