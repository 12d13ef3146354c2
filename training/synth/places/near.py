"""Things that stand as near as the person does, at the picture's sides and sharp: chairs, mostly black,
jackets hung over them, screens seen from aside, flags, cloth in folds, turned things such as vases.

They are no people, though black cloth with a shoulder's outline at the picture's edge looks like somebody who
is cut off there. Drawn onto a linear picture [H,W,3] float32 in place, after the backdrop's defocus.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.synth.meshes import F32
from training.synth.people.look import draw_cloth
from training.synth.places.clutter import Patch, add_flag, add_turned, colour_of, paint, patch_at
from training.synth.places.light import LUMA
from training.synth.places.rooms import Setting

ODDS = {"environment": 0.1, "room": 0.36, "wall": 0.4, "texture": 0.16}
"""How often anything of this stands there, by the backdrop's kind."""


def add_near(rng: np.random.Generator, image: F32, setting: Setting, kind: str) -> None:
    """Nothing, one thing or two."""
    if rng.random() > ODDS[kind]:
        return
    count = 1 + int(rng.random() < 0.35)
    for distance in sorted(rng.uniform(0.55, 1.7, count), reverse=True):
        pick = rng.choice(len(THINGS), p=[0.22, 0.16, 0.1, 0.1, 0.14, 0.28])
        THINGS[pick](rng, image, setting, float(distance))


def _stand(rng: np.random.Generator) -> tuple[float, float]:
    """Where in the picture, 0..1 to the right and down: at the sides, cut off there."""
    x = float(rng.beta(0.35, 0.35)) * 1.16 - 0.08
    return x, float(rng.uniform(0.62, 1.15))


def _black(rng: np.random.Generator) -> F32:
    """Black cloth or plastic three times of four, else any cloth."""
    if rng.random() < 0.75:
        return np.asarray(rng.uniform(0.003, 0.022) * (1 + rng.uniform(-0.15, 0.15, 3)), np.float32)
    return colour_of(rng)


def _back(patch: Patch, a: float, b: float, power: float) -> tuple[F32, tuple[F32, F32, F32]]:
    """A chair's back, half sizes in metres: how far inside (pixels), and normals of a slightly bent board."""
    u, v = np.abs(patch.x / a) ** power, np.abs(patch.y / b) ** power
    normal = (0.5 * np.sign(patch.x) * u, 0.5 * np.sign(patch.y) * v + 0.1, np.ones_like(u))
    return (1 - u - v) * a * patch.ppm / power, normal


def _chair(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """The back of an office chair."""
    at = _stand(rng)
    a, b = rng.uniform(0.18, 0.3), rng.uniform(0.22, 0.45)
    patch = patch_at(rng, image, setting, distance, (a, b), rng.normal(0, 0.06), at)
    if patch is not None:
        edge, normal = _back(patch, a, b, rng.uniform(3, 9))
        paint(rng, image, setting, patch, edge, normal, _black(rng))


def _jacket(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """A jacket over the back of a chair: a shoulder's slope, a hem that flares, folds."""
    at = _stand(rng)
    wide, tall = rng.uniform(0.2, 0.3), rng.uniform(0.25, 0.45)
    patch = patch_at(rng, image, setting, distance, (1.3 * wide, tall), rng.normal(0, 0.08), at)
    if patch is None:
        return
    down = (tall - patch.y) / (2 * tall)  # 0 at the top, 1 at the hem
    slope, flare = rng.uniform(0.4, 0.8), rng.uniform(1.0, 1.25)
    half = wide * np.interp(down, [0, 0.03, 0.2, 0.45, 1], [0.3, slope, 0.5 + 0.5 * slope, 1, flare])
    half = half * (1 + 0.05 * np.sin(patch.y * rng.uniform(15, 45) + rng.uniform(0, 6)))
    edge = np.minimum(half - np.abs(patch.x), tall - np.abs(patch.y))
    bend = patch.x / rng.uniform(0.02, 0.06) + 2 * np.sin(patch.y / rng.uniform(0.05, 0.2))
    fold = rng.uniform(0.15, 0.7) * np.cos(bend + rng.uniform(0, 6)) * np.clip(down * 3, 0.1, 1)
    round_ = np.clip(patch.x / (half + 1e-3), -1, 1)
    normal = (fold + round_ * np.abs(round_), np.clip(0.35 - down, 0, 1) * 2.5, np.ones_like(fold))
    paint(rng, image, setting, patch, edge * patch.ppm, normal, _black(rng))


def _screen(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """A screen at the picture's side, turned away: its frame black, its picture bright or dark. Its size goes
    by the picture, whatever the distance."""
    height, width = image.shape[:2]
    far, near = rng.uniform(0.02, 0.25) * width, -rng.uniform(0.0, 0.15) * width
    top, tall = rng.uniform(0.05, 0.6) * height, rng.uniform(0.3, 0.9) * height
    lean = rng.uniform(0.05, 0.25) * tall
    rows = np.array([top - lean, top, top + tall, top + tall + lean])
    corners = np.stack([np.array([near, far, far, near]), rows], 1).astype(np.float32)
    if rng.random() < 0.5:
        corners[:, 0] = width - corners[:, 0]
    level = float(setting.lamps.sh[0] @ LUMA) * np.exp(rng.uniform(np.log(0.1), np.log(4)))
    show = np.full((48, 64, 3), 0.01, np.float32)
    show[2:46, 2:62] = (0.9 if rng.random() < 0.6 else draw_cloth(rng)) * np.float32(level)
    for _ in range(int(rng.integers(1, 7))):  # windows, pictures, bars
        y, x, h, w = rng.uniform((2, 2, 2, 4), (44, 58, 40, 56)).astype(int)
        show[y : min(y + h, 46), x : min(x + w, 62)] = draw_cloth(rng) * np.float32(level)
    whole = np.array([[0, 0], [64, 0], [64, 48], [0, 48]], np.float32)
    matrix = cv2.getPerspectiveTransform(whole, corners)
    image *= 1 - cv2.warpPerspective(np.ones((48, 64), np.float32), matrix, (width, height))[..., None]
    image += cv2.warpPerspective(show, matrix, (width, height))


def _dye(rng: np.random.Generator) -> F32:
    """White, or a strong colour, linear [3]."""
    if rng.random() < 0.3:
        return np.full(3, rng.uniform(0.5, 0.85), np.float32)
    paint_of = np.array([[[rng.uniform(0, 360), rng.uniform(0.5, 1), rng.uniform(0.2, 0.9)]]], np.float32)
    return np.asarray(cv2.cvtColor(paint_of, cv2.COLOR_HSV2RGB)[0, 0] ** 2.2, np.float32)


def _print(rng: np.random.Generator, along: F32, across: F32) -> F32:
    """What is printed on a cloth, albedo [h,w,3]: one colour, stripes, or stripes with a field of spots in a
    corner. `along`, `across`: metres on the cloth, from its upper corner down and sideways."""
    ground, second = _dye(rng), _dye(rng)
    kind, pitch = rng.random(), rng.uniform(0.03, 0.14)
    if kind < 0.3:
        return np.broadcast_to(ground, (*along.shape, 3)).astype(np.float32)
    turn = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    run = (np.cos(turn) * across + np.sin(turn) * along) / pitch
    share = np.clip(6 * np.sin(np.pi * run) + 0.5, 0, 1)[..., None]
    show = ground * (1 - share) + second * share
    if kind < 0.6:
        field = np.clip((rng.uniform(0.1, 0.5) - along) * 200, 0, 1)
        spot = np.clip(8 * (np.sin(along * np.pi / 0.03) * np.sin(across * np.pi / 0.03) - 0.5), 0, 1)
        corner = _dye(rng) * (1 - spot[..., None]) + second * spot[..., None]
        show = show + (corner - show) * field[..., None]
    return np.asarray(show, np.float32)


def _drape(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """Cloth gathered at its top, its folds fanning out downwards, out of the picture below: a flag on its
    pole, a curtain, a towel on a hook."""
    at = float(rng.beta(0.35, 0.35)) * 1.2 - 0.1, float(rng.uniform(0.35, 1.0))
    wide, tall = rng.uniform(0.1, 0.35), rng.uniform(0.3, 0.7)
    patch = patch_at(rng, image, setting, distance, (1.5 * wide, tall), rng.normal(0, 0.12), at)
    if patch is None:
        return
    down = np.clip((tall - patch.y) / (2 * tall), 0, 1)
    neck = rng.uniform(0.1, 0.9)
    half = wide * (neck + (1 - neck) * down ** rng.uniform(0.5, 1.5))
    middle = wide * rng.uniform(-0.5, 0.5) * down
    u = (patch.x - middle) / half  # which fold: -1 to 1 across, whatever the height
    count, sway = rng.uniform(2, 9), rng.uniform(0.2, 1.2)
    phase = count * (u + 0.25 * np.sin(2.5 * u + rng.uniform(0, 6)))
    phase = phase + sway * np.sin(3 * down + rng.uniform(0, 6))
    edge = half * (1 + 0.06 * np.sin(patch.y / rng.uniform(0.03, 0.15))) - np.abs(patch.x - middle)
    edge = np.minimum(edge, tall - np.abs(patch.y) + 0.02 * np.sin(phase))
    fan = u * (half / wide - neck) * rng.uniform(0, 0.8)
    normal = (rng.uniform(0.3, 1.4) * np.cos(phase) + fan, 0.2 * np.sin(2 * phase), np.ones_like(u))
    shade = 1 - rng.uniform(0, 0.6) * np.clip(-np.sin(phase), 0, 1)  # valleys see less light
    cloth = _print(rng, down * 2 * tall + 0.03 * np.sin(phase), u * wide)
    paint(rng, image, setting, patch, edge * patch.ppm, normal, cloth * shade[..., None])


THINGS = (_chair, _jacket, _screen, add_flag, add_turned, _drape)
