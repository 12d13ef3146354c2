"""Furniture as lists of boxes: tables, sofas, cabinets, screens, beds, kitchens, lamps, chairs.

Each function returns boxes in room axes (metres); `floor` is the floor's height, places are drawn
so that things stand on it, mostly along the back wall and the sides.
"""

from __future__ import annotations

import numpy as np

from training.synth.meshes import F32
from training.synth.people.look import draw_cloth
from training.synth.places.furniture import Box
from training.synth.places.rooms import Room, Setting, draw_wood


def _spot(rng: np.random.Generator, room: Room, deep: float) -> tuple[float, float, float]:
    """A place x, z on the floor and a turn: against the back wall, or out in the room."""
    x = float(rng.uniform(room.low[0] + 0.3, room.high[0] - 0.3))
    far, near = float(room.low[2]) + deep / 2, -0.9 - deep / 2
    if rng.random() < 0.6 or near <= far:
        return x, far, 0.0
    return x, float(rng.uniform(far, near)), float(rng.uniform(-0.6, 0.6))


def _part(
    at: tuple[float, float, float], floor: float, offset: tuple[float, float, float],
    size: tuple[float, float, float], colour: F32, glow: F32 | None = None,
) -> Box:  # fmt: skip
    """A box of a thing that stands at x, z, turned; offset: its centre from the thing's foot."""
    c, s = np.cos(at[2]), np.sin(at[2])
    x, z = c * offset[0] + s * offset[2], c * offset[2] - s * offset[0]
    centre = (at[0] + float(x), floor + offset[1], at[1] + float(z))
    return Box(centre, size, colour.astype(np.float32), at[2], glow)


def cabinet(rng: np.random.Generator, room: Room, setting: Setting) -> list[Box]:
    """A sideboard, wardrobe or fridge with doors and handles, things on top."""
    w, h, d = rng.uniform(0.5, 1.8), float(rng.choice([0.75, 1.1, 1.9])) * rng.uniform(0.8, 1.15), 0.45
    at, floor, wood = _spot(rng, room, d), float(room.low[1]), draw_wood(rng)
    out = [_part(at, floor, (0, h / 2, 0), (w, h, d), wood)]
    doors = max(1, round(w / 0.5))
    for k in range(doors):
        x = (k + 0.5) * w / doors - w / 2
        out.append(
            _part(at, floor, (x, h / 2, d / 2 + 0.004), (w / doors - 0.02, h - 0.06, 0.01), wood * 0.9)
        )
        out.append(_part(at, floor, (x + 0.15, h / 2, d / 2 + 0.02), (0.02, 0.12, 0.02), np.full(3, 0.2)))
    for _ in range(int(rng.integers(0, 4)) if h < 1.3 else 0):
        size = tuple(float(v) for v in rng.uniform(0.06, 0.28, 3))
        x = rng.uniform(-0.4, 0.4) * w
        out.append(_part(at, floor, (x, h + size[1] / 2, 0), size, draw_cloth(rng)))
    return out


def table(rng: np.random.Generator, room: Room, setting: Setting) -> list[Box]:
    """A table or desk with legs, maybe a monitor, boxes or books on it."""
    w, h, d = rng.uniform(0.8, 1.8), rng.uniform(0.68, 0.78), rng.uniform(0.5, 0.8)
    at, floor, wood = _spot(rng, room, d), float(room.low[1]), draw_wood(rng)
    out = [_part(at, floor, (0, h, 0), (w, 0.04, d), wood)]
    for x in (-w / 2 + 0.05, w / 2 - 0.05):
        for z in (-d / 2 + 0.05, d / 2 - 0.05):
            out.append(_part(at, floor, (x, h / 2, z), (0.05, h, 0.05), wood * 0.7))
    if rng.random() < 0.6:
        out += _monitor(rng, at, floor + h, 0.4 * w)
    for _ in range(int(rng.integers(0, 5))):
        size = tuple(float(v) for v in rng.uniform(0.04, 0.22, 3))
        x, z = rng.uniform(-0.45, 0.45) * w, rng.uniform(-0.3, 0.4) * d
        out.append(_part(at, floor, (x, h + size[1] / 2, z), size, draw_cloth(rng)))
    return out


def _monitor(rng: np.random.Generator, at: tuple[float, float, float], top: float, reach: float) -> list[Box]:
    """A screen on a foot; half the time it shows something."""
    wide, x = rng.uniform(0.4, 0.75), rng.uniform(-reach, reach)
    tall, black = 0.58 * wide, np.full(3, 0.012)
    glow = None
    if rng.random() < 0.5:
        glow = (draw_cloth(rng) * rng.uniform(0.3, 2.5) + 0.02).astype(np.float32)
    return [
        _part(at, top, (x, 0.06, -0.05), (0.05, 0.14, 0.05), black),
        _part(at, top, (x, 0.12 + tall / 2, -0.02), (wide, tall, 0.03), black),
        _part(at, top, (x, 0.12 + tall / 2, 0.0), (wide - 0.03, tall - 0.03, 0.012), np.full(3, 0.02), glow),
    ]  # fmt: skip


def sofa(rng: np.random.Generator, room: Room, setting: Setting) -> list[Box]:
    """A sofa or armchair with cushions."""
    w, cloth = rng.uniform(0.8, 2.3), draw_cloth(rng) * 0.9
    at, floor = _spot(rng, room, 0.85), float(room.low[1])
    out = [
        _part(at, floor, (0, 0.22, 0.05), (w, 0.44, 0.8), cloth),
        _part(at, floor, (0, 0.6, -0.32), (w, 0.55, 0.2), cloth),
    ]
    for x in (-w / 2, w / 2):
        out.append(_part(at, floor, (x, 0.33, 0.05), (0.18, 0.66, 0.85), cloth * 0.95))
    for _ in range(int(rng.integers(0, 4))):
        x = rng.uniform(-0.4, 0.4) * w
        out.append(_part(at, floor, (x, 0.62, -0.15), (0.42, 0.38, 0.14), draw_cloth(rng)))
    return out


def bed(rng: np.random.Generator, room: Room, setting: Setting) -> list[Box]:
    """A bed: head board, mattress, blanket, pillows."""
    w, cloth = rng.uniform(0.9, 1.8), draw_cloth(rng) * 0.9 + 0.05
    x, _, _ = _spot(rng, room, 2.0)
    at, floor = (x, float(room.low[2]) + 0.75, 0.0), float(room.low[1])
    out = [
        _part(at, floor, (0, 0.5, -0.7), (w + 0.1, 1.0, 0.06), draw_wood(rng)),
        _part(at, floor, (0, 0.3, 0.0), (w, 0.4, 1.35), np.full(3, 0.7)),
        _part(at, floor, (0, 0.5, 0.2), (w + 0.02, 0.12, 0.95), cloth),
    ]
    for side in (-0.25, 0.25):
        out.append(_part(at, floor, (side * w, 0.56, -0.5), (0.4 * w, 0.16, 0.3), np.full(3, 0.75)))
    return out


def kitchen(rng: np.random.Generator, room: Room, setting: Setting) -> list[Box]:
    """A kitchen row along the back wall: lower and upper cabinets, worktop, a fridge."""
    floor, back = float(room.low[1]), float(room.low[2])
    front, top = draw_wood(rng), draw_wood(rng)
    x, end = float(room.low[0]), float(room.high[0]) - rng.uniform(0, 1.5)
    out = [Box(((x + end) / 2, floor + 0.9, back + 0.3), (end - x, 0.05, 0.64), top)]
    bar = np.full(3, 0.25, np.float32)
    while x < end - 0.2:
        w = min(rng.uniform(0.4, 0.8), end - x)
        for low, tall, deep in ((0.1, 0.76, 0.6), (1.45, 0.7, 0.35)):
            if low > 1 and rng.random() < 0.25:
                continue
            centre = (x + w / 2, floor + low + tall / 2, back + deep / 2)
            out.append(Box(centre, (w - 0.012, tall, deep), front))
            handle = (x + w / 2, floor + (low + tall - 0.06 if low < 1 else low + 0.06), back + deep + 0.02)
            out.append(Box(handle, (0.16, 0.015, 0.02), bar))
        x += w
    if rng.random() < 0.6:
        steel = np.full(3, rng.uniform(0.3, 0.8), np.float32)
        out.append(Box((end + 0.32, floor + 0.95, back + 0.33), (0.6, 1.9, 0.66), steel))
    return out


def lamp(rng: np.random.Generator, room: Room, setting: Setting) -> list[Box]:
    """A standing lamp, lit or not."""
    at, floor = _spot(rng, room, 0.4), float(room.low[1])
    h, shade = rng.uniform(1.2, 1.7), rng.uniform(0.18, 0.4)
    glow = None
    if rng.random() < 0.6:
        glow = (np.array([1.0, rng.uniform(0.7, 0.9), rng.uniform(0.35, 0.7)]) * rng.uniform(1.5, 6)).astype(
            np.float32
        )
    return [
        _part(at, floor, (0, h / 2, 0), (0.03, h, 0.03), np.full(3, 0.05)),
        _part(at, floor, (0, h, 0), (shade, shade * 0.8, shade), np.full(3, 0.7), glow),
    ]


def chair(rng: np.random.Generator, room: Room, setting: Setting) -> list[Box]:
    """A simple chair."""
    at, floor, wood = _spot(rng, room, 0.5), float(room.low[1]), draw_wood(rng)
    at = (at[0], at[1], float(rng.uniform(-3, 3)))
    out = [_part(at, floor, (0, 0.45, 0), (0.42, 0.05, 0.42), wood)]
    for x in (-0.18, 0.18):
        for z in (-0.18, 0.18):
            out.append(_part(at, floor, (x, 0.22, z), (0.035, 0.45, 0.035), wood * 0.8))
    out.append(_part(at, floor, (0, 0.75, -0.19), (0.4, 0.35, 0.03), wood))
    return out


FURNITURE = (cabinet, table, sofa, bed, kitchen, lamp, chair)
FURNITURE_ODDS = (0.24, 0.2, 0.16, 0.08, 0.1, 0.12, 0.1)
