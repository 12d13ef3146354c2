"""Matt and glossy answers to light: nothing gained, nothing lost, the same both ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core import brdf


def hemisphere(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Directions n*4n x 3 (z up) evenly in solid angle, and each one's solid angle."""
    z = (np.arange(n) + 0.5) / n
    turn = (np.arange(4 * n) + 0.5) / (4 * n) * 2 * np.pi
    r = np.sqrt(1 - z * z)
    way = np.stack(np.broadcast_arrays(r[:, None] * np.cos(turn), r[:, None] * np.sin(turn), z[:, None]), -1)
    return way.reshape(-1, 3), np.full(4 * n * n, 2 * np.pi / (4 * n * n))


WAYS, ANGLE = hemisphere()


def view(tilt: float) -> np.ndarray:
    return np.array([np.sin(tilt), 0.0, np.cos(tilt)])


@given(st.floats(0, 1.45), st.floats(0, 1))
def test_white_in_even_light_is_white(tilt: float, sigma: float) -> None:
    """The integral of brdf times cosine over the hemisphere is 1 at every roughness and angle."""
    v = view(tilt)
    nl = WAYS[:, 2]
    f = brdf.oren_nayar(nl, np.full_like(nl, v[2]), WAYS @ v, sigma)
    assert float((f / np.pi * nl * ANGLE).sum()) == pytest.approx(1.0, abs=0.015)


@given(st.floats(0, 1.5), st.floats(0, 1.5), st.floats(0, np.pi), st.floats(0, 1))
def test_oren_nayar_is_the_same_both_ways_and_never_negative(
    a: float, b: float, turn: float, sigma: float
) -> None:
    cosine = np.sin(a) * np.sin(b) * np.cos(turn) + np.cos(a) * np.cos(b)
    there, back = (
        float(brdf.oren_nayar(np.array(np.cos(x)), np.array(np.cos(y)), np.array(cosine), sigma))
        for x, y in ((a, b), (b, a))
    )
    assert there == pytest.approx(back, rel=1e-6)
    assert there >= 0
    smooth = float(brdf.oren_nayar(np.array(np.cos(a)), np.array(np.cos(b)), np.array(cosine), 0.0))
    assert smooth == pytest.approx(1.0, abs=1e-3)


@given(st.floats(0, np.pi), st.sampled_from([0.05, 0.2, 0.5]))
def test_horizon_is_the_mean_cosine_of_a_sphere(turn: float, spread: float) -> None:
    """Against summing over the disk that a far sphere shows, within 5 %."""
    q, e = np.meshgrid((np.arange(80) + 0.5) / 80, (np.arange(160) + 0.5) / 160 * 2 * np.pi)
    sine = spread * np.sqrt(q)  # even in solid angle, projected
    ways = np.stack([sine * np.cos(e), sine * np.sin(e), np.sqrt(1 - sine * sine)], -1)
    normal = np.array([np.sin(turn), 0.0, np.cos(turn)])
    summed = np.clip(ways @ normal, 0, None).mean() / ways[..., 2].mean()  # facing it counts 1
    assert float(brdf.horizon(np.array(np.cos(turn)), spread)) == pytest.approx(summed, abs=0.05)


@given(st.floats(-1, 1), st.floats(0.02, 1))
def test_horizon_is_the_cosine_well_above_and_nothing_well_below(cosine: float, spread: float) -> None:
    value = float(brdf.horizon(np.array(cosine), spread))
    if cosine >= spread:
        assert value == pytest.approx(cosine, abs=1e-9)
    if cosine <= -spread:
        assert value == 0.0
    near = float(brdf.horizon(np.array(min(cosine + 1e-4, 1.0)), spread))
    assert 0 <= near - value <= 1.01e-4 + 1e-12  # continuous, and never falls


@pytest.mark.parametrize("alpha", [0.05, 0.25, 0.6, 1.0])
@pytest.mark.parametrize("tilt", [0.0, 0.7, 1.3])
def test_ggx_gives_back_no_more_than_it_gets(alpha: float, tilt: float) -> None:
    v = view(tilt)
    half = WAYS + v
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    nl = WAYS[:, 2]
    shine = brdf.ggx(nl, np.full_like(nl, v[2]), half[:, 2], (half * WAYS).sum(-1), alpha, 0.0, 1.0)
    assert (shine >= 0).all()
    assert np.isfinite(shine).all()
    total = float((shine / np.pi * ANGLE).sum())
    assert total <= 1.06  # the sum itself is coarse at the narrowest lobe
    assert total > 0.3


@given(st.floats(0, 1.55), st.floats(0, 1.55), st.floats(0, np.pi), st.floats(0.01, 1))
def test_ggx_is_the_same_both_ways(a: float, b: float, turn: float, alpha: float) -> None:
    one, two = view(a), np.array([np.sin(b) * np.cos(turn), np.sin(b) * np.sin(turn), np.cos(b)])
    half = (one + two) / np.linalg.norm(one + two)
    nh, lh = np.array(half[2]), np.array(float(half @ one))
    there = brdf.ggx(np.array(one[2]), np.array(two[2]), nh, lh, alpha, 0.0, 0.04) / one[2]
    back = brdf.ggx(np.array(two[2]), np.array(one[2]), nh, lh, alpha, 0.0, 0.04) / two[2]
    assert float(there) == pytest.approx(float(back), rel=1e-6)


def test_a_wider_source_spreads_its_highlight_and_keeps_its_energy() -> None:
    v = view(0.0)
    half = WAYS + v
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    nl = WAYS[:, 2]
    totals, peaks = [], []
    for spread in (0.0, 0.2, 0.6):
        shine = brdf.ggx(nl, np.ones_like(nl), half[:, 2], (half * WAYS).sum(-1), 0.2, spread, 0.04)
        totals.append(float((shine * ANGLE).sum()))
        peaks.append(float(shine.max()))
    assert peaks[0] > peaks[1] > peaks[2]
    assert totals[1] == pytest.approx(totals[0], rel=0.1)
    assert totals[2] == pytest.approx(totals[0], rel=0.25)
