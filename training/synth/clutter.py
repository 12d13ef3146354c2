"""Shaded things that are not people: balls, vases, cushions, chairs, flags, in any colour.

They teach the network that roundness and folds alone are not a person. Drawn onto a linear
picture [H,W,3] float32 in place.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.synth.look import TONES, draw_cloth, linear
from training.synth.meshes import F32


def add_clutter(rng: np.random.Generator, image: F32) -> None:
    """One to six things; they crowd the picture's sides more than its middle."""
    light = rng.normal([0, 0.5, 0.6], 0.5)
    light = (light / np.linalg.norm(light)).astype(np.float32)
    for _ in range(int(rng.integers(1, 7))):
        kind = rng.choice(4, p=[0.45, 0.25, 0.15, 0.15])
        (_solid, _drape, _post, _chair)[kind](rng, image, light)


def _place(rng: np.random.Generator, image: F32) -> tuple[float, float]:
    """A centre in pixels: mostly toward the left or right side."""
    height, width = image.shape[:2]
    side = rng.beta(0.6, 0.6) if rng.random() < 0.8 else rng.random()
    return float(side * width), float(rng.uniform(0.1, 1.1) * height)


def _colour(rng: np.random.Generator) -> F32:
    """Cloth colours, and now and then that of skin."""
    if rng.random() < 0.12:
        return linear(TONES[rng.integers(len(TONES))] / 255)
    return draw_cloth(rng)


def _grid(image: F32, cx: float, cy: float, angle: float) -> tuple[F32, F32]:
    """Pixel coordinates relative to a centre, turned by angle (radians), y up."""
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) - cx, cy - np.arange(height, dtype=np.float32))
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def _paint(
    rng: np.random.Generator, image: F32, inside: F32, normal: tuple[F32, F32, F32], light: F32, pattern: F32
) -> None:
    """Lambert and a highlight over `inside` (0..1), with a pattern (0..1) between two colours."""
    length = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2) + 1e-6
    lit = np.clip((normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]) / length, 0, 1)
    ambient = rng.uniform(0.15, 0.6)
    gloss = rng.uniform(0, 0.6) * lit ** rng.uniform(10, 60) if rng.random() < 0.4 else 0 * lit
    colour = _colour(rng) * (1 - pattern[..., None]) + _colour(rng) * pattern[..., None]
    shaded = colour * (ambient + 1.2 * lit)[..., None] + gloss[..., None]
    image *= 1 - inside[..., None]
    image += shaded.astype(np.float32) * inside[..., None]


def _stripes(rng: np.random.Generator, x: F32, y: F32) -> F32:
    """A pattern 0..1: usually plain, else stripes or patches."""
    kind = rng.random()
    if kind < 0.65:
        return np.zeros_like(x)
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(4, 25)
    along = (np.cos(angle) * x + np.sin(angle) * y) / pitch
    across = (np.cos(angle) * y - np.sin(angle) * x) / pitch
    wave = np.sin(6.28 * along) + (np.sin(6.28 * across) if kind > 0.85 else 0)
    return np.clip(wave * 4 + 0.5, 0, 1).astype(np.float32)


def _solid(rng: np.random.Generator, image: F32, light: F32) -> None:
    """A super-ellipsoid: ball, box with round corners, cushion, bottle."""
    cx, cy = _place(rng, image)
    width = image.shape[1]
    a, b = width * rng.uniform(0.02, 0.22), width * rng.uniform(0.02, 0.3)
    x, y = _grid(image, cx, cy, rng.normal(0, 0.4))
    power = rng.uniform(1.7, 6)
    u, v = np.abs(x / a) ** power, np.abs(y / b) ** power
    inside = np.clip((1 - u - v) * min(a, b) * 0.5, 0, 1)
    nz = np.clip(1 - u - v, 1e-4, 1) ** (1 - 1 / power) / min(a, b)
    normal = (
        np.sign(x) * np.abs(x / a) ** (power - 1) / a,
        np.sign(y) * np.abs(y / b) ** (power - 1) / b,
        nz,
    )
    _paint(rng, image, inside.astype(np.float32), normal, light, _stripes(rng, x, y))


def _drape(rng: np.random.Generator, image: F32, light: F32) -> None:
    """Hanging cloth with folds: a flag, a curtain, a coat on a hook."""
    cx, cy = _place(rng, image)
    height, width = image.shape[:2]
    half, tall = width * rng.uniform(0.05, 0.25), height * rng.uniform(0.2, 0.8)
    x, y = _grid(image, cx, cy - tall * 0.3, rng.normal(0, 0.15))
    edge = half * (1 + 0.2 * np.sin(y / rng.uniform(8, 30) + rng.uniform(0, 6)))
    inside = np.clip(np.minimum(edge - np.abs(x), tall - np.abs(y)), 0, 1)
    pitch = rng.uniform(4, 18)
    bend = x / pitch + 0.8 * np.sin(y / rng.uniform(20, 60)) + rng.uniform(0, 6)
    slope = np.cos(bend) * rng.uniform(0.4, 1.5)
    normal = (slope, 0.15 * np.sin(y / 15), np.ones_like(x))
    _paint(rng, image, inside.astype(np.float32), normal, light, _stripes(rng, x, y + 2 * np.sin(bend)))


def _post(rng: np.random.Generator, image: F32, light: F32) -> None:
    """A cylinder: a lamp stand, a pipe, a rocket, a table's leg."""
    cx, cy = _place(rng, image)
    radius = image.shape[1] * rng.uniform(0.006, 0.06)
    tall = image.shape[0] * rng.uniform(0.15, 0.9)
    x, y = _grid(image, cx, cy, rng.normal(0, 0.1) + (1.57 if rng.random() < 0.15 else 0))
    taper = radius * np.clip(1 - (y / tall) * rng.uniform(0, 0.7), 0.1, 2)
    inside = np.clip(np.minimum(taper - np.abs(x), tall - np.abs(y)), 0, 1)
    s = np.clip(x / np.maximum(taper, 1e-3), -0.99, 0.99)
    normal = (s, np.zeros_like(s), np.sqrt(1 - s * s))
    _paint(rng, image, inside.astype(np.float32), normal, light, _stripes(rng, 0 * x, y))


def _chair(rng: np.random.Generator, image: F32, light: F32) -> None:
    """The back of a chair or sofa, often nearly black, rising from the lower edge."""
    height, width = image.shape[:2]
    cx = float(rng.beta(0.7, 0.7) * width)
    a, b = width * rng.uniform(0.1, 0.35), height * rng.uniform(0.25, 0.8)
    x, y = _grid(image, cx, height * rng.uniform(0.75, 1.15), rng.normal(0, 0.06))
    power = rng.uniform(2.5, 7)
    u, v = np.abs(x / a) ** power, np.abs(y / b) ** power
    inside = np.clip((1 - u - v) * 8, 0, 1).astype(np.float32)
    normal = (0.7 * np.sign(x) * u, 0.7 * np.sign(y) * v + 0.1, np.ones_like(x))
    _paint(rng, image, inside, normal, light, np.zeros_like(x))
    if rng.random() < 0.3:
        cv2.line(image, (int(cx - a), height), (int(cx - a * 0.9), int(height - b)), [0.01] * 3, 3)
