"""Lights placed round the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core import area
from live_relight.core.errors import UsageError
from live_relight.core.lamps import LEAST_SPREAD, MAX_SHADOWS, crowded, lamps
from live_relight.core.light import Light
from live_relight.core.look import Look

HEAD = (0.1, 0.05, -0.9)


def test_at_most_four_cast_shadows_and_the_sky_never() -> None:
    look = Look((Light.of("env", shadow=True), Light.of("ambient", shadow=True), *[Light.of("key")] * 6))
    found = lamps(look, HEAD)
    assert [lamp.slot for lamp in found] == [-1, -1, 0, 1, 2, 3, -1, -1]
    assert max(lamp.slot for lamp in found) == MAX_SHADOWS - 1
    assert all(lamp.slot == -1 for lamp in lamps(Look((Light.of("key", shadow=False),)), HEAD))


def test_the_brightest_cast_shadows_and_who_goes_without_is_told() -> None:
    powers = (0.2, 2.0, 0.5, 1.0, 0.3, 0.4)
    look = Look(tuple(Light.of("key", power=power) for power in powers))
    assert [lamp.slot for lamp in lamps(look, HEAD)] == [-1, 0, 1, 2, -1, 3]
    assert crowded(look) == "6 lights ask for shadows, the 4 brightest cast them; without: key 1, key 5"
    assert crowded(Look(look.lights[:4])) == ""
    dark = Look((replace(look.lights[0], on=False), *look.lights))
    assert crowded(dark).endswith("without: key 2, key 6"), "numbered as keys choose them"


def test_places_are_round_the_head() -> None:
    (key,) = lamps(Look((Light.of("key", az=90, el=0, dist=2.0),)), HEAD)
    np.testing.assert_allclose(key.place, np.add(HEAD, (2.0, 0, 0)), atol=1e-9)
    np.testing.assert_allclose(key.axis, (-1, 0, 0), atol=1e-9)
    assert key.reference == pytest.approx(4.0 + key.radius2)
    (sun,) = lamps(Look((Light.of("directional", az=0, el=90),)), HEAD)
    np.testing.assert_allclose(sun.place, (0, 1, 0), atol=1e-9)


def test_spread_is_the_sine_of_half_the_size() -> None:
    (key,) = lamps(Look((Light.of("key", size=2.0, dist=1.0),)), HEAD)
    assert key.spread == pytest.approx(np.sin(np.arctan(1.0)))
    (point,) = lamps(Look((Light.of("point"),)), HEAD)
    assert point.spread == LEAST_SPREAD


def test_a_lamp_falls_off_as_an_evenly_bright_disk_does() -> None:
    """Against area.py's integral over an octagon as large, from the lamp's axis. Half its radius is the
    nearest: an octagon's edge is another one's than a disk's."""
    light = Light.of("key", az=0, el=0, dist=1.0, size=0.4)
    (key,) = lamps(Look((light,)), HEAD)
    disk = area.corners("disk", 0.4, 0.4, key.place, HEAD)
    for d in (0.1, 0.2, 0.5, 1.0, 2.0, 4.0):
        place = np.asarray(key.place) - (0, 0, d)
        ratio = area.facing(disk, place) / area.facing(disk, HEAD)
        assert key.falloff(d * d) == pytest.approx(ratio, rel=0.025), d


@given(st.floats(0, 4), st.floats(0.2, 4), st.floats(0, 2))
def test_falloff_is_one_at_the_head_bounded_and_inverse_square_far_away(
    d: float, dist: float, size: float
) -> None:
    (lamp,) = lamps(Look((Light.of("point", dist=dist, size=size),)), HEAD)
    assert lamp.falloff(dist**2) == pytest.approx(1.0)
    assert 0 < lamp.falloff(d * d) <= lamp.reference / lamp.radius2
    far = 40 * max(size, 0.04)
    assert lamp.falloff(4 * far**2) / lamp.falloff(far**2) == pytest.approx(0.25, rel=1e-3)
    whole = lamp.falloff(np.float32([d * d]))
    assert whole.dtype == np.float32
    assert whole[0] == pytest.approx(lamp.falloff(d * d), rel=1e-5)


def test_a_spot_is_full_in_the_middle_and_out_at_the_rim() -> None:
    (spot,) = lamps(Look((Light.of("spot", cone=60, soft=0.5),)), HEAD)
    assert spot.cone[0] == pytest.approx(np.cos(np.radians(30)))
    assert (np.cos(np.radians(15)) - spot.cone[0]) * spot.cone[1] == pytest.approx(1.0)


@pytest.mark.parametrize("shape", ["rect", "disk"])
def test_area_lights_face_the_head(shape: str) -> None:
    (area,) = lamps(Look((Light.of("area", shape=shape, az=70, el=20, aspect=0.5),)), HEAD)
    assert area.corners is not None
    middle = area.corners.mean(axis=0)
    a, b = area.corners[1] - area.corners[0], area.corners[2] - area.corners[1]
    facing = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    to = np.subtract(HEAD, middle) / np.linalg.norm(np.subtract(HEAD, middle))
    assert float(facing @ to) == pytest.approx(1.0, abs=1e-6)
    assert 0 < area.unit < 1


def test_one_env_light_at_most() -> None:
    with pytest.raises(UsageError, match="at most one"):
        Look((Light.of("env"), Light.of("env")))


def test_nothing_is_far_for_light_from_everywhere_far() -> None:
    """`dist` says nothing of a directional light, so neither how large it looks."""
    near, far = (Look((Light.of("directional", size=0.3, dist=d),)) for d in (0.5, 4.0))
    (one,), (two,) = lamps(near, (0, 0, -1)), lamps(far, (0, 0, -1))
    assert one.spread == two.spread > LEAST_SPREAD
