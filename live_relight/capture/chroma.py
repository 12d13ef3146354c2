"""Colour for every pixel of pictures whose camera keeps one for two or four.

OpenCV gives all of them the same, so everything that goes by colour, as the edge of the matte does, has
stairs two pixels wide. (It reads JPEG smoothly; clips are converted by upright.py.)
"""

from __future__ import annotations

import cv2
import numpy as np

from live_relight.core.frames import Image, Map

from .v4l2 import fourcc_text

_ACROSS = np.array([[0.0, 0.5, 0.5]], np.float32)
"""The mean with the right neighbour: colours lie on the left pixel of a pair (H.273, location 0), which has
the same as its neighbour and so keeps it."""
_DOWN = np.array([[0.25], [0.5], [0.25]], np.float32)
"""Three quarters of its own and a quarter of the nearer other one: colours lie between two rows."""
_KERNELS = dict.fromkeys(("YUYV", "YUY2", "UYVY", "YVYU"), _ACROSS)
_KERNELS |= dict.fromkeys(("NV12", "NV21", "YU12", "I420", "YV12"), np.asarray(_DOWN @ _ACROSS, np.float32))
"""By V4L2's names of 4:2:2 and 4:2:0 as they lie in memory."""


def kernel_of(fourcc: float) -> Map | None:
    """What `smoothed` needs for a capture's CAP_PROP_FOURCC; None: every pixel has a colour of its own."""
    code = int(fourcc) if 0 < fourcc < 2**32 else 0
    return _KERNELS.get(fourcc_text(code.to_bytes(4, "little")))


def smoothed(image: Image, kernel: Map) -> Image:
    """H x W x 3 uint8 BGR: colours go over from pixel to pixel, lightness stays."""
    luma, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb))
    # (cv2.blur of bytes is one too high where windows are two wide: 129 of nothing but 128.)
    red, blue = (cv2.filter2D(c, -1, kernel, borderType=cv2.BORDER_REPLICATE) for c in (red, blue))
    parts = cv2.merge([luma, red.reshape(luma.shape), blue.reshape(luma.shape)])
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_YCrCb2BGR), np.uint8)
