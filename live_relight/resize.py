"""Fast shrinking of frames for the network and the light map."""

from __future__ import annotations

import cv2
import numpy as np

from .core.frames import Image


def resized(image: Image, size: tuple[int, int]) -> Image:
    """H x W x 3 uint8 to `size` (width, height) without aliasing.

    Halves as often as it can (OpenCV's exact 2 x 2 mean is about ten times faster than its general area
    filter), then goes the rest of the way bilinearly.
    """
    h, w = image.shape[:2]
    while w >= 2 * size[0] and h >= 2 * size[1]:
        image = np.asarray(cv2.resize(image, (w // 2, h // 2), interpolation=cv2.INTER_AREA), np.uint8)
        image = image.reshape(h // 2, w // 2, 3)
        h, w = image.shape[:2]
    if (w, h) != size:
        smooth = cv2.INTER_AREA if w > 2 * size[0] or h > 2 * size[1] else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, size, interpolation=smooth), np.uint8).reshape(
            size[1], size[0], 3
        )
    return image
