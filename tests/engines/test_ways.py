"""From geometry to light: what is refined on the card agrees with the CPU's, and the quickest way is used."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from live_relight.core import temporal
from live_relight.core.frames import Frame
from live_relight.core.look import Look
from live_relight.core.temporal import Smoothing
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.pipeline import Pipeline
from live_relight.shade import ways
from live_relight.shade.opengl import OpenGLShader
from live_relight.shade.refine import Refiner
from live_relight.shade.ways import CPU, INTEROP, TIMED, UPLOAD, WARM, ToLight, agrees, quickest, settled
from live_relight.sinks import open_sink
from tests.engines.gl_card import LOOK, STEADY, Place, frames, hardly, make_place, on_host  # noqa: F401

pytestmark = pytest.mark.gl


def test_numbers_agree_but_for_rounding() -> None:
    host = np.linspace(-3, 3, 6000, dtype=np.float32)
    assert agrees(host + 0.01, host)
    few = host.copy()
    few[:5] += 1
    assert agrees(few, host)
    few[:50] += 1
    assert not agrees(few, host)
    few = host.copy()
    few[7] = np.nan
    assert not agrees(few, host)


def test_a_driver_that_gives_something_else_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card's matte is a constant, as of a driver that draws one layer of five alone."""
    ran = Refiner.run

    def wrong(one: Refiner, smoothing: Smoothing | None) -> None:
        ran(one, smoothing)
        one.textures["planes"].write(np.full((5, *one.intake.size[::-1], 4), 0.1, np.float32))

    monkeypatch.setattr(Refiner, "run", wrong)
    monkeypatch.setattr(ways, "quickest", lambda taken: UPLOAD if UPLOAD in taken else CPU)
    shader, plain = OpenGLShader(False, "measured"), OpenGLShader(False, "cpu")
    try:
        estimator, state = AnalyticEstimator(), None
        for image in frames(WARM + TIMED + 2):
            geometry = estimator.estimate(image)
            state, steady = temporal.step(state, geometry, STEADY)
            out = shader.shade(image, geometry, LOOK, smoothing=STEADY)
            expected = plain.shade(image, steady, LOOK)
        assert shader.to_light.way == CPU
        assert "not the processor's" in shader.to_light.not_used[UPLOAD]
        assert (out == expected).all()
    finally:
        shader.close()
        plain.close()


def test_the_quickest_is_taken() -> None:
    assert quickest({INTEROP: [3.0, 1.0, 1.0], UPLOAD: [2.0, 2.0, 2.0], CPU: [9.0, 0.1, 9.0]}) == INTEROP
    assert quickest({UPLOAD: [2.0], CPU: [1.0]}) == CPU
    assert quickest({UPLOAD: [2.0, 2.0], CPU: [2.0]}) == UPLOAD


def test_it_is_told_in_a_line() -> None:
    assert str(ToLight("")) == "not decided yet"
    told = ToLight(UPLOAD, {UPLOAD: 0.5, CPU: 4.0}, {INTEROP: "there is none"})
    assert str(told) == "upload + GL (0.50 ms; CPU 4.00 ms; no CUDA-GL interop: there is none)"


@pytest.mark.parametrize("fast", [INTEROP, UPLOAD, CPU])
def test_first_frames_measure_and_the_rest_do_not(
    place: Place, fast: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is chosen, every picture is as the CPU's way gives it, to two levels."""
    clock = {"now": 0.0}
    monkeypatch.setattr(time, "perf_counter", lambda: clock["now"])
    shader, plain = OpenGLShader(False, "measured"), OpenGLShader(False, "card")
    plain.steadies = True
    cost = {INTEROP: 2.0, UPLOAD: 2.0, CPU: 3.0, "refine": 0.5} | {fast: 1.0}
    ways = shader._ways
    assert ways is not None
    timed, asked = ways._timed, []

    def slowed(part: str, work: Any) -> Any:
        asked.append(part)

        def longer() -> Any:
            clock["now"] += cost[part]
            return work()

        return timed(part, longer)

    monkeypatch.setattr(ways, "_timed", slowed)
    images = frames(WARM + TIMED + 3)
    for k, image in enumerate(images):
        assert shader.to_light.way == ("" if k < WARM + TIMED else fast)
        geometry = place.estimator.estimate(image)
        given = STEADY if k else None
        one = shader.shade(image, geometry, LOOK, smoothing=given)
        other = plain.shade(image, on_host(geometry), LOOK, smoothing=given)
        assert hardly(np.abs(one.astype(int) - other), 2)
    way = [CPU] if fast == CPU else [fast, "refine"]
    assert asked[-3 * len(way) :] == way * 3
    assert shader.to_light.way == fast
    assert set(shader.to_light.ms) == {INTEROP, UPLOAD, CPU}
    assert shader.to_light.ms[fast] == pytest.approx(1000.0 * (1.0 + (fast != CPU) * 0.5))
    assert shader._ways is not None
    assert len(shader._ways._parts["refine"]) == TIMED
    shader.close()
    plain.close()
    assert place.cuda.mapped == {}


def test_a_head_at_rest_stays_and_one_that_moves_is_followed() -> None:
    rng = np.random.default_rng(0)
    head, places = None, []
    for _ in range(60):
        x, y, z = rng.normal(0, 0.002, 3)
        head = settled(head, (x, y, z - 1.0))
        places.append(head)
    assert np.diff(places[10:], axis=0).std() < 0.002 * np.sqrt(2) / 3
    assert settled((0.0, 0.0, -1.0), (0.1, 0.0, -1.0)) == pytest.approx((0.1, 0.0, -1.0))
    assert settled(None, (0.1, 0.2, -1.0)) == (0.1, 0.2, -1.0)


def test_the_loop_smooths_once(place: Place) -> None:
    """Whoever smooths, pictures come out alike, also after a pause in which nothing was lit."""
    look = {"now": LOOK}
    pictures = []
    for refine in ("card", "cpu"):
        shader = OpenGLShader(False, refine)
        sink = open_sink("null", size=(320, 240), fps=25.0)
        loop = Pipeline(place.estimator, shader, [sink], lambda: look["now"], STEADY)
        assert shader.steadies == (refine == "card")
        made = []
        for k, image in enumerate(frames(8)):
            look["now"] = Look() if k == 4 else LOOK
            made.append(loop.process(Frame(image, k / 25, k), {}).image)
        pictures.append(np.array(made).astype(int))
        shader.close()
    difference = np.abs(pictures[0] - pictures[1])
    # The light that is there is fitted to raw geometry by one and to smoothed geometry by the other.
    assert difference.mean() < 1.0
    assert difference.mean() < np.abs(np.diff(pictures[1], axis=0)).mean()
