"""One decoded frame as a picture."""

from __future__ import annotations

import av
import numpy as np
import pytest

from live_relight.capture.upright import Upright


@pytest.mark.parametrize("form", ["yuv420p", "yuv422p"])
def test_colour_is_smooth_from_pixel_to_pixel(form: str) -> None:
    """A camera keeps one colour for two pixels side by side; a picture has one for each, or coloured edges
    become stairs."""
    width, height = 96, 48
    frame = av.VideoFrame(width, height, form)
    for plane, ramp in zip(frame.planes, (False, True, False), strict=True):
        rows = np.full((plane.height, plane.line_size), 128, np.uint8)
        if ramp:
            rows[:, : plane.width] = 75 + 2 * np.arange(plane.width)
        plane.update(rows.tobytes())
    blue = Upright("clip", 1.0).image(frame)[height // 2, 8:-8, 0].astype(int)
    steps = np.diff(blue)
    assert steps.min() >= 1  # of pairs that are alike every other step is 0
    assert steps.max() <= 4


@pytest.mark.parametrize("width", [33, 64])
def test_padded_rows_are_cut(width: int) -> None:
    """Of a width that decoders pad, every column is where it was."""
    picture = np.random.default_rng(0).integers(0, 256, (20, width, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
    image = Upright("clip", 1.0).image(frame)
    assert image.shape == picture.shape
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - picture).max() <= 1
