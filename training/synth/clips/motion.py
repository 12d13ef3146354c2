"""A few frames of somebody in a call: face, head, gaze, hands, breathing, and what the camera and light do.

Everything is a pure function of a generator. Curves begin seconds before the first frame, so a clip
starts in the midst of things. Angles are degrees as in `gaze`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synth.clips import gaze, speech
from training.synth.clips.curves import F64, Glide, bump, jittered, soft_clip, wander
from training.synth.clips.gestures import RESTS, draw_arm
from training.synth.clips.reach import Deltas, Stance
from training.synth.people.poses import SPINE

KINDS = {"talk": 0.4, "listen": 0.24, "still": 0.12, "look": 0.16, "laugh": 0.08}
ONE_HAND = {
    "none": 0.5,
    "chin": 0.09,
    "cheek": 0.07,
    "glasses": 0.08,
    "hair": 0.08,
    "wave": 0.08,
    "raise": 0.1,
}
BEFORE = 3.0  # seconds that pass before the first frame


@dataclass(frozen=True)
class Motion:
    """Movement over T frames.

    face: [T,52] float32 facial actions, 0..1; pose: [T,J,4,4] float32 as `poses.draw_pose`;
    words: tags; shake: [T,2] float32 offset of the picture (right, down) as a share of its width;
    light: [T] float32 factor on the light.
    """

    face: NDArray[np.float32]
    pose: NDArray[np.float32]
    words: dict[str, str | float]
    shake: NDArray[np.float32]
    light: NDArray[np.float32]


def draw_motion(
    rng: np.random.Generator,
    actions: list[str],
    bones: list[str],
    frames: int,
    fps: float,
    stance: Stance,
) -> Motion:
    """Random movement of a body whose joints at rest are `stance`; at least 4 frames."""
    t = np.arange(frames) / fps
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    low, high = -BEFORE, float(t[-1]) + 0.5
    sounds, stresses = speech.draw_speech(rng, low, high)
    talks = kind == "talk"
    stresses = stresses if talks else []
    look = gaze.draw_look(rng, kind, low, high)
    face: speech.Actions = {}
    bounce = np.zeros(frames)
    _add(face, speech.draw_mood(rng, t, low, high), 0.6 if talks else 1.0)
    if talks:
        _add(face, speech.articulate(sounds, t))
        _add(face, speech.brow_beats(rng, t, stresses))
    if kind == "laugh":
        extra, bounce = speech.draw_laugh(rng, t, rng.uniform(-1.5, 0.4 * t[-1]))
        _add(face, extra)
    deltas: Deltas = {}
    lift = _torso(rng, t, kind, bounce, deltas)
    head = gaze.move_head(rng, t, kind, look, stresses, bounce, deltas)
    words: dict[str, str | float] = {"kind": kind, "talks": "yes" if talks else "no"}
    words["gaze"] = gaze.move_eyes(rng, t, look, head, face, deltas)
    shut, blinks = speech.draw_blinks(rng, t, low, high, look.shifts)
    for tag in ("Left", "Right"):
        lid = np.clip(face.get("eyeBlink" + tag, 0.0), 0, 0.3)
        face["eyeBlink" + tag] = lid + (1 - lid) * shut * (1.0 if tag == "Left" else rng.uniform(0.95, 1.0))
        face["eyeWide" + tag] = face.get("eyeWide" + tag, 0.0) * (1 - shut)
    words["blinks"] = float(blinks)
    words |= _arms(rng, stance, deltas, t, kind, lift, stresses)
    shake, words["camera"] = _shake(rng, t)
    light, words["light"] = _light(rng, t)
    return Motion(_face_array(face, actions, frames), _pose_array(deltas, bones, frames), words, shake, light)


def _add(face: speech.Actions, more: speech.Actions, gain: float = 1.0) -> None:
    for name, value in more.items():
        face[name] = face.get(name, 0.0) + gain * value


def _face_array(face: speech.Actions, actions: list[str], frames: int) -> NDArray[np.float32]:
    """[T,52] in 0..1; two actions that would fight give way to each other."""
    out = {name: np.clip(np.broadcast_to(face.get(name, 0.0), frames), 0, 1) for name in actions}
    for tag in ("Left", "Right"):
        pulled = np.minimum(1.0, out["mouthPucker"] + 0.6 * out["mouthFunnel"])
        for name in ("mouthSmile", "mouthStretch", "mouthDimple"):
            out[name + tag] = out[name + tag] * (1 - 0.7 * pulled)
        out["mouthPress" + tag] = out["mouthPress" + tag] * (1 - np.minimum(1, 2.5 * out["jawOpen"]))
    out["mouthClose"] = np.minimum(out["mouthClose"], out["jawOpen"])
    return np.stack([out[name] for name in actions], 1).astype(np.float32)


def _pose_array(deltas: Deltas, bones: list[str], frames: int) -> NDArray[np.float32]:
    pose = np.tile(np.eye(4), (frames, len(bones), 1, 1))
    for name, turn in deltas.items():
        pose[:, bones.index(name), :3, :3] = turn
    return pose.astype(np.float32)


def _torso(rng: np.random.Generator, t: F64, kind: str, bounce: F64, deltas: Deltas) -> F64:
    """Leaning, turning, breathing: bends the spine; returns how far shoulders are raised [T], degrees."""
    calm = 0.25 if kind == "still" else 1.0
    angles = []
    for base, spread, drift in ((2, 7, 0.5), (0, 7, 0.6), (0, 4, 0.4)):
        curve = Glide(rng.normal(base, spread))
        for when in jittered(rng, -BEFORE, float(t[-1]), (1.2, 6.0)):
            curve.to(when, rng.uniform(0.7, 1.6), curve.target + calm * rng.normal(0, 0.6 * spread))
        angles.append(curve.at(t) + wander(rng, t, calm * drift))
    breath = np.sin(2 * np.pi * rng.uniform(0.2, 0.38) * t + rng.uniform(0, 6.3)) * rng.uniform(0.5, 1.3)
    angles[0] = soft_clip(angles[0], 30) - 0.35 * breath + 1.2 * bounce
    for name in SPINE:
        deltas[name] = gaze.turns(angles[0] / 5, angles[1] / 5, angles[2] / 5)
    shrug = np.zeros(t.shape)
    if kind in ("talk", "listen") and rng.random() < 0.12:
        shrug = rng.uniform(4, 11) * bump(t, rng.uniform(-0.5, t[-1]), 0.3, rng.uniform(0, 0.4), 0.45)
    return rng.normal(0, 2.5) + 0.7 * breath + shrug + 2.5 * bounce


def _arms(
    rng: np.random.Generator,
    stance: Stance,
    deltas: Deltas,
    t: F64,
    kind: str,
    lift: F64,
    stresses: list[float],
) -> dict[str, str | float]:
    """Both arms: a resting place each, and a gesture of one or both hands."""
    rest = str(rng.choice(list(RESTS), p=[0.5, 0.3, 0.2]))
    odds = 0.0 if kind == "still" else 1.0
    left = right = "none"
    if kind == "talk" and rng.random() < 0.45:
        left, right = ("explain" if rng.random() < 0.7 else "none" for _ in range(2))
    elif rng.random() < odds:
        name = str(rng.choice(list(ONE_HAND), p=list(ONE_HAND.values())))
        left, right = (name, "none") if rng.random() < 0.45 else ("none", name)
    for side, name in ((1, left), (-1, right)):
        draw_arm(rng, stance, deltas, t, side, rest, name, lift, stresses)
    shown = "both" if left == right != "none" else left if left != "none" else right
    return {"hands": shown if shown != "both" else "explain+explain", "rest": rest}


def _shake(rng: np.random.Generator, t: F64) -> tuple[NDArray[np.float32], str]:
    """A camera on a screen or desk, on a lap, or in a hand."""
    kind = str(rng.choice(["fixed", "desk", "lap", "hand"], p=[0.6, 0.18, 0.12, 0.1]))
    size, high = {"fixed": (0.0, 2.0), "desk": (0.0006, 9.0), "lap": (0.003, 3.0), "hand": (0.007, 4.0)}[kind]
    shake = np.stack([wander(rng, t, size, 0.4, high), wander(rng, t, size, 0.4, high)], 1)
    return shake.astype(np.float32), kind


def _light(rng: np.random.Generator, t: F64) -> tuple[NDArray[np.float32], str]:
    """Mostly constant; sometimes a screen that flickers, a cloud, a lamp that is switched, a mains beat."""
    kind = str(
        rng.choice(["constant", "screen", "cloud", "switch", "mains"], p=[0.6, 0.17, 0.12, 0.05, 0.06])
    )
    level = Glide(0.0)
    if kind == "screen":
        for when in jittered(rng, -1.0, float(t[-1]), (0.08, 0.9)):
            level.to(when, rng.uniform(0.03, 0.08), rng.normal(0, 0.13))
    if kind == "cloud":
        level = Glide(rng.normal(0, 0.2))
        level.to(rng.uniform(-1.0, 0.7 * t[-1]), rng.uniform(0.8, 2.5), rng.normal(0, 0.5))
    if kind == "switch":
        level.to(
            rng.uniform(0.1, 0.9) * t[-1],
            rng.uniform(0.03, 0.12),
            rng.choice([-1, 1]) * rng.uniform(0.3, 1.1),
        )
    log = level.at(t)
    if kind == "mains":
        log = rng.uniform(0.01, 0.05) * np.sin(2 * np.pi * rng.uniform(0.3, 6.0) * t + rng.uniform(0, 6.3))
    return np.exp(log).astype(np.float32), kind
