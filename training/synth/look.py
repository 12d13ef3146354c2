"""Colours and finishes of a dressed person: uniforms for each role's shader."""

from __future__ import annotations

import colorsys
from pathlib import Path

import cv2
import numpy as np

from training.synth.dress import Person
from training.synth.gl import Skin
from training.synth.meshes import F32

# From very light to very dark, sRGB 0..255; sampled evenly so that no tone is rare.
TONES = np.array(
    [
        (246, 222, 205), (236, 205, 180), (226, 186, 158), (207, 161, 128), (186, 136, 102),
        (158, 109, 78), (127, 84, 59), (97, 64, 46), (72, 48, 37), (50, 35, 30),
    ],
    np.float32,
)  # fmt: skip
HAIR = np.array(
    [(0.012, 0.010, 0.009), (0.03, 0.018, 0.012), (0.07, 0.038, 0.02), (0.30, 0.19, 0.09),
     (0.25, 0.24, 0.23), (0.6, 0.58, 0.55), (0.16, 0.045, 0.015)],
    np.float32,
)  # fmt: skip
IRIS = np.array([(0.05, 0.02, 0.01), (0.02, 0.01, 0.008), (0.1, 0.15, 0.2), (0.09, 0.1, 0.04)], np.float32)
HAIR_ODDS = (0.36, 0.22, 0.14, 0.11, 0.07, 0.05, 0.05)


def linear(srgb: F32) -> F32:
    """sRGB 0..1 -> linear 0..1."""
    s = np.asarray(srgb, np.float32)
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4).astype(np.float32)


def texture_tone(path: Path) -> F32:
    """The median skin colour of a texture, decoded as the skin shader does."""
    image = cv2.imread(str(path))[::8, ::8, ::-1].reshape(-1, 3).astype(np.float32) / 255
    t = np.median(image, 0)
    return (t * t * (0.3 * t + 0.7)).astype(np.float32)


def draw_tone(rng: np.random.Generator) -> tuple[F32, int]:
    """A skin tone, linear RGB [3], and its step 0 (light) .. 9 (dark)."""
    at = rng.uniform(0, 9)
    low = int(at)
    tone = TONES[low] * (1 - at + low) + TONES[min(low + 1, 9)] * (at - low)
    tone = tone * rng.uniform(0.92, 1.06) * (1 + rng.normal(0, 0.03, 3))
    return linear(np.clip(tone / 255, 0.02, 0.99)), round(at)


def draw_cloth(rng: np.random.Generator) -> F32:
    """A cloth colour, linear RGB [3]: often nearly black, sometimes white, else anything."""
    pick = rng.random()
    if pick < 0.3:
        return (rng.uniform(0.004, 0.03) * (1 + rng.uniform(-0.3, 0.3, 3))).astype(np.float32)
    if pick < 0.45:
        return (rng.uniform(0.45, 0.85) * (1 + rng.uniform(-0.08, 0.04, 3))).astype(np.float32)
    if pick < 0.6:
        return (rng.uniform(0.05, 0.4) * (1 + rng.uniform(-0.1, 0.1, 3))).astype(np.float32)
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.15, 0.9), rng.uniform(0.15, 0.95))
    return linear(np.array(rgb, np.float32))


def draw_looks(
    rng: np.random.Generator, person: Person, skins: list[Path], tones: dict[Path, F32], male: bool
) -> tuple[dict[str, Skin], dict[str, str]]:
    """Uniforms for every role of a person, and words for the statistics."""
    tone, step = draw_tone(rng)
    hair = HAIR[rng.choice(len(HAIR), p=HAIR_ODDS)] * np.float32(rng.uniform(0.6, 1.5))
    if rng.random() < 0.05:
        hair = draw_cloth(rng)
    fitting = [p for p in skins if ("female" in p.stem) != male] or skins
    skin = fitting[rng.integers(len(fitting))]
    looks = {
        "skin": _skin(rng, person, skin, tones[skin], tone, hair, male),
        "eye": Skin({"iris": _rgb(IRIS[rng.integers(len(IRIS))]), "white": rng.uniform(0.5, 0.95)}),
        "inside": _plain((tone * [0.5, 0.25, 0.25]), 0.3, 0.0),
        "teeth": _plain(np.array([0.62, 0.57, 0.47]) * rng.uniform(0.5, 1.1), 0.5, 3.0),
        "glasses": _plain(draw_cloth(rng) * rng.uniform(0.1, 1), 0.8, 3.0),
        "lens": _plain(np.full(3, 0.01), 1.0, 3.0),
        "phones": _plain(draw_cloth(rng), 0.3, 3.0 * (rng.random() < 0.4)),
    }  # fmt: skip
    brow = _rgb(np.minimum(hair, tone * 0.45) * 0.8)
    for role in ("brow", "lash"):
        if role in person.textures:
            colour = brow if role == "brow" else _rgb(hair * 0.4)
            looks[role] = Skin({"hair": colour}, {"diffuse": person.textures[role]})
    looks["hair"] = _hair(rng, hair, person.textures.get("hair"), person.tags["hair"])
    looks["beard"] = _hair(rng, hair * np.float32(rng.uniform(0.7, 1.2)), None, "beard")
    for role in ("cloth", "jacket", "hat"):
        looks[role] = _cloth(
            rng, person.textures.get(role), shell=role != "hat" or person.tags["hair"] == "cover"
        )
    return looks, {"tone": str(step)}


def _rgb(c: F32) -> tuple[float, float, float]:
    return float(c[0]), float(c[1]), float(c[2])


def _plain(colour: F32, shine: float, material: float) -> Skin:
    return Skin({"colour": _rgb(np.asarray(colour)), "shine": float(shine), "material": float(material)})


def _skin(
    rng: np.random.Generator, person: Person, path: Path, mean: F32, tone: F32, hair: F32, male: bool
) -> Skin:
    """Skin with a hair cap that suits the hair, and stubble for some men."""
    kind = person.tags["hair"].split(":")[0]
    cap = {"bald": 0.0 if rng.random() < 0.5 else 0.3, "buzz": rng.uniform(0.5, 0.95), "cover": 0.0}.get(
        kind, 0.95
    )
    stubble = rng.uniform(0.2, 0.9) if male and rng.random() < 0.4 else 0.0
    if person.tags["beard"] == "full":
        stubble = 0.9
    red = rng.uniform(0.75, 1.1) if male else rng.uniform(0.5, 1.1)
    values = {
        "mean": _rgb(mean),
        "tone": _rgb(tone),
        "contrast": rng.uniform(0.5, 1.15),
        "hair": _rgb(hair),
        "cap": (float(rng.uniform(-0.012, 0.012)), float(cap)),
        "stubble": (float(stubble), float(rng.uniform(0.3, 1.0))),
        "lips": (rng.uniform(0.8, 1.15), red, red * rng.uniform(0.85, 1.05)),
        "shine": float(rng.uniform(0.1, 0.6)),
        "seed": tuple(rng.uniform(0, 20, 3).tolist()),
    }
    return Skin(values, {"diffuse": path})


def _hair(rng: np.random.Generator, hair: F32, texture: Path | None, kind: str) -> Skin:
    tips = hair * np.float32(rng.uniform(0.8, 1.5)) if rng.random() < 0.8 else draw_cloth(rng)
    values = {
        "textured": float(texture is not None),
        "hair": _rgb(hair),
        "tips": _rgb(tips),
        "streak": float(rng.uniform(40, 220)),
        "thin": float(rng.uniform(0.5, 1.0)),
    }
    return Skin(values, {"diffuse": texture} if texture else {})


def _cloth(rng: np.random.Generator, texture: Path | None, shell: bool) -> Skin:
    own = texture is not None and "diffuse" in texture.stem and rng.random() < 0.6
    colour = np.full(3, rng.uniform(0.4, 0.95)) if own else draw_cloth(rng)
    kind = float(rng.choice([0, 1, 2, 3, 4, 5], p=[0.52, 0.12, 0.08, 0.1, 0.13, 0.05]))
    angle = float(rng.choice([0.0, 1.571, rng.uniform(0, 3)]))
    values = {
        "textured": float(texture is not None),
        "colour": _rgb(colour),
        "second": _rgb(draw_cloth(rng)),
        "pattern": (kind, float(rng.uniform(0.012, 0.09)), angle, float(rng.uniform(0.02, 0.3))),
        "shine": float(rng.uniform(0.0, 0.25)),
        "weave": float(rng.uniform(0.0, 0.45)),
        "cut": 0.0 if shell and texture is None else -10.0,
        "seed": tuple(rng.uniform(0, 20, 3).tolist()),
    }
    return Skin(values, {"diffuse": texture} if texture else {})
