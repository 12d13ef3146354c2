"""What stands in a room and hangs on its walls: painted onto faces, or boxes drawn in perspective.

All sizes are metres; faces are those of `rooms.Room`; boxes are drawn far to near onto the linear
picture, each side a few strips with the light of their own place and normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.synth.meshes import F32, I32
from training.synth.people.look import draw_cloth
from training.synth.places.light import irradiance
from training.synth.places.rooms import Face, Room, Setting, draw_paint, draw_wood, view_outside

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
# Sides of a box: outward normals, and corners as indices into CORNERS: the upper two, then the lower two.
NORMALS = np.array([[0, 0, 1], [0, 0, -1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], np.float32)
SIDES = np.array([[3, 7, 1, 5], [2, 6, 0, 4], [6, 7, 4, 5], [2, 3, 0, 1], [2, 6, 3, 7], [0, 4, 1, 5]])
LEVELS = 4


@dataclass(frozen=True)
class Box:
    """A block: centre, size [3] in room axes, turn about y (radians), albedo; glow: the front's radiance."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    colour: F32
    yaw: float = 0.0
    glow: F32 | None = None


def hang_window(rng: np.random.Generator, face: Face, setting: Setting) -> None:
    """A window with frame, bars, sill, often curtains or blinds."""
    w, h = rng.uniform(0.7, 2.2), rng.uniform(0.8, 1.5)
    u, v = rng.uniform(-0.2, max(face.size[0] - w, 0)), rng.uniform(0.15, 0.6)
    frame, rim = (np.full(3, rng.uniform(0.5, 0.85)) if rng.random() < 0.7 else draw_wood(rng)), 0.05
    face.fill(u - rim, v - rim, w + 2 * rim, h + 2 * rim, frame)
    face.fill(u - 0.1, v + h + rim, w + 0.2, 0.04, frame * 0.8)
    outside = view_outside(rng, setting)
    panes = int(rng.integers(1, 4))
    for k in range(panes):
        part = outside[:, k * 96 // panes : (k + 1) * 96 // panes]
        face.glow.append((*face.box(u + k * w / panes + 0.02, v, w / panes - 0.04, h), part))
    if rng.random() < 0.3:  # blinds
        shade = draw_paint(rng) * np.float32(0.5 * setting.outside + 0.2)
        for y in np.arange(v, v + h * rng.uniform(0.3, 1.0), 0.06):
            face.glow.append((*face.box(u, float(y), w, 0.04), shade))
    elif rng.random() < 0.5:
        cloth = draw_cloth(rng) * 0.8 + 0.1
        for at in (u - 0.3, u + w - 0.15):
            _curtain(rng, face, at, rng.uniform(0.3, 0.7), cloth)


def _curtain(rng: np.random.Generator, face: Face, u: float, w: float, cloth: F32) -> None:
    """Vertical folds from ceiling to floor."""
    rows, columns = face.box(u, 0.05, w, face.size[1] - 0.1)
    count = columns.stop - columns.start
    if count > 0:
        x = np.arange(count, dtype=np.float32) / max(count, 1) * w
        fold = 0.65 + 0.35 * np.sin(x * rng.uniform(25, 90) + 2 * np.sin(x * 7))
        target = face.image[rows, columns]
        target[:] = (cloth * fold[: target.shape[1], None]).astype(np.float32)


def hang_curtain(rng: np.random.Generator, face: Face, setting: Setting) -> None:
    """A wide curtain, or a plain cloth as backdrop."""
    w = rng.uniform(0.6, face.size[0])
    _curtain(rng, face, rng.uniform(0, max(face.size[0] - w, 0)), w, draw_cloth(rng))


def hang_picture(rng: np.random.Generator, face: Face, setting: Setting) -> None:
    """One picture or poster, or a group: frames, shapes of any colour, a shadow below."""
    u, v = rng.uniform(0, face.size[0]), rng.uniform(0.25, face.size[1] * 0.5)
    wood = draw_wood(rng)
    for _ in range(int(rng.integers(1, 5))):
        w, h = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.7)
        face.image[face.box(u + 0.015, v + 0.02, w, h)] *= 0.6
        face.fill(u, v, w, h, wood)
        rim = 0.02 if rng.random() < 0.7 else 0.0
        rows, columns = face.box(u + rim, v + rim, w - 2 * rim, h - 2 * rim)
        _print(rng, face.image[rows, columns])
        u += w + rng.uniform(0.05, 0.3)


def _print(rng: np.random.Generator, target: F32) -> None:
    """Shapes on paper, in place."""
    height, width = target.shape[:2]
    if min(height, width) < 4:
        return
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = draw_cloth(rng)
    for _ in range(int(rng.integers(0, 6))):
        colour, size = draw_cloth(rng).tolist(), max(2, int(rng.uniform(0.05, 0.45) * min(height, width)))
        at = (int(rng.integers(width)), int(rng.integers(height)))
        if rng.random() < 0.5:
            tall = max(1, int(size * rng.uniform(0.5, 1.6)))
            cv2.ellipse(canvas, at, (size, tall), float(rng.uniform(0, 180)), 0, 360, colour, -1)
        else:
            cv2.rectangle(canvas, at, (at[0] + size, at[1] + int(size * rng.uniform(0.2, 2))), colour, -1)
    target[:] = canvas


def hang_door(rng: np.random.Generator, face: Face, setting: Setting) -> None:
    """A door with panels and a handle; sometimes open onto another, darker or lit, room."""
    w, h = rng.uniform(0.75, 0.95), min(2.0, face.size[1] * 0.9)
    u, v = rng.uniform(0, max(face.size[0] - w, 0.1)), face.size[1] - min(2.0, face.size[1] * 0.9)
    colour = draw_paint(rng)
    face.fill(u - 0.07, v - 0.07, w + 0.14, h + 0.07, colour * 0.85)
    if rng.random() < 0.25:
        face.fill(u, v, w, h, draw_paint(rng) * np.float32(rng.uniform(0.1, 1.4)))
        return
    face.fill(u, v, w, h, colour)
    for top in (0.1, 0.55) if rng.random() < 0.6 else ():
        face.fill(u + 0.12, v + top * h, w - 0.24, 0.35 * h, colour * 0.8)
        face.fill(u + 0.14, v + top * h + 0.02, w - 0.28, 0.35 * h - 0.04, colour * 0.95)
    face.fill(u + w - 0.1, v + 0.5 * h, 0.06, 0.02, 0.25)


def hang_shelf(rng: np.random.Generator, face: Face, setting: Setting) -> None:
    """A bookcase or wall boards: rows of books of many heights, some things between."""
    w, h = rng.uniform(0.6, 2.4), rng.uniform(0.6, 2.0)
    u = rng.uniform(-0.3, max(face.size[0] - w, 0))
    v = max(face.size[1] - h, 0.1) if rng.random() < 0.6 else rng.uniform(0.1, 0.6)
    wood = draw_wood(rng)
    face.fill(u - 0.03, v - 0.03, w + 0.06, h + 0.03, wood)
    step, draw = rng.uniform(0.26, 0.4), rng.random
    for y in np.arange(v, v + h - step / 2, step).tolist():
        face.fill(u, y, w, step - 0.03, wood * 0.35)
        x = u + 0.02
        while x < u + w - 0.06:
            thick, tall = 0.015 + 0.045 * draw(), step * (0.5 + 0.35 * draw())
            pick = draw()
            if pick < 0.04:
                x += 0.1 + 0.3 * draw()
            elif pick < 0.9:
                colour = draw_cloth(rng) * (0.5 + 0.5 * draw())
                top, wide = y + step - 0.03 - tall, min(thick, u + w - x)
                face.fill(x, top, wide, tall, colour)
                face.fill(x, top + 0.2 * tall, wide, 0.1 * tall, colour * (0.5 + 1.1 * draw()))
            x += thick + 0.004


def hang_board(rng: np.random.Generator, face: Face, setting: Setting) -> None:
    """A white board, black board or pin board with scribbles or notes."""
    w, h = rng.uniform(0.8, 2.2), rng.uniform(0.6, 1.2)
    u, v = rng.uniform(0, max(face.size[0] - w, 0.1)), rng.uniform(0.3, 0.7)
    paper = [np.full(3, 0.8), np.array([0.02, 0.03, 0.025]), np.array([0.35, 0.22, 0.1])][rng.integers(3)]
    face.fill(u - 0.03, v - 0.03, w + 0.06, h + 0.06, draw_wood(rng))
    face.fill(u, v, w, h, paper)
    ink = (0.8 - paper).clip(0.02, 0.8)
    for _ in range(int(rng.integers(2, 14))):
        x, y = u + rng.uniform(0.05, 0.8) * w, v + rng.uniform(0.05, 0.85) * h
        if rng.random() < 0.5:
            face.fill(
                x,
                y,
                min(rng.uniform(0.1, 0.6), u + w - x),
                0.015,
                ink if rng.random() < 0.7 else draw_cloth(rng),
            )
        else:
            face.fill(x, y, 0.09, 0.09, draw_paint(rng))


def hang_screen(rng: np.random.Generator, face: Face, setting: Setting) -> None:
    """A television: black, or showing something."""
    w = rng.uniform(0.6, 1.5)
    u, v, h = rng.uniform(0, max(face.size[0] - w, 0.1)), rng.uniform(0.5, 1.1), 0.56 * w
    face.fill(u, v, w, h, 0.01)
    if rng.random() < 0.5:
        show = np.zeros((24, 40, 3), np.float32)
        _print(rng, show)
        face.glow.append(
            (*face.box(u + 0.02, v + 0.02, w - 0.04, h - 0.04), show * np.float32(rng.uniform(0.3, 2.0)))
        )


def surface(rng: np.random.Generator, face: Face, setting: Setting) -> None:
    """The wall's own structure: bricks, tiles, panels or stripes of wallpaper, mottled paint."""
    height, width = face.image.shape[:2]
    ppm = width / face.size[0]
    kind = rng.choice(4, p=[0.55, 0.2, 0.12, 0.13])
    if kind == 1:  # bricks, tiles
        v, u, dark = rng.uniform(0.07, 0.3), rng.uniform(0.15, 0.5), np.float32(rng.uniform(0.6, 0.95))
        half = rng.choice([0.0, 0.5])
        joints = np.ones((2, width, 1), np.float32)  # of even and of odd rows
        for k in (0, 1):
            for x in np.arange(half * u * k, face.size[0], u).tolist():
                joints[k, face.box(x, 0, 0.008, v)[1]] *= dark
        for k, y in enumerate(np.arange(0, face.size[1], v).tolist()):
            face.image[face.box(0, y, face.size[0], 0.008)] *= dark
            face.image[face.box(0, y, face.size[0], v)[0]] *= joints[k % 2]
    elif kind == 2:
        x = np.arange(width) / ppm
        wave = np.sin(x * 2 * np.pi / rng.uniform(0.08, 0.4))
        band = 1 - rng.uniform(0.1, 0.4) * (wave > rng.uniform(-0.5, 0.9))
        face.image.reshape(height, -1)[:] *= np.repeat(np.float32(band), 3)
    elif kind == 3:
        for x in np.arange(rng.uniform(0, 0.5), face.size[0], rng.uniform(0.1, 0.6)):
            face.image[face.box(float(x), 0, 0.012, face.size[1])] *= 0.75
    coarse = (max(height // 12, 2), max(width // 12, 2))
    face.grain = rng.normal(1, rng.uniform(0, 0.03), coarse).astype(np.float32)


def draw_boxes(image: F32, setting: Setting, room: Room, boxes: list[Box], grow: int) -> None:
    """Paint boxes far to near; `grow`: pixels of `image` per pixel of the setting.

    Each visible side has the light of a few places from its top to its bottom, smooth between them;
    the lowest is darker, as the floor's shade makes it.
    """
    boxes = sorted(boxes, key=lambda b: -float(np.dot(b.centre, b.centre)))
    yaw = np.array([b.yaw for b in boxes], np.float32)
    one, zero = np.ones_like(yaw), np.zeros_like(yaw)
    c, s = np.cos(yaw), np.sin(yaw)
    spin = room.turn @ np.array([[c, zero, s], [zero, one, zero], [-s, zero, c]]).transpose(2, 0, 1)
    half = 0.5 * np.array([b.size for b in boxes], np.float32)
    centre = np.array([b.centre for b in boxes], np.float32) @ room.turn.T
    points = centre[:, None] + (CORNERS * half[:, None]) @ spin.transpose(0, 2, 1)
    normals = NORMALS @ spin.transpose(0, 2, 1)
    quads = points[:, SIDES]  # [N,6,4,3]
    show = (normals * quads.mean(2)).sum(-1) < 0
    show &= (points[..., 2].max(1) < -0.2)[:, None]
    box, side = np.nonzero(show)
    if not len(box):
        return
    quads, normals = quads[box, side], normals[box, side]
    scale = np.array([image.shape[1], -image.shape[0]], np.float32) / (2 * np.array(setting.tan_half))
    middle = np.array([image.shape[1], image.shape[0]], np.float32) / 2
    pixels = quads[..., :2] / -quads[..., 2:] * scale + middle
    seen = ((pixels.max(1) > 0) & (pixels.min(1) < 2 * middle)).all(1)
    share = (np.arange(LEVELS) + 0.5)[None, :, None] / LEVELS
    where = quads[:, None, :2].mean(2) * (1 - share) + quads[:, None, 2:].mean(2) * share
    light = irradiance(setting.lamps, normals[:, None], where.astype(np.float32))
    light = light * (1 - 0.25 * share**3)
    colour = light * np.array([b.colour for b in boxes], np.float32)[box][:, None]
    outline = np.clip(pixels.take([0, 1, 3, 2], 1), -4000, 8000)
    shape = np.ascontiguousarray(np.round(16 * outline), np.int32)
    level = colour.sum(2)
    tall = pixels[:, 2:, 1].mean(1) - pixels[:, :2, 1].mean(1)
    even = (tall < 8 * grow) | (np.ptp(level, 1) < 0.04 * level.max(1))  # small, or hardly shaded
    mean = colour.mean(1).tolist()
    for k in np.nonzero(seen)[0].tolist():
        shine = boxes[box[k]].glow if side[k] == 0 else None
        if shine is not None or even[k]:
            cv2.fillConvexPoly(image, shape[k], mean[k] if shine is None else shine.tolist(), shift=4)
        else:
            _shade(image, pixels[k], shape[k], colour[k])


def _shade(image: F32, pixels: F32, shape: I32, colours: F32) -> None:
    """A quadrilateral (two upper, two lower corners), shaded row by row; shape: its outline, pixels / 16."""
    top, low = pixels[:2, 1].mean(), pixels[2:, 1].mean()
    height, width = image.shape[:2]
    x0, x1 = max(0, int(pixels[:, 0].min())), min(width, int(pixels[:, 0].max()) + 2)
    y0, y1 = max(0, int(pixels[:, 1].min())), min(height, int(pixels[:, 1].max()) + 2)
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillConvexPoly(mask, shape - 16 * np.array([x0, y0], np.int32), 1, shift=4)
    at = (np.arange(y0, y1) + 0.5 - top) / (low - top) * LEVELS - 0.5
    rows = np.stack([np.interp(at, np.arange(LEVELS), c) for c in colours.T], 1).astype(np.float32)
    ramp = np.repeat(rows[:, None], x1 - x0, 1)
    cv2.copyTo(ramp, mask, image[y0:y1, x0:x1])
