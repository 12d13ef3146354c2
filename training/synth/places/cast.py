"""The shadow that somebody throws on the wall behind.

The person is taken for a flat figure that stands across the line of sight at the head's distance, its shape
the one that the camera sees: a wall's place is in the shade where the way from it to the lamp crosses the
figure. Right for a wall a step behind, and for a lamp that is not far from the camera.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from training.synth.meshes import F32
from training.synth.places.light import LUMA, irradiance
from training.synth.places.rooms import LAMP_SIZE, NORMALS, Figure, Room, Setting, glowing

COARSE = 4
"""Pixels a side of one sample of the light on the walls."""
LEAST = 0.02
"""Share of a wall's light below which nobody sees that it is taken away."""


def shade(rng: np.random.Generator, image: F32, setting: Setting, room: Room, figure: Figure) -> F32:
    """The room's picture [H,W,3], linear, less the light of the first lamp where `figure` is in its way and
    some of the light from all round where it is close. Things before the walls are drawn afterwards."""
    lamps = setting.lamps
    place = walls(setting, room)
    gap = float(np.median(np.maximum(-place[..., 2] - figure.distance, 0)))
    pixels = setting.width / (2 * setting.tan_half[0] * max(gap + figure.distance, 0.1))  # of a metre there
    spread = rng.uniform(0.02, 0.25), rng.uniform(0.5, 1.0)  # half shades per metre of gap; of all light
    out = np.ones_like(image)
    if lamps.shadow[0] > 0 and lamps.power[0].any():
        way = lamps.place[0, :3] - lamps.place[0, 3] * place
        dark = crossed(figure, place, way, setting.tan_half, lamps.place[0, 3] > 0.5)
        dark = soften(dark, float(spread[0]) * gap * pixels)
        out -= np.float32(lamps.shadow[0]) * dark[..., None] * share(setting, room, place)
    near = np.exp(-max(gap, 0) / 0.25)
    if near > LEAST:
        normal = (NORMALS @ room.turn.T)[room.hit]
        dark = soften(crossed(figure, place, normal, setting.tan_half, False), 0.6 * max(gap, 0.1) * pixels)
        out *= np.float32(1) - np.float32(0.7 * spread[1] * near) * dark[..., None]
    out = np.maximum(out, 0)
    if any(face.glow for face in room.faces if face.shown):  # what shines by itself takes no shadow
        out += (1 - out) * glowing(setting, room)[..., None]
    return np.asarray(image * out, np.float32)


def walls(setting: Setting, room: Room) -> F32:
    """Places [H,W,3] in camera axes, metres, that the pixels of the room show."""
    return np.asarray(np.stack(room.rays, -1) * room.reach[..., None] @ room.turn.T, np.float32)


def crossed(figure: Figure, place: F32, way: F32, tan_half: tuple[float, float], ends: bool) -> F32:
    """How much of the figure [H,W] 0..1 is on the way from `place` along `way` (both [H,W,3], camera axes);
    `ends`: the lamp is at place + way, no farther. A figure that the frame cuts off goes on beyond it."""
    forward = np.where(np.abs(way[..., 2]) < 1e-5, np.float32(1e-5), way[..., 2])
    step = (-figure.distance - place[..., 2]) / forward
    met = (step > 0) & ((step < 1) | (not ends))
    at = place + np.where(met, step, 0)[..., None] * way
    height, width = figure.cover.shape
    x = (at[..., 0] / (figure.distance * tan_half[0]) + 1) * (width / 2) - 0.5
    y = (1 - at[..., 1] / (figure.distance * tan_half[1])) * (height / 2) - 0.5
    x, y = (np.clip(c, -2 * width, 3 * width).astype(np.float32) for c in (x, y))
    seen = cv2.remap(figure.cover, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen * met, np.float32)


def share(setting: Setting, room: Room, place: F32) -> F32:
    """What part [H,W,3] of the light on the walls is the first lamp's."""
    lamps, few = setting.lamps, np.s_[COARSE // 2 :: COARSE, COARSE // 2 :: COARSE]
    normal = (NORMALS @ room.turn.T)[room.hit[few]]
    every = irradiance(lamps, normal, place[few], LAMP_SIZE)
    power = lamps.power.copy()
    power[0] = 0
    others = irradiance(replace(lamps, power=power), normal, place[few], LAMP_SIZE)
    part = np.clip((every - others) / np.maximum(every, 1e-6), 0, 1)
    if float((part @ LUMA).max()) < LEAST:
        return np.zeros((setting.height, setting.width, 3), np.float32)
    return np.asarray(cv2.resize(part, (setting.width, setting.height)), np.float32)


def soften(dark: F32, sigma: float) -> F32:
    """Blurred by `sigma` pixels; beyond the frame as at its edge."""
    if sigma < 0.3:
        return dark
    return np.asarray(cv2.GaussianBlur(dark, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)
