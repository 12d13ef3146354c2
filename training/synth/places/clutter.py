"""Shaded things that are not people, some nearly: coats on hooks, dolls, mannequins, chair backs, flags.

They teach the network that roundness, folds and the colour of skin alone are not a person. Drawn
onto a linear picture [H,W,3] float32 in place, in metres at a distance, lit by the setting's lamps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.synth.meshes import F32
from training.synth.people.look import TONES, draw_cloth, linear
from training.synth.places.light import irradiance
from training.synth.places.rooms import Setting

# Outlines of turned bodies: (height, radius) in metres from below to above.
MANNEQUIN = ((-0.40, 0.15), (-0.30, 0.165), (-0.12, 0.125), (0.08, 0.16), (0.2, 0.185), (0.26, 0.15),
             (0.29, 0.07), (0.31, 0.05), (0.38, 0.048), (0.385, 0.0))  # fmt: skip
DOLL = ((-0.16, 0.10), (-0.02, 0.045), (0.0, 0.02), (0.015, 0.02), (0.03, 0.045), (0.065, 0.06),
        (0.1, 0.05), (0.125, 0.02), (0.13, 0.0))  # fmt: skip


@dataclass(frozen=True)
class Patch:
    """A rectangle of the picture: its rows and columns, local metres x (right), y (up), place [3], scale."""

    part: tuple[slice, slice]
    x: F32
    y: F32
    place: F32
    ppm: float


def add_clutter(rng: np.random.Generator, image: F32, setting: Setting, deepest: float = 3.0) -> None:
    """One to five things from far to near; they crowd the picture's sides more than its middle."""
    count = int(rng.integers(1, 6))
    for distance in sorted(rng.uniform(0.8, max(deepest, 1.0), count), reverse=True):
        kind = rng.choice(5, p=[0.25, 0.3, 0.2, 0.1, 0.15])
        (_solid, add_turned, _coat, add_flag, _chair)[kind](rng, image, setting, float(distance))


def patch_at(
    rng: np.random.Generator, image: F32, setting: Setting, distance: float, half: tuple[float, float],
    tilt: float, at: tuple[float, float] | None = None, high: bool = False,
) -> Patch | None:  # fmt: skip
    """Where a thing of half size (metres) stands, or (`high`) hangs; None if it would not be seen."""
    height, width = image.shape[:2]
    if at is None:
        side = rng.beta(0.6, 0.6) if rng.random() < 0.8 else rng.random()
        at = float(side), float(rng.uniform(0.15, 0.7) if high else rng.uniform(0.5, 1.1))
    ppm = width / (2 * setting.tan_half[0] * distance)
    cx, cy, reach = at[0] * width, at[1] * height, 1.05 * ppm * (half[0] + half[1] * abs(np.sin(tilt)))
    rise = 1.05 * ppm * (half[1] + half[0] * abs(np.sin(tilt)))
    x0, x1 = max(0, int(cx - reach)), min(width, int(cx + reach) + 2)
    y0, y1 = max(0, int(cy - rise)), min(height, int(cy + rise) + 2)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    x, y = np.meshgrid(
        (np.arange(x0, x1, dtype=np.float32) - cx) / ppm, (cy - np.arange(y0, y1, dtype=np.float32)) / ppm
    )
    c, s = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    where = (
        np.array([(2 * at[0] - 1) * setting.tan_half[0], (1 - 2 * at[1]) * setting.tan_half[1], -1])
        * distance
    )
    parts = (slice(y0, y1), slice(x0, x1))
    return Patch(parts, c * x + s * y, c * y - s * x, where.astype(np.float32), ppm)


def colour_of(rng: np.random.Generator) -> F32:
    """Cloth colours, and now and then that of skin."""
    if rng.random() < 0.12:
        return linear(TONES[rng.integers(len(TONES))] / 255)
    return draw_cloth(rng)


def pattern_of(rng: np.random.Generator, patch: Patch) -> F32:
    """Albedo [h,w,3] or [3]: usually plain, else stripes or patches of a second colour."""
    kind, colour = rng.random(), colour_of(rng)
    if kind < 0.65:
        return colour
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(0.02, 0.12)
    along = (np.cos(angle) * patch.x + np.sin(angle) * patch.y) / pitch
    across = (np.cos(angle) * patch.y - np.sin(angle) * patch.x) / pitch
    wave = np.sin(6.28 * along) + (np.sin(6.28 * across) if kind > 0.85 else 0)
    share = np.clip(wave * 4 + 0.5, 0, 1)[..., None]
    return (colour * (1 - share) + colour_of(rng) * share).astype(np.float32)


def paint(
    rng: np.random.Generator, image: F32, setting: Setting, patch: Patch, inside: F32,
    normal: tuple[F32, F32, F32], albedo: F32,
) -> None:  # fmt: skip
    """Matt light, sometimes a highlight, over `inside` (0..1, or a distance in pixels)."""
    inside = np.clip(inside, 0, 1)[..., None].astype(np.float32)
    n = cv2.merge([np.broadcast_to(np.asarray(c, np.float32), patch.x.shape).copy() for c in normal])
    n /= np.sqrt((n * n).sum(-1, keepdims=True)) + 1e-6
    light = irradiance(setting.lamps, n, patch.place)
    colour = albedo * light
    if rng.random() < 0.35:  # gloss of the brightest light, as its excess over the mean
        level = light.mean(-1, keepdims=True)
        colour = colour + rng.uniform(0, 0.3) * level * (level / max(float(level.max()), 1e-6)) ** 12
    target = image[patch.part]
    target += inside * (colour.astype(np.float32) - target)


def _solid(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """A super-ellipsoid: ball, box with round corners, cushion."""
    a, b = rng.uniform(0.03, 0.25), rng.uniform(0.03, 0.3)
    patch = patch_at(rng, image, setting, distance, (a, b), rng.normal(0, 0.4))
    if patch is None:
        return
    power = rng.uniform(1.7, 6)
    u, v = np.abs(patch.x / a) ** power, np.abs(patch.y / b) ** power
    deep = np.clip(1 - u - v, 1e-4, 1) ** (1 - 1 / power) / min(a, b)
    normal = (
        np.sign(patch.x) * u / (np.abs(patch.x) + 1e-4),
        np.sign(patch.y) * v / (np.abs(patch.y) + 1e-4),
        deep,
    )
    edge = (1 - u - v) * min(a, b) * patch.ppm / power
    paint(rng, image, setting, patch, edge, normal, pattern_of(rng, patch))


def add_turned(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """A body of revolution: vase, bottle, lamp stand, a doll, a tailor's bust without a head."""
    pick, bands = rng.random(), None
    if pick < 0.3:
        outline, size = np.array(MANNEQUIN), rng.uniform(0.85, 1.1)
    elif pick < 0.5:
        outline, size = np.array(DOLL), rng.uniform(0.7, 2.2)
        bands = (0.005, 0.085)  # dress, skin, hair
    else:
        high = np.sort(rng.uniform(-0.25, 0.25, 5))
        outline, size = (
            np.stack([high, rng.uniform(0.02, 0.13) * rng.uniform(0.3, 1, 5)], 1),
            rng.uniform(0.6, 2),
        )
    outline = outline * size
    half = (float(outline[:, 1].max()), float(np.abs(outline[:, 0]).max()))
    patch = patch_at(rng, image, setting, distance, half, rng.normal(0, 0.08))
    if patch is None:
        return
    fine = np.linspace(outline[0, 0], outline[-1, 0], 160)
    curve = np.interp(fine, outline[:, 0], outline[:, 1])
    curve[3:-3] = np.convolve(np.pad(curve, 4, "edge"), np.hanning(11)[1:-1] / 5, "valid")[3:-3]
    steep = np.gradient(curve, fine)
    radius = np.interp(patch.y, fine, curve).astype(np.float32)
    rise = np.interp(patch.y, fine, steep).astype(np.float32)
    s = np.clip(patch.x / np.maximum(radius, 1e-3), -0.995, 0.995)
    edge = np.minimum(radius - np.abs(patch.x), np.minimum(patch.y - outline[0, 0], outline[-1, 0] - patch.y))
    albedo = pattern_of(rng, patch)
    if bands:
        skin, hair = linear(TONES[rng.integers(len(TONES))] / 255), draw_cloth(rng) * 0.5
        y = (patch.y / size)[..., None]
        albedo = np.where(y > bands[1], hair, np.where(y > bands[0], skin, albedo)).astype(np.float32)
    normal = (s, -rise, np.sqrt(1 - s * s))
    paint(rng, image, setting, patch, edge * patch.ppm + 0.5, normal, albedo)


def _coat(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """A coat, shirt or dress on a hook: shoulders without a head, sleeves, deep folds."""
    wide, long = rng.uniform(0.17, 0.27), rng.uniform(0.3, 0.55)
    patch = patch_at(rng, image, setting, distance, (1.5 * wide, long), rng.normal(0, 0.05), high=True)
    if patch is None:
        return
    down = (long - patch.y) / (2 * long)  # 0 at the hook, 1 at the hem
    body = wide * np.interp(down, [0, 0.04, 0.12, 0.4, 1], [0.1, 0.45, 1, 0.85, rng.uniform(0.9, 1.3)])
    gap = wide * (rng.uniform(0.1, 0.5) * np.clip(down - 0.15, 0, 1) - 0.08)  # sewn on at the shoulder
    middle = body + gap + 0.16 * wide
    sleeve = 0.16 * wide * (1 + 0.2 * np.sin(patch.y * 40)) - np.abs(np.abs(patch.x) - middle)
    arm = np.where((down > 0.09) & (down < rng.uniform(0.55, 0.9)), sleeve, -1)
    edge = np.maximum(np.minimum(body - np.abs(patch.x), 0.9 * long + np.minimum(patch.y, -patch.y)), arm)
    bend = (
        patch.x / rng.uniform(0.015, 0.05)
        + 1.5 * np.sin(patch.y / rng.uniform(0.06, 0.2))
        + rng.uniform(0, 6)
    )
    slope = rng.uniform(0.2, 0.9) * np.cos(bend) * np.clip(down * 3, 0.1, 1)
    normal = (slope + (patch.x / (body + 1e-3)) ** 3, np.clip(0.25 - down, 0, 1) * 2, np.ones_like(slope))
    albedo = pattern_of(rng, patch) * (1 - 0.5 * (np.abs(patch.x) < 0.004) * (rng.random() < 0.6))[..., None]
    paint(rng, image, setting, patch, edge * patch.ppm, normal, albedo.astype(np.float32))


def add_flag(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """Hanging cloth with soft folds: a flag, a towel, a banner."""
    half, tall = rng.uniform(0.1, 0.4), rng.uniform(0.2, 0.6)
    patch = patch_at(rng, image, setting, distance, (half * 1.15, tall), rng.normal(0, 0.1), high=True)
    if patch is None:
        return
    bend = (
        patch.x / rng.uniform(0.03, 0.09) + 0.8 * np.sin(patch.y / rng.uniform(0.1, 0.3)) + rng.uniform(0, 6)
    )
    ripple = 1 + 0.08 * np.sin(patch.y / rng.uniform(0.05, 0.2) + rng.uniform(0, 6))
    edge = np.minimum(half * ripple - np.abs(patch.x), tall - np.abs(patch.y) + 0.01 * np.sin(bend))
    normal = (np.cos(bend) * rng.uniform(0.15, 0.7), 0.1 * np.sin(patch.y * 9), np.ones_like(bend))
    paint(rng, image, setting, patch, edge * patch.ppm, normal, pattern_of(rng, patch))


def _chair(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """The back of an office chair or armchair, often nearly black, rising from below; a head rest."""
    distance = min(distance, rng.uniform(0.8, 1.6))
    a, b, tilt = rng.uniform(0.2, 0.33), rng.uniform(0.25, 0.45), rng.normal(0, 0.05)
    at = (float(rng.beta(0.8, 0.8)), float(rng.uniform(0.7, 1.1)))
    patch = patch_at(rng, image, setting, distance, (a, b * 1.5), tilt, at)
    if patch is None:
        return
    power, lean = rng.uniform(2.5, 7), rng.uniform(0.2, 0.8)
    u, v = np.abs(patch.x / a) ** power, np.abs(patch.y / b) ** power
    edge = (1 - u - v) * a * patch.ppm / power
    normal = (lean * np.sign(patch.x) * u, lean * np.sign(patch.y) * v + 0.1, np.ones_like(u))
    black = np.full(3, rng.uniform(0.005, 0.03), np.float32)
    colour = black if rng.random() < 0.5 else colour_of(rng)
    paint(rng, image, setting, patch, edge, normal, colour)
    if rng.random() < 0.35:
        top, size = patch.y - 1.25 * b, 0.17 * b
        u, v = np.abs(patch.x / (0.5 * a)) ** power, np.abs(top / size) ** power
        normal = (np.sign(patch.x) * u, np.sign(top) * v + 0.1, np.ones_like(u))
        paint(rng, image, setting, patch, (1 - u - v) * size * patch.ppm / power, normal, colour)


def add_plant(rng: np.random.Generator, image: F32, setting: Setting, distance: float) -> None:
    """Leaves on stems that rise from a pot, each in the light of its own tilt, the inner ones in shade."""
    height, width = image.shape[:2]
    tan = np.array(setting.tan_half)
    ppm, count = width / (2 * tan[0] * distance), int(rng.integers(25, 80))
    foot = np.array([rng.uniform(0, width), rng.uniform(0.45, 1.15) * height])
    lean, reach = (
        rng.normal(0, rng.uniform(0.3, 0.9), count),
        rng.uniform(0.1, 0.6) * rng.uniform(0.3, 1, count),
    )
    tip = np.stack([np.sin(lean), -np.cos(lean)], 1) * reach[:, None] * ppm + foot
    tip += np.stack([0 * lean, np.abs(lean) ** 2 * reach * 0.4 * ppm], 1)
    normals = np.stack([0.7 * np.sin(lean), rng.uniform(0.1, 1, count), rng.normal(0.5, 0.4, count)], 1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    place = np.array([(2 * foot[0] / width - 1) * tan[0], (1 - 2 * foot[1] / height) * tan[1], -1]) * distance
    light = irradiance(setting.lamps, normals.astype(np.float32), place.astype(np.float32))
    pot = np.array([[-0.09, 0], [0.09, 0], [0.07, 0.18], [-0.07, 0.18]]) * ppm + foot
    cv2.fillConvexPoly(image, np.round(pot).astype(np.int32), (draw_cloth(rng) * light.mean(0)).tolist())
    green = rng.uniform([0.02, 0.05, 0.012], [0.08, 0.14, 0.04])
    long, slim = rng.uniform(0.02, 0.07) * rng.uniform(0.6, 1.2, count) * ppm, rng.uniform(0.15, 0.5)
    shade = (0.45 + 0.55 * reach / reach.max()) * rng.uniform(0.7, 1.2, count)
    colours = green * light * shade[:, None]
    for k in np.argsort(reach):
        axes = (max(1, round(long[k])), max(1, round(long[k] * slim)))
        way = float(np.degrees(lean[k])) - 90 + float(rng.normal(0, 25))
        cv2.ellipse(image, np.round(tip[k]).astype(int).tolist(), axes, way, 0, 360, colours[k].tolist(), -1)
