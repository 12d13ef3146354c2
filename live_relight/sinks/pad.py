"""4:2:0 video has one colour sample for two by two pixels, so it wants even sizes."""

from __future__ import annotations

import cv2
import numpy as np

from live_relight.core.errors import SinkError
from live_relight.core.frames import Image


def even(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) rounded up to even numbers."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def pad_to_even(image: Image) -> Image:
    """H x W x 3 uint8; repeats the last column and row where they are odd, so that no black line shows."""
    height, width = image.shape[:2]
    if not (width % 2 or height % 2):
        return image
    return np.asarray(
        cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), dtype=np.uint8
    )


def check_frame(name: str, image: Image, size: tuple[int, int]) -> None:
    """Raises SinkError for a frame of another size than the sink was opened for."""
    if (image.shape[1], image.shape[0]) != size:
        raise SinkError(
            f"{name} got a frame of the wrong size",
            f"{image.shape[1]}x{image.shape[0]}",
            f"{size[0]}x{size[1]}",
        )
