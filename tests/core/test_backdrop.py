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
    return backdrop.defocused(image, geometry, planes.coefficients(geometry)[0], strength)


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


def test_radius_follows_the_picture_and_is_never_nothing_where_there_is_strength() -> None:
    assert backdrop.radius_of((160, 90), 0.0) == 0
    assert backdrop.radius_of((4, 3), 0.01) == 1
    assert backdrop.radius_of((320, 180), 1.0) == 2 * backdrop.radius_of((160, 90), 1.0)


def test_a_picture_that_is_all_person_is_left_alone() -> None:
    image = noise()
    ball = sphere(SIZE)
    everywhere = Geometry(ball.normal, ball.depth, np.ones_like(ball.alpha), image)
    assert np.abs(blurred(image, everywhere, 1.0).astype(int) - image).max() <= 1
