"""With nobody there the picture passes; coming and going is soft."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core.frames import Geometry
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.presence import PresenceState, faded, seen, step

LOOK = Look((Light.of("key"),), ambient=0.5, background=0.2, background_blur=0.6, background_tint="#3050ff")


def covering(share: float) -> Geometry:
    alpha = np.zeros((100, 100), np.float32)
    alpha.reshape(-1)[: round(share * 10000)] = 1.0
    normal = np.dstack([alpha * 0, alpha * 0, alpha * 0 + 1])
    return Geometry(normal, alpha * 0 + 1, alpha, np.zeros((100, 100, 3), np.uint8))


def test_somebody_is_somebody_however_small_a_share() -> None:
    assert seen(covering(0.0)) == 0.0
    assert seen(covering(0.002)) == 0.0
    assert 0.0 < seen(covering(0.006)) < 1.0
    assert seen(covering(0.02)) == 1.0


def test_nobody_leaves_the_backdrop_as_it_is() -> None:
    look = faded(LOOK, 0.0)
    assert look.backdrop == 1.0
    assert look.background_blur == 0.0
    np.testing.assert_allclose(look.tint, 1.0)
    assert faded(LOOK, 1.0) is LOOK


def test_nobody_leaves_the_picture_as_it_came() -> None:
    """Whatever the look: a stray spot that is taken for a person must not light up."""
    for look in (LOOK, replace(LOOK, auto=True, delight=0.7, ambient=3.0)):
        assert faded(look, 0.0).untouched
        half = faded(look, 0.5)
        assert half.lights[0].power == 0.5 * look.lights[0].power
        assert half.ambient == 1.0 + 0.5 * (look.ambient - 1.0)


def test_a_tint_fades_alike_with_and_without_its_hash() -> None:
    bare = replace(LOOK, background_tint="3050ff")
    np.testing.assert_allclose(faded(bare, 0.5).tint, faded(LOOK, 0.5).tint)


@given(st.floats(0, 1), st.floats(0, 1))
def test_fading_is_continuous(a: float, more: float) -> None:
    b = min(a + 0.01 * more, 1.0)
    one, two = faded(LOOK, a), faded(LOOK, b)
    assert abs(one.backdrop - two.backdrop) < 0.02
    assert abs(one.background_blur - two.background_blur) < 0.02
    # a colour has 256 steps, and one of a dark channel is some percent of it
    np.testing.assert_allclose(one.tint, two.tint, rtol=0.05, atol=0.02)


def test_leaving_takes_a_moment_and_ends_at_nobody() -> None:
    state, shares = step(PresenceState(), 1.0, 0.0), []
    for k in range(1, 200):
        state = step(state, 0.0, k / 30)
        shares.append(state.share)
    assert shares[0] is not None
    assert shares[0] > 0.9
    assert shares[-1] is not None
    assert shares[-1] < 0.001
