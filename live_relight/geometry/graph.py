"""ONNX graphs in the making, and OpenCV's shrinking of pictures as operators of theirs: every step and every
rounding of `resize.resized`, so that a level is the same here and there."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .. import resize

HALF, AREA, LINEAR, MIXED = "half", "area", "linear", "mixed"
"""Ways to resample: means of 2 x 2, means of areas, between neighbours, and what OpenCV does when it is asked
for areas and one side grows: between neighbours with other weights."""

Size = tuple[int, int]


def steps(frame: Size, small: Size) -> list[tuple[Size, str]]:
    """`resize.steps` with what OpenCV does in each: (width, height) after it, and which of the four ways."""
    found: list[tuple[Size, str]] = []
    w, h = frame
    for (to_w, to_h), way in resize.steps(frame, small):
        if way == cv2.INTER_LINEAR:
            how = LINEAR
        elif (w, h) == (2 * to_w, 2 * to_h):
            how = HALF
        else:
            how = AREA if w >= to_w and h >= to_h else MIXED
        found.append(((to_w, to_h), how))
        w, h = to_w, to_h
    return found


class Parts:
    """Nodes and constants of a graph that grows; a value is known by the name that it was given."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._count = 0

    def constant(self, value: npt.ArrayLike, kind: npt.DTypeLike = np.float32) -> str:
        name = f"front/c{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        self._count += 1
        name = name or f"front/v{self._count}"
        node = self._onnx.helper.make_node(operator, list(inputs), [name], name=name, **attributes)
        self.nodes.append(node)
        return name

    def whole(self, value: npt.ArrayLike) -> str:
        return self.constant(value, np.int64)

    def floor(self, value: str) -> str:
        return self.add("Floor", value)

    def clip(self, value: str, low: float, high: float, name: str = "") -> str:
        return self.add("Clip", value, self.constant(low), self.constant(high), name=name)

    def number(self, value: str, instead: float) -> str:
        """`instead` where it is not-a-number."""
        return self.add("Where", self.add("IsNaN", value), self.constant(instead), value)

    def cast(self, value: str, kind: str, name: str = "") -> str:
        return self.add("Cast", value, to=getattr(self._onnx.TensorProto, kind), name=name)


def shrunk(parts: Parts, planes: str, frame: Size, small: Size) -> str:
    """[3, H, W] float32 of whole levels to [3, h, w], as `resize.resized` does it; sizes (width, height)."""
    w, h = frame
    for (to_w, to_h), how in steps(frame, small):
        if how == HALF:
            batch = parts.add("Reshape", planes, parts.whole([1, 3, h, w]))
            means = parts.add("AveragePool", batch, kernel_shape=[2, 2], strides=[2, 2])
            planes = parts.add("Reshape", means, parts.whole([3, to_h, to_w]))
            planes = parts.floor(parts.add("Add", planes, parts.constant(0.5)))
        elif how == AREA:
            planes = _areas(parts, _areas(parts, planes, w, to_w, 2), h, to_h, 1)
            planes = parts.add("Round", planes)
        else:
            planes = _between(parts, planes, (w, h), (to_w, to_h), how == MIXED)
        w, h = to_w, to_h
    return planes


def _areas(parts: Parts, planes: str, old: int, new: int, axis: int) -> str:
    """One axis of [3, H, W] from `old` to `new` lines: sums of a few lines each, weighted as OpenCV does."""
    # What it makes of a picture with one white line is that line's weight in every new one.
    weights = cv2.resize(np.eye(old, dtype=np.float32), (old, new), interpolation=cv2.INTER_AREA)
    first = np.argmax(weights > 0, axis=1)
    total = ""
    for k in range(int((weights > 0).sum(axis=1).max())):
        lines = np.minimum(first + k, old - 1)
        # A line that the clamp repeats has been weighed already.
        share = np.where(first + k < old, weights[np.arange(new), lines], 0.0)
        term = _lines(parts, planes, lines, share, axis)
        total = parts.add("Add", total, term) if total else term
    return total


def _between(parts: Parts, planes: str, old: Size, new: Size, mixed: bool) -> str:
    """[3, H, W] of whole levels to `new` (width, height), bilinearly in whole numbers: weights in 2048ths,
    columns first with 7 bits kept below the level, then rows with 2, then to the nearest level."""
    (x0, a0), (x1, a1) = _neighbours(old[0], new[0], mixed)
    (y0, b0), (y1, b1) = _neighbours(old[1], new[1], mixed)
    wide = parts.add("Add", _lines(parts, planes, x0, a0, 2), _lines(parts, planes, x1, a1, 2))
    wide = parts.floor(parts.add("Mul", wide, parts.constant(1 / 16)))
    upper = parts.floor(_lines(parts, wide, y0, b0 / 65536, 1))
    lower = parts.floor(_lines(parts, wide, y1, b1 / 65536, 1))
    total = parts.add("Add", parts.add("Add", upper, lower), parts.constant(2.0))
    return parts.floor(parts.add("Mul", total, parts.constant(0.25)))


def _neighbours(old: int, new: int, mixed: bool) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """(index, weight in 2048ths) of the lines before and after the middle of each new line; `mixed`: before
    and after its start, the second weighed by how much of the new line lies in it."""
    line = np.arange(new)
    if mixed:
        before = np.floor(line * (old / new)).astype(np.int64)
        part = ((line + 1) - (before + 1) * (new / old)).astype(np.float32)
        part = np.where(part <= 0, np.float32(0), part - np.floor(part))
    else:
        place = ((line + 0.5) * (old / new) - 0.5).astype(np.float32)
        before = np.floor(place).astype(np.int64)
        part = place - before.astype(np.float32)
    part = np.where((before < 0) | (before >= old - 1), np.float32(0), part)
    first, second = np.clip(before, 0, old - 1), np.clip(before + 1, 0, old - 1)
    return (first, np.rint((1 - part) * 2048)), (second, np.rint(part * 2048))


def _lines(parts: Parts, planes: str, lines: Any, weights: Any, axis: int) -> str:
    """Lines of [3, H, W] along an axis, by index, each times its weight."""
    shape = [1, 1, 1]
    shape[axis] = len(lines)
    taken = parts.add("Gather", planes, parts.whole(lines), axis=axis)
    return parts.add("Mul", taken, parts.constant(np.reshape(weights, shape)))
