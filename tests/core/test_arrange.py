"""`auto` and the smoothing before it: the right side, two to one, softly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core.arrange import LEAST_GAIN, MOST_GAIN, SECONDS, PresentState, arrange, step
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.present import Present, shading

AUTO = Look((Light.of("key", az=45), Light.of("fill"), Light.of("rim")), auto=True)


def light(base: float, slope: tuple[float, float, float], level: float) -> Present:
    return Present((base, *slope, 0.0, 0.0, 0.0, 0.0, 0.0), level, confidence=1.0)


def settle(found: Present | None, fps: float, seconds: float, state: PresentState) -> PresentState:
    for _ in range(round(seconds * fps)):
        state = step(state, found, state.time + 1 / fps)
    return state


@given(st.floats(-0.5, 0.5), st.floats(5, 60))
def test_smoothing_does_not_depend_on_the_frame_rate(x: float, fps: float) -> None:
    start = PresentState(light(1.0, (0.0, 0.0, 0.0), 0.1), 0.0)
    slow, fast = (settle(light(0.8, (x, 0.1, 0.0), 0.3), f, 2.0, start) for f in (round(fps), 60))
    assert slow.present is not None
    assert fast.present is not None
    assert slow.present.terms[1] == pytest.approx(fast.present.terms[1], abs=0.01)
    assert slow.present.level == pytest.approx(fast.present.level, abs=0.01)


def test_smoothing_takes_seconds_and_keeps_what_it_had() -> None:
    first = step(PresentState(), light(1.0, (0.3, 0.0, 0.0), 0.2), 0.0)
    assert first.present == light(1.0, (0.3, 0.0, 0.0), 0.2)
    second = step(first, light(1.0, (-0.3, 0.0, 0.0), 0.2), 1 / 30)
    assert second.present is not None
    assert second.present.terms[1] > 0.28
    assert step(second, None, 5.0).present == second.present


def powers(look: Look) -> tuple[float, float]:
    return look.lights[0].power, look.lights[1].power


def test_auto_puts_the_key_on_the_side_that_the_light_comes_from() -> None:
    for x in (-0.4, 0.4):
        state = step(PresentState(), light(0.9, (x, 0.0, 0.1), 0.1), 0.0)
        look = arrange(AUTO, state)
        assert np.sign(look.lights[0].az) == np.sign(x)
        assert np.sign(look.lights[1].az) == -np.sign(x)
        assert look.lights[2] == AUTO.lights[2]
        key, fill = powers(look)
        # Sides after it: two to one, unless the room alone is more one-sided than that.
        assert state.present is not None
        lit = shading(state.present, np.array([[0.6, 0.0, 0.8], [-0.6, 0.0, 0.8]]))
        near, far = look.ambient * lit.max() + 0.8 * key, look.ambient * lit.min() + 0.8 * fill
        assert near / far == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("level", [0.001, 0.02, 0.2, 0.6])
def test_auto_lifts_dark_pictures_and_takes_bright_ones_down(level: float) -> None:
    look = arrange(AUTO, PresentState(light(1.0, (0.0, 0.0, 0.0), level), 0.0))
    gain = look.ambient + 0.8 * sum(powers(look)) / 2
    assert LEAST_GAIN - 0.01 <= gain <= MOST_GAIN + 0.01
    assert (gain > 1.2) == (level < 0.1)
    assert (gain < 0.95) == (level > 0.3)


@given(st.tuples(*[st.floats(-0.6, 0.6)] * 3), st.floats(0.01, 0.8), st.floats(-1, 1), st.integers(0, 3))
def test_auto_has_no_jumps(slope: tuple[float, float, float], level: float, side: float, which: int) -> None:
    a = PresentState(light(0.9, slope, level), 0.0, side)
    moved = list(slope)
    if which < 3:
        moved[which] += 1e-4
    else:
        level += 1e-5
    b = PresentState(light(0.9, (moved[0], moved[1], moved[2]), level), 0.0, side)
    for one, two in zip(arrange(AUTO, a).lights, arrange(AUTO, b).lights, strict=True):
        assert abs(one.power - two.power) < 0.02
        assert abs(one.az - two.az) < 0.1


def test_the_side_moves_over_and_does_not_flip() -> None:
    state = step(PresentState(), light(0.9, (0.4, 0.0, 0.0), 0.2), 0.0)
    sides = [state.side]
    for k in range(1, 300):
        state = step(state, light(0.9, (-0.4, 0.0, 0.0), 0.2), k / 30)
        sides.append(state.side)
    assert sides[0] == 1.0
    assert sides[-1] == pytest.approx(-1.0, abs=0.02)
    assert np.abs(np.diff(sides)).max() < 0.06


def test_frontal_light_leaves_the_side_where_it_is() -> None:
    state = PresentState(light(0.9, (0.01, 0.0, 0.0), 0.2), 0.0, 1.0)
    for k in range(1, 200):
        state = step(state, light(0.9, (0.02 * (-1) ** k, 0.0, 0.3), 0.2), k / 30)
    assert state.side > 0.99


def test_a_look_without_auto_is_left_alone() -> None:
    look = replace(AUTO, auto=False)
    assert arrange(look, PresentState(light(1.0, (0.4, 0.0, 0.0), 0.05), 0.0)) is look
    assert SECONDS > 0.5
