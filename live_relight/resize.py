"""Fast shrinking of frames for the network and the light map."""

from __future__ import annotations

import cv2
import numpy as np

from .core.frames import Image


def steps(frame: tuple[int, int], size: tuple[int, int]) -> list[tuple[tuple[int, int], int]]:
    """How `resized` goes from `frame` to `size`: (width, height) after each step, and OpenCV's way there."""
    w, h = frame
    found: list[tuple[tuple[int, int], int]] = []
    while w >= 2 * size[0] and h >= 2 * size[1]:
        w, h = w // 2, h // 2
        found.append(((w, h), cv2.INTER_AREA))
    if (w, h) != size:
        rough = w > 2 * size[0] or h > 2 * size[1]
        found.append((size, cv2.INTER_AREA if rough else cv2.INTER_LINEAR))
    return found


def with_half(image: Image, size: tuple[int, int]) -> tuple[Image | None, Image]:
    """The same as `resized`, and before it the picture at half its size where that is on the way."""
    h, w = image.shape[:2]
    half = w // 2, h // 2
    if w % 2 or h % 2 or half == size or steps((w, h), size)[:1] != [(half, cv2.INTER_AREA)]:
        return None, resized(image, size)
    small = resized(image, half)
    return small, resized(small, size)


def resized(image: Image, size: tuple[int, int]) -> Image:
    """H x W x 3 uint8 to `size` (width, height) without aliasing.

    Halves as often as it can (OpenCV's exact 2 x 2 mean is about ten times faster than its general area
    filter), then goes the rest of the way bilinearly.
    """
    for (w, h), way in steps((image.shape[1], image.shape[0]), size):
        # OpenCV drops sides of length 1
        image = np.asarray(cv2.resize(image, (w, h), interpolation=way), np.uint8).reshape(h, w, 3)
    return image
