"""What the light network is told, and what its word does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core import told
from live_relight.core.colour import REC709_LUMA
from live_relight.core.lamps import lamps
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.reference import GAMMA

HEAD = (0.0, 0.0, -1.0)
FLAT = np.ones((4, 6), np.float32)
FACING = np.tile(np.float32([0, 0, 1]), (4, 6, 1))
TANGENTS = (0.6, 0.4)


def arriving(*lights: Light) -> np.ndarray:
    return told.arriving(FLAT, FACING, lamps(Look(lights), HEAD), TANGENTS)[0]


def opened(*lights: Light) -> np.ndarray:
    return told.arriving(FLAT, FACING, lamps(Look(lights), HEAD), TANGENTS)[1]


def at_head(depth: float, lamp: Light) -> np.ndarray:
    far, near = np.full((1, 1), depth, np.float32), (1e-6, 1e-6)
    return told.arriving(far, FACING[:1, :1], lamps(Look((lamp,)), HEAD), near)[0][0, 0]


def test_light_arrives_from_the_lamp_with_its_power_at_the_head():
    lamp = Light.of("point", az=90, el=0, dist=2.0, power=0.7)
    assert at_head(1.0, lamp) == pytest.approx([0.7, 0, 0], abs=2e-3)


def test_near_lamps_fall_by_the_square_of_what_is_between():
    lamp = Light.of("point", az=0, el=0, dist=0.9, power=1.0)
    near = at_head(0.4, lamp)
    assert np.linalg.norm(at_head(2.5, lamp)) == pytest.approx(0.81 / 2.4**2, rel=1e-2)
    assert np.linalg.norm(near) == pytest.approx(0.81 / 0.3**2, rel=1e-2)


@pytest.mark.parametrize("kind", ["key", "fill", "rim", "area", "spot", "directional", "ambient"])
def test_light_adds_up(kind):
    one, other = Light.of(kind, az=30, power=0.5), Light.of("key", az=-60)
    assert arriving(one, other) == pytest.approx(arriving(one) + arriving(other), abs=1e-5)
    assert opened(one, other) == pytest.approx(opened(one) + opened(other), abs=1e-5)
    assert np.abs(arriving(one)).max() > 0.1


def test_surroundings_come_from_nowhere():
    assert not arriving(Light.of("env", file="window")).any()


def test_a_surface_gets_the_cosine_and_nothing_from_behind():
    ahead, behind = (Light.of("directional", az=az, el=0, power=0.8) for az in (60, 120))
    half = 0.5 * np.dot(ahead.rgb, REC709_LUMA)
    assert opened(ahead) == pytest.approx(np.full((4, 6), half), rel=1e-4)
    assert not opened(behind).any()


def made(shape: tuple[int, int] = (5, 7), ambient: float = 0.5) -> np.ndarray:
    """A light map with some light of ours."""
    rng = np.random.default_rng(5)
    share = np.full((*shape, 1), ambient)
    return np.concatenate([(share + rng.random((*shape, 3))) ** (1 / GAMMA), share], axis=-1)


def test_our_share_is_what_the_light_that_is_there_leaves():
    factors = made()
    assert told.lamps_share(factors) == pytest.approx(factors[..., :3] ** GAMMA - 0.5, abs=1e-12)
    assert (told.lamps_share(np.zeros((2, 2, 4))) == 0).all()


@given(st.floats(-3, 3), st.floats(0, 3), st.floats(0, 1))
def test_corrected_light_is_bounded_and_leaves_what_is_there(stops, much, ambient):
    factors, shape = made(ambient=ambient), (5, 7)
    out = told.corrected(factors, np.full(shape, stops), np.full(shape, much))[..., :3] ** GAMMA
    light = told.lamps_share(factors)
    assert (out >= ambient - 1e-5).all()
    limit = light * 2.0**stops + told.STRAY * much * max(2.0**stops - 1, 0)
    assert (out <= ambient + limit + 1e-5).all()


def test_no_stops_change_nothing():
    factors = made()
    same = told.corrected(factors, np.zeros((5, 7)), np.ones((5, 7)))[..., :3]
    assert same == pytest.approx(factors[..., :3], abs=1e-6)


def test_a_wrong_shadow_can_be_lifted():
    dark = np.zeros((1, 1, 4))
    lifted = told.corrected(dark, np.full((1, 1), 3.0), np.ones((1, 1)))[..., :3] ** GAMMA
    assert lifted == pytest.approx(np.full((1, 1, 3), told.STRAY * 7), rel=1e-5)


def test_features_are_planes_of_small_numbers_and_nothing_where_nobody_is():
    h, w = 4, 6
    rng = np.random.default_rng(5)
    light = rng.random((h, w, 3)) * 50
    alpha = np.zeros((h, w))
    alpha[1:, 1:] = 1
    planes = told.features(
        rng.random((h, w, 3)), np.zeros((h, w, 3)), np.full((h, w), 1e9), alpha, light, np.ones((h, w)),
        np.full((h, w, 3), 1e6),
        np.full((h, w), 1e6),
    )  # fmt: skip
    assert planes.shape == (told.CHANNELS, h, w)
    assert planes.dtype == np.float32
    assert np.abs(planes).max() <= 2.0
    assert (planes[8:11, 0] == planes[8:11].min()).all()  # the faintest light


def test_only_what_was_learnt_is_heard():
    lights = tuple(Light.of(kind) for kind in ("rim", "key", "env", "area", "spot"))
    some = told.heard(Look((*lights, Light.of("key", power=0.0))))
    assert some is not None
    assert [light.kind for light in some.lights] == ["key", "area"]
    assert told.heard(Look(lights[:1])) is None
    assert told.heard(Look()) is None


def test_the_others_light_is_added_to_what_was_corrected():
    better, rest, theirs = made(), made(), 0.3
    rest[..., :3] = (rest[..., 3:] + theirs) ** (1 / GAMMA)
    out = told.beside(better, rest)
    assert out[..., :3] ** GAMMA == pytest.approx(better[..., :3] ** GAMMA + theirs)
    assert (out[..., 3] == better[..., 3]).all()


def test_a_light_is_heard_or_another_ones():
    lights = tuple(Light.of(kind) for kind in ("rim", "key", "env", "area", "spot"))
    rest = told.others(Look((*lights, Light.of("rim", power=0.0))))
    assert rest is not None
    assert [light.kind for light in rest.lights] == ["rim", "env", "spot"]
    assert told.others(Look((Light.of("key"),))) is None
