"""Cameras that keep one colour for two pixels or four."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.capture.camera import CameraSource
from live_relight.capture.chroma import kernel_of, smoothed
from live_relight.capture.fit import Fit

YUYV, NV12 = (kernel_of(float(cv2.VideoWriter.fourcc(*name))) for name in ("YUYV", "NV12"))
assert YUYV is not None
assert NV12 is not None


@pytest.mark.parametrize(
    ("name", "shape"), [("YUYV", (1, 3)), ("NV12", (3, 3)), ("YU12", (3, 3)), ("MJPG", None), ("BGR3", None)]
)
def test_formats_by_their_names(name: str, shape: tuple[int, int] | None) -> None:
    kernel = kernel_of(float(cv2.VideoWriter.fourcc(*name)))
    assert (None if kernel is None else kernel.shape) == shape


@pytest.mark.parametrize("said", [0.0, -1.0, float("nan"), 1e30])
def test_a_driver_that_does_not_say(said: float) -> None:
    assert kernel_of(said) is None


def test_a_ramp_of_colour_has_no_stairs_across() -> None:
    """As OpenCV decodes YUYV: blue grows from pair to pair."""
    packed = np.full((8, 64, 2), 128, np.uint8)
    packed[:, 0::2, 1] = 80 + 3 * np.arange(32)
    image = cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_YUYV)
    stairs, ramp = (np.diff(picture[4, :, 0].astype(int)) for picture in (image, smoothed(image, YUYV)))
    assert stairs.min() == 0
    assert ramp[:-1].min() >= 1
    assert ramp.max() <= stairs.max() // 2 + 2


def test_nor_down() -> None:
    """As OpenCV decodes NV12: blue grows from row pair to row pair."""
    planes = np.full((96, 16), 128, np.uint8)
    planes[64:, 0::2] = (80 + 3 * np.arange(32))[:, None]
    image = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_NV12)
    stairs, ramp = (np.diff(picture[:, 4, 0].astype(int)) for picture in (image, smoothed(image, NV12)))
    assert stairs.min() == 0
    assert ramp[1:-1].min() >= 1
    assert ramp.max() <= stairs.max() // 2 + 2


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32), st.sampled_from(["YUYV", "NV12"]))
def test_grey_and_lightness_stay(height: int, width: int, seed: int, form: str) -> None:
    rng, kernel = np.random.default_rng(seed), YUYV if form == "YUYV" else NV12
    grey = np.repeat(rng.integers(0, 256, (height, width, 1), dtype=np.uint8), 3, axis=2)
    assert np.abs(smoothed(grey, kernel).astype(int) - grey).max() <= 1
    image = rng.integers(100, 150, (height, width, 3), dtype=np.uint8)
    told = smoothed(image, kernel)
    assert told.shape == image.shape
    luma = [cv2.cvtColor(i, cv2.COLOR_BGR2YCrCb)[..., 0].astype(int) for i in (image, told)]
    assert np.abs(luma[0] - luma[1]).max() <= 1


@pytest.mark.parametrize(("form", "smooth"), [("YUYV", True), ("MJPG", False)])
def test_a_camera_s_pictures_are_smoothed_where_it_shares_colours(
    form: str, smooth: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for OpenCV's capture; a real kernel's camera is in tests/device."""
    packed = np.full((48, 64, 2), 128, np.uint8)
    packed[:, 0::2, 1] = 80 + 3 * np.arange(32)
    image = cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_YUYV)

    class Capture:
        def get(self, which: int) -> float:
            return float(cv2.VideoWriter.fourcc(*form)) if which == cv2.CAP_PROP_FOURCC else 30.0

        def read(self) -> tuple[bool, np.ndarray]:
            return True, image.copy()

        def release(self) -> None: ...

    monkeypatch.setattr(CameraSource, "_open", lambda self, *rest: Capture())
    source = CameraSource(0, Fit())
    try:
        frame = source.read()
    finally:
        source.close()
    assert frame is not None
    wanted = smoothed(image, YUYV) if smooth else image
    assert np.array_equal(frame.image, wanted)
    assert not np.array_equal(smoothed(image, YUYV), image)
