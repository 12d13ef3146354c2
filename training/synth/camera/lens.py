"""Before the sensor: focus, shutter, sampling, glare, vignette and flicker, all in linear light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from training.synth.camera.webcam import Camera
from training.synth.meshes import F32

SMALLEST = 16  # sides of the sensor's picture; codecs need that much


@dataclass(frozen=True)
class Moment:
    """What changes from frame to frame: RGB gains, extra blur (sigma), the flicker's phase (0..1)."""

    gains: F32
    defocus: float = 0.0
    phase: float = 0.0


def optics(picture: F32, camera: Camera, moment: Moment, motion: tuple[float, float] | None) -> F32:
    """Lens, shutter and sampling: still linear light."""
    height, width = picture.shape[:2]
    if motion is not None:
        picture = motion_blur(picture, motion)
    blur = float(np.hypot(camera.blur, moment.defocus))
    if blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    size = tuple(max(SMALLEST, 2 * round(side * camera.scale / 2)) for side in (width, height))
    if size != (width, height):
        way = cv2.INTER_AREA if camera.scale < 1 else cv2.INTER_LINEAR
        picture = cv2.resize(picture, size, interpolation=way)
    if camera.glare > 0.005:
        few = cv2.resize(picture, (16, 12), interpolation=cv2.INTER_AREA)
        few = cv2.GaussianBlur(np.minimum(few, 4.0), (0, 0), 2.0) * np.float32(camera.glare)
        picture = picture * np.float32(1 - min(camera.glare, 0.5)) + cv2.resize(few, size)
    if camera.vignette > 0:
        far = radius(size)
        loss = (camera.vignette + camera.shading[0], camera.vignette, camera.vignette + camera.shading[1])
        picture = picture * cv2.merge([1 - far * np.float32(part) for part in loss])
    if camera.flicker > 0:
        rows = np.arange(size[1]) / (size[1] * camera.period) + moment.phase
        wave = 1 + camera.flicker * np.sin(2 * np.pi * rows)
        picture = picture * wave.astype(np.float32)[:, None, None]
    return np.asarray(picture, np.float32)


def motion_blur(picture: F32, motion: tuple[float, float]) -> F32:
    """Mean of the picture [H,W,3] along a straight path of `motion` pixels (x right, y down)."""
    length = float(np.hypot(*motion))
    if length < 0.3:
        return picture
    steps = np.linspace(-0.5, 0.5, 4 * int(np.ceil(length)) + 1)
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    x, y = reach + steps * motion[0], reach + steps * motion[1]
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    for di in (0, 1):
        for dj in (0, 1):
            share = np.abs(1 - di - (x - i)) * np.abs(1 - dj - (y - j))
            np.add.at(kernel, (j + dj, i + di), share)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))


@lru_cache(maxsize=4)
def radius(size: tuple[int, int]) -> F32:
    """Squared distance [H,W] from the middle: 0 there, 1 in the corners."""
    x, y = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]))
    return ((x * x + y * y) / 2).astype(np.float32)
