"""Where somebody in a call looks: fixations, saccades, a head that follows, nods and shakes.

Angles are degrees in anny's axes (x to the person's left, y back, z up): + yaw to the person's
left, + pitch down, + roll as `poses.euler` has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from training.synth.clips import speech
from training.synth.clips.curves import F64, Glide, bump, jittered, soft_clip, swing, wander
from training.synth.clips.reach import Deltas
from training.synth.people.poses import HEAD_SHARE, SPINE

# Degrees by which anny's eyeLook actions turn an eye at 1 (measured); the eye bones do the rest.
LOOK = {"Out": 13.9, "In": 14.0, "Up": 9.3, "Down": 10.6}
FULL_LOOK = {"across": 32.0, "up": 24.0}  # degrees of gaze at which an action is 1


@dataclass
class Look:
    """Gaze and head over time, degrees: gaze (yaw, pitch) and head (yaw, pitch, roll); gaze shifts' times."""

    gaze: tuple[Glide, Glide]
    head: tuple[Glide, Glide, Glide]
    shifts: list[float] = field(default_factory=list)


def turns(pitch: F64, yaw: F64, roll: F64) -> F64:
    """`poses.euler` over time: [T,3,3] from degrees [T]."""
    return Rotation.from_euler("ZXY", np.stack([yaw, pitch, roll], 1), degrees=True).as_matrix()


def draw_look(rng: np.random.Generator, kind: str, low: float, high: float) -> Look:
    """Where the person looks: fixations with saccades between, and a head that follows the large ones.

    A saccade lasts 21 ms + 2.2 ms per degree (Bahill et al. 1975). The head begins some 40 ms later,
    does most of a large shift and little of a small one.
    """
    away = rng.uniform(25, 65) * rng.choice([-1, 1]) if rng.random() < 0.15 else rng.normal(0, 12)
    centre = np.array([away, rng.normal(2, 7)])
    gaze = (Glide(float(centre[0])), Glide(float(centre[1])))
    head = (
        Glide(0.9 * float(centre[0])),
        Glide(float(centre[1]) + rng.normal(0, 4)),
        Glide(rng.normal(0, 5)),
    )
    look = Look(gaze, head)
    restless = {"look": (0.35, 1.2), "still": (0.5, 3.0)}.get(kind, (0.25, 1.6))
    large = {"look": 0.5, "talk": 0.14, "still": 0.02}.get(kind, 0.08)
    times = jittered(rng, low, high, restless)
    sure = times[-1]  # those who look around do so while the clip runs
    if kind == "look":
        sure = times[int(np.searchsorted(times, rng.uniform(-0.4, max(0.6 * (high - 0.5), 0.0)))) - 1]
    for when in times:
        if rng.random() < large or (when == sure and kind == "look"):
            goal = centre + np.array([rng.uniform(12, 48) * rng.choice([-1, 1]), rng.uniform(-16, 24)])
        elif rng.random() < 0.35:
            goal = centre + rng.normal(0, 1.0, 2)  # back to the camera or the other's face
        else:
            goal = centre + rng.normal(0, 1, 2) * [5.0, 3.0] + [0, 2.5]
        goal[1] = np.clip(goal[1], -24, 34)
        jump = float(np.hypot(*(goal - [g.target for g in gaze])))
        length = 0.021 + 0.0022 * jump
        for curve, value in zip(gaze, goal, strict=True):
            curve.to(when, length, float(value))
        if jump > 10:
            look.shifts.append(when)
        miss = goal - [h.target for h in head[:2]]
        if np.hypot(*miss) > 8 or rng.random() < 0.25:
            share = rng.uniform(0.6, 0.95) if np.hypot(*miss) > 8 else rng.uniform(0.1, 0.6)
            length = rng.uniform(0.28, 0.4) + 0.007 * float(np.hypot(*miss))
            for curve, value in zip(head[:2], miss, strict=True):
                curve.to(when + 0.04, length, curve.target + share * float(value))
    for when in jittered(rng, low, high, (0.8, 4.0)):
        head[2].to(when, rng.uniform(0.5, 1.1), rng.normal(0, 6))
    return look


def move_head(
    rng: np.random.Generator,
    t: F64,
    kind: str,
    look: Look,
    stresses: list[float],
    bounce: F64,
    deltas: Deltas,
) -> F64:
    """Neck and head; returns the head's (yaw, pitch) in the room [T,2]."""
    calm = 0.4 if kind == "still" else 1.0
    yaw, pitch, roll = (
        curve.at(t) + wander(rng, t, calm * s) for curve, s in zip(look.head, (0.9, 0.7, 0.6), strict=True)
    )
    for when in stresses:  # the head dips where the voice does
        pitch = pitch + rng.normal(2.2, 1.4) * bump(t, when - 0.14, 0.16, 0.02, 0.26)
        yaw = yaw + rng.normal(0, 1.5) * bump(t, when - 0.2, 0.3, 0.05, 0.4)
    odds = {"listen": (0.75, 0.18), "talk": (0.15, 0.12), "laugh": (0.3, 0.2)}.get(kind, (0.05, 0.03))
    for start in jittered(rng, -1.5, float(t[-1]), (1.2, 3.0)):
        if rng.random() < odds[0]:
            pitch = pitch + rng.uniform(3, 9) * swing(
                t, start, rng.uniform(1.4, 2.8), int(rng.integers(1, 5))
            )
        elif rng.random() < odds[1]:
            yaw = yaw + rng.uniform(5, 13) * swing(t, start, rng.uniform(1.3, 2.3), int(rng.integers(2, 5)))
    pitch = pitch - 2.5 * bounce
    trunk = Rotation.from_matrix(deltas["spine01"]).as_euler("ZXY", degrees=True) * len(SPINE)
    local = np.stack([yaw, pitch, roll]) - 0.75 * trunk.T  # the head keeps its place while the trunk leans
    local = [soft_clip(x, limit) for x, limit in zip(local, (85, 55, 40), strict=True)]
    for name, share in HEAD_SHARE.items():
        deltas[name] = turns(local[1] * share, local[0] * share, local[2] * share)
    return np.stack([local[0] + 0.75 * trunk[:, 0], local[1] + 0.75 * trunk[:, 1]], 1)


def move_eyes(
    rng: np.random.Generator, t: F64, look: Look, head: F64, face: speech.Actions, deltas: Deltas
) -> str:
    """Eyes: gaze less head, so that they stay on their target while the head moves; a word on it."""
    near = rng.uniform(0.45, 1.6)  # metres
    across = soft_clip(look.gaze[0].at(t) - head[:, 0] + wander(rng, t, 0.12, 0.5, 4), 36)
    down = soft_clip(look.gaze[1].at(t) - head[:, 1] + wander(rng, t, 0.1, 0.5, 4), 27)
    lid = rng.uniform(0.0, 0.12)
    for side, tag in ((1, "Left"), (-1, "Right")):
        verge = np.degrees(np.arctan(0.031 / near))
        yaw = across - side * verge  # each eye turns a little toward the nose
        for names, value, full in ((("Out", "In"), side * yaw, "across"), (("Down", "Up"), down, "up")):
            for name, part in zip(names, (np.maximum(value, 0), np.maximum(-value, 0)), strict=True):
                face[f"eyeLook{name}{tag}"] = np.clip(part / FULL_LOOK[full], 0, 1)
        got_yaw = side * (face[f"eyeLookOut{tag}"] * LOOK["Out"] - face[f"eyeLookIn{tag}"] * LOOK["In"])
        got_down = face[f"eyeLookDown{tag}"] * LOOK["Down"] - face[f"eyeLookUp{tag}"] * LOOK["Up"]
        deltas["eye." + tag[0]] = turns(down - got_down, yaw - got_yaw, np.zeros(t.shape))
        face["eyeBlink" + tag] = face.get("eyeBlink" + tag, 0.0) + lid
    return "moves" if np.ptp(across) + np.ptp(down) > 4 else "rests"
