"""Colours and finishes of a dressed person: uniforms for each role's shader."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.synth.gl import Skin
from training.synth.meshes import F32
from training.synth.wear.dress import Person

# The ten swatches of the Monk Skin Tone scale (Monk 2022, skintone.google), light to dark, sRGB.
MONK = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
TONES = np.array([[int(h[k : k + 2], 16) for k in (0, 2, 4)] for h in MONK], np.float32)
# A swatch is skin as it looks on a screen; as a reflectance it would be brighter than any skin, and
# too grey where it is light: less light, less green and blue there; the darkest two are darker than
# skin is.
_DARK = (np.arange(10) / 9)[:, None] ** 3
REFLECT = (np.array([0.70, 0.54, 0.45]) * (1 - _DARK) + np.array([1.7, 1.26, 1.0]) * _DARK).astype(np.float32)
HAIR = np.array(
    [(0.012, 0.010, 0.009), (0.03, 0.018, 0.012), (0.07, 0.038, 0.02), (0.30, 0.19, 0.09),
     (0.25, 0.24, 0.23), (0.6, 0.58, 0.55), (0.16, 0.045, 0.015)],
    np.float32,
)  # fmt: skip
IRIS = np.array([(0.05, 0.02, 0.01), (0.02, 0.01, 0.008), (0.1, 0.15, 0.2), (0.09, 0.1, 0.04)], np.float32)
IRIS_ODDS = (0.34, 0.34, 0.17, 0.15)
LIPS = (
    (176, 40, 52),
    (150, 60, 66),
    (196, 92, 96),
    (120, 28, 52),
    (178, 108, 92),
    (206, 70, 110),
    (90, 24, 30),
)
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
HAIR_ODDS = (0.36, 0.22, 0.14, 0.11, 0.07, 0.05, 0.05)

# Cloth nearly black, white, grey: lowest level and how far it reaches, lowest tint and how far that reaches.
GREYS = ((0.004, 0.026, -0.3, 0.6), (0.45, 0.4, -0.08, 0.12), (0.05, 0.35, -0.1, 0.2))


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
    """A skin's reflectance, linear RGB [3], and its step on the Monk scale, 0 (light) .. 9 (dark).

    All steps are equally likely, whoever it is; between the swatches everything occurs. The
    undertone runs from rosy to olive.
    """
    step = int(rng.integers(10))
    at = float(np.clip(step + rng.uniform(-0.5, 0.5), 0, 9))
    low = min(int(at), 8)
    swatch = linear(TONES / 255) * REFLECT
    tone = np.exp(np.log(swatch[low]) * (1 - at + low) + np.log(swatch[low + 1]) * (at - low))
    under = np.exp(rng.normal(0, 0.05) * np.array([0.6, -0.6, 0.2]) + rng.normal(0, 0.03, 3))
    return np.clip(tone * under * rng.uniform(0.9, 1.1), 0.01, 0.9).astype(np.float32), step


def draw_cloth(rng: np.random.Generator) -> F32:
    """A cloth colour, linear RGB [3]: often nearly black, sometimes white, else anything."""
    pick, draw = rng.random(), rng.random  # a room full of books asks thousands of times
    if pick < 0.6:
        low, wide, least, spread = GREYS[0 if pick < 0.3 else 1 if pick < 0.45 else 2]
        level = low + wide * draw()
        return np.array([level * (1 + least + spread * draw()) for _ in range(3)], np.float32)
    rgb = colorsys.hsv_to_rgb(draw(), 0.15 + 0.75 * draw(), 0.15 + 0.8 * draw())
    return np.array([s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in rgb], np.float32)


def draw_looks(
    rng: np.random.Generator,
    person: Person,
    skins: list[Path],
    tones: dict[Path, F32],
    male: bool,
    age: float = 0.65,
) -> tuple[dict[str, Skin], dict[str, str]]:
    """Uniforms for every role of a person, and words for the statistics; age as the bank's (1 is old)."""
    tone, step = draw_tone(rng)
    grey = np.clip((age - 0.62) * 9, 0.25, 3.0)  # the share of the grey and the white
    odds = np.array(HAIR_ODDS) * [1, 1, 1, 1, grey, grey, 1]
    hair = HAIR[rng.choice(len(HAIR), p=odds / odds.sum())] * np.float32(rng.uniform(0.6, 1.5))
    if rng.random() < 0.05:
        hair = draw_cloth(rng)
    skin = draw_texture(rng, skins, male, age)
    looks = {
        "skin": _skin(rng, person, skin, tones[skin], tone, hair, male, age),
        "eye": _eye(rng, step),
        "inside": _plain((tone * [0.5, 0.25, 0.25]), 0.3, 0.0),
        "teeth": _plain(np.array([0.62, 0.57, 0.47]) * rng.uniform(0.5, 1.1), 0.5, 3.0),
        "glasses": _plain(draw_cloth(rng) * rng.uniform(0.1, 1), 0.8, 3.0),
        "lens": _plain(np.full(3, 0.01), 1.0, 3.0),
        "phones": _plain(draw_cloth(rng), 0.3, 3.0 * (rng.random() < 0.4)),
    }  # fmt: skip
    # A brow's strip is denser than brows are: its colour makes up for it.
    thin = rng.uniform(0.15, 0.6)
    brow = _rgb(np.minimum(hair, tone * 0.5) * (1 - thin) + tone * 0.4 * thin)
    bare = looks["skin"].values["liner"] == 0  # lashes without mascara
    lash = _rgb(hair * 0.4 + tone * (rng.uniform(0.15, 0.4) if bare else 0.0))
    for role in ("brow", "lash"):
        if role in person.textures:
            colour = brow if role == "brow" else lash
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


def draw_texture(rng: np.random.Generator, skins: list[Path], male: bool, age: float) -> Path:
    """A skin texture of the right sex, if there is one, and seldom of the wrong age."""
    fitting = [p for p in skins if ("female" in p.stem) != male] or skins
    word = "young" if age < 0.72 else "middleage" if age < 0.88 else "old"
    apt = [p for p in fitting if p.stem.startswith(word)]
    if apt and rng.random() < 0.7:
        fitting = apt
    return fitting[rng.integers(len(fitting))]


def _eye(rng: np.random.Generator, step: int) -> Skin:
    """Brown eyes for nearly all dark skins, any for light ones."""
    kind = int(rng.choice(len(IRIS), p=IRIS_ODDS))
    iris = IRIS[kind if step < 5 or rng.random() < 0.08 else kind % 2] * rng.uniform(0.7, 1.3)
    values = {"iris": _rgb(iris), "white": float(rng.uniform(0.55, 0.95))}
    values |= {"pupil": float(rng.uniform(0.0014, 0.0030)), "veins": float(rng.beta(1.2, 3))}
    return Skin(values)


def _skin(
    rng: np.random.Generator,
    person: Person,
    path: Path,
    mean: F32,
    tone: F32,
    hair: F32,
    male: bool,
    age: float,
) -> Skin:
    """Skin with a hair cap that suits the hair, stubble for some men, make-up mostly for women."""
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
        "shine": float(rng.uniform(0.03, 0.25) if rng.random() < 0.4 else rng.uniform(0.2, 0.8)),
        "seed": tuple(rng.uniform(0, 20, 3).tolist()),
        **_marks(rng, float(tone @ LUMA), age),
        **_make_up(rng, tone, male),
    }
    return Skin(values, {"diffuse": path})


def _marks(rng: np.random.Generator, light: float, age: float) -> dict[str, Any]:
    """Flush, spots, moles and lines; light: the tone's luminance, which freckles and flush show on."""
    old = float(np.clip((age - 0.6) / 0.4, 0, 1))
    pale = min(light / 0.45, 1.0)
    freckles = rng.uniform(0.15, 0.8) if rng.random() < 0.2 * pale else 0.0
    depth = np.array([0.00045, 0.0006, 0.0012]) * (0.08 + old) * rng.uniform(0.2, 1.2, 3)
    out: dict[str, Any] = {
        "flush": (
            float(rng.beta(1.5, 3) * (0.3 + 0.7 * pale)),
            float(rng.uniform(0, 0.6) * pale),
            float(rng.beta(1.5, 2.5)),
            float(rng.beta(1, 4)),
        ),
        "spots": (
            float(freckles),
            float(rng.beta(1, 4) * (rng.random() < 0.5)),
            float(old * rng.uniform(0, 0.7)),
        ),
        "lines": (*depth.tolist(), float(rng.uniform(0.00002, 0.00014))),
    }
    for name in ("mole_a", "mole_b"):
        place = (rng.choice((-1.0, 1.0)) * rng.uniform(0.018, 0.058), rng.uniform(0.62, 0.78))
        out[name] = (*place, rng.uniform(0.0007, 0.0022), rng.uniform(0.4, 1) * (rng.random() < 0.3))
    return out


def _make_up(rng: np.random.Generator, tone: F32, male: bool) -> dict[str, Any]:
    """Lipstick, eye shadow, rouge: colour and strength each; eyeliner's strength."""
    worn = rng.random() < (0.03 if male else 0.55)
    parts = rng.random(4) < (0.6, 0.4, 0.5, 0.5)
    lip = linear(np.array(LIPS[rng.integers(len(LIPS))], np.float32) / 255) * (
        0.35 + 0.65 * float(tone[0] / 0.6)
    )
    lid = linear(np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 0.6), 0.5), np.float32)) * 0.6
    lid = lid * rng.uniform(0.3, 1) + tone * 0.3
    rosy = tone * np.array([1.05, 0.62, 0.62])
    worn_as = [float(w and worn) for w in parts]
    return {
        "lipstick": (*_rgb(np.minimum(lip, 0.8)), worn_as[0] * float(rng.uniform(0.3, 0.9))),
        "shadow": (*_rgb(lid), worn_as[1] * float(rng.uniform(0.2, 0.7))),
        "rouge": (*_rgb(rosy), worn_as[2] * float(rng.uniform(0.2, 0.7))),
        "liner": worn_as[3] * float(rng.uniform(0.3, 1.0)),
    }


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
    printed = rng.spawn(1)[0]  # draws nothing from `rng`: all else stays as it was
    if not own and printed.random() < 0.12:
        values |= _print(printed)
    return Skin(values, {"diffuse": texture} if texture else {})


def _print(rng: np.random.Generator) -> dict[str, Any]:
    """Words all over dark cloth, or one large picture on the chest, pale: what gives mattes holes."""
    dark, pale = rng.uniform(0.003, 0.03), rng.uniform(0.15, 0.75)
    words = float(rng.random() < 0.5)
    pitch, soft = rng.uniform(0.02, 0.055, 2)
    return {
        "colour": _rgb(dark * (1 + rng.uniform(-0.2, 0.4, 3))),
        "second": _rgb(pale * (1 + rng.uniform(-0.1, 0.1, 3))),
        "pattern": (7.0 - words, float(pitch), float(rng.normal(0, 0.4)), float(soft)),
    }
