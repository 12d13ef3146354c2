"""The matte's edge at the picture's own size, where everything else is worked out on half of it: an edge that
is half a pixel off is a rope of light and dark along every sleeve before a bright wall.

The fast twin of `core.reference.gain` at the picture's size, for a list of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..core import planes as plain
from ..core import reference
from ..core.frames import Image, Map
from ..core.look import Look

Indices = npt.NDArray[Any]
Floats = npt.NDArray[Any]

STEP = 0.06
"""By how much the gain must change from one place of its grid to the next for its edge to be seen."""
LEVELS = 85
"""Bytes to a gain of one while edges are looked for: three times as bright is as far as they go."""
OUTSIDE, INSIDE = 0.35, 0.97
"""Between these alphas of the geometry's grid there is an edge: everything else is smooth."""
NOWHERE: Indices = np.empty(0, np.intp)
BESIDE = np.ones((3, 3), np.uint8)
PAIR = "V6"  # two pixels
ROW = 4096
"""Pixels to a row of the lists that OpenCV works on: it takes no longer ones than 32767."""


def edge(gain: Map, alpha: Map) -> Indices:
    """Places of the gain, h x w x 3, where the matte has an edge that shows: indices into h x w, ascending.
    alpha: on the geometry's grid."""
    h, w = gain.shape[:2]
    soft = (cv2.dilate(alpha, BESIDE) > OUTSIDE) & (cv2.erode(alpha, BESIDE) < INSIDE)
    near = cv2.resize(soft.astype(np.uint8).reshape(alpha.shape), (w, h), interpolation=cv2.INTER_NEAREST)
    x, y, across, down = cv2.boundingRect(near)
    if not across:
        return NOWHERE
    # In whichever channel it is: a coloured light may leave one of them as it was. Only where it may count,
    # and one more each way for what is beside; in bytes, which takes half the time.
    top, left = max(y - 1, 0), max(x - 1, 0)
    part = cv2.convertScaleAbs(gain[top : y + down + 1, left : x + across + 1], alpha=LEVELS)
    blue, green, red = cv2.split(cv2.subtract(cv2.dilate(part, BESIDE), cv2.erode(part, BESIDE)))
    step = cv2.max(cv2.max(blue, green), red)
    inside = step[y - top : y - top + down, x - left : x - left + across] > STEP * LEVELS
    rows, columns = np.nonzero(inside & (near.reshape(h, w)[y : y + down, x : x + across] > 0))
    return np.asarray((rows + y) * w + (columns + x), np.intp)


def repaint(image: Image, places: Indices, maps: tuple[Map, Map, Map], look: Look, out: Image) -> None:
    """Fills the four pixels of `out` at each of `places` of its halved grid anew.

    image, out: H x W x 3 uint8, contiguous, both sides even; maps, float32: coefficients of the matte
    h x w x 4, the light's factors h x w x 4, of which three are used, and planes.contrast.
    """
    if not len(places):
        return
    height, width = image.shape[:2]
    # Two pixels that lie side by side at once: rows 2 y and 2 y + 1 of each place, W / 2 pairs to a row.
    y, x = np.divmod(places, width // 2)
    pairs = np.concatenate([places + y * (width // 2), places + (y + 1) * (width // 2)])
    seen = np.take(_pairs(image), pairs).view(np.uint8).reshape(-1, 3).T * np.float32(1 / 255)  # 3 x n
    column, row = np.concatenate([x, x]), np.concatenate([2 * y, 2 * y + 1])
    across = ((2 * column[:, None] + np.array([0.5, 1.5])) / width).reshape(-1)
    down = np.repeat((row + 0.5) / height, 2)
    coefficients, factors, contrast = _sampled(maps, across, down)
    t = seen[0] * coefficients[0] + seen[1] * coefficients[1] + seen[2] * coefficients[2] + coefficients[3]
    share = plain.behind_share(plain.ends(t, contrast[3]), contrast[:3])
    behind = reference.behind(look).astype(np.float32)[:, None]
    lit = seen * (factors[:3] + (behind - factors[:3]) * share)
    lit *= _shoulder(seen, lit) * np.float32(255)
    values = np.ascontiguousarray(np.minimum(lit + np.float32(0.5), 255).astype(np.uint8).T)
    _pairs(out)[pairs] = values.reshape(-1).view(PAIR)


def _pairs(image: Image) -> Indices:
    """The picture as a list of pairs of pixels, in place."""
    return image.reshape(-1).view(PAIR)


def _sampled(maps: Sequence[Map], u: Floats, v: Floats) -> list[Floats]:
    """c x n of each map h x w x c, bilinearly, at places u across, v down in 0..1, as planes.sample does."""
    n, found = len(u), list[Floats]()
    rows = -(-n // ROW)
    across, down = (np.zeros((rows, ROW), np.float32) for _ in range(2))
    for m in maps:
        h, w = m.shape[:2]
        across.reshape(-1)[:n] = u * w - 0.5
        down.reshape(-1)[:n] = v * h - 0.5
        values = cv2.remap(m, across, down, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        found.append(np.ascontiguousarray(values.reshape(rows * ROW, -1)[:n].T))
    return found


def _shoulder(before: Floats, after: Floats) -> Floats:
    """reference.shoulder of 3 x n float32, without powers."""
    least = np.minimum(np.maximum(np.maximum(before[0], before[1]), before[2]), 1)
    most = np.maximum(np.maximum(after[0], after[1]), after[2])
    added, room = np.maximum(most - least, 0), np.maximum(1 - least, np.float32(1e-3))
    r2, a2 = room * room, added * added
    kept = room * added / np.sqrt(np.sqrt(r2 * r2 + a2 * a2))
    return np.asarray(1 - (added - kept) / np.maximum(most, np.float32(1e-3)))
