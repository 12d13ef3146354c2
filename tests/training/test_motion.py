"""Movement over a clip: smooth, possible for a body, the same for the same seed; clips on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.training.puppet import ACTIONS, BONES, STANCE, Puppet
from training.synth.clips import clipbank, gaze, motion, speech
from training.synth.clips.curves import Glide, bump, swing
from training.synth.clips.gestures import Body, hold_arm
from training.synth.clips.holds import GESTURES
from training.synth.clips.reach import NECK, SPINE, bend_arm, follow, measure, split_hand

DRAWS = 40
FAST = ("eyeBlink", "eyeLook", "eyeWide")


def draw(seed: int, frames: int = 24, fps: float = 30.0) -> motion.Motion:
    return motion.draw_motion(np.random.default_rng(seed), ACTIONS, BONES, frames, fps, STANCE)


@pytest.fixture(scope="module")
def clips() -> list[motion.Motion]:
    return [draw(seed) for seed in range(DRAWS)]


@pytest.fixture(scope="module")
def talks() -> list[motion.Motion]:
    """Four-second clips of people who talk."""
    made = (draw(seed, 121) for seed in range(30))
    return [m for m in made if m.words["talks"] == "yes"][:10]


def test_the_same_seed_gives_the_same_motion():
    for seed in range(5):
        first, second = draw(seed), draw(seed)
        assert all(
            getattr(first, n).tobytes() == getattr(second, n).tobytes()
            for n in ("face", "pose", "shake", "light")
        )
        assert first.words == second.words
    assert draw(1).pose.tobytes() != draw(2).pose.tobytes()


def test_shapes_ranges_and_no_nan(clips):
    for m in clips:
        assert m.face.shape == (24, len(ACTIONS))
        assert m.pose.shape == (24, len(BONES), 4, 4)
        assert m.face.min() >= 0
        assert m.face.max() <= 1
        assert all(np.isfinite(x).all() for x in (m.face, m.pose, m.shake, m.light))
        assert np.abs(m.shake).max() < 0.03
        assert m.light.min() > 0.1
        assert m.light.max() < 8
        assert (m.face[:, ACTIONS.index("mouthClose")] <= m.face[:, ACTIONS.index("jawOpen")] + 1e-6).all()
        json.dumps(m.words)


@pytest.mark.parametrize(("frames", "fps"), [(8, 12.5), (8, 30.0), (24, 12.5)])
def test_short_and_slow_clips_work(frames, fps):
    for seed in range(8):
        assert len(draw(seed, frames, fps).face) == frames


def test_every_rotation_is_one(clips):
    for m in clips:
        turn = m.pose[..., :3, :3].astype(np.float64)
        assert np.abs(turn @ turn.swapaxes(-1, -2) - np.eye(3)).max() < 1e-5
        assert np.linalg.det(turn).min() > 0.99
        assert (m.pose[..., 3, :] == [0, 0, 0, 1]).all()


def test_nothing_teleports(clips):
    slow = [k for k, name in enumerate(ACTIONS) if not name.startswith(FAST)]
    limbs = [k for k, name in enumerate(BONES) if not name.startswith("eye")]
    for seed, m in enumerate(clips):
        speed = np.diff(m.face, axis=0) * 30
        assert np.abs(speed[:, slow]).max() < 12, (seed, m.words)  # a jaw opens fully in over 150 ms
        assert np.abs(np.diff(speed[:, slow], axis=0)).max() * 30 < 300, (seed, m.words)
        turn = m.pose[..., :3, :3].astype(np.float64)
        step = Rotation.from_matrix((turn[:-1].swapaxes(-1, -2) @ turn[1:]).reshape(-1, 3, 3)).as_rotvec()
        rate = np.degrees(step.reshape(23, len(BONES), 3))[:, limbs] * 30
        assert np.linalg.norm(rate, axis=2).max() < 600, (seed, m.words)  # degrees a second
        assert np.linalg.norm(np.diff(rate, axis=0), axis=2).max() * 30 < 9000, (seed, m.words)


def test_heads_turn_no_faster_than_heads_do(clips):
    for m in clips:
        turn, _ = follow(STANCE, deltas_of(m), ("root", *SPINE[1:], *NECK), *still(24))
        step = Rotation.from_matrix(turn[:-1].swapaxes(-1, -2) @ turn[1:]).magnitude()
        assert np.degrees(step).max() * 30 < 350


def deltas_of(m: motion.Motion) -> dict:
    return {name: m.pose[:, k, :3, :3].astype(np.float64) for k, name in enumerate(BONES)}


def still(frames: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tile(np.eye(3), (frames, 1, 1)), np.tile(STANCE.heads["root"], (frames, 1))


def test_clips_differ_and_something_moves(clips):
    assert {m.words["kind"] for m in clips} == set(motion.KINDS)
    assert len({m.words["hands"] for m in clips}) >= 5
    assert {m.words["light"] for m in clips} >= {"constant", "screen"}
    assert all(np.abs(np.diff(m.pose, axis=0)).max() > 1e-5 for m in clips)


def test_blinks_close_and_open_again():
    left = ACTIONS.index("eyeBlinkLeft")
    seen = 0
    for fps in (12.5, 30.0):
        for seed in range(16):
            m = draw(seed, 24, fps)
            shut = m.face[:, left] > 0.8
            whole = int(m.words["blinks"])
            starts = int((shut[1:] & ~shut[:-1]).sum())
            assert starts >= whole, (fps, seed)
            seen += whole
            run = 0
            for closed in shut:
                run = run + 1 if closed else 0
                assert run <= 4, (fps, seed)  # open again after 130 ms
    assert seen > 6


def test_a_blink_closes_faster_than_it_opens():
    t = np.linspace(0, 4, 4001)
    shut, whole = speech.draw_blinks(np.random.default_rng(1), t, 0.0, 4.0, [])
    assert whole >= 1
    peak = int(np.argmax(shut))
    assert shut[peak] > 0.88
    before = np.flatnonzero(shut[:peak] < 0.05)[-1]
    after = peak + np.flatnonzero(shut[peak:] < 0.05)[0]
    assert 0.06 < t[after] - t[before] < 0.16
    assert peak - before < after - peak


def test_speech_moves_the_jaw_at_the_rate_of_syllables(talks):
    assert len(talks) >= 8
    jaw, power = ACTIONS.index("jawOpen"), []
    for m in talks:
        x = m.face[:, jaw]
        assert np.ptp(x) > 0.1
        power.append(np.abs(np.fft.rfft((x - x.mean()) * np.hanning(len(x)))) ** 2)
    rate = np.fft.rfftfreq(121, 1 / 30)
    total = np.sum([p / p.sum() for p in power], 0) * (rate > 1)  # slower: phrases and pauses
    inside = (rate >= 2) & (rate <= 8)
    assert total[inside].sum() > 0.65 * total.sum()
    assert inside[np.argmax(total)]
    assert total[rate > 10].sum() < 0.03 * total.sum()


def test_lips_meet_where_the_sound_wants_it():
    t = np.linspace(0, 0.6, 61)
    sounds = [
        speech.Sound(0.1, 1, speech.VOWELS["a"], 1),
        speech.Sound(0.3, 1.4, speech.CONSONANTS["bmp"], 1),
    ]
    mouth = speech.articulate([*sounds, speech.Sound(0.5, 1, speech.VOWELS["a"], 1)], t)
    gap = mouth["jawOpen"] - mouth["mouthClose"]
    assert gap[10] > 0.3
    assert gap[30] < 0.02
    assert gap[50] > 0.3


def test_eyes_keep_their_target_while_the_head_turns():
    look = gaze.Look((Glide(5.0), Glide(0.0)), (Glide(0.0), Glide(0.0), Glide(0.0)))
    t = np.linspace(0, 1, 25)
    for yaw in (np.zeros(25), 15 * t):
        face, deltas = {}, {}
        head = np.stack([yaw, np.zeros(25)], 1)
        gaze.move_eyes(np.random.default_rng(0), t, look, head, face, deltas)
        turned = []
        for side, tag in ((1, "Left"), (-1, "Right")):
            bone = Rotation.from_matrix(deltas["eye." + tag[0]]).as_euler("ZXY", degrees=True)[:, 0]
            lid = face["eyeLookOut" + tag] * gaze.LOOK["Out"] - face["eyeLookIn" + tag] * gaze.LOOK["In"]
            turned.append(bone + side * lid)
        assert np.abs(np.mean(turned, 0) + yaw - 5).max() < 1.0
        assert (turned[0] < turned[1]).all()  # each toward the nose: they meet in front of the face


@pytest.mark.parametrize("name", ["chin", "glasses", "hair", "cheek"])
@pytest.mark.parametrize("side", [1, -1])
def test_a_hand_gets_to_the_face(name, side):
    tag = ".L" if side > 0 else ".R"
    zero = np.zeros((3, 3))
    chest, place = follow(STANCE, {}, SPINE, *still(3))
    _, shoulder = follow(STANCE, {}, ("spine01", "clavicle" + tag, "upperarm01" + tag), chest, place)
    head, head_place = follow(STANCE, {}, ("spine01", *NECK), chest, place)
    hand = measure(STANCE, side, tag)
    body = Body(chest, shoulder, head, head_place)
    hold = GESTURES[name]
    arm = hold_arm(STANCE, hand, body, hold, side, np.zeros(3), zero)
    upper, elbow = bend_arm(hand, arm.reach, arm.pole)
    low = upper @ elbow
    wrist = shoulder + upper @ hand.upper + low @ hand.fore
    touch = wrist + low @ arm.twist @ arm.wrist @ hand.points[hold.point]
    goal = (STANCE.marks[hold.mark] + hold.place) * [side, 1, 1]
    assert np.linalg.norm(touch - goal, axis=1).max() < 0.01
    assert np.linalg.norm(wrist - shoulder, axis=1).max() < hand.length


def test_wrists_stay_within_their_limits():
    hand = measure(STANCE, 1, ".L")
    wild = Rotation.random(300, random_state=0).as_matrix()
    first, wrist = split_hand(hand, wild)
    assert np.degrees(Rotation.from_matrix(first).magnitude()).max() < 60
    assert np.degrees(Rotation.from_matrix(wrist).magnitude()).max() < 100
    gentle = Rotation.from_rotvec(0.1 * Rotation.random(50, random_state=1).as_rotvec()).as_matrix()
    first, wrist = split_hand(hand, gentle)
    left_over = Rotation.from_matrix((first @ wrist).swapaxes(-1, -2) @ gentle).magnitude()
    assert np.degrees(left_over).max() < 3


def test_curves_start_and_end_where_they_should():
    t = np.linspace(-1, 3, 401)
    curve = Glide(1.0)
    curve.to(0.0, 1.0, 4.0)
    curve.to(0.8, 0.5, 2.0)
    value = curve.at(t)
    assert value[0] == 1.0
    assert value[-1] == pytest.approx(2.0)
    up = bump(t, 0.0, 0.5, 0.5, 1.0)
    assert up[100] == 0
    assert up[170] == pytest.approx(1)
    assert up[-1] == pytest.approx(0)
    assert np.abs(swing(t, 0.0, 2.0, 3)[(t < 0) | (t > 1.5)]).max() == pytest.approx(0, abs=1e-9)


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    pytest.importorskip("torch")
    return Puppet()


def test_clips_come_back_as_they_were_posed(tmp_path, puppet):
    clipbank.write_clips(tmp_path, 5, 2, 3, puppet)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"clip_{k:05d}.npz" for k in (2, 3, 4)]
    for k in (2, 3, 4):
        vertices, turn, about = clipbank.read_clip(tmp_path, k)
        wanted, wanted_turn, wanted_about = clipbank.pose_clip(puppet, 5, k)
        assert vertices.dtype == turn.dtype == np.float32
        assert 8 <= len(vertices) <= 24
        assert len(about["shake"]) == len(about["light"]) == len(vertices)
        assert np.abs(vertices - wanted).max() < 5e-5
        assert np.array_equal(vertices[0], wanted[0])
        assert np.array_equal(turn, wanted_turn)
        assert about == json.loads(json.dumps(wanted_about))


def test_writing_resumes_and_repeats_itself(tmp_path, puppet):
    clipbank.write_clips(tmp_path / "a", 5, 0, 2, puppet)
    before = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    calls = puppet.calls
    clipbank.write_clips(tmp_path / "a", 5, 0, 2, puppet)
    assert puppet.calls == calls
    (tmp_path / "a" / "clip_00001.npz").unlink()
    clipbank.write_clips(tmp_path / "a", 5, 1, 1, puppet)
    clipbank.write_clips(tmp_path / "b", 5, 0, 2, puppet)
    for folder in ("a", "b"):
        for name, data in before.items():
            with np.load(tmp_path / folder / name) as blob, np.load(tmp_path / "a" / name) as other:
                assert all(np.array_equal(blob[k], other[k]) for k in blob.files)
            assert len((tmp_path / folder / name).read_bytes()) == len(data)


def test_quantising_is_finer_than_a_twentieth_of_a_millimetre():
    rng = np.random.default_rng(0)
    body = rng.normal(0, 0.5, (500, 3)).astype(np.float32)
    path = np.cumsum(rng.normal(0, 0.02, (20, 1, 3)), 0) + np.cumsum(rng.normal(0, 0.002, (20, 500, 3)), 0)
    vertices = (body + path).astype(np.float32)
    first, packed = clipbank.squeeze(vertices)
    assert np.abs(clipbank.stretch(first, packed, 20) - vertices).max() < 5e-5
    with pytest.raises(ValueError, match="m away"):
        clipbank.squeeze(np.stack([body, body * -40]))
