"""Picture times gain at full size, on the CPU: a software rasteriser would take several times as long.

The fast twin of `core.reference.composite`.
"""

from __future__ import annotations

from concurrent.futures import Executor

import cv2
import numpy as np

from ..core import reference
from ..core.frames import Image, Map
from ..core.look import Look
from .tiles import Box

BAND = 96
"""Rows worked on at a time: what a core's own cache holds, more or less."""


class Applier:
    """Keeps its scratch memory from frame to frame: fresh pages cost more than the arithmetic."""

    def __init__(self) -> None:
        self._scratch: list[tuple[Map, Map]] = []

    def __call__(self, image: Image, gain: Map, boxes: list[Box], out: Image, pool: Executor) -> None:
        """Fills `boxes` of `out`, at most BAND rows each, with image times gain; both H x W x 3 uint8; gain
        float32, of the same size or half of it, where both sides are even, sampled bilinearly: boxes at even
        places then."""
        if not boxes:
            return
        half = gain.shape[:2] != image.shape[:2]
        shape = (BAND + 4, image.shape[1], 3)
        if not self._scratch or self._scratch[0][0].shape != shape:
            self._scratch = [(np.empty(shape, np.float32), np.empty(shape, np.float32)) for _ in range(2)]
        # Half of the work to each.
        done = np.cumsum([(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes])
        first = int(np.searchsorted(done, done[-1] / 2)) + 1
        beside = pool.submit(self._bands, image, gain, half, boxes[first:], out, 1)
        self._bands(image, gain, half, boxes[:first], out, 0)
        beside.result()

    def _bands(self, image: Image, gain: Map, half: bool, boxes: list[Box], out: Image, worker: int) -> None:
        big, product = self._scratch[worker]
        for x0, a, x1, b in boxes:
            part = gain[a:b, x0:x1]
            if half:
                part = _doubled(gain, (x0, a, x1, b), big)
            pixels = product.reshape(-1)[: 3 * (b - a) * (x1 - x0)].reshape(b - a, x1 - x0, 3)
            np.copyto(pixels, image[a:b, x0:x1])
            cv2.multiply(part, pixels, dst=pixels)
            cv2.convertScaleAbs(pixels, dst=out[a:b, x0:x1])  # rounds, stops at 255


def _doubled(gain: Map, box: Box, room: Map) -> Map:
    """`box` of the gain brought up to twice its size; box at even places. `room`: memory to use."""
    x0, y0, x1, y1 = box
    h, w = gain.shape[:2]
    # A texel more on every side for the edges to be read from, where there is one.
    left, top = max(x0 // 2 - 1, 0), max(y0 // 2 - 1, 0)
    right, bottom = min(-(-x1 // 2) + 1, w), min(-(-y1 // 2) + 1, h)
    size = 2 * (right - left), 2 * (bottom - top)
    big = room.reshape(-1)[: 3 * size[0] * size[1]].reshape(size[1], size[0], 3)
    cv2.resize(gain[top:bottom, left:right], size, dst=big, interpolation=cv2.INTER_LINEAR)
    return big[y0 - 2 * top : y1 - 2 * top, x0 - 2 * left : x1 - 2 * left]


def behind(image: Image, boxes: list[Box], look: Look, out: Image) -> None:
    """Fills `boxes` of `out`, where nobody is: image times the backdrop's factor; both H x W x 3 uint8."""
    factor = reference.behind(look).astype(np.float32)
    alike = bool((factor == factor[0]).all())
    table = (
        None if alike else times(np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2), factor)
    )
    for x0, y0, x1, y1 in boxes:
        part, target = image[y0:y1, x0:x1], out[y0:y1, x0:x1]
        if table is not None:
            cv2.LUT(part, table, dst=target)
        elif factor[0] == 1.0:
            np.copyto(target, part)
        else:
            cv2.convertScaleAbs(part, dst=target, alpha=float(factor[0]))


def times(values: Image, factor: Map) -> Image:
    """uint8 values (... x 3) times a factor a channel, rounded as above."""
    product = values.astype(np.float32) * factor
    return np.asarray(cv2.convertScaleAbs(product), np.uint8).reshape(values.shape)
