"""Brings a picture to the size that was asked for without distorting it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from live_relight.core.errors import SourceError
from live_relight.core.frames import Image

MAX_SIDE = 16384
MAX_PIXELS = 120_000_000


def check_size(name: str, width: int, height: int) -> None:
    """Raises SourceError for a picture too big to work on. Call it before allocating anything that big."""
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise SourceError(
            f"{name} is too big",
            f"{width}x{height}",
            f"at most {MAX_SIDE} on a side and {MAX_PIXELS // 1_000_000} megapixels",
            "scale it down first",
        )


@dataclass(frozen=True)
class Fit:
    """What every source does to its pictures last."""

    size: tuple[int, int] | None = None
    """(width, height) to fill: scaled and centre-cropped; None keeps the picture's own size."""
    mirror: bool = False
    """Left and right exchanged, as in a mirror."""

    def result_size(self, width: int, height: int) -> tuple[int, int]:
        return self.size or (width, height)

    def apply(self, image: Image) -> Image:
        """`image` H x W x 3 uint8; returns a contiguous picture of the wanted size (itself if it fits)."""
        if self.size and (image.shape[1], image.shape[0]) != self.size:
            image = fill(image, self.size)
        return _u8(cv2.flip(image, 1)) if self.mirror else image


def fill(image: Image, size: tuple[int, int]) -> Image:
    """Scales so that `size` (width, height) is covered and cuts what stands out, the same on both sides."""
    height, width = image.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    # Cut before scaling: fewer pixels to resample, and the crop is exact to a source pixel.
    cut_w = min(width, max(1, round(size[0] / scale)))
    cut_h = min(height, max(1, round(size[1] / scale)))
    left, top = (width - cut_w) // 2, (height - cut_h) // 2
    part = image[top : top + cut_h, left : left + cut_w]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return _u8(cv2.resize(part, size, interpolation=how))


def _u8(image: object) -> Image:
    return np.asarray(image, dtype=np.uint8)  # no copy: only tells the type checker what OpenCV returned
