"""Thirty-two pictures, real and rendered, that one path of a network is held against another on."""

from __future__ import annotations

import cv2
import numpy as np
import skimage.data

from live_relight.core.frames import Image
from tests.engines.place import ROOT

SIZE = (640, 480)
"""Of all of them, so that a card compiles once."""


def thirty_two() -> list[Image]:
    """480 x 640 x 3 uint8 BGR: a real portrait near, far, turned over, dark and noisy; frames of the bundled
    clip; the rendered head under lights of all kinds."""
    rng = np.random.default_rng(32)
    return [*_portraits(rng, 14), *_frames(10), *_heads(8)]


def portrait(size: tuple[int, int] = SIZE) -> Image:
    """A real portrait, height x width x 3 uint8 BGR."""
    return _fit(np.asarray(skimage.data.astronaut()[..., ::-1]), size)


def _fit(image: Image, size: tuple[int, int] = SIZE) -> Image:
    h, w = image.shape[:2]
    scale = max(size[0] / w, size[1] / h)
    grown = cv2.resize(image, (round(w * scale) + 1, round(h * scale) + 1), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(grown[: size[1], : size[0]], np.uint8)


def _portraits(rng: np.random.Generator, count: int) -> list[Image]:
    whole, made = np.asarray(skimage.data.astronaut()[..., ::-1]), []
    for k in range(count):
        side = int(rng.integers(200, 513))
        x, y = (int(v) for v in rng.integers(0, [min(512 - side, 160) + 1, min(512 - side, 60) + 1]))
        part = whole[y : y + side, x : x + side]
        part = part[:, ::-1] if k % 2 else part
        light = part * rng.uniform(0.2, 1.1) + rng.normal(0, 3 * (k % 3), part.shape)
        made.append(_fit(np.clip(light, 0, 255).astype(np.uint8)))
    return made


def _frames(count: int) -> list[Image]:
    clip, made = cv2.VideoCapture(str(ROOT / "live_relight" / "media" / "demo.mp4")), []
    while len(made) < count:
        for _ in range(9):
            found, image = clip.read()
        assert found
        made.append(_fit(np.asarray(image, np.uint8)))
    clip.release()
    return made


def _heads(count: int) -> list[Image]:
    paths = sorted((ROOT / "tests" / "golden" / "pictures").glob("head-*.png"))[::3][:count]
    assert len(paths) == count
    return [_fit(np.asarray(cv2.imread(str(path)), np.uint8)) for path in paths]
