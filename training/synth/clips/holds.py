"""Where hands go: resting places and gestures, and what a hand does while it is there.

Axes are anny's: x to the person's left, y back, z up; given for the left hand, mirrored for the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synth.clips.curves import F64, bump, wander


@dataclass(frozen=True)
class Hold:
    """A hand held somewhere.

    frame: "head" or "chest"; place [3]: an offset from `mark` in metres (head), or from the
    shoulder in arm lengths (chest); point: which point of the hand is there (wrist, palm, knuckle,
    tip); fingers, palm: directions the fingers point and the palm faces; pole: toward the elbow;
    curl: degrees of each joint of the index finger and of the others.
    """

    frame: str
    mark: str
    place: tuple[float, float, float]
    point: str
    fingers: tuple[float, float, float]
    palm: tuple[float, float, float]
    pole: tuple[float, float, float]
    curl: tuple[float, float]


RESTS = {
    "desk": Hold(
        "chest",
        "",
        (-0.10, -0.62, -0.62),
        "wrist",
        (-0.45, -0.85, 0.0),
        (0, 0, -1),
        (0.6, 0.5, -0.7),
        (18, 24),
    ),
    "lap": Hold(
        "chest",
        "",
        (-0.12, -0.38, -0.86),
        "wrist",
        (-0.55, -0.7, -0.3),
        (-0.3, 0.3, -0.9),
        (0.6, 0.7, -0.4),
        (20, 28),
    ),
    "side": Hold(
        "chest",
        "",
        (0.16, -0.10, -0.96),
        "wrist",
        (0.05, -0.2, -0.97),
        (-0.98, 0, 0),
        (0.4, 0.9, 0),
        (18, 24),
    ),
}
GESTURES = {
    "chin": Hold(
        "head",
        "chin",
        (0.012, 0.004, -0.016),
        "knuckle",
        (-0.55, 0.1, 0.8),
        (-0.3, 0.95, 0.1),
        (0.35, -0.5, -1),
        (55, 62),
    ),
    "cheek": Hold(
        "head",
        "jaw",
        (0.018, -0.01, -0.005),
        "palm",
        (-0.05, 0.35, 0.93),
        (-0.9, 0.4, 0.1),
        (0.5, -0.3, -1),
        (10, 16),
    ),
    "glasses": Hold(
        "head",
        "bridge",
        (0.012, -0.02, 0.0),
        "tip",
        (-0.6, 0.5, 0.6),
        (-0.5, 0.75, -0.4),
        (0.9, -0.3, -0.8),
        (12, 58),
    ),
    "hair": Hold(
        "head",
        "side",
        (0.014, -0.01, 0.01),
        "tip",
        (-0.45, 0.55, 0.7),
        (-0.85, 0.35, -0.4),
        (1, -0.4, -0.3),
        (20, 24),
    ),
    "wave": Hold(
        "chest",
        "",
        (0.30, -0.45, 0.22),
        "wrist",
        (0.1, -0.1, 1.0),
        (0.0, -1.0, 0.05),
        (0.8, 0.2, -1),
        (6, 10),
    ),
    "raise": Hold(
        "chest",
        "",
        (0.18, -0.50, 0.30),
        "wrist",
        (0.0, -0.15, 1.0),
        (-0.3, -0.95, 0.1),
        (0.7, 0.0, -1),
        (8, 14),
    ),
    "explain": Hold(
        "chest",
        "",
        (-0.05, -0.68, -0.34),
        "wrist",
        (-0.35, -0.85, 0.4),
        (-0.75, 0.2, 0.6),
        (0.7, 0.4, -0.7),
        (20, 26),
    ),
}
HOLD_TIME = {
    "chin": 2.0,
    "cheek": 2.5,
    "glasses": 0.2,
    "hair": 0.6,
    "wave": 1.6,
    "raise": 1.5,
    "explain": 2.0,
}


def busy(rng: np.random.Generator, name: str, t: F64, start: float, stresses: list[float]) -> tuple[F64, F64]:
    """What the hand does while it is there: swing in degrees [T], and moves of its place [T,3] in metres."""
    swing, move = np.zeros(t.shape), np.zeros((len(t), 3))
    if name == "wave":
        swing = rng.uniform(14, 26) * np.sin(2 * np.pi * rng.uniform(1.5, 2.6) * (t - start))
        move[:, 0] = 0.0018 * swing
    if name == "hair":
        stroke = bump(t, start, 0.6, 0.2, 0.6)
        move[:, 1], move[:, 2] = 0.05 * stroke, 0.03 * stroke
    if name == "explain":
        for axis in range(3):
            move[:, axis] = wander(rng, t, 0.022, 0.3, 1.6)
        for when in stresses:
            move[:, 2] -= rng.uniform(0.01, 0.05) * bump(t, when - 0.15, 0.17, 0.03, 0.25)
        swing = wander(rng, t, 9.0, 0.3, 1.8)
    if name in ("chin", "cheek"):
        swing = wander(rng, t, 1.5)
    return swing, move
