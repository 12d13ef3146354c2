"""What is behind the person and beside: environments, rooms, clutter, defocus, in the person's light."""

from __future__ import annotations

import cv2
import numpy as np

from training.synth.gl import Lamps
from training.synth.meshes import F32
from training.synth.people.look import draw_cloth
from training.synth.places.cast import shade
from training.synth.places.clutter import add_clutter, add_plant
from training.synth.places.furniture import (
    Box,
    draw_boxes,
    hang_board,
    hang_curtain,
    hang_door,
    hang_picture,
    hang_screen,
    hang_shelf,
    hang_window,
    surface,
)
from training.synth.places.light import LUMA, Environment, draw_light
from training.synth.places.near import add_near
from training.synth.places.pieces import FURNITURE, FURNITURE_ODDS
from training.synth.places.rooms import (
    BACK,
    CEILING,
    FLOOR,
    LEFT,
    RIGHT,
    Face,
    Figure,
    Setting,
    build,
    light_up,
    see,
)

KINDS = ("environment", "room", "wall", "texture")
# Which backdrops suit which light, in the order of KINDS.
SUIT = {
    "environment": (0.66, 0.2, 0.12, 0.02), "overcast": (0.6, 0.3, 0.08, 0.02), "sun": (0.7, 0.18, 0.1, 0.02),
}  # fmt: skip
INDOORS = (0.14, 0.59, 0.24, 0.03)
HANGINGS = (hang_window, hang_picture, hang_shelf, hang_door, hang_board, hang_screen, hang_curtain)
HANGING_ODDS = (0.2, 0.28, 0.18, 0.12, 0.08, 0.06, 0.08)


def draw_backdrop(
    rng: np.random.Generator,
    env: Environment,
    turn: F32,
    width: int,
    height: int,
    tan_half: tuple[float, float],
    light: tuple[Lamps, str] | None = None,
    figure: Figure | None = None,
) -> tuple[F32, str]:
    """A linear picture [H,W,3] and its kind.

    With `light` (the result of `draw_light` for the person) it is radiance in the person's units,
    lit by the same lamps: put it behind the person as it is. Without, its mean luminance is 1.
    `figure` throws a shadow on the walls of a room.
    """
    lamps, name = light or draw_light(rng, env, turn, 0.7)
    odds = SUIT.get(name, INDOORS)
    kind = str(rng.choice(KINDS, p=odds))
    setting = Setting(width, height, tan_half, lamps, name, env, _outside(rng, lamps, name), figure)
    blur = _draw_blur(rng, width)
    if kind == "environment":
        image = _environment(rng, setting, turn)
        # No sharper than its own pixels: a smooth blur instead of their grid.
        blur = max(blur, 1.1 * width * 2 * np.pi / (2 * tan_half[0] * env.picture.shape[1]))
    elif kind == "texture":
        image = _texture(rng, setting)
    else:
        image = _room(rng, setting, kind == "wall", blur < 1.5 * width / 256)
    if rng.random() < (0.15 if kind == "environment" else 0.4):
        add_clutter(rng, image, setting, float(rng.uniform(1.2, 3.5)))
    image = defocus(image, blur)
    add_near(rng.spawn(1)[0], image, setting, kind)  # draws nothing from `rng`: all else stays as it was
    if light is not None:
        return np.minimum(image, 60 * max(float(image.mean()), 1e-4)).astype(np.float32), kind
    mean = max(float((image @ LUMA).mean()), 1e-4)
    return np.minimum(image / mean, 12).astype(np.float32), kind


def shift(image: F32, x: float, y: float) -> F32:
    """A map [H,W,...] moved right and down by pixels (camera shake in a clip), its edges mirrored."""
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def defocus(image: F32, radius: float) -> F32:
    """Blur with a disc of `radius` pixels, as a lens does; bright points become discs."""
    if radius < 0.3:
        return image
    if radius < 1.2:
        return cv2.GaussianBlur(image, (0, 0), 0.6 * radius)
    shrink = max(1, int(radius / 2.5))
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA)
    r = radius / shrink
    reach = int(np.ceil(r))
    x, y = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    disc = np.clip(r + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    small = cv2.filter2D(small, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT_101)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR) if shrink > 1 else small


def _draw_blur(rng: np.random.Generator, width: int) -> float:
    """Radius in pixels: webcams are sharp to infinity; some cameras and meeting programs are not."""
    pick, unit = rng.random(), width / 256
    if pick < 0.5:
        return float(rng.uniform(0.4, 0.9)) * unit
    if pick < 0.75:
        return float(rng.uniform(0.9, 2.5)) * unit
    return float(np.exp(rng.uniform(np.log(2.5), np.log(11)))) * unit


def _outside(rng: np.random.Generator, lamps: Lamps, name: str) -> float:
    """Luminance of what a window shows: the light's own level by day, next to nothing at night."""
    level = float(lamps.sh[0] @ LUMA)
    first = float(lamps.power[0] @ LUMA) / max(float((lamps.place[0, :3] ** 2).sum()), 0.3)
    if name == "back":
        return max(first, level) * float(rng.uniform(0.8, 2))
    day = {"monitor": 0.25, "dark": 0.0, "mixed": 0.3, "ring": 0.4, "ceiling": 0.6}.get(name, 0.95)
    if rng.random() < day:
        return (level + 0.5 * min(first, 4.0)) * float(np.exp(rng.uniform(np.log(0.8), np.log(5))))
    return level * float(np.exp(rng.uniform(np.log(0.01), np.log(0.2))))


def _environment(rng: np.random.Generator, setting: Setting, turn: F32) -> F32:
    """Perspective crop of the environment behind the person, at the level and in the tint it lights with."""
    env, lamps = setting.env, setting.lamps
    if rng.random() < 0.15:
        a = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]], np.float32)
    zoom = rng.uniform(0.6, 1.0)
    x = np.linspace(-1, 1, setting.width, dtype=np.float32) * np.float32(setting.tan_half[0] * zoom)
    y = np.linspace(1, -1, setting.height, dtype=np.float32)[:, None] * np.float32(setting.tan_half[1] * zoom)
    d = [x * turn[0, k] + y * turn[1, k] - turn[2, k] for k in range(3)]
    h, w = env.picture.shape[:2]
    flat, angle = cv2.cartToPolar(d[2], d[0])
    u = angle * np.float32(w / (2 * np.pi)) - 0.5
    v = (np.float32(0.5) - np.arctan2(d[1], flat) * np.float32(1 / np.pi)) * h - 0.5
    seen = cv2.remap(env.picture, u, v.astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
    mean = np.maximum(env.small.mean((0, 1)), 1e-3)
    gain = lamps.sh[0] / mean
    level = float(lamps.sh[0] @ LUMA) / max(float(mean @ LUMA), 1e-3)
    gain = np.clip(gain, 0.6 * level, 1.6 * level)
    if setting.kind in ("sun", "back"):
        gain = gain * np.float32(rng.uniform(1.0, 3.0))
    return (seen * gain).astype(np.float32)


def _texture(rng: np.random.Generator, setting: Setting) -> F32:
    """Multi-scale colour noise: leaves, curtains, crowds, anything."""
    height, width = setting.height, setting.width
    out = np.zeros((height, width, 3), np.float32)
    for level in range(2, 7):
        h, w = max(2, height >> level), max(2, width >> level)
        grain = rng.random((h * (3 if rng.random() < 0.2 else 1), w, 3), np.float32)
        out += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(
            rng.uniform(0, 1)
        )
    out = np.clip(out - out.min(), 0, None) / max(float(np.ptp(out)), 1e-3)
    out = out ** np.float32(rng.uniform(1, 3)) * draw_cloth(rng) * 3 + np.float32(0.02)
    return (out * setting.lamps.sh[0] * np.float32(rng.uniform(0.5, 2))).astype(np.float32)


def _room(rng: np.random.Generator, setting: Setting, plain: bool, sharp: bool) -> F32:
    """A furnished room, or (plain) the wall right behind the person."""
    grow = 2 if sharp else 1
    room = build(rng, setting, plain, 1.0 if sharp else 0.5)
    walls = [k for k in (BACK, LEFT, RIGHT) if room.faces[k].shown]
    for k in walls:
        surface(rng, room.faces[k], setting)
    _floor(rng, room.faces[FLOOR])
    if not plain or rng.random() < 0.3:
        for k in walls:
            for pick in rng.choice(
                len(HANGINGS), int(rng.integers(0, 4 if k == BACK else 3)), p=HANGING_ODDS
            ):
                HANGINGS[pick](rng, room.faces[k], setting)
    if setting.kind == "back":
        hang_window(rng, room.faces[BACK], setting)
    elif setting.kind == "window" and rng.random() < 0.4:
        hang_window(rng, room.faces[walls[-1]], setting)
    for k in walls:  # skirting board
        face = room.faces[k]
        face.image[face.box(0, face.size[1] - 0.08, face.size[0], 0.08)] *= np.float32(0.8)
    _ceiling(rng, room.faces[CEILING], setting)
    light_up(rng, setting, room)
    image = see(setting, room)
    if setting.figure is not None:
        image = shade(rng.spawn(1)[0], image, setting, room, setting.figure)
    boxes: list[Box] = []
    for pick in () if plain else rng.choice(len(FURNITURE), int(rng.integers(0, 4)), False, FURNITURE_ODDS):
        boxes += FURNITURE[pick](rng, room, setting)
    if boxes:
        if grow > 1:
            image = cv2.resize(image, None, fx=grow, fy=grow, interpolation=cv2.INTER_LINEAR)
        draw_boxes(image, setting, room, boxes, grow)
        if grow > 1:
            image = cv2.resize(image, (setting.width, setting.height), interpolation=cv2.INTER_AREA)
    if not plain and rng.random() < 0.25:
        add_plant(rng, image, setting, float(rng.uniform(0.8, max(1.0, -room.low[2]))))
    return image


def _floor(rng: np.random.Generator, face: Face) -> None:
    """Boards, or a carpet."""
    if rng.random() < 0.5:
        for y in np.arange(0, face.size[1], rng.uniform(0.1, 0.2)):
            face.image[face.box(0, float(y), face.size[0], 0.012)] *= np.float32(0.7)
    else:
        face.image[:] = draw_cloth(rng) * 0.5 + np.float32(rng.uniform(0.03, 0.2))


def _ceiling(rng: np.random.Generator, face: Face, setting: Setting) -> None:
    """Light panels where ceiling lights shine, else sometimes a dark one."""
    if rng.random() > (0.8 if setting.kind == "ceiling" else 0.25):
        return
    lit = setting.kind in ("ceiling", "flat")
    level = setting.lamps.sh[0] * np.float32(rng.uniform(3, 9) if lit else rng.uniform(0.3, 1))
    w, h = rng.uniform(0.15, 0.6), rng.uniform(0.3, 1.2)
    for u in np.arange(rng.uniform(0, 1), face.size[0], w + rng.uniform(0.5, 1.5)):
        for v in np.arange(rng.uniform(0, 1), face.size[1], h + rng.uniform(0.3, 1.0)):
            face.glow.append((*face.box(float(u), float(v), w, h), level))
