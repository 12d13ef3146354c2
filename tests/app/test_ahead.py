"""Geometry of the next frame while light falls on this one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from live_relight.core.errors import EstimatorError, SourceError
from live_relight.core.frames import Frame, Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.stats import Stats
from live_relight.core.temporal import Smoothing
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.pipeline import Pipeline
from live_relight.shade.opengl import OpenGLShader
from live_relight.threads import Latest

LONG = 5.0
LOOK = Look((Light.of("key"),), ambient=0.5)


class Clip:
    """`count` pictures that differ, then the end, or what it fails with."""

    dropped = 0

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count, self.error, self.taken = count, error, 0

    @property
    def ended(self) -> bool:
        return self.taken >= self.count

    def take(self, timeout: float) -> Frame | None:
        if self.ended:
            return None
        self.taken += 1
        ramp = np.linspace(30, 200, 160, dtype=np.uint8)
        image = np.repeat(np.roll(ramp, 7 * self.taken)[None, :, None], 120, 0).repeat(3, 2)
        return Frame(np.ascontiguousarray(image), self.taken / 25, self.taken)

    def check(self) -> None:
        if self.ended and self.error:
            raise self.error


class Kept:
    """A sink that keeps what it is sent."""

    name, live = "kept", False

    def __init__(self) -> None:
        self.images: list[Image] = []

    def send(self, frame: Frame) -> None:
        self.images.append(frame.image.copy())

    def close(self) -> None: ...


class Plain:
    """A shader that does what it is told to."""

    name, steadies, coarsens, halves = "plain", False, False, True

    def ready(self, geometry):
        return geometry

    def __init__(self, body: Callable[[], None] = lambda: None) -> None:
        self.body, self.count = body, 0

    def shade(self, image: Image, *rest: object) -> Image:
        self.count += 1
        self.body()
        return image

    def close(self) -> None: ...


class Watched(AnalyticEstimator):
    """Tells when it starts on a picture; fails on number `fails`."""

    def __init__(self, fails: int = 0) -> None:
        super().__init__()
        self.fails, self.count, self.started = fails, 0, Latest[int]()

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        self.count += 1
        self.started.put(self.count)
        if self.count == self.fails:
            raise EstimatorError("a network", "nothing", "geometry")
        return super().estimate(image, share)


def run(pipeline: Pipeline, supply: Clip, limit: int | None = None) -> Stats:
    stop = threading.Event()
    return pipeline.run(supply, live=False, limit=limit, stop=stop, tick=lambda stats: None)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.mark.gl
def test_pictures_are_the_same_as_in_turn() -> None:
    made = []
    shader = OpenGLShader(on_grid=True)
    try:
        for ahead in (False, True):
            sink = Kept()
            pipeline = Pipeline(AnalyticEstimator(), shader, [sink], lambda: LOOK, Smoothing(), ahead=ahead)
            stats = run(pipeline, Clip(20))
            assert stats.frames_out == stats.frames_in == len(sink.images) == 20
            assert ("wait" in stats.stages) == ahead
            made.append(np.stack(sink.images))
    finally:
        shader.close()
    np.testing.assert_array_equal(made[0], made[1])
    assert made[0].std() > 10
    clip = Clip(20)
    given = [frame.image for frame in iter(lambda: clip.take(0.0), None)]
    assert np.abs(made[0].astype(int) - np.stack(given)).max(axis=(1, 2, 3)).min() > 5, "all are relit"


def test_the_next_frame_is_looked_at_meanwhile_and_no_other() -> None:
    estimator, seen = Watched(), list[int]()

    def meanwhile() -> None:
        deadline = time.monotonic() + LONG
        while estimator.count < min(shader.count + 1, 6) and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.05)  # long enough for one that should not be looked at
        seen.append(estimator.count)

    shader = Plain(meanwhile)
    run(Pipeline(estimator, shader, [], lambda: LOOK, Smoothing(), ahead=True), Clip(6))
    assert seen == [2, 3, 4, 5, 6, 6]


def test_in_turn_nothing_is_looked_at_meanwhile() -> None:
    estimator, seen = Watched(), list[int]()
    shader = Plain(lambda: seen.append(estimator.count))
    run(Pipeline(estimator, shader, [], lambda: LOOK, Smoothing(), ahead=False), Clip(4))
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize("ahead", [False, True])
def test_no_more_is_taken_than_goes_out(ahead: bool) -> None:
    clip, pipeline = Clip(50), Pipeline(Watched(), Plain(), [], lambda: LOOK, Smoothing(), ahead=ahead)
    assert run(pipeline, clip, 7).frames_out == clip.taken == 7
    assert run(pipeline, clip, 12).frames_out == clip.taken == 12
    assert run(pipeline, clip).frames_out == 50


@pytest.mark.parametrize("ahead", [False, True])
def test_what_fails_is_told_and_no_thread_is_left(ahead: bool) -> None:
    before = threads()
    pipeline = Pipeline(Watched(fails=4), Plain(), [], lambda: LOOK, Smoothing(), ahead=ahead)
    with pytest.raises(EstimatorError, match="a network"):
        run(pipeline, Clip(9))
    assert pipeline.stats.frames_out == 3
    pipeline = Pipeline(Watched(), Plain(), [], lambda: LOOK, Smoothing(), ahead=ahead)
    with pytest.raises(SourceError, match="unplugged"):
        run(pipeline, Clip(5, SourceError("camera", "unplugged", "a camera")))
    assert pipeline.stats.frames_out in (4, 5), "the last one may be lost with the camera"

    def broken() -> None:
        raise RuntimeError("no light")

    with pytest.raises(RuntimeError, match="no light"):
        run(Pipeline(Watched(), Plain(broken), [], lambda: LOOK, Smoothing(), ahead=ahead), Clip(9))
    assert threads() == before


def test_it_ends_when_the_estimator_is_no_longer_at_work() -> None:
    """Which is closed next."""
    stop, at_work = threading.Event(), threading.Event()

    class Long(Watched):
        def estimate(self, image: Image, share: float = 1.0) -> Geometry:
            if self.count == 1:
                at_work.set()
                stop.set()
                time.sleep(0.5)
                at_work.clear()
            return super().estimate(image, share)

    pipeline = Pipeline(Long(), Plain(), [], lambda: LOOK, Smoothing(), ahead=True)
    pipeline.run(Clip(9), live=False, limit=None, stop=stop, tick=lambda stats: None)
    assert stop.is_set()
    assert not at_work.is_set()


def test_a_look_that_changes_between_the_halves_leaves_frames_as_they_are() -> None:
    """Lights that are switched on while the next frame is looked at, and off again."""
    looks, sink, turn = [LOOK, Look()], Kept(), [0]
    assert looks[1].untouched

    def look() -> Look:
        turn[0] += 1
        return looks[turn[0] // 2 % 2]

    pipeline = Pipeline(Watched(), Plain(), [sink], look, Smoothing(), ahead=True)
    assert run(pipeline, Clip(12)).frames_out == len(sink.images) == 12
