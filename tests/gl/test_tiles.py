"""Which parts of a picture are drawn, and the last multiplication over them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core import planes as twin
from live_relight.core import reference
from live_relight.shade.apply import BAND, Applier
from live_relight.shade.tiles import Box, across, can_reach, joined, others, read_by, tiles


@given(
    st.integers(1, 300), st.integers(1, 200), st.floats(1.0, 9.0), st.integers(0, 2**31), st.floats(0.0, 0.02)
)
def test_tiles_hold_every_pixel_that_reads_a_hit(
    w: int, h: int, grow: float, seed: int, share: float
) -> None:
    hit = np.random.default_rng(seed).random((h, w)) < share
    size = int(w * grow), int(h * grow)
    covered = np.zeros((size[1], size[0]), int)
    boxes = tiles(hit, size)
    for x0, y0, x1, y1 in boxes:
        covered[y0:y1, x0:x1] += 1
    assert sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes) == covered.sum()  # none sticks out
    assert covered.max(initial=0) <= 1
    assert (covered[twin.sample(hit.astype(float), size) > 0] == 1).all()
    for x0, y0, x1, y1 in others(boxes, size):
        covered[y0:y1, x0:x1] += 2
    assert set(np.unique(covered)) <= {1, 2}
    # What those pixels read of another map is drawn too.
    drawn = np.zeros((h, w))
    for x0, y0, x1, y1 in read_by(boxes, size, (w, h)):
        drawn[y0:y1, x0:x1] = 1
    assert twin.sample(drawn, size)[covered == 1].min(initial=1.0) == pytest.approx(1.0)


def painted(boxes: list[Box], height: int = 24, width: int = 32) -> npt.NDArray[np.int64]:
    """How often each place is in a box."""
    found = np.zeros((height, width), int)
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        found[y0:y1, x0:x1] += 1
    return found


BOXES = st.lists(
    st.tuples(st.integers(0, 31), st.integers(0, 23), st.integers(1, 32), st.integers(1, 24)).filter(
        lambda box: box[0] < box[2] and box[1] < box[3]
    ),
    max_size=8,
)


@given(BOXES)
def test_joined_boxes_cover_the_same_and_nothing_twice(boxes: list[Box]) -> None:
    np.testing.assert_array_equal(painted(joined(boxes)), np.minimum(painted(boxes), 1))


def test_joined_boxes_are_as_high_as_they_can_be() -> None:
    steps = [(4, 0, 8, 3), (4, 3, 8, 6), (2, 6, 10, 9), (2, 9, 10, 12), (5, 12, 6, 15)]
    assert sorted(joined(steps)) == [(2, 6, 4, 12), (4, 0, 8, 12), (5, 12, 6, 15), (8, 6, 10, 12)]


@given(BOXES, st.integers(1, 9))
def test_across_holds_every_box_and_no_row_without_one(boxes: list[Box], rows: int) -> None:
    bands, covered = across(boxes, rows), painted(boxes) > 0
    drawn = painted(bands)
    assert drawn.max(initial=0) <= 1
    assert (drawn[covered] == 1).all()
    for x0, y0, x1, y1 in bands:
        assert y0 // rows == (y1 - 1) // rows
        assert covered[:, x0].any()
        assert covered[:, x1 - 1].any()
        assert covered[y0].any()
        assert covered[y1 - 1].any()


def test_an_empty_corner_is_left_out() -> None:
    hit = np.zeros((160, 288), bool)
    hit[80:, 100:200] = True
    drawn = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in tiles(hit, (1280, 720)))
    assert 0.17 < drawn / (1280 * 720) < 0.3


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_what_cannot_be_reached_is_not(coefficient: list[float], colour: list[float]) -> None:
    plane = np.array([[coefficient]], np.float32)
    value = float(plane[0, 0, :3] @ np.asarray(colour) + plane[0, 0, 3])
    if not can_reach(plane, 0.3)[0, 0]:
        assert value <= 0.3 + 1e-5


@given(
    st.integers(2, 120),
    st.integers(2, 120),
    st.booleans(),
    st.integers(0, 2**31),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_applied_gain_agrees_with_numpy(
    width: int, height: int, half: bool, seed: int, corners: list[float]
) -> None:
    if half:
        width, height = width // 2 * 2, height // 2 * 2
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    shape = (height // 2, width // 2, 3) if half else (height, width, 3)
    gain = rng.uniform(0, 2.5, shape).astype(np.float32)
    # At even places where the gain is half as large, or at the picture's edge.
    x0, x1 = (2 * int(c * width / 2) for c in sorted(corners[:2]))
    y0, y1 = (2 * int(c * height / 2) for c in sorted(corners[2:]))
    box = (x0, y0, width if x1 >= width - 1 else x1, height if y1 >= height - 1 else y1)
    out = np.full_like(image, 7)
    with ThreadPoolExecutor(1) as pool:
        Applier()(image, gain, across([box], BAND), out, pool)
    inside = np.zeros((height, width), bool)
    inside[box[1] : box[3], box[0] : box[2]] = True
    assert (out[~inside] == 7).all()
    difference = np.abs(reference.composite(image, gain).astype(int) - out)[inside]
    assert difference.max(initial=0) <= 1
