"""Faces, bodies and their colours: relief from a scan, even tones and sexes, faces that can close."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from training.synth.meshes import incidence
from training.synth.people import bodies, lay, look, poses, relief
from training.synth.wear.dress import Person

LABELS = [
    "jawOpen", "mouthClose", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "eyeBlinkRight",
    "eyeWideLeft", "eyeWideRight", "tongueOut", "cheekPuff", "browInnerUp",
    *(f"eyeLook{way}{side}" for way in ("In", "Out", "Up", "Down") for side in ("Left", "Right")),
]  # fmt: skip
LOCAL = ["l-eye-scale-incr", "r-eye-scale-incr", "nose-hump-incr", "stomach-pregnant-incr"]
HOLES = ((-0.031, 0.728, 0.012, 0.005), (0.031, 0.728, 0.012, 0.005), (0.0, 0.662, 0.025, 0.004))


def face(across: int, down: int, nose: float) -> tuple[np.ndarray, np.ndarray]:
    """A head's front as a grid with holes for the eyes and the mouth: points [N,3] metres, tri [F,3]."""
    side = np.linspace(-1.9, 1.9, across)
    height = np.linspace(-1.15, 1.1, down)
    s, h = np.meshgrid(side, height)
    x, y, z = 0.08 * np.sin(s) * np.cos(h), 0.72 + 0.125 * np.sin(h), 0.05 + 0.095 * np.cos(s) * np.cos(h)
    z += nose * np.exp(-((x / 0.012) ** 2) - ((y - 0.69) / 0.014) ** 2) * (s**2 < 2)
    z += 0.006 * np.exp(-((x / 0.02) ** 2) - ((y - 0.633) / 0.01) ** 2) * (s**2 < 2)
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    at = np.arange(across * down).reshape(down, across)
    quad = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)
    middle = points[quad].mean(1)
    hole = np.zeros(len(quad), bool)
    for cx, cy, rx, ry in HOLES:
        hole |= (((middle[:, 0] - cx) / rx) ** 2 + ((middle[:, 1] - cy) / ry) ** 2 < 1) & (
            middle[:, 2] > 0.05
        )
    quad = quad[~hole]
    return points, np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]).astype(np.int32)


@pytest.fixture(scope="module")
def topology() -> dict[str, np.ndarray]:
    """A small stand-in for the base mesh: a face, a neck, two eyeballs, helpers, and padding."""
    points, tri = face(51, 61, 0.018)
    part = np.where(points[tri].mean(1)[:, 1] < 0.615, 2, 1)
    eyes = np.array([[side * 0.031 + dx, 0.728 + dy, 0.13] for side in (-1, 1) for dx, dy in CORNERS])
    ball = len(points) + np.arange(8).reshape(2, 4)
    tooth = np.array([[0.0, 0.66, 0.135]])
    template = np.concatenate([points, eyes, tooth, np.full((12_000 - len(points) - 9, 3), 5.0)])
    template[relief.WIDE[1]] = template[relief.WIDE[0]] + (0.14, 0, 0)
    return {
        "template": template.astype(np.float32),
        "tri": np.concatenate([tri, ball[:, :3]]).astype(np.int32),
        "part": np.concatenate([part, [3, 3]]).astype(np.uint8),
        "parts": np.array(["none", "head", "body", "eye_front", "eye_back", "eye_cavity"]),
        "bones": np.array(["root", "head"]),
    }


CORNERS = ((-0.008, 0.0), (0.0, -0.004), (0.008, 0.0), (0.0, 0.004))


@pytest.fixture(scope="module")
def scan() -> lay.Scan:
    """A finer face in centimetres, tilted and shifted, with a longer nose and three ways to differ."""
    points, tri = face(63, 71, 0.024)
    x, y, z = points.T
    ways = [np.exp(-((x / 0.02) ** 2) - ((y - 0.69) / 0.02) ** 2), np.sin(40 * y), np.cos(30 * x)]
    delta = [0.004 * np.stack([0 * w, 0 * w, w], 1) * (z > 0.03)[:, None] for w in ways]
    turn = poses.rotation(np.array([1.0, 0, 0]), 5)
    place = 100 * (points - [0, 0.7, 0.03]) @ turn.T
    return lay.Scan(place.astype(np.float32), np.array(100 * np.array(delta) @ turn.T, np.float32), tri)


@pytest.fixture(scope="module")
def built(topology, scan) -> tuple[relief.Relief, lay.Lain]:
    return relief.build(topology, scan, seed=4)


def still(topology) -> np.ndarray:
    return np.tile(np.eye(3, dtype=np.float32), (len(topology["bones"]), 1, 1))


def strong(built, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([[1.0], rng.choice([-3.0, 3.0], len(built[0].delta))]).astype(np.float32)


def test_the_face_is_laid_on_the_scan(topology, scan, built):
    found, lain = built
    assert lain.scale == pytest.approx(0.01, rel=0.05)
    assert np.degrees(np.arccos(lain.turn[1, 1])) == pytest.approx(5, abs=2.5)
    assert np.allclose(lain.bary.sum(1), 1, atol=1e-5)
    tip = np.argmin(np.linalg.norm(topology["template"][found.index] - [0, 0.69, 0.163], axis=1))
    assert found.own[tip, 2] > 0.001, "the scan's nose is 6 mm longer: its relief points forward"


def test_zero_weights_move_nothing(topology, built):
    template = topology["template"]
    zero = np.zeros(1 + len(built[0].delta), np.float32)
    np.testing.assert_array_equal(built[0].apply(template, still(topology), zero), template)


def test_ears_eyes_neck_and_scalp_stay(topology, built):
    template, tri, part = topology["template"], topology["tri"], topology["part"]
    moved = np.linalg.norm(built[0].apply(template, still(topology), strong(built)) - template, axis=1)
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    assert moved[tri[part == 2]].max() == 0
    assert moved[tri[part == 3]].max() == 0
    assert moved[(x > 0.07) & (y > 0.67) & (y < 0.74) & (z < 0.065)].max() == 0
    assert moved[z < -0.02].max(initial=0) == 0
    assert moved[y > 0.84].max() < 1e-4
    assert moved.max() > 0.004


@pytest.mark.parametrize("seed", range(8))
def test_no_triangle_folds_over(topology, built, seed):
    head = topology["tri"][topology["part"] == 1]
    touch = incidence(head, len(topology["template"]))
    weights = built[0].draw(np.random.default_rng(seed))
    assert np.abs(weights[1:]).max() <= relief.LIMIT
    moved = built[0].apply(topology["template"], still(topology), weights)
    before = relief.folded(topology["template"], head, touch)
    assert not (relief.folded(moved, head, touch) & ~before).any()


def test_folds_are_seen():
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 0]], np.float32)
    tri = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]], np.int32)
    touch = incidence(tri, 5)
    assert not relief.folded(points, tri, touch).any()
    points[4] = (0.5, 1.5, 0)
    assert relief.folded(points, tri, touch).any()


def test_relief_turns_with_the_head_and_takes_frames_together(topology, built):
    template, weights = topology["template"], strong(built, 1)
    turn = poses.rotation(np.array([0, 1.0, 0]), 40).astype(np.float32)
    turns = np.stack([still(topology)[0], turn])
    plain = built[0].apply(template, still(topology), weights)
    np.testing.assert_allclose(built[0].apply(template @ turn.T, turns, weights), plain @ turn.T, atol=2e-6)
    both = built[0].apply(
        np.stack([template, template @ turn.T]), np.stack([still(topology), turns]), weights
    )
    np.testing.assert_allclose(both, np.stack([plain, plain @ turn.T]), atol=2e-6)


def test_a_bank_with_relief_gives_each_body_its_face(tmp_path, topology, built):
    vertices = np.repeat(topology["template"][None], bodies.CHUNK, 0)
    turn = np.repeat(still(topology)[None], bodies.CHUNK, 0)
    np.savez(tmp_path / "bodies_0000.npz", vertices=vertices, turn=turn, about=f"[{{}}{', {}' * 15}]")
    np.testing.assert_array_equal(bodies.read_body(tmp_path, 3)[0], vertices[3])
    relief.read_relief.cache_clear()
    arrays = {f.name: np.asarray(getattr(built[0], f.name)) for f in fields(relief.Relief)}
    np.savez(tmp_path / relief.NAME, **arrays)
    third, again, fourth = (bodies.read_body(tmp_path, k)[0] for k in (3, 3, 4))
    np.testing.assert_array_equal(third, again)
    assert np.abs(third - vertices[3]).max() > 0.001
    assert np.abs(third - fourth).max() > 0.001
    assert not np.array_equal(replace(built[0], seed=5).weights(3), built[0].weights(3))


def test_without_the_scan_nothing_is_written(tmp_path):
    assert relief.write_relief(tmp_path, tmp_path, 1) is False
    assert relief.read_relief(tmp_path / "none") is None
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif("LIVE_RELIGHT_BANK" not in os.environ, reason="LIVE_RELIGHT_BANK names no bank")
def test_the_real_faces_of_a_bank_do_not_fold():
    bank = Path(os.environ["LIVE_RELIGHT_BANK"])
    found = relief.read_relief(bank)
    if found is None:
        pytest.skip("this bank was made without ICT-FaceKit")
    with np.load(bank / "topology.npz") as blob:
        topology = dict(blob)
    head = topology["tri"][topology["part"] == 1]
    touch = incidence(head, len(topology["template"]))
    for number in range(100):
        moved = found.apply(topology["template"], still(topology), found.weights(number))
        assert not relief.folded(moved, head, touch).any(), number


def test_the_model_is_told_the_sex_that_the_words_say():
    drawn = [bodies.draw_shape(np.random.default_rng(k), LOCAL) for k in range(600)]
    for shape, local, about in drawn:
        assert shape[0] == pytest.approx(1 - about["gender"])  # anny: 0 is a man
        assert local[3] == 0
        assert abs(local[0] - local[1]) < 0.3
    assert 0.42 < np.mean([about["gender"] > 0.5 for *_, about in drawn]) < 0.58
    ages = np.array([about["age"] for *_, about in drawn])
    for sex in (False, True):
        mine = ages[[(about["gender"] > 0.5) == sex for *_, about in drawn]]
        assert np.histogram(mine, 5, (0.46, 1.0))[0].min() > 0.12 * len(mine)


def test_faces_close_their_mouths_and_eyes_look_one_way():
    faces = [bodies.draw_face(np.random.default_rng(k), LABELS) for k in range(500)]
    at = {name: np.array([f[LABELS.index(name)] for f in faces]) for name in LABELS}
    assert 0.5 < (at["jawOpen"] < 0.02).mean() < 0.8
    assert (at["mouthClose"] <= at["jawOpen"]).all()
    np.testing.assert_array_equal(at["eyeLookOutLeft"], at["eyeLookInRight"])
    np.testing.assert_array_equal(at["eyeLookUpLeft"], at["eyeLookUpRight"])
    assert max(at["eyeLookUpLeft"].max(), at["eyeLookInLeft"].max()) <= 0.8
    assert 0.03 < (at["eyeBlinkLeft"] > 0.5).mean() < 0.2
    np.testing.assert_array_equal(bodies.draw_face(np.random.default_rng(3), LABELS), faces[3])


def test_heads_are_bent_back_and_turned_to_profile():
    bones = [*poses.HEAD_SHARE, *poses.SPINE]
    bones += [f"{b}{t}" for t in (".L", ".R") for b in ("upperarm01", "lowerarm01", "clavicle", "wrist")]
    about = [poses.draw_pose(np.random.default_rng(k), bones)[1] for k in range(400)]
    pitch, yaw = (np.array([a[name] for a in about]) for name in ("pitch", "yaw"))
    assert 0.08 < (pitch < -15).mean() < 0.25
    assert 0.05 < (pitch > 15).mean() < 0.2
    assert 0.08 < (np.abs(yaw) > 45).mean() < 0.25
    assert pitch.min() >= -45
    assert pitch.max() <= 40


def person() -> Person:
    zero = np.zeros(3, np.float32)
    tags = {"hair": "bald", "beard": "none", "cloth": "shell", "extra": "none"}
    return Person([], {}, zero, zero, tags)


def looks(seed: int, male: bool, age: float):
    rng = np.random.default_rng(seed)
    skin = Path("young_female.png" if not male else "young_male.png")
    return look.draw_looks(rng, person(), [skin], {skin: np.full(3, 0.3, np.float32)}, male, age)


@pytest.mark.parametrize("male", [False, True])
@pytest.mark.parametrize("age", [0.5, 0.95])
def test_tones_are_even_over_the_monk_scale(male, age):
    steps = [int(looks(k, male, age)[1]["tone"]) for k in range(500)]
    count = np.bincount(steps, minlength=10)
    assert len(count) == 10
    assert ((count - 50) ** 2 / 50).sum() < 27.9  # chi-square, 9 degrees of freedom, p = 0.001


def test_tones_darken_step_by_step_and_stay_skin():
    drawn = [look.draw_tone(np.random.default_rng(k)) for k in range(2000)]
    mean = np.array([np.mean([t for t, s in drawn if s == k], axis=0) for k in range(10)])
    light = mean @ look.LUMA
    assert np.ptp(light[:3]) < 0.06, "the scale's three lightest differ in hue"
    assert (np.diff(light)[2:] < 0).all()
    assert 0.015 < light[-1] < 0.06
    assert 0.35 < light[0] < 0.65
    assert (mean[:, 0] >= mean[:, 1]).all()
    assert (mean[:, 1] >= mean[:, 2]).all()


def test_some_dark_clothes_have_pale_prints_and_nothing_else_changes_for_them(monkeypatch):
    def cloth(seed: int) -> tuple[dict, float]:
        rng = np.random.default_rng(seed)
        return look._cloth(rng, None, True).values, float(rng.random())

    with_prints = [cloth(seed) for seed in range(400)]
    monkeypatch.setattr(look, "_print", lambda rng: {})
    without = [cloth(seed) for seed in range(400)]
    printed = [
        values for (values, _), (plain, _) in zip(with_prints, without, strict=True) if values != plain
    ]
    assert 0.07 < len(printed) / 400 < 0.18
    assert {values["pattern"][0] for values in printed} == {6.0, 7.0}
    assert all(max(values["colour"]) < 0.05 < min(values["second"]) for values in printed)
    assert [chance for _, chance in with_prints] == [chance for _, chance in without]


def test_looks_are_functions_of_the_seed_and_age_draws_lines():
    first, second = looks(5, True, 0.7), looks(5, True, 0.7)
    assert first[0]["skin"].values == second[0]["skin"].values
    assert first[1] == second[1]
    deep = [
        np.mean([looks(k, False, age)[0]["skin"].values["lines"][0] for k in range(60)]) for age in (0.5, 1)
    ]
    assert deep[1] > 4 * deep[0]
    worn = [
        np.mean([looks(k, male, 0.6)[0]["skin"].values["lipstick"][3] > 0 for k in range(200)])
        for male in (0, 1)
    ]
    assert worn[0] > 0.2 > 0.06 > worn[1]
