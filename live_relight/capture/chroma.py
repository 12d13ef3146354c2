"""Colour for every pixel of pictures whose camera keeps one for two side by side.

OpenCV gives both pixels of a pair the same, so everything that goes by colour, as the edge of the matte does,
has stairs two pixels wide. (It reads JPEG smoothly; clips are converted by upright.py.)
"""

from __future__ import annotations

import cv2
import numpy as np

from live_relight.core.frames import Image

_PAIRED = frozenset(("YUYV", "YUY2", "UYVY", "YVYU", "NV12", "NV21", "YU12", "I420", "YV12"))
"""V4L2's names of 4:2:2 and 4:2:0 as they lie in memory."""

_PAIR = np.array([[0.5, 0.5]], np.float32)


def paired(fourcc: float) -> bool:
    """Whether a capture's CAP_PROP_FOURCC is a format with one colour for two pixels side by side."""
    code = int(fourcc) if 0 < fourcc < 2**32 else 0
    return bytes(code >> 8 * k & 255 for k in range(4)).decode("latin-1") in _PAIRED


def smoothed(image: Image) -> Image:
    """H x W x 3 uint8 BGR: the right pixel of each pair gets the mean of its colour, which is its left
    neighbour's as well, and its right neighbour's; lightness stays. Colours lie on the left pixel of a pair
    (H.273, location 0)."""
    luma, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb))
    # The mean with the right neighbour for all: the left pixel of a pair has the same as its neighbour.
    # (cv2.blur of bytes is one too high where windows are two wide: 129 of nothing but 128.)
    red, blue = (
        cv2.filter2D(colour, -1, _PAIR, anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
        for colour in (red, blue)
    )
    parts = cv2.merge([luma, red.reshape(luma.shape), blue.reshape(luma.shape)])
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_YCrCb2BGR), np.uint8)
