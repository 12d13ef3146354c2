"""Cameras that keep one colour for two pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.capture.chroma import paired, smoothed


@pytest.mark.parametrize(("name", "told"), [("YUYV", True), ("NV12", True), ("MJPG", False), ("BGR3", False)])
def test_formats_by_their_names(name: str, told: bool) -> None:
    assert paired(float(cv2.VideoWriter.fourcc(*name))) is told


@pytest.mark.parametrize("said", [0.0, -1.0, float("nan"), 1e30])
def test_a_driver_that_does_not_say(said: float) -> None:
    assert not paired(said)


def test_a_ramp_of_colour_has_no_stairs() -> None:
    """As OpenCV decodes YUYV: blue grows from pair to pair."""
    packed = np.full((8, 64, 2), 128, np.uint8)
    packed[:, 0::2, 1] = 80 + 3 * np.arange(32)
    image = cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_YUYV)
    before, after = (np.diff(picture[4, :, 0].astype(int)) for picture in (image, smoothed(image)))
    assert before.min() == 0
    assert after[:-1].min() >= 1
    assert after.max() <= before.max() // 2 + 2


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32))
def test_grey_and_lightness_stay(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    grey = np.repeat(rng.integers(0, 256, (height, width, 1), dtype=np.uint8), 3, axis=2)
    assert np.abs(smoothed(grey).astype(int) - grey).max() <= 1
    image = rng.integers(60, 190, (height, width, 3), dtype=np.uint8)
    told = smoothed(image)
    assert told.shape == image.shape
    luma = [cv2.cvtColor(i, cv2.COLOR_BGR2YCrCb)[..., 0].astype(int) for i in (image, told)]
    assert np.abs(luma[0] - luma[1])[:, ::2].max() <= 1  # between pixels unlike each other colours may clip
