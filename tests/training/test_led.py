"""Hands that single pictures lead to the face or before it; and crops round them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.puppet import BONES, STANCE, Puppet
from training.data import HAND_METRES, hand_box, hand_of
from training.synth.clips import led
from training.synth.clips.gestures import Body
from training.synth.clips.reach import NECK, SPINE, follow, measure
from training.synth.parts import PARTS
from training.synth.people.poses import draw_pose

ARM = ("upperarm01", "lowerarm01", "lowerarm02", "wrist")


def posed(seed: int) -> np.ndarray:
    pose, _ = draw_pose(np.random.default_rng(seed), BONES)
    return pose


def turns(pose: np.ndarray) -> dict[str, np.ndarray]:
    return {name: pose[k, :3, :3][None] for k, name in enumerate(BONES)}


def body_of(deltas: dict, tag: str) -> Body:
    chest, place = follow(STANCE, deltas, SPINE, np.eye(3)[None], STANCE.heads["root"][None])
    above = {k: v for k, v in deltas.items() if k != "spine01"}
    resting = {k: v for k, v in above.items() if "arm" not in k}
    chain = ("spine01", *(n + tag for n in ("clavicle", "shoulder01", "upperarm01")))
    _, shoulder = follow(STANCE, resting, chain, chest, place)
    head, head_place = follow(STANCE, above, ("spine01", *NECK), chest, place)
    return Body(chest, shoulder, head, head_place)


def palm_of(deltas: dict, side: int) -> tuple[np.ndarray, Body]:
    """Where a palm is, by forward kinematics alone."""
    tag = ".L" if side > 0 else ".R"
    body, hand = body_of(deltas, tag), measure(STANCE, side, tag)
    turn = body.chest[0] @ deltas["clavicle" + tag][0] @ deltas["upperarm01" + tag][0]
    low = turn @ deltas["lowerarm01" + tag][0]
    wrist = body.shoulder[0] + turn @ hand.upper + low @ hand.fore
    last = low @ deltas["lowerarm02" + tag][0] @ deltas["wrist" + tag][0]
    return wrist + last @ hand.points["palm"], body


@pytest.mark.parametrize("side", [1, -1])
def test_a_led_hand_is_before_the_body_or_at_the_face(side):
    at_face = before = 0
    for seed in range(60):
        rng = np.random.default_rng([9, seed])
        deltas = turns(posed(seed))
        name = led.lead_arm(rng, STANCE, deltas, side)
        for bone in ARM:
            turn = deltas[bone + (".L" if side > 0 else ".R")][0]
            np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
            assert np.linalg.det(turn) == pytest.approx(1)
        palm, body = palm_of(deltas, side)
        middle = body.head_place[0] + body.head[0] @ (
            0.5 * (STANCE.marks["chin"] + STANCE.marks["bridge"]) + (0, 0.08, 0.02) - STANCE.heads["head"]
        )
        if name == "before":
            ahead = body.chest[0].T @ (palm - body.shoulder[0])
            assert ahead[1] < -0.12, seed
            assert np.linalg.norm(palm - middle) > 0.15, seed
            before += 1
        else:
            assert np.linalg.norm(palm - middle) < 0.3, (seed, name)
            at_face += 1
    assert at_face > 15
    assert before > 15


def test_only_those_who_are_chosen_are_led_and_their_heads_stay():
    model = Puppet()
    for share in (0.0, 0.5, 1.0):
        poses = [posed(k) for k in range(12)]
        known = [p.copy() for p in poses]
        shapes, local = [np.zeros(11)] * 12, [np.zeros(3)] * 12
        told = led.lead(np.random.default_rng(3), model, shapes, local, poses, share)
        chosen = [bool(word) for word in told]
        assert sum(chosen) == {0.0: 0, 1.0: 12}.get(share, sum(chosen))
        for pose, old, led_here in zip(poses, known, chosen, strict=True):
            head = [BONES.index(n) for n in (*SPINE, *NECK)]
            np.testing.assert_allclose(pose[head], old[head], atol=1e-12)
            assert np.array_equal(pose, old) != led_here
        if share == 0.5:
            assert 0 < sum(chosen) < 12


class View(dict):
    """Stands in for a record of a shard."""

    about: dict


def record(hands: list[tuple[int, int, int]], far: float = 0.8, tan: float = 0.6) -> dict:
    """A view of 256 x 192 with square hands of the given places and sizes."""
    part = np.zeros((192, 256), np.uint8)
    depth = np.full((192, 256), 1.2, np.float16)
    for x, y, size in hands:
        part[y : y + size, x : x + size] = PARTS.index("hand")
        depth[y : y + size, x : x + size] = far

    made = View(part=part, depth=depth)
    made.about = {"tan": tan}
    return made


@pytest.mark.parametrize("want", [(256, 192), (128, 160)])
def test_a_crop_round_a_hand_holds_it_and_stays_inside(want):
    seen = record([(20, 30, 24), (200, 120, 24)])
    column, row, size = hand_of(seen)
    assert seen["part"][int(row), int(column)] == PARTS.index("hand")  # on a hand, not between two
    assert size == pytest.approx(HAND_METRES * 128 / 0.6 / 0.8, rel=1e-3)
    rng = np.random.default_rng(1)
    for _ in range(40):
        x, y, w, h = hand_box(rng, seen, want)
        assert x >= 0
        assert y >= 0
        assert x + w <= 256 + 1e-6
        assert y + h <= 192 + 1e-6
        assert w / h == pytest.approx(want[0] / want[1])
        assert x <= column <= x + w
        assert y <= row <= y + h


def test_where_there_is_hardly_a_hand_there_is_no_crop_of_one():
    assert hand_box(np.random.default_rng(0), record([]), (256, 192)) is None
    assert hand_box(np.random.default_rng(0), record([(5, 5, 5)]), (256, 192)) is None
