"""`auto` and the smoothing before it: the right side, two to one, softly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight import presets
from live_relight.core import reference
from live_relight.core.arrange import CHEEKS, LEAST_GAIN, MOST_GAIN, SECONDS, PresentState, arrange, step
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.present import Present, quotient, shading
from live_relight.geometry.analytic import sphere

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


def sides(look: Look, found: Present) -> tuple[float, float]:
    """Light on the two sides of a grey ball that `found` lights and then `look`, right and left, in NumPy."""
    geometry = sphere((96, 96))
    geometry = replace(geometry, guide=np.full((96, 96, 3), 120, np.uint8))
    ours = reference.light_map(geometry, geometry.guide, look)[..., :3] @ np.asarray(reference.LUMA)
    here, under = (quotient(found, geometry.normal, strength) for strength in look.evened)
    whole = shading(found, geometry.normal) * (look.ambient * here + ours * under)
    right, left = (geometry.normal @ v > 0.99 for v in CHEEKS)
    return float(whole[right].mean()), float(whole[left].mean())


@pytest.mark.parametrize("x", [-0.4, -0.2, 0.0, 0.2, 0.4])
@pytest.mark.parametrize("level", [0.03, 0.2])
@pytest.mark.parametrize("shipped", [False, True])
def test_auto_lights_a_ball_two_to_one(x: float, level: float, shipped: bool) -> None:
    found = light(0.9, (x, 0.05, 0.1), level)
    look = presets.load("auto").look if shipped else replace(AUTO, lights=AUTO.lights[:2])
    state = step(PresentState(), found, 0.0)
    right, left = sides(arrange(look, state), found)
    assert max(right, left) / min(right, left) == pytest.approx(2.0, rel=0.12)
    assert (right > left) == (state.side > 0) == (x >= 0)


def test_a_weak_hint_is_enough_where_there_is_no_side_yet() -> None:
    weak = light(0.9, (-0.05, 0.0, 0.1), 0.2)
    assert -0.2 < weak.balance < -0.05
    assert step(PresentState(), weak, 0.0).side == -1.0
    assert settle(weak, 30, 20.0, PresentState(light(0.9, (0.4, 0.0, 0.1), 0.2), 0.0, 1.0)).side == 1.0


def test_auto_makes_do_with_what_there_is() -> None:
    even = PresentState(light(0.9, (0.3, 0.0, 0.1), 0.2), 0.0)

    def made(*lights: Light) -> dict[str, float]:
        return {one.kind: one.power for one in arrange(Look(lights, auto=True), even).lights}

    key, fill = Light.of("key", az=45), Light.of("fill", az=-45)
    both, alone = made(key, fill), made(key)
    assert both["key"] > both["fill"] > 0.05
    assert alone["key"] == pytest.approx(both["key"], rel=0.15)
    # One that is off gives nothing, so the other is set as if it were alone.
    assert made(replace(key, on=False), fill)["fill"] == pytest.approx(made(fill)["fill"])
    assert made(key, replace(fill, on=False))["key"] == pytest.approx(alone["key"])
    assert made(Light.of("rim")) == {"rim": Light.of("rim").power}
    # One that stands behind does not reach the cheek: it keeps its power, and the other one goes on.
    for az in (135.0, 180.0):
        behind = made(replace(key, az=az, power=0.7), fill)
        assert behind["key"] == 0.7
        assert behind["fill"] == pytest.approx(made(fill)["fill"])


@pytest.mark.parametrize("level", [0.02, 0.2])
@pytest.mark.parametrize("delight", [None, 0.0, 1.0])
def test_auto_fills_the_hardest_side_light_and_has_no_holes(level: float, delight: float | None) -> None:
    look = replace(presets.load("auto").look, delight=delight)
    powers = []
    for x in np.linspace(0.0, 3.0, 9000):  # it is steep where the fitted shading bends
        there = PresentState(light(0.9, (float(x), 0.05, 0.1), level), 0.0)
        powers.append([one.power for one in arrange(look, there).lights[:2]])
    steps = np.abs(np.diff(np.array(powers), axis=0))
    assert steps.max() < 0.04
    assert powers[-1][1] > powers[0][1]


@pytest.mark.parametrize("level", [0.001, 0.02, 0.2, 0.6])
def test_auto_lifts_dark_pictures_and_takes_bright_ones_down(level: float) -> None:
    look = arrange(AUTO, PresentState(light(1.0, (0.0, 0.0, 0.0), level), 0.0))
    found = light(1.0, (0.0, 0.0, 0.0), level)
    gain = sum(sides(replace(look, lights=look.lights[:2]), found)) / 2
    assert 0.94 * LEAST_GAIN <= gain <= MOST_GAIN + 0.01
    assert (gain > 1.2) == (level < 0.1)
    assert (gain < 0.92) == (level > 0.3)


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
