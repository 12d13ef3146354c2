"""Faces in motion: speech, smiles, laughter and blinks as curves of anny's 52 facial actions.

Speech is a row of syllables, each a consonant and a vowel. Co-articulation follows the dominance
functions of Cohen and Massaro (1993): every sound pulls each part of the mouth toward its own
target with a weight that fades with time, lips earlier and longer than the jaw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synth.clips.curves import F64, Glide, bump, jittered, wander

# Targets of the mouth at full strength. `close` is the share of the jaw's opening that lips undo.
VOWELS: dict[str, dict[str, float]] = {
    "a": {"jaw": 0.48, "lower": 0.12, "upper": 0.08},
    "e": {"jaw": 0.28, "stretch": 0.10, "smile": 0.14, "lower": 0.10, "upper": 0.10},
    "i": {"jaw": 0.14, "stretch": 0.12, "smile": 0.20, "lower": 0.10, "upper": 0.10},
    "o": {"jaw": 0.30, "funnel": 0.55, "pucker": 0.25},
    "u": {"jaw": 0.15, "funnel": 0.30, "pucker": 0.65},
    "schwa": {"jaw": 0.22, "lower": 0.06, "upper": 0.04},
}
CONSONANTS: dict[str, dict[str, float]] = {
    "bmp": {"jaw": 0.05, "close": 1.0, "press": 0.45, "roll": 0.10},
    "fv": {"jaw": 0.06, "roll_low": 0.42, "upper": 0.18, "shrug": 0.10},
    "sz": {"jaw": 0.02, "smile": 0.08, "stretch": 0.06, "lower": 0.12},
    "sh": {"jaw": 0.05, "funnel": 0.55, "pucker": 0.15},
    "w": {"jaw": 0.07, "pucker": 0.75, "funnel": 0.20},
    "tdnl": {"jaw": 0.07, "lower": 0.06, "upper": 0.04},
    "gk": {"jaw": 0.11, "lower": 0.05},
}
CONSONANT_ODDS = (0.18, 0.08, 0.14, 0.07, 0.07, 0.32, 0.14)
SILENCE = {"jaw": 0.0}
CHANNELS = {
    "jaw": ("jawOpen",),
    "funnel": ("mouthFunnel",),
    "pucker": ("mouthPucker",),
    "stretch": ("mouthStretchLeft", "mouthStretchRight"),
    "lower": ("mouthLowerDownLeft", "mouthLowerDownRight"),
    "upper": ("mouthUpperUpLeft", "mouthUpperUpRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "press": ("mouthPressLeft", "mouthPressRight"),
    "roll": ("mouthRollLower", "mouthRollUpper"),
    "roll_low": ("mouthRollLower",),
    "shrug": ("mouthShrugLower",),
}
REACH = {"jaw": 0.042, "close": 0.032, "press": 0.040, "roll_low": 0.045}  # seconds; lips: 0.07
Actions = dict[str, F64]


@dataclass(frozen=True)
class Sound:
    """One target of the mouth: when, how strongly it insists, what, how large."""

    time: float
    weight: float
    targets: dict[str, float]
    size: float


def draw_speech(rng: np.random.Generator, low: float, high: float) -> tuple[list[Sound], list[float]]:
    """Sounds between two times and the times of stressed syllables; phrases with pauses between."""
    sounds, stresses = [], []
    rate, loud = rng.uniform(3.2, 6.0), rng.uniform(0.6, 1.25)
    now, left = low, int(rng.integers(2, 14))
    while now < high:
        stressed = rng.random() < 0.3
        length = rng.uniform(0.8, 1.2) / rate * (1.2 if stressed else 0.95)
        size = min(loud * rng.uniform(0.55, 0.95) * (1.3 if stressed else 1.0), 1.15)
        kind = str(rng.choice(list(CONSONANTS), p=CONSONANT_ODDS))
        vowel = str(rng.choice(list(VOWELS), p=[0.2, 0.17, 0.15, 0.15, 0.1, 0.23]))
        sounds.append(Sound(now + 0.05 * length, 2.0, CONSONANTS[kind], 1.0))
        sounds.append(Sound(now + 0.55 * length, 1.0, VOWELS[vowel], size))
        if stressed:
            stresses.append(now + 0.5 * length)
        now, left = now + length, left - 1
        if left <= 0:
            pause = rng.uniform(0.2, 0.6)
            sounds += [Sound(now + s, 1.5, SILENCE, 1.0) for s in np.arange(0.06, pause, 0.09)]
            now, left = now + pause, int(rng.integers(4, 18))
    return sounds, stresses


def articulate(sounds: list[Sound], t: F64) -> Actions:
    """The mouth's actions [T] for a row of sounds."""
    when = np.array([s.time for s in sounds])
    weight = np.array([s.weight for s in sounds])
    out: Actions = {}
    for channel in [*CHANNELS, "close"]:
        target = np.array([s.targets.get(channel, 0.0) * s.size for s in sounds])
        pull = weight * np.exp(-0.5 * ((t[:, None] - when) / REACH.get(channel, 0.07)) ** 2)
        value = (pull @ target) / (pull.sum(1) + 1e-6)
        if channel == "close":
            # Lips that meet while the jaw is open; more than that would push them into each other.
            out["mouthClose"] = value
            continue
        for name in CHANNELS[channel]:
            out[name] = np.maximum(out[name], value) if name in out else value
    out["mouthClose"] = np.clip(out["mouthClose"], 0, 1) * np.clip(out["jawOpen"], 0, 1)
    return out


def draw_laugh(rng: np.random.Generator, t: F64, start: float) -> tuple[Actions, F64]:
    """A laugh: actions [T], and the bounce [T] of head and shoulders (0 at rest, about 1)."""
    length, rate = rng.uniform(1.2, 2.5), rng.uniform(4.0, 5.2)
    envelope = bump(t, start, 0.35, length, 0.7)
    bounce = envelope * (0.5 + 0.5 * np.sin(2 * np.pi * rate * (t - start)))
    big = rng.uniform(0.5, 1.0)
    out = {"jawOpen": big * (0.22 * envelope + 0.10 * bounce), "mouthUpperUpLeft": 0.3 * big * envelope}
    out["mouthUpperUpRight"] = out["mouthUpperUpLeft"]
    for side in ("Left", "Right"):
        out["mouthSmile" + side] = (0.45 + 0.45 * big) * envelope
        out["cheekSquint" + side] = (0.3 + 0.4 * big) * envelope
        out["eyeSquint" + side] = (0.2 + 0.4 * big) * envelope
    return out, bounce


def draw_mood(rng: np.random.Generator, t: F64, low: float, last: float) -> Actions:
    """A resting expression that changes now and then: smiles, brows, pressed lips, frowns."""
    odds: dict[tuple[str, ...], float] = {
        ("mouthSmile",): 0.45,
        ("browInnerUp", "browOuterUp"): 0.2,
        ("browDown", "eyeSquint"): 0.12,
        ("mouthPress",): 0.15,
        ("mouthFrown", "mouthShrugLower"): 0.1,
        ("noseSneer", "mouthUpperUp"): 0.05,
        ("eyeWide", "browInnerUp"): 0.06,
        ("mouthDimple",): 0.12,
    }
    one_sided = ("browInnerUp", "mouthShrugLower")
    out: Actions = {}
    for names, share in odds.items():
        high = 0.4 if "browDown" in names else 0.75
        curve = Glide(rng.uniform(0.1, 0.8 * high) if rng.random() < share else 0.0)
        for when in jittered(rng, low, last, (0.8, 4.0)):
            goal = rng.uniform(0.15, high) if rng.random() < share else 0.0
            curve.to(when, rng.uniform(0.25, 0.7), goal)
        value = curve.at(t)
        for name in names:
            for side in ("",) if name in one_sided else ("Left", "Right"):
                out[name + side] = out.get(name + side, 0.0) + value * rng.uniform(0.75, 1.0)
    for name in ("browInnerUp", "browOuterUpLeft", "mouthPressLeft", "mouthSmileRight", "jawForward"):
        out[name] = out.get(name, 0.0) + np.maximum(wander(rng, t, 0.015), 0)
    return out


def draw_blinks(
    rng: np.random.Generator, t: F64, low: float, high: float, shifts: list[float]
) -> tuple[F64, int]:
    """How far the lids are shut [T] in 0..1, and how many whole blinks the clip shows.

    A blink takes 80-150 ms and closes faster than it opens; gaze shifts often bring one along
    (`shifts`: their times). The moment of full closure is moved to a frame: a slow camera would
    otherwise miss it, and a picture of a blink is the picture of closed eyes.
    """
    times = jittered(rng, low, high, (0.5, rng.uniform(1.5, 6.0)))
    times += [s for s in shifts if rng.random() < 0.35]
    step = t[1] - t[0]
    shut, whole, last = np.zeros(t.shape), 0, -np.inf
    for when in sorted(times):
        length, height = rng.uniform(0.08, 0.15), rng.uniform(0.9, 1.0)
        close, hold = rng.uniform(0.28, 0.36) * length, 0.12 * length
        start = t[0] + step * np.round((when - t[0]) / step) - close - 0.5 * hold
        if start < last + 0.25:
            continue
        last, fall = start, length - close - hold
        shut += height * bump(t, start, close, hold, fall)
        whole += int(start >= t[0] - 1e-9 and start + length <= t[-1] + 1e-9)
    return np.clip(shut, 0, 1), whole


def brow_beats(rng: np.random.Generator, t: F64, stresses: list[float]) -> Actions:
    """Brows that rise on some stressed syllables."""
    value = np.zeros(t.shape)
    for when in stresses:
        if rng.random() < 0.35:
            value += rng.uniform(0.15, 0.5) * bump(t, when - 0.12, 0.15, 0.1, 0.3)
    value = np.minimum(value, 0.7)
    return {"browInnerUp": value, "browOuterUpLeft": 0.8 * value, "browOuterUpRight": 0.8 * value}
