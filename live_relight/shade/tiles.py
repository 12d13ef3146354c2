"""Which parts of the picture the light can change at all: everything else is not drawn.

A software rasteriser pays for every pixel; a person fills a third to a half of a webcam's picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..core import planes as plain
from ..core.frames import Map

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1; the last two are the first outside."""

SLACK = 1e-3
SIDE = 32
"""Pixels a tile has a side, about; llvmpipe's own are as large."""
BLOCK = 4
"""Pixels a side of what llvmpipe draws at once. A box is two triangles: the blocks that both of them cut are
drawn twice, so boxes are to be wide and high."""


def levels(contrast: Map, size: tuple[int, int]) -> Map:
    """Alpha from which on the light changes anything, for can_reach: planes.ends' lower end, the least of it
    round each place of the geometry's grid of `size` (width, height). contrast: planes.contrast."""
    clear = np.ascontiguousarray(contrast[..., 3])
    near = cv2.dilate(clear, np.ones((3, 3), np.uint8)).reshape(clear.shape)
    grown = cv2.resize(near, size, interpolation=cv2.INTER_NEAREST).reshape(size[1], size[0])
    return np.asarray(plain.ALPHA_LOW + (plain.CLEAR_LOW - plain.ALPHA_LOW) * grown - SLACK, np.float32)


def can_reach(plane: Map, level: Map | float) -> npt.NDArray[np.bool_]:
    """Where a . I + b can come above `level` for any colour I in 0..1. plane h x w x 4 (a, b); h x w."""
    most = plane[..., 3].copy()
    for k in range(3):
        most += np.maximum(plane[..., k], 0)
    return np.asarray(most > level)


def tiles(hit: npt.NDArray[np.bool_], size: tuple[int, int], side: int = SIDE, near: int = 5) -> list[Box]:
    """Boxes of a picture of `size` (width, height) that hold every pixel which reads a hit bilinearly.

    hit: h x w, at most as large as the picture. The boxes are runs of tiles of about `side` pixels; none
    overlap. `near`: hits are grown to squares of as many texels.
    """
    h, w = hit.shape
    columns, rows = -(-size[0] // side), -(-size[1] // side)
    # A pixel reads its own texel and one neighbour each way; one more, because tiles end at whole pixels.
    grown = cv2.dilate(np.asarray(hit, np.uint8), np.ones((near, near), np.uint8)).reshape(h, w)
    if columns > w or rows > h:
        return [(0, 0, *size)] if grown.any() else []
    x, y = (np.rint(np.arange(n + 1) * (s / n)).astype(int) for n, s in ((columns, size[0]), (rows, size[1])))
    grown = np.maximum.reduceat(grown, np.arange(rows) * h // rows, axis=0)
    active = np.maximum.reduceat(grown, np.arange(columns) * w // columns, axis=1)
    # Where a run of tiles begins and where it ends, row by row: as many of one as of the other.
    change = np.diff(np.pad(active.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (row, begin), (_, end) = np.nonzero(change > 0), np.nonzero(change < 0)
    return list(zip(*(v.tolist() for v in (x[begin], y[row], x[end], y[row + 1])), strict=True))


def across(boxes: list[Box], rows: int) -> list[Box]:
    """One box for every `rows` rows that hold any of `boxes`: from the leftmost to the rightmost."""
    found: dict[int, Box] = {}
    for x0, y0, x1, y1 in boxes:
        for k in range(y0 // rows, -(-y1 // rows)):
            own = x0, max(y0, k * rows), x1, min(y1, (k + 1) * rows)
            found[k] = around([own, found[k]]) if k in found else own
    return [found[k] for k in sorted(found)]


def others(boxes: list[Box], size: tuple[int, int]) -> list[Box]:
    """What `boxes` (as from `tiles`) leave of a picture of `size`."""
    w, h = size
    rows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for x0, y0, x1, y1 in boxes:
        rows.setdefault((y0, y1), []).append((x0, x1))
    found: list[Box] = []
    below = 0
    for (y0, y1), runs in [*sorted(rows.items()), ((h, h), [])]:
        if y0 > below:
            found.append((0, below, w, y0))
        ends = [0, *(x for run in runs for x in run), w]
        found += [(a, y0, b, y1) for a, b in zip(ends[::2], ends[1::2], strict=True) if b > a and y1 > y0]
        below = y1
    return found


def read_by(
    boxes: list[Box], size: tuple[int, int], grid: tuple[int, int], margin: int = 1, block: int = BLOCK
) -> list[Box]:
    """The parts of a map of size `grid` that `boxes` of a picture of `size` read bilinearly, `margin` texels
    round them included. None overlap; they end at whole blocks."""
    (pw, ph), (w, h) = size, grid
    return joined(
        [
            (
                max(x0 * w // pw - margin, 0) // block * block,
                max(y0 * h // ph - margin, 0) // block * block,
                min((-(-x1 * w // pw) + margin + block - 1) // block * block, w),
                min((-(-y1 * h // ph) + margin + block - 1) // block * block, h),
            )
            for x0, y0, x1, y1 in boxes
        ]
    )


def joined(boxes: list[Box]) -> list[Box]:
    """Boxes that cover what `boxes` do, and nothing twice: as high as they can be."""
    if not boxes:
        return []
    x = sorted({side for box in boxes for side in (box[0], box[2])})
    place = {side: k for k, side in enumerate(x)}
    # What there is of a row, a bit for each piece between two sides: arrays take three times as long.
    spans = [(y0, y1, (1 << place[x1]) - (1 << place[x0])) for x0, y0, x1, y1 in boxes]
    found: list[Box] = []
    growing: dict[tuple[int, int], int] = {}
    last = 0
    for row in sorted({side for box in boxes for side in (box[1], box[3])}):
        bits = 0
        for y0, y1, span in spans:
            if y0 <= row < y1:
                bits |= span
        if bits == last:
            continue
        last, going = bits, _below(growing, _runs(bits), row)
        found += [(x[a], since, x[b], row) for (a, b), since in growing.items() if going.get((a, b)) != since]
        growing = going
    return found


def _runs(bits: int) -> list[tuple[int, int]]:
    """Where runs of ones begin and end, from the lowest bit up."""
    found = []
    while bits:
        begin = (bits & -bits).bit_length() - 1
        end = begin + (~(bits >> begin) & ((bits >> begin) + 1)).bit_length() - 1
        found.append((begin, end))
        bits &= -1 << end
    return found


def _below(
    growing: dict[tuple[int, int], int], runs: list[tuple[int, int]], row: int
) -> dict[tuple[int, int], int]:
    """Boxes (from, to: first row) that go on below in `runs`, and what is new beside them."""
    going: dict[tuple[int, int], int] = {}
    for begin, end in runs:
        at = begin
        for (a, b), since in sorted(growing.items()):
            if a >= at and b <= end:
                if a > at:
                    going[at, a] = row
                going[a, b] = since
                at = b
        if at < end:
            going[at, end] = row
    return going


def around(boxes: list[Box]) -> Box:
    """The box that holds them all. There must be one."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
