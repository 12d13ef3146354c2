from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core.colour import _kelvin_to_xy, hex_to_rgb, kelvin_to_rgb, linear_to_srgb, srgb_to_linear
from live_relight.core.errors import UsageError
from live_relight.core.light import KINDS, RANGES, Light, parse_light
from live_relight.core.look import Look


def test_full_spec_is_read() -> None:
    light = parse_light("key:az=45,el=30,dist=1.2,power=1.5,kelvin=3200,size=0.3,shadow=1")
    assert (light.kind, light.az, light.el, light.dist) == ("key", 45.0, 30.0, 1.2)
    assert (light.power, light.kelvin, light.size, light.shadow) == (1.5, 3200.0, 0.3, True)


def test_bare_kind_has_its_usual_place() -> None:
    for kind, place in KINDS.items():
        light = parse_light(kind)
        assert {name: getattr(light, name) for name in place} == place


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("kye:az=3", "did you mean 'key'"),
        ("key:azz=3", "did you mean 'az'"),
        ("key:az", "name=value"),
        ("key:az=left", "a number"),
        ("key:az=400", "-180..180"),
        ("key:az=nan", "-180..180"),
        ("key:power=inf", "0..10"),
        ("key:az=1,az=2", "twice"),
        ("key:color=red", "#rrggbb"),
        ("key:shadow=maybe", "0 or 1"),
        ("key:cone=30", "only with spot"),
        ("area:shape=ring", "rect or disk"),
        ("", "known:"),
    ],
)
def test_bad_spec_says_what_is_wrong_in_one_line(spec: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_light(spec)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_azimuth_is_positive_to_the_right_and_elevation_up() -> None:
    np.testing.assert_allclose(Light(az=90.0).direction, (1, 0, 0), atol=1e-9)
    np.testing.assert_allclose(Light(az=0.0).direction, (0, 0, 1), atol=1e-9)
    np.testing.assert_allclose(Light(el=90.0).direction, (0, 1, 0), atol=1e-9)


@given(st.sampled_from(sorted(RANGES)), st.floats(-1e4, 1e4))
def test_moving_never_leaves_the_range(name: str, delta: float) -> None:
    value = getattr(Light.of("key").moved(**{name: delta}), name)
    low, high, _ = RANGES[name]
    assert low <= value <= high


def test_moving_round_comes_back() -> None:
    light = Light.of("key")
    for _ in range(72):
        light = light.moved(az=5.0)
    assert light.az == pytest.approx(Light.of("key").az)


@given(st.floats(1700, 20000))
def test_kelvin_colours_are_positive_and_of_even_luma(kelvin: float) -> None:
    r, g, b = kelvin_to_rgb(kelvin)
    assert min(r, g, b) >= 0
    assert 0.2126 * r + 0.7152 * g + 0.0722 * b == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kelvin", "x", "y"),
    # Planck's law integrated with the CIE 1931 observer; 2856 K is CIE illuminant A.
    [
        (2856, 0.4476, 0.4075),
        (2000, 0.5267, 0.4133),
        (3400, 0.4109, 0.3935),
        (5000, 0.3451, 0.3516),
        (6500, 0.3135, 0.3237),
        (10000, 0.2807, 0.2884),
        (25000, 0.2525, 0.2523),
    ],
)
def test_chromaticities_are_the_tabulated_ones(kelvin: float, x: float, y: float) -> None:
    np.testing.assert_allclose(_kelvin_to_xy(kelvin), (x, y), atol=8e-4)


@given(st.floats(1668, 24998))
def test_temperatures_have_no_step(kelvin: float) -> None:
    """The fit's pieces meet."""
    here, there = (_kelvin_to_xy(kelvin + d) for d in (-1.0, 1.0))
    assert np.abs(np.subtract(here, there)).max() < 6e-4


def test_kelvin_goes_from_orange_over_white_to_blue() -> None:
    np.testing.assert_allclose(kelvin_to_rgb(5600), (1, 1, 1), atol=1e-6)
    ratios = [kelvin_to_rgb(k)[0] / max(kelvin_to_rgb(k)[2], 1e-9) for k in range(1700, 20001, 100)]
    assert all(a > b for a, b in itertools.pairwise(ratios))


@given(st.floats(0, 1))
def test_srgb_round_trip(value: float) -> None:
    assert float(linear_to_srgb(srgb_to_linear(np.asarray(value)))) == pytest.approx(value, abs=1e-6)


def test_hex_is_srgb() -> None:
    for wrong in ("#-1-1-1", "#+1+1+1", "# 1 1 1", "##fffff", "#ffff", "１２３４５６", "ffffff\n"):
        with pytest.raises(ValueError):
            hex_to_rgb(wrong)
    assert hex_to_rgb("#ffffff") == (1.0, 1.0, 1.0)
    assert hex_to_rgb("808080")[0] == pytest.approx(0.2158605)


def test_look_limits() -> None:
    with pytest.raises(UsageError, match="at most 8"):
        Look(lights=(Light(),) * 9)
    with pytest.raises(UsageError, match="ambient"):
        Look(ambient=-1.0)
    assert Look().untouched
    assert Look(lights=(Light(on=False),)).untouched
    assert not Look(background=0.5).untouched
