"""The loop under a governor: a slow estimator and frames that come at a camera's pace."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from live_relight.core import governor
from live_relight.core.frames import Frame, Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.temporal import Smoothing
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.pipeline import Pipeline
from live_relight.shade.opengl import OpenGLShader
from live_relight.sinks import open_sink

pytestmark = pytest.mark.gl
INTERVAL = 0.04


class Camera:
    """Frames every INTERVAL seconds; what was not taken in time is lost."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._next = 0
        self.dropped = 0
        self.ended = False

    def take(self, timeout: float) -> Frame | None:
        index = max(int((time.monotonic() - self._start) / INTERVAL), self._next)
        time.sleep(max(self._start + index * INTERVAL - time.monotonic(), 0))
        self.dropped += index - self._next
        self._next = index + 1
        return Frame(np.full((120, 160, 3), 90, np.uint8), self._start + index * INTERVAL, index)

    def check(self) -> None: ...


class Slow(AnalyticEstimator):
    """As a processor would be: time in proportion to the area it works on."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self.seen: list[tuple[int, int]] = []

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        time.sleep(self._seconds * share)
        geometry = super().estimate(image, share)
        self.seen.append(geometry.size)
        return geometry


def run(quality: str, live: bool, seconds: float) -> tuple[Pipeline, Slow]:
    estimator, shader = Slow(seconds), OpenGLShader()
    look = Look((Light.of("key"),), ambient=0.5)
    sink = open_sink("null", size=(160, 120), fps=25.0)
    try:
        pipeline = Pipeline(estimator, shader, [sink], lambda: look, Smoothing(), quality)
        pipeline.run(Camera(), live=live, limit=55, stop=threading.Event(), tick=lambda stats: None)
    finally:
        shader.close()
    return pipeline, estimator


def test_a_machine_too_slow_works_on_less() -> None:
    pipeline, estimator = run("auto", True, 2.5 * INTERVAL)
    assert estimator.seen[0][0] == 256
    assert estimator.seen[-1][0] < 200
    assert pipeline.stats.quality == pipeline.quality != "high"
    assert pipeline.stats.summary()["quality"] == pipeline.quality


@pytest.mark.parametrize(("quality", "live"), [("high", True), ("auto", False)])
def test_what_is_asked_for_stays(quality: str, live: bool) -> None:
    pipeline, estimator = run(quality, live, 2.5 * INTERVAL)
    assert set(estimator.seen) == {(256, 192)}
    assert pipeline.quality == "high"


def test_low_is_smaller_from_the_first_frame_on() -> None:
    assert run("low", True, 0.0)[1].seen[0][0] < 200


class Listening:
    """A shader that notes how far the light network is heard."""

    name, steadies, coarsens, halves = "listening", False, False, True

    def ready(self, geometry):
        return geometry

    def __init__(self) -> None:
        self.heard: list[float | None] = []

    def shade(self, image: Image, geometry: Geometry, look: Look, *rest: object) -> Image:
        self.heard.append(look.learned)
        return image

    def close(self) -> None: ...


class Ticking(Camera):
    """Frames at INTERVAL in their own time, at once."""

    def take(self, timeout: float) -> Frame | None:
        self._next += 1
        return Frame(np.full((120, 160, 3), 90, np.uint8), self._next * INTERVAL, self._next)


@pytest.mark.parametrize(("given", "learns"), [(None, True), (0.3, True), (None, False)])
def test_where_there_is_room_the_light_network_comes_and_goes(
    monkeypatch: pytest.MonkeyPatch, given: float | None, learns: bool
) -> None:
    shader, look = Listening(), Look((Light.of("key"),), ambient=0.5, learned=given)
    monkeypatch.setattr(governor, "PATIENCE", 2.0)
    clock = iter(range(10**9))
    monkeypatch.setattr("live_relight.pipeline.time.monotonic", lambda: next(clock) * INTERVAL)
    busy = [0.2]
    real = governor.step
    monkeypatch.setattr(
        governor,
        "step",
        lambda state, now, _, interval, rungs: real(
            state, now, governor.Busy(busy[0] * INTERVAL), interval, rungs
        ),
    )
    pipeline = Pipeline(AnalyticEstimator(), shader, [], lambda: look, Smoothing(), "auto", learns)
    for busy[0], frames in ((0.2, 400), (3.0, 120)):
        supply = Ticking()
        supply._next = pipeline.stats.frames_out
        total = pipeline.stats.frames_out + frames
        pipeline.run(supply, live=True, limit=total, stop=threading.Event(), tick=lambda stats: None)
    heard = np.array([v if v is not None else -1.0 for v in shader.heard])
    if given is not None or not learns:
        assert set(shader.heard) == {given}
        return
    assert heard[0] == 0.0
    assert heard[399] == 1.0
    assert heard[-1] == 0.0
    assert np.abs(np.diff(heard)).max() <= INTERVAL / governor.FADE + 1e-6  # nobody sees it jump
    assert pipeline.quality != governor.LEARNED


@pytest.mark.parametrize("wanted", [0.0, 1.0])
def test_what_was_asked_for_holds_whatever_a_preset_says(wanted: float) -> None:
    shader, looks = Listening(), [Look((Light.of("key"),), 0.5, learned=v) for v in (None, 0.3, 1.0, 0.0)]

    def look() -> Look:
        return looks[min(len(shader.heard), len(looks) - 1)]

    pipeline = Pipeline(AnalyticEstimator(), shader, [], look, Smoothing(), "high", learned=wanted)
    pipeline.run(Ticking(), live=True, limit=len(looks), stop=threading.Event(), tick=lambda stats: None)
    assert shader.heard == [wanted] * len(looks)
    assert pipeline.stats.quality == ("learned" if wanted else "high")


def test_frames_that_pass_through_are_not_governed() -> None:
    """Before and after is compared without the quality going up, or the light network coming and going."""
    shown, pipeline = [Look((Light.of("key"),), ambient=0.5)], None
    pipeline = Pipeline(AnalyticEstimator(), Listening(), [], lambda: shown[0], Smoothing(), "auto")
    pipeline._governor = governor.GovernorState("low", changed=0.0, patience=0.0)
    for k, look in enumerate((shown[0], Look(), shown[0])):
        shown[0] = look
        before = pipeline._governor
        supply = Ticking()
        supply._next = 10 * k
        limit = pipeline.stats.frames_out + 9
        pipeline.run(supply, live=True, limit=limit, stop=threading.Event(), tick=lambda stats: None)
        assert (pipeline._governor == before) == look.untouched


@pytest.mark.parametrize(("card", "last"), [(False, "sparse"), (True, "low")])
def test_the_network_is_asked_less_where_that_saves_something(
    card: bool, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shader, clock, real = Listening(), iter(range(10**9)), governor.step
    shader.steadies = card
    monkeypatch.setattr("live_relight.pipeline.time.monotonic", lambda: next(clock) * INTERVAL)
    slow = governor.Busy(5 * INTERVAL)
    monkeypatch.setattr(
        governor, "step", lambda state, now, _, interval, rungs: real(state, now, slow, interval, rungs)
    )
    look = Look((Light.of("key"),), ambient=0.5)
    pipeline = Pipeline(AnalyticEstimator(), shader, [], lambda: look, Smoothing(), "auto")
    pipeline.run(Ticking(), live=True, limit=400, stop=threading.Event(), tick=lambda stats: None)
    assert pipeline.quality == pipeline.least == last
