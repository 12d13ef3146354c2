"""Who asks the network about the mirrored picture too, and what happens where the two answers do not fit."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from live_relight import relighter as door
from live_relight.cli import main
from live_relight.core.frames import Geometry
from live_relight.core.settings import Settings
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.relighter import Relighter
from tests.capture.clips import bars, write_clip


class Listening:
    """A ball, and whose left is bright of what it is shown; from the second look on of another size, if so
    told."""

    name = "listening"

    def __init__(self, later: int = 0) -> None:
        self.bright_left = list[bool]()
        self._ball, self._later = AnalyticEstimator(), AnalyticEstimator(longer_side=later or 256)

    def estimate(self, image: np.ndarray, share: float = 1.0) -> Geometry:
        half = image.shape[1] // 2
        self.bright_left.append(bool(image[:, :half].mean() > image[:, half:].mean()))
        return (self._later if len(self.bright_left) > 1 else self._ball).estimate(image, share)

    def close(self) -> None: ...


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Listening:
    made = Listening()
    monkeypatch.setattr(door, "open_estimator", lambda engine: made)
    return made


def half_lit() -> np.ndarray:
    picture = np.full((96, 128, 3), 60, np.uint8)
    picture[:, :64] = 160
    return picture


def test_a_photo_is_looked_at_both_ways(tmp_path: Path, ears: Listening) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), half_lit())
    assert main(["photo", str(tmp_path / "in.png"), str(tmp_path / "out.png")]) == 0
    assert ears.bright_left == [True, False]


def test_so_is_every_frame_of_a_video(tmp_path: Path, ears: Listening) -> None:
    path = write_clip(tmp_path / "in.mp4", [bars(128, 96)] * 3)
    assert main(["video", str(path), str(tmp_path / "out.mp4")]) == 0
    assert len(ears.bright_left) == 6
    assert ears.bright_left[0::2] != ears.bright_left[1::2]


def test_live_it_is_looked_at_once(ears: Listening) -> None:
    with Relighter(Settings()) as relighter:
        relighter.follow(half_lit(), 0.0)
        relighter.relight(half_lit())
    assert ears.bright_left == [True, True]


def test_answers_of_two_sizes_leave_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a card fails between the two looks and the processor goes on."""
    monkeypatch.setattr(door, "open_estimator", lambda engine: Listening(later=160))
    with Relighter(Settings()) as relighter:
        found = relighter.geometry(half_lit(), both_ways=True)
        again = relighter.geometry(half_lit(), both_ways=True)
    assert found.size == (256, 192)
    assert again.size == (160, 120)
