"""The plain blur of the backdrop: the person stays, and leaves no colour behind."""

from __future__ import annotations

import numpy as np
import pytest

from live_relight.core import backdrop, planes
from live_relight.core.frames import Geometry, Image
from live_relight.geometry.analytic import sphere

SIZE = (160, 90)


def scene(wall: Image) -> tuple[Image, Geometry]:
    """A red ball before `wall`."""
    ball = sphere(SIZE)
    image = wall.copy()
    image[ball.alpha > 0.5] = (0, 0, 255)
    return image, Geometry(ball.normal, ball.depth, ball.alpha, image)


def blurred(image: Image, geometry: Geometry, strength: float) -> Image:
    maps = planes.coefficients(geometry)[0], planes.contrast(geometry)
    return backdrop.defocused(image, geometry, *maps, strength)


def noise() -> Image:
    return np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def test_no_strength_gives_the_picture_back() -> None:
    image, geometry = scene(noise())
    out = blurred(image, geometry, 0.0)
    np.testing.assert_array_equal(out, image)
    assert out is not image


def test_the_person_stays_sharp_and_the_wall_does_not() -> None:
    image, geometry = scene(noise())
    out = blurred(image, geometry, 1.0)
    inside = planes.box_mean(geometry.alpha, 3) > 0.999
    assert np.abs(out[inside].astype(int) - image[inside]).max() <= 1
    outside = planes.box_mean(geometry.alpha, 8) < 1e-6
    assert out[outside].std() < 0.25 * image[outside].std()


def test_more_strength_blurs_more() -> None:
    image, geometry = scene(noise())
    outside = planes.box_mean(geometry.alpha, 8) < 1e-6
    left = [float(blurred(image, geometry, s)[outside].std()) for s in (0.0, 0.2, 0.5, 1.0)]
    assert left == sorted(left, reverse=True)


@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_an_even_wall_stays_even_up_to_the_person(strength: float) -> None:
    wall = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    image, geometry = scene(wall)
    out = blurred(image, geometry, strength)
    outside = planes.box_mean(geometry.alpha, 3) < 1e-6
    assert np.abs(out[outside].astype(int) - 120).max() <= 1


def test_the_blur_comes_in_softly() -> None:
    """From one key press to the next, and while somebody comes in, nothing pops."""
    image, geometry = scene(noise())
    outside = planes.box_mean(geometry.alpha, 8) < 1e-6
    left = [float(blurred(image, geometry, s)[outside].std()) for s in (0.0, 0.01, 0.05, 0.1, 0.15, 0.2)]
    assert left[1] > 0.9 * left[0]
    assert max(-np.diff(left)) < 0.35 * left[0]


def test_soft_hair_before_a_clear_wall_stays_in_front_of_the_blur() -> None:
    """Pixels a quarter covered by dark hair before a bright wall: the cut that is made where both sides are
    alike would make wall of them."""
    ball = sphere(SIZE)
    soft = planes.box_mean(ball.alpha, 3).astype(np.float32)
    image = np.repeat(np.rint(255 * (soft * 0.15 + (1 - soft) * 0.9)).astype(np.uint8)[..., None], 3, 2)
    geometry = Geometry(ball.normal, ball.depth, soft, image)
    wisps = (soft > 0.2) & (soft < 0.36)
    out = blurred(image, geometry, 1.0).astype(float)
    assert np.abs(out - image)[wisps].mean() < 0.65 * (0.9 * 255 - image[wisps].mean())


def test_radius_follows_the_picture_and_is_never_nothing_where_there_is_strength() -> None:
    assert backdrop.radius_of((160, 90), 0.0) == 0
    assert backdrop.radius_of((4, 3), 0.01) == 1
    assert backdrop.radius_of((320, 180), 1.0) == 2 * backdrop.radius_of((160, 90), 1.0)


def test_a_picture_that_is_all_person_is_left_alone() -> None:
    image = noise()
    ball = sphere(SIZE)
    everywhere = Geometry(ball.normal, ball.depth, np.ones_like(ball.alpha), image)
    assert np.abs(blurred(image, everywhere, 1.0).astype(int) - image).max() <= 1
