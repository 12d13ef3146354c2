"""The light that is there: found again where it is known, never in the way where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core.frames import Geometry
from live_relight.core.present import Present, fit, quotient, shading
from live_relight.geometry.analytic import sphere

SKIN = np.array([0.25, 0.35, 0.55])  # linear BGR


def light(base: float, x: float = 0.0, y: float = 0.0, z: float = 0.0, level: float = 0.25) -> Present:
    return Present((base, x, y, z, 0.0, 0.0, 0.0, 0.0, 0.0), level, confidence=1.0)


def lit(truth: Present, tone: float = 1.0, patches: bool = False, seed: int = 0) -> Geometry:
    """A ball of skin in light that is known, with hair on top and dark spots where there are `patches`."""
    ball = sphere((256, 144), radius=0.38)
    linear = SKIN * tone * truth.level * shading(truth, ball.normal)[..., None] / 0.4
    if patches:
        rng = np.random.default_rng(seed)
        linear[ball.normal[..., 1] > 0.75] = (0.01, 0.012, 0.015)
        spots = rng.random(linear.shape[:2]) < 0.08
        linear[spots] *= 0.3
    guide = np.rint(np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    return Geometry(ball.normal, ball.depth, ball.alpha, guide)


@given(st.floats(0, 2 * np.pi), st.floats(-0.8, 0.8), st.floats(0.0, 0.5), st.sampled_from([0.08, 0.3, 1.0]))
def test_known_light_is_found_again(turn: float, rise: float, strength: float, tone: float) -> None:
    """Over every direction and from dark to light skin, hair and spots included: shading within 8 %."""
    slope = strength * np.array([np.cos(rise) * np.sin(turn), np.sin(rise), abs(np.cos(turn))])
    truth = light(1.0 - 0.4 * strength, *(float(v) for v in slope))
    for patches in (False, True):
        geometry = lit(truth, tone, patches)
        found = fit(geometry)
        assert found is not None
        seen = (geometry.alpha > 0.9) & (geometry.normal[..., 1] < 0.7)
        a, b = (shading(p, geometry.normal)[seen] for p in (truth, found))
        assert np.abs(a / a.mean() - b / b.mean()).mean() < (0.08 if patches else 0.03)


@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9))
def test_balance_is_the_shading_of_both_cheeks(terms: list[float]) -> None:
    present = Present(tuple(terms))
    half = np.sqrt(0.5)
    right, left = shading(present, np.array([[half, 0, half], [-half, 0, half]]))
    assert present.balance == pytest.approx(float(np.log2(right / left)), abs=1e-6)


def test_level_is_the_skins_own() -> None:
    for tone in (0.2, 1.0):
        found = fit(lit(light(1.0), tone))
        assert found is not None
        luma = SKIN @ np.array([0.0722, 0.7152, 0.2126]) * tone * 0.25 / 0.4
        assert found.level == pytest.approx(luma, rel=0.05)


def test_a_face_that_burnt_out_is_bright_and_evenly_lit() -> None:
    """However far it burnt out: what follows from it does not jump."""
    geometry = lit(light(1.0, 0.1, level=0.3))
    levels = []
    for times in np.linspace(1.0, 12.0, 23):
        bright = np.minimum(geometry.guide * times ** (1 / 2.2), 255).astype(np.uint8)
        found = fit(replace(geometry, guide=bright))
        assert found is not None
        levels.append(found.level)
    assert np.diff(levels).min() > -0.02
    assert np.diff(levels).max() < 0.2
    assert levels[-1] > 0.9
    white = fit(replace(geometry, guide=np.full_like(geometry.guide, 255)))
    assert white is not None
    assert white.level > 0.95
    assert white.balance == 0.0


@pytest.mark.parametrize("kind", ["black", "nobody", "nan", "tiny"])
def test_nothing_is_said_where_nothing_is_seen(kind: str) -> None:
    geometry = lit(light(1.0, 0.2, level=0.3))
    if kind == "black":
        geometry = replace(geometry, guide=np.zeros_like(geometry.guide))
    elif kind == "nobody":
        geometry = replace(geometry, alpha=np.zeros_like(geometry.alpha))
    elif kind == "nan":
        geometry = replace(geometry, normal=np.full_like(geometry.normal, np.nan))
    else:
        geometry = Geometry(
            geometry.normal[:4, :4], geometry.depth[:4, :4], geometry.alpha[:4, :4], geometry.guide[:4, :4]
        )
    assert fit(geometry) is None


@given(st.floats(0.05, 2), st.tuples(*[st.floats(-3, 3)] * 3), st.floats(0, 1), st.integers(0, 2**31))
def test_quotient_is_bounded_and_evens_out(
    base: float, slope: tuple[float, float, float], strength: float, seed: int
) -> None:
    normal = np.random.default_rng(seed).normal(size=(5, 7, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    there = light(base, *slope)
    q = quotient(there, normal, strength)
    assert np.isfinite(q).all()
    assert (q >= 0.5**strength - 1e-9).all()
    assert (q <= 2**strength + 1e-9).all()
    s = shading(there, normal)
    assert (np.sign(np.log(q)) * np.sign(np.log(s)) <= 0).all()  # never the wrong way
    before, after = np.log(s), np.log(s * q)
    assert np.abs(after).max() <= np.abs(before).max() + 1e-9


def test_quotient_of_nothing_is_one() -> None:
    normal = sphere((8, 8)).normal
    assert (quotient(Present(), normal, 1.0) == 1).all()
    assert (quotient(light(0.5, 1.0), normal, 0.0) == 1).all()
    unsure = replace(light(0.5, 1.0), confidence=0.0)
    assert (quotient(unsure, normal, 1.0) == 1).all()


def test_a_dark_face_under_something_that_burnt_out_is_not_too_bright() -> None:
    geometry = lit(light(1.0, 0.1, level=0.3))
    guide = np.full_like(geometry.guide, 6)
    rows = np.flatnonzero((geometry.alpha > 0.9).any(axis=1))
    guide[: rows[0] + max((rows[-1] - rows[0]) // 8, 3)] = 255
    assert fit(replace(geometry, guide=guide)) is None
