"""The governor, on machines of paper: what a frame costs is given, what it decides is watched."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core.governor import (
    COST,
    EVERY,
    FINE,
    GEOMETRY,
    LEARNED,
    LIGHT,
    PASSED,
    PATIENCE,
    RUNGS,
    SETTLE,
    SHARES,
    STEPS,
    Busy,
    GovernorState,
    heard,
    shadow_steps,
    step,
)

INTERVAL = 1 / 30


def live(
    cost: Callable[[float], float], seconds: float, rungs: tuple[str, ...] = RUNGS
) -> list[tuple[float, str, float]]:
    """(time, level, busy) of every frame of a machine where a frame at `high` takes cost(time) seconds."""
    state, now, seen = GovernorState(), 0.0, []
    while now < seconds:
        busy = cost(now) * COST[state.level]
        now += max(busy, INTERVAL)
        state = step(state, now, Busy(busy), INTERVAL, rungs)
        seen.append((now, state.level, busy))
    return seen


def changes(seen: list[tuple[float, str, float]]) -> int:
    return sum(a[1] != b[1] for a, b in pairwise(seen))


def test_fast_machine_stays_high() -> None:
    assert changes(live(lambda t: 0.6 * INTERVAL, 60)) == 0


def test_shadow_steps_go_first_then_the_light_map_then_the_network() -> None:
    for what in (STEPS, {r: r in FINE for r in RUNGS}, SHARES):
        values = [what[r] for r in RUNGS]
        assert values == sorted(values)
    assert next(r for r in reversed(RUNGS) if STEPS[r] < STEPS["high"]) == "lean"
    assert next(r for r in reversed(RUNGS) if r not in FINE) == "coarse"
    assert next(r for r in reversed(RUNGS) if SHARES[r] < 1) == "medium"
    assert [r for r in RUNGS if EVERY.get(r, 1) > 1] == [RUNGS[0]]  # the last thing to go
    assert all(
        table[a] < table[b] for table in (COST, GEOMETRY) for a, b in pairwise(("sparse", "low", "medium"))
    )


def test_a_card_marches_shadows_in_more_steps_at_high_alone() -> None:
    assert shadow_steps("high", card=False) == STEPS["high"] < shadow_steps("high", card=True)
    assert shadow_steps(LEARNED, card=True) == shadow_steps("high", card=True)
    assert all(shadow_steps(r, card=True) == STEPS[r] for r in RUNGS if r != "high")


@pytest.mark.parametrize(
    ("cost", "level"),
    [(1.0, "lean"), (1.05, "coarse"), (1.15, "medium"), (1.3, "low"), (1.5, "sparse"), (5.0, "sparse")],
)
def test_slow_machine_comes_down_and_keeps_its_rate_where_it_can(cost: float, level: str) -> None:
    seen = live(lambda t: cost * INTERVAL, 60)
    end = seen[len(seen) // 2 :]
    assert {s[1] for s in end} == {level}
    assert seen[0][1] == "high"
    if cost * COST[level] < 1:
        assert all(busy <= INTERVAL for _, _, busy in end)


def test_climbs_back_when_the_machine_is_free_again() -> None:
    seen = live(lambda t: (2.0 if t < 20 else 0.5) * INTERVAL, 80)
    assert "low" in {level for t, level, _ in seen if t < 20}
    assert seen[-1][1] == "high"


def test_does_not_swing() -> None:
    """On the edge of a level it settles: climbs that do not hold come ever more seldom."""
    seen = live(lambda t: (0.75 if t % 20 < 10 else 1.3) * INTERVAL, 400)
    first, last = [s for s in seen if s[0] < 200], [s for s in seen if s[0] >= 200]
    assert changes(last) <= 10
    assert changes(last) <= changes(first)


def test_one_slow_frame_is_forgiven() -> None:
    assert changes(live(lambda t: (6.0 if 10 < t < 10.03 else 0.5) * INTERVAL, 30)) == 0


def test_very_slow_machine_comes_down_within_seconds() -> None:
    seen = live(lambda t: 20 * INTERVAL, 12)
    assert next(t for t, level, _ in seen if level == "low") < 6
    assert next(t for t, level, _ in seen if level == "sparse") < 8


def test_a_machine_that_only_keeps_low_is_there_at_once() -> None:
    """Every rung on the way would lose frames; `sparse` is not gone to before `low` was tried."""
    seen = live(lambda t: 1.3 * INTERVAL, 12)
    levels = [level for k, (_, level, _) in enumerate(seen) if k == 0 or level != seen[k - 1][1]]
    assert levels == ["high", "low"]
    assert next(t for t, level, _ in seen if level == "low") < 2 * SETTLE
    slower = [level for _, level, _ in live(lambda t: 20 * INTERVAL, 12)]
    assert slower.index("low") < slower.index("sparse")


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=300), st.floats(1e-3, 0.2))
def test_level_moves_one_at_a_time_or_over_the_rung_that_saves_too_little(
    busy: list[float], interval: float
) -> None:
    state, now = GovernorState(), 0.0
    for seconds in busy:
        now += max(seconds, interval)
        new = step(state, now, Busy(seconds), interval)
        ends = sorted(RUNGS.index(s.level) for s in (state, new))
        assert all(rung in PASSED for rung in RUNGS[ends[0] + 1 : ends[1]])
        assert new.load >= 0
        state = new


@pytest.mark.parametrize(("cost", "level"), [(0.5, LEARNED), (0.7, "high"), (1.15, "medium")])
def test_the_light_network_is_for_those_who_have_room(cost: float, level: str) -> None:
    seen = live(lambda t: cost * INTERVAL, 90, (*RUNGS, LEARNED))
    assert {s[1] for s in seen[len(seen) // 2 :]} == {level}
    assert all(s[1] != LEARNED for s in seen if s[0] < PATIENCE)


def test_the_light_network_goes_first_when_it_gets_tight() -> None:
    seen = live(lambda t: (0.5 if t < 40 else 0.9) * INTERVAL, 80, (*RUNGS, LEARNED))
    assert seen[len(seen) // 3][1] == LEARNED
    assert seen[-1][1] == "high"
    assert {s[1] for s in seen} == {"high", LEARNED}


@given(st.floats(0, 1), st.sampled_from([*RUNGS, LEARNED]), st.floats(0, 3))
def test_it_comes_and_goes_softly(share: float, level: str, seconds: float) -> None:
    now = heard(share, level, seconds)
    assert 0.0 <= now <= 1.0
    assert abs(now - share) <= min(seconds, 0.2) + 1e-9  # a camera that stood still is no reason to jump
    assert (now >= share) if level == LEARNED else (now <= share)
    for _ in range(40):
        share = heard(share, level, 0.04)
    assert share == (1.0 if level == LEARNED else 0.0)


def side_by_side(geometry: float, light: float, whole: float, seconds: float) -> list[tuple[float, str]]:
    """(time, level) of every frame of a machine on which the halves go side by side: shares at `high` of the
    time there is."""
    state, now, seen = GovernorState(), 0.0, []
    while now < seconds:
        level = state.level
        parts = whole * COST[level], geometry * GEOMETRY[level], light * LIGHT[level]
        now += max(*parts, 1.0) * INTERVAL
        state = step(state, now, Busy(*(part * INTERVAL for part in parts)), INTERVAL, (*RUNGS, LEARNED))
        seen.append((now, state.level))
    return seen


@pytest.mark.parametrize("geometry", [1.0, 1.03, 1.08, 1.12, 1.3])
def test_a_network_that_takes_too_long_gets_a_smaller_picture_and_keeps_it(geometry: float) -> None:
    """Fewer steps of a shadow would not help it, and there is no room to go back."""
    seen = side_by_side(geometry, 0.5, 0.8, 600)
    assert [a[1] for a, b in pairwise(seen) if a[1] != b[1]] == ["high"]
    assert seen[-1][1] == "medium"


@pytest.mark.parametrize(("light", "level"), [(1.0, "lean"), (1.05, "coarse"), (1.2, "medium")])
def test_light_that_takes_too_long_is_made_coarser(light: float, level: str) -> None:
    assert side_by_side(0.5, light, 0.7, 60)[-1][1] == level


@pytest.mark.parametrize(("parts", "level"), [((0.4, 0.4, 0.5), LEARNED), ((0.3, 0.6, 0.5), "high")])
def test_the_light_network_needs_room_in_its_own_half(parts: tuple[float, float, float], level: str) -> None:
    assert side_by_side(*parts, 60)[-1][1] == level


@pytest.mark.parametrize(("load", "frames"), [(0.6, 1), (0.9, 1), (0.9, 2)])
def test_a_program_that_stood_still_is_no_busy_one(load: float, frames: int) -> None:
    """A sink that blocked for three seconds, a stop and `fg` with two frames on the way."""
    state, now, levels = GovernorState(), 0.0, []
    for k in range(900):
        busy = 3.0 if 300 <= k < 300 + frames else load * INTERVAL
        now += max(busy, INTERVAL)
        state = step(state, now, Busy(0.1 * INTERVAL, busy, busy), INTERVAL)
        levels.append(state.level)
    assert set(levels) == {"high"}


def test_frames_of_seconds_one_after_the_other_are_a_slow_machine() -> None:
    state, now = GovernorState(), 0.0
    for _ in range(12):
        now += 1.5
        state = step(state, now, Busy(1.5), INTERVAL)
    assert state.level == RUNGS[0]


@pytest.mark.parametrize("pattern", [(1.1, 0.02), (1.05, 1.05, 0.02)])
def test_frames_of_seconds_between_short_ones_are_a_slow_machine_too(pattern: tuple[float, ...]) -> None:
    state, now = GovernorState(), 0.0
    for k in range(60):
        busy = pattern[k % len(pattern)]
        now += max(busy, INTERVAL)
        state = step(state, now, Busy(busy), INTERVAL)
    assert state.level == RUNGS[0]


def hearing(load: Callable[[float], float], network: float, seconds: float) -> list[tuple[float, str]]:
    """(time, level) of every frame of a machine on which `high` takes load(time) of the time there is and the
    light network `network` more, as far as it is heard."""
    state, now, share, seen = GovernorState(), 0.0, 0.0, []
    while now < seconds:
        share = heard(share, state.level, INTERVAL)
        busy = (
            load(now) * COST["high" if state.level == LEARNED else state.level] + network * share
        ) * INTERVAL
        now += max(busy, INTERVAL)
        state = step(state, now, Busy(busy), INTERVAL, (*RUNGS, LEARNED))
        seen.append((now, state.level))
    return seen


@pytest.mark.parametrize(("load", "network"), [(0.4, 1.2), (0.54, 0.9), (0.5, 0.6), (0.3, 3.0)])
def test_a_network_that_is_too_much_goes_and_hardly_comes_back(load: float, network: float) -> None:
    seen = hearing(lambda t: load, network, 600)
    assert {level for _, level in seen} == {"high", LEARNED}  # what it took is not held against `high`
    visits = sum(a[1] != LEARNED == b[1] for a, b in pairwise(seen))
    assert 1 <= visits <= 4
    assert sum(level == LEARNED for _, level in seen) < 0.02 * len(seen)


def test_its_failures_do_not_keep_the_others_from_climbing() -> None:
    seen = hearing(lambda t: 1.4 if 300 < t < 312 else 0.5, 0.6, 400)
    low = max(t for t, level in seen if level not in ("high", LEARNED))
    assert 300 < low < 350


def test_a_camera_that_stood_still_is_no_room() -> None:
    state, now = GovernorState(), 0.0
    levels = set()
    for k in range(3000):
        interval = 2.0 if k % 300 == 299 else INTERVAL
        busy = 0.85 * INTERVAL
        now += interval
        state = step(state, now, Busy(busy), interval, (*RUNGS, LEARNED))
        levels.add(state.level)
    assert levels == {"high"}


@pytest.mark.parametrize("interval", [0.1, 0.25, 0.5])
def test_a_slow_camera_is_no_busy_machine(interval: float) -> None:
    state, now = GovernorState(), 0.0
    for _ in range(200):
        now += interval
        state = step(state, now, Busy(0.88 * interval), interval, RUNGS)
    assert state.level == "high"
    assert state.load == pytest.approx(0.88)
