"""A picture and its mirror image seen together."""

from __future__ import annotations

import numpy as np
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core.frames import Geometry
from live_relight.core.mirror import between, mirrored, mirrored_frame
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.relighter import Relighter


def anything(seed: int, shading: bool) -> Geometry:
    rng = np.random.default_rng(seed)
    h, w = rng.integers(1, 7, 2)
    normal = rng.normal(size=(h, w, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    depth, alpha, log = rng.uniform([[[0.1]], [[0]], [[-2]]], [[[9]], [[1]], [[2]]], (3, h, w))
    guide = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
    told = log.astype(np.float32) if shading else None
    return Geometry(normal, depth.astype(np.float32), alpha.astype(np.float32), guide, told)


def same(one: Geometry, two: Geometry, within: float = 0.0) -> bool:
    planes = [
        (one.normal, two.normal),
        (one.depth, two.depth),
        (one.alpha, two.alpha),
        (one.guide, two.guide),
    ]
    if one.shading is not None and two.shading is not None:
        planes.append((one.shading, two.shading))
    return (one.shading is None) == (two.shading is None) and all(
        np.allclose(a, b, atol=within) for a, b in planes
    )


@given(st.integers(0, 2**32), st.booleans())
def test_mirroring_twice_changes_nothing(seed, shading):
    seen = anything(seed, shading)
    assert same(mirrored(mirrored(seen)), seen)
    assert np.array_equal(mirrored_frame(mirrored_frame(seen.guide)), seen.guide)


@given(st.integers(0, 2**32), st.booleans())
def test_the_middle_is_sound_and_of_two_alike_the_same(seed, shading):
    seen = anything(seed, shading)
    assert same(between(seen, seen), seen, 1e-5)
    middle = between(seen, mirrored(seen))
    assert np.allclose(np.linalg.norm(middle.normal, axis=-1), 1, atol=1e-4)
    assert ((middle.alpha >= 0) & (middle.alpha <= 1) & (middle.depth > 0)).all()
    for name in ("depth", "alpha"):
        a, b, c = (getattr(g, name) for g in (seen, mirrored(seen), middle))
        assert (c >= np.minimum(a, b) - 1e-5).all()
        assert (c <= np.maximum(a, b) + 1e-5).all()


def test_opposite_normals_leave_the_first():
    ahead = anything(3, False)
    away = Geometry(-ahead.normal, ahead.depth, ahead.alpha, ahead.guide)
    assert np.array_equal(between(ahead, away).normal, ahead.normal)


def test_a_ball_is_its_own_mirror_image():
    with_ball = AnalyticEstimator("sphere").estimate(np.zeros((96, 128, 3), np.uint8))
    assert same(mirrored(with_ball), with_ball, 1e-5)


def test_seen_both_ways_left_is_as_right():
    """Of the mirrored picture the mirrored answer, which one look alone does not give."""
    astronaut = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    with Relighter() as relighter:
        seen, other = (
            relighter.geometry(frame, both_ways=True) for frame in (astronaut, mirrored_frame(astronaut))
        )
        once, turned = (relighter.geometry(frame) for frame in (astronaut, mirrored_frame(astronaut)))
    person = seen.alpha > 0.9
    apart = np.linalg.norm(seen.normal - mirrored(other).normal, axis=-1)[person].mean()
    assert apart < 1e-3
    assert np.linalg.norm(once.normal - mirrored(turned).normal, axis=-1)[person].mean() > 10 * apart + 0.02
    assert np.array_equal(seen.guide, once.guide)
