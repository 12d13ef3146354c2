"""Flicker of the relit picture: what is counted, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from live_relight.core.settings import Settings
from live_relight.relighter import Relighter
from training import steadiness
from training.temporal_measures import SETTLING

SIZE = (64, 96)
COUNT = SETTLING + 6


def clip(level: float = 100.0) -> list[np.ndarray]:
    return [np.full((*SIZE, 3), level, np.uint8) for _ in range(COUNT)]


def mattes() -> list[np.ndarray]:
    alpha = np.zeros(SIZE, np.float32)
    alpha[16:, 32:64] = 1
    return [alpha] * COUNT


def test_light_that_does_not_change_adds_nothing():
    unrest = steadiness.Unrest()
    unrest.take(clip(), clip(150), mattes())
    assert unrest.row() == [0, 0, 0, 0, 0]
    assert unrest.still == unrest.whole == (COUNT - SETTLING) * SIZE[0] * SIZE[1]


def test_light_that_comes_and_goes_on_the_person_is_counted_there():
    relit = clip()
    for frame in relit[::2]:
        frame[16:, 32:64] = 120
    unrest = steadiness.Unrest()
    unrest.take(clip(), relit, mattes())
    before, after, person, edge, behind = unrest.row()
    change = 100 * np.log((120 / 255 + steadiness.FLOOR) / (100 / 255 + steadiness.FLOOR))
    assert before == 0
    assert after == pytest.approx(20, abs=0.01)
    assert person == pytest.approx(change, rel=1e-3)
    assert 0 < edge < person
    assert behind == 0


def test_what_moves_in_the_clip_itself_is_left_out():
    frames = clip()
    for frame in frames[::2]:
        frame[16:, 32:64] = 180
    unrest = steadiness.Unrest()
    unrest.take(frames, frames, mattes())
    before, after, person, *_ = unrest.row()
    assert np.isnan([before, after, person]).all()
    assert unrest.still < 0.7 * unrest.whole


def test_a_clip_is_relit_from_its_start():
    """The same clip twice by one Relighter: nothing of the first time is left."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(60, 180, (90, 160, 3), dtype=np.uint8) for _ in range(3)]
    with Relighter(Settings(engine="analytic")) as relighter:
        first, alpha = steadiness.relight_clip(relighter, frames)
        again, _ = steadiness.relight_clip(relighter, frames)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert alpha[0].shape == (90, 160)


def test_one_row_a_preset(monkeypatch):
    rng = np.random.default_rng(1)
    still = rng.integers(60, 180, (90, 160, 3), dtype=np.uint8)
    text, numbers = steadiness.steadiness("analytic", [[still] * COUNT])
    assert [line.split("|")[1].strip() for line in text.splitlines()[-3:]] == list(steadiness.PRESETS)
    assert all(value == pytest.approx(0, abs=0.02) for value in numbers.values())


def test_a_network_that_cannot_be_run_costs_a_line_and_not_the_report(tmp_path, monkeypatch):
    """And what is handed to the application is BGR."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.mkv").touch()
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 255
    monkeypatch.setattr(steadiness, "decoded", lambda path: [red] * 40)
    frames = steadiness.middle_frames(tmp_path / "real" / "a.mkv")
    assert len(frames) == steadiness.RUN
    assert (frames[0][..., 2] == 255).all()
    text, numbers = steadiness.steadiness_section(tmp_path / "missing.onnx", tmp_path)
    assert "no figures" in text
    assert numbers == {}


def test_without_clips_nothing_is_said(tmp_path):
    assert steadiness.steadiness_section(tmp_path / "net.onnx", tmp_path) == ("", {})
