"""The plain light pass does what photographers and formulas say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from live_relight.core import planes as plain
from live_relight.core import reference
from live_relight.core.frames import Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.geometry.analytic import plane, sphere
from live_relight.resize import resized

SIZE = (160, 120)


def colours(most: float) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, 3, elements=st.floats(0.0, most, width=32))


def grey(size: tuple[int, int] = SIZE, value: int = 110) -> Image:
    return np.full((size[1], size[0], 3), value, np.uint8)


def lit(geometry: Geometry, look: Look, image: Image | None = None) -> Image:
    image = grey() if image is None else image
    return reference.relight(image, image, geometry, look)


def sides(image: Image) -> tuple[float, float, float, float]:
    """Mean of the sphere's left, right, upper and lower part."""
    middle = image[30:90, 50:110].astype(float)
    return middle[:, :20].mean(), middle[:, -20:].mean(), middle[:20].mean(), middle[-20:].mean()


@pytest.mark.parametrize("kind", ["key", "point", "directional"])
def test_light_falls_from_its_side(kind: str) -> None:
    ball = sphere(SIZE)
    left, right, _, _ = sides(lit(ball, Look((Light.of(kind, az=70, el=0),), ambient=0.3)))
    assert right > left + 25
    left, right, _, _ = sides(lit(ball, Look((Light.of(kind, az=-70, el=0),), ambient=0.3)))
    assert left > right + 25
    _, _, top, bottom = sides(lit(ball, Look((Light.of(kind, az=0, el=70),), ambient=0.3)))
    assert top > bottom + 25


def test_lambert_is_the_cosine() -> None:
    """A wall under directional light of elevation e gets sin(90 - e) of its power."""
    wall = plane(SIZE)
    look = Look(
        (Light.of("directional", az=0, el=60, size=0.0),), ambient=0.0, specular=0.0, diffuse="lambert"
    )
    light = reference.light_map(wall, wall.guide, look, (0, 0, -1))
    np.testing.assert_allclose(light[..., :3], 0.5, atol=1e-5)
    assert light[..., 3].max() == 0


def test_power_is_measured_at_the_head_whatever_the_distance() -> None:
    for dist in (0.5, 1.0, 3.0):
        wall = plane((64, 48))
        look = Look((Light.of("point", az=0, el=0, dist=dist),), 0.0, specular=0.0, diffuse="lambert")
        light = reference.light_map(wall, wall.guide, look, (0, 0, -1))
        assert light[24, 32, :3].mean() == pytest.approx(1.0, abs=0.02)


def test_falloff_is_inverse_square() -> None:
    wall = plane((64, 48))
    look = Look((Light.of("point", az=0, el=0, dist=1.0),), 0.0, specular=0.0, diffuse="lambert")
    light = reference.light_map(wall, wall.guide, look, (0, 0, -1))
    # A wall point at lateral distance r from the axis: d2 = 1 + r2, cosine = 1 / sqrt(d2).
    x = (63.5 / 64 * 2 - 1) * np.tan(np.radians(32.5))
    y = (1 - 24.5 / 48 * 2) * np.tan(np.radians(32.5)) * 48 / 64
    assert light[24, 63, :3].mean() == pytest.approx((1 + x * x + y * y) ** -1.5, rel=1e-3)


def test_lights_add_up_in_linear_light() -> None:
    ball = sphere(SIZE)
    a, b = Light.of("key", az=60), Light.of("rim")
    maps = [
        reference.light_map(ball, ball.guide, Look(lights), (0, 0, -1)) for lights in ((a,), (b,), (a, b))
    ]
    np.testing.assert_allclose(maps[0] + maps[1], maps[2], atol=1e-9)


def test_untouched_look_gives_the_picture_back() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    np.testing.assert_array_equal(lit(sphere(SIZE), Look(), image), image)


def test_room_is_not_lit_and_not_coloured() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    look = Look((Light.of("key", kelvin=2500),), ambient=1.0)
    out = lit(sphere(SIZE, radius=0.15), look, image)
    np.testing.assert_array_equal(out[:20], image[:20])


def test_kelvin_colours_the_light() -> None:
    warm = lit(sphere(SIZE), Look((Light.of("key", kelvin=2800),), ambient=0.2))[60, 80].astype(int)
    cool = lit(sphere(SIZE), Look((Light.of("key", kelvin=9000),), ambient=0.2))[60, 80].astype(int)
    assert warm[2] > warm[0] + 30  # BGR
    assert cool[0] > cool[2] + 10


def test_much_light_does_not_clip() -> None:
    ramp = np.broadcast_to(np.linspace(20, 235, 160).astype(np.uint8)[None, :, None], (120, 160, 3))
    out = lit(
        plane(SIZE), Look((Light.of("key", az=0, el=0, power=4.0),), ambient=1.0), np.ascontiguousarray(ramp)
    )
    row = out[60, :, 1].astype(int)
    assert (np.diff(row) >= 0).all()
    assert (row == 255).mean() < 0.35


@given(colours(1.0), colours(6.0))
def test_shoulder_keeps_hue_and_stays_below_white(before: np.ndarray, factor: np.ndarray) -> None:
    after = before * factor
    scale = float(reference.shoulder(before, after)[0])
    assert 0.0 < scale <= 1.0
    brightest = scale * after.max()
    assert brightest <= max(1.0, before.max()) + 2e-3
    if after.max() <= before.max():
        assert scale == 1.0  # nothing was added
    else:
        assert brightest >= before.max() - 1e-6


@given(st.floats(0.0, 0.9), st.floats(0.01, 3.0))
def test_more_light_is_never_darker(value: float, more: float) -> None:
    pixel = np.full(3, value)
    brightness = [
        float((reference.shoulder(pixel, pixel * g) * pixel * g).max()) for g in np.linspace(1, 1 + more, 9)
    ]
    assert (np.diff(brightness) >= -1e-9).all()


def test_highlight_adds_light_whatever_the_surface() -> None:
    """A factor on the surface's colour amounts to light added to it, on pale as on mid-grey skin."""
    light = np.array([[[0.5, 0.5, 0.5, 0.2]]])
    look = Look((), ambient=0.5)
    for value in (140, 180, 220):
        guide = np.full((1, 1, 3), value, np.uint8)
        base = (value / 255) ** reference.GAMMA
        added = base * reference.factor_map(light, guide, look) ** reference.GAMMA - base * 1.0
        np.testing.assert_allclose(added, 0.2, atol=1e-9)


def test_guided_geometry_follows_the_picture_edge() -> None:
    """A mask four times coarser than the picture comes up along the picture's edge, not as stairs."""
    big = np.full((240, 320, 3), 60, np.uint8)
    yy, xx = np.indices((240, 320))
    person = (xx - 160) ** 2 + (yy - 120) ** 2 < 80**2
    big[person] = (90, 120, 200)
    small = resized(big, (80, 60))
    alpha = resized(np.repeat(person[..., None], 3, 2).astype(np.uint8) * 255, (80, 60))[..., 0] / np.float32(
        255
    )
    g = plane((80, 60))
    planes = plain.coefficients(Geometry(g.normal, g.depth, alpha.astype(np.float32), small))
    matte = plain.ends(plain.apply(planes[0], big / 255.0))
    blurred = plain.sample(alpha, (320, 240))
    error = np.abs(matte - person).mean()
    assert error < 0.35 * np.abs(blurred - person).mean()


def test_fill_carries_the_surface_past_the_silhouette() -> None:
    ball = sphere(SIZE)
    rubbish = ball.normal.copy()
    rubbish[ball.alpha < 0.5] = (-1, 0, 0)
    filled = plain.fill_outside(rubbish, ball.depth, ball.alpha)[..., 1:]
    row = ball.alpha[60] > 0.5
    right = int(np.flatnonzero(row)[-1])
    assert filled[60, right + 2, 0] > 0.3  # still turns to the right, as the ball does


def test_box_mean_is_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=(9, 11))
    p = np.pad(values, 2, mode="edge")
    expected = np.array([[p[y : y + 5, x : x + 5].mean() for x in range(11)] for y in range(9)])
    np.testing.assert_allclose(plain.box_mean(values, 2), expected, atol=1e-12)
