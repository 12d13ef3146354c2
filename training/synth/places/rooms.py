"""Rooms in true perspective: a box seen from inside, its walls painted, lit by the person's lamps.

Room axes: metres, origin at the camera, x right, y up, z toward the viewer, turned by `Room.turn`
[3,3] into camera axes. Every pixel's ray meets one of five faces; faces are textures that were
lit on a coarse grid by `light.irradiance`, so a wall darkens away from the lamp that lights it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.gl import Lamps
from training.synth.meshes import F32
from training.synth.people.look import draw_cloth
from training.synth.places.framing import rotate
from training.synth.places.light import LUMA, Environment, irradiance

BACK, LEFT, RIGHT, FLOOR, CEILING = range(5)
BEHIND = (0.12, 1.1)
"""Metres from somebody's head to a wall right behind, least and most."""
LAMP_SIZE = 0.7  # metres; keeps a lamp that touches a wall from burning a hole into the picture
GRID = np.meshgrid(np.linspace(0, 1, 12, dtype=np.float32), np.linspace(0, 1, 9, dtype=np.float32))
NORMALS = np.array([[0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], np.float32)


@dataclass(frozen=True)
class Figure:
    """Who throws a shadow on the walls: cover [H,W] 0..1, of the backdrop's size, and metres to the head."""

    cover: F32
    distance: float


@dataclass(frozen=True)
class Setting:
    """What a backdrop is drawn for: pixels, field of view, light and its name, the world outside, somebody.

    outside: radiance of daylight (or of the night) through a window, luminance.
    """

    width: int
    height: int
    tan_half: tuple[float, float]
    lamps: Lamps
    kind: str
    env: Environment
    outside: float
    figure: Figure | None = None


@dataclass
class Face:
    """One side of the room: albedo texture [h,w,3], metres per texture, then things that glow.

    u runs right and v down as seen from inside; origin [3] is the top left corner; grain: small map
    of the paint's mottling; a face that is not shown needs no paint.
    """

    shown: bool
    origin: F32
    along: F32  # unit, u
    down: F32  # unit, v
    size: tuple[float, float]
    image: F32
    glow: list[tuple[slice, slice, F32]] = field(default_factory=list)
    grain: F32 | None = None

    def box(self, u: float, v: float, w: float, h: float) -> tuple[slice, slice]:
        """Rows and columns of a rectangle in metres, cut to the texture."""
        ppm = self.image.shape[1] / self.size[0]
        top, left = max(0, round(v * ppm)), max(0, round(u * ppm))
        low, right = round((v + h) * ppm), round((u + w) * ppm)
        if v + h <= 0 or u + w <= 0:
            return slice(0, 0), slice(0, 0)
        return slice(top, max(low, top + 1)), slice(left, max(right, left + 1))

    def fill(self, u: float, v: float, w: float, h: float, colour: F32 | float) -> None:
        """Paint a rectangle (metres)."""
        self.image[self.box(u, v, w, h)] = colour


@dataclass(frozen=True)
class Room:
    """turn: room -> camera axes; low, high [3]: corners of the box (high z unused); faces.

    Per pixel: rays, three [H,W] in room axes; reach [H,W], the ray's length to the box; hit [H,W],
    the face there.
    """

    turn: F32
    low: F32
    high: F32
    faces: list[Face]
    rays: list[F32]
    reach: F32
    hit: NDArray[np.integer]


def draw_paint(rng: np.random.Generator) -> F32:
    """A wall colour, linear: mostly near white or grey, else any paint, not too saturated."""
    if rng.random() < 0.65:
        return (rng.uniform(0.2, 0.85) * (1 + rng.uniform(-0.1, 0.1, 3))).astype(np.float32)
    return (0.75 * draw_cloth(rng) + 0.25 * rng.uniform(0.2, 0.8)).astype(np.float32)


def draw_wood(rng: np.random.Generator) -> F32:
    """Wood, white or black furniture, linear."""
    pick = rng.random()
    if pick < 0.3:
        return np.full(3, rng.uniform(0.5, 0.8), np.float32)
    if pick < 0.45:
        return np.full(3, rng.uniform(0.01, 0.04), np.float32)
    wood = np.array([0.36, 0.21, 0.11]) * np.exp(rng.normal(0, 0.12, 3) + rng.normal(0, 0.6))
    return wood.clip(0.01, 0.8).astype(np.float32)


def build(rng: np.random.Generator, setting: Setting, near: bool, detail: float = 1.0) -> Room:
    """An empty room; `near`: the wall is right behind the person and hardly anything else is seen.

    detail: texture pixels per pixel of the picture, roughly.
    """
    yaw = rng.uniform(-50, 50) if rng.random() < 0.25 else rng.normal(0, 13)
    turn = rotate(2, rng.normal(0, 2)) @ rotate(0, rng.normal(-2, 6)) @ rotate(1, yaw)
    deep = rng.uniform(1.0, 2.2) if near else rng.uniform(1.8, 5.5)
    if near and setting.figure is not None:
        deep = setting.figure.distance + float(np.exp(rng.spawn(1)[0].uniform(*np.log(BEHIND))))
    low = np.array([-rng.uniform(1.0, 3.5), -rng.uniform(0.75, 1.35), -deep], np.float32)
    high = np.array([rng.uniform(1.0, 3.5), rng.uniform(1.0, 1.9), 0.0], np.float32)
    fine = 0.5 * setting.width / (setting.tan_half[0] * deep)
    ppm = detail * float(np.clip(fine, 24, 0.4 * setting.width))
    wall, accent = draw_paint(rng), draw_paint(rng) if rng.random() < 0.25 else None
    wide, tall, far = float(high[0] - low[0]), float(high[1] - low[1]), deep + 1.0
    x, y, z = np.eye(3, dtype=np.float32)
    spans = [
        (np.array([low[0], high[1], -deep]), x, -y, (wide, tall), accent if accent is not None else wall),
        (np.array([low[0], high[1], 1.0]), -z, -y, (far, tall), wall),
        (np.array([high[0], high[1], -deep]), z, -y, (far, tall), wall),
        (np.array([low[0], low[1], -deep]), x, z, (wide, far), draw_wood(rng)),
        (np.array([low[0], high[1], -deep]), x, z, (wide, far), np.full(3, rng.uniform(0.5, 0.85))),
    ]
    rays, reach, hit = trace(setting, turn, low, high)
    faces = []
    for k, (origin, along, down, size, colour) in enumerate(spans):
        grid = ppm if k == BACK else 0.6 * ppm
        shape = (max(8, round(size[1] * grid)), max(8, round(size[0] * grid)), 3)
        shown = bool((hit == k).any())
        image = np.empty(shape if shown else (1, 1, 3), np.float32)
        image.reshape(len(image), -1)[:] = np.tile(np.float32(colour), image.shape[1])
        faces.append(Face(shown, origin.astype(np.float32), along, down, size, image))
    return Room(turn, low, high, faces, rays, reach, hit)


def trace(setting: Setting, turn: F32, low: F32, high: F32) -> tuple[list[F32], F32, NDArray[np.integer]]:
    """`Room.rays`, `Room.reach` and `Room.hit`."""
    width, height = setting.width, setting.height
    x = ((np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1) * np.float32(setting.tan_half[0])
    y = (1 - (np.arange(height, dtype=np.float32) + 0.5) / height * 2) * np.float32(setting.tan_half[1])
    d = [x[None] * turn[0, k] + y[:, None] * turn[1, k] - turn[2, k] for k in range(3)]
    d = [np.where(np.abs(c) < 1e-6, np.float32(1e-6), c) for c in d]
    side = np.where(d[0] > 0, high[0], low[0]) / d[0]
    level = np.where(d[1] > 0, high[1], low[1]) / d[1]
    back = np.where(d[2] < 0, low[2] / d[2], np.float32(1e6))
    reach = np.minimum(np.minimum(side, level), back)
    aside, level_hit = LEFT + (d[0] > 0).view(np.uint8), FLOOR + (d[1] > 0).view(np.uint8)
    hit = np.where(reach == back, np.uint8(BACK), np.where(reach == side, aside, level_hit))
    return d, reach, hit


def light_up(rng: np.random.Generator, setting: Setting, room: Room) -> None:
    """Multiply every face by the light that reaches it, darker in the corners; then the glows."""
    depth = rng.uniform(0.2, 0.55)
    for k, face in enumerate(room.faces):
        if not face.shown:
            continue
        du, dv = GRID[0] * np.float32(face.size[0]), GRID[1] * np.float32(face.size[1])
        where = face.origin + du[..., None] * face.along + dv[..., None] * face.down
        light = irradiance(setting.lamps, room.turn @ NORMALS[k], where @ room.turn.T, LAMP_SIZE)
        edge = np.minimum(np.minimum(du, face.size[0] - du), np.minimum(dv, face.size[1] - dv))
        light = (light * (1 - depth * np.exp(-edge / 0.35))[..., None]).astype(np.float32)
        if face.grain is not None:
            light = cv2.resize(light, face.grain.shape[::-1]) * face.grain[..., None]
        height, width = face.image.shape[:2]
        face.image *= cv2.resize(light, (width, height))
        for rows, columns, colour in face.glow:
            target = face.image[rows, columns]
            if target.size:
                full = colour if colour.ndim == 1 else cv2.resize(colour, (target.shape[1], target.shape[0]))
                target[:] = full


def see(setting: Setting, room: Room) -> F32:
    """The picture [H,W,3] of the room's faces."""
    return seen(setting, room, [face.image for face in room.faces])


def glowing(setting: Setting, room: Room) -> F32:
    """Where [H,W] 0..1 the room shows what shines by itself: windows, screens, panels of light."""
    images = []
    for face in room.faces:
        image = np.zeros(face.image.shape, np.float32)
        for rows, columns, _ in face.glow:
            image[rows, columns] = 1
        images.append(image)
    return np.asarray(seen(setting, room, images)[..., 0])


def seen(setting: Setting, room: Room, images: list[F32]) -> F32:
    """The picture [H,W,3] of the room with `images` on its faces."""
    out = np.zeros((setting.height, setting.width, 3), np.float32)
    for k, face in enumerate(room.faces):
        mask = (room.hit == k).view(np.uint8)
        left, top, w, h = cv2.boundingRect(mask)
        if not w:
            continue
        part = (slice(top, top + h), slice(left, left + w))
        point = [c[part] * room.reach[part] - face.origin[i] for i, c in enumerate(room.rays)]
        ppm = [face.image.shape[1] / face.size[0], face.image.shape[0] / face.size[1]]
        u = sum(p * a for p, a in zip(point, face.along, strict=True) if a) * np.float32(ppm[0]) - 0.5
        v = sum(p * a for p, a in zip(point, face.down, strict=True) if a) * np.float32(ppm[1]) - 0.5
        here = cv2.remap(images[k], u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR,
                         borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        cv2.copyTo(here, mask[part], out[part])
    return out


def view_outside(rng: np.random.Generator, setting: Setting) -> F32:
    """What a window shows: a piece of the environment, of the setting's brightness outside."""
    h, w = setting.env.picture.shape[:2]
    y, x = int(rng.integers(h // 5, h // 2)), int(rng.integers(0, w - 96))
    part = setting.env.picture[y : y + 64, x : x + 96]
    mean = max(float((part @ LUMA).mean()), 1e-4)
    flat = 0.5 if rng.random() < 0.5 else 0.05  # haze or an over-exposed sky
    return (np.minimum(part / mean, 4) * (1 - flat) + flat).astype(np.float32) * np.float32(setting.outside)
