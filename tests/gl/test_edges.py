"""The person's edge: what is worked out at full size, and what comes out there."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core import planes, reference
from live_relight.core.frames import Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.geometry.analytic import AnalyticEstimator, sphere
from live_relight.resize import resized
from live_relight.shade import guided
from live_relight.shade.edges import edge, repaint
from live_relight.shade.opengl import OpenGLShader

SIZE, GRID = (640, 360), (160, 96)
LOOK = Look((Light.of("key"), Light.of("rim")), ambient=0.5, background=0.45, background_tint="#c0d0ff")


def cut_out(person: float, wall: float) -> tuple[Image, Geometry]:
    """A ball of one grey before a wall of another, its edge mixed of both, as a camera sees it."""
    cover = (
        resized(
            np.repeat((sphere((4 * SIZE[0], 4 * SIZE[1])).alpha * 255).astype(np.uint8)[..., None], 3, 2),
            SIZE,
        )[..., 0]
        / 255.0
    )
    grey = cover * person + (1 - cover) * wall
    image = np.repeat(np.rint(grey[..., None] * 255), 3, axis=2).astype(np.uint8)
    ball = sphere(GRID)
    alpha = cv2.GaussianBlur(
        cv2.resize(cover.astype(np.float32), GRID, interpolation=cv2.INTER_AREA), (0, 0), 0.8
    )
    return image, Geometry(ball.normal, ball.depth, alpha, resized(image, GRID))


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 30))
def test_repainted_pixels_agree_with_numpy(seed: int, half_width: int, half_height: int) -> None:
    rng = np.random.default_rng(seed)
    w, h = 2 * half_width, 2 * half_height
    image = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
    grid = rng.integers(1, 9, 2)
    matte = rng.normal(0.2, 0.6, (*grid, 4)).astype(np.float32)
    factors = rng.uniform(0, 2.5, (*grid, 4)).astype(np.float32)
    contrast = np.exp(rng.uniform(-2, 2, (*rng.integers(1, 9, 2), 4))).astype(np.float32)
    contrast[..., 3] = planes.clearness(contrast[..., :3])
    places = np.flatnonzero(rng.random(half_width * half_height) < 0.4)
    out = np.full_like(image, 7)
    repaint(image, places, (matte, factors, contrast), LOOK, out)
    mask = np.zeros((half_height, half_width), bool)
    mask.reshape(-1)[places] = True
    mask = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)
    assert (out[~mask] == 7).all()
    plain = reference.composite(image, reference.gain(image, matte, contrast, factors[..., :3], LOOK))
    assert np.abs(plain.astype(int) - out)[mask].max(initial=0) <= 1


def test_contrast_agrees_with_numpy() -> None:
    _, geometry = cut_out(0.2, 0.8)
    np.testing.assert_allclose(guided.contrast(geometry), planes.contrast(geometry), atol=1e-5)


def test_contrast_is_that_of_both_sides_and_not_of_their_mixture() -> None:
    _, geometry = cut_out(0.2, 0.8)
    alpha = planes.halved(geometry.alpha)
    rim = (alpha > 0.3) & (alpha < 0.7)
    assert rim.sum() > 20
    found = planes.contrast(geometry)
    assert np.abs(found[rim][:, :3] - 0.22 / 0.82).max() < 0.03
    assert (found[rim][:, 3] == 1.0).all()
    np.testing.assert_allclose(found[:3] - (1.0, 1.0, 1.0, 0.0), 0.0, atol=1e-5)  # nobody is near


def test_an_edge_between_colours_of_one_luma_is_clear_too() -> None:
    """Orange cloth before a grey wall: the guided filter tells them apart, and so must the cut."""
    orange, grey = np.array([0.1, 0.55, 0.78]), 0.56
    assert abs(orange @ np.asarray(planes.LUMA) - grey) < 0.02
    _, geometry = cut_out(1.0, 0.0)
    cover = geometry.guide[..., :1] / 255.0
    guide = np.rint((cover * orange + (1 - cover) * grey) * 255).astype(np.uint8)
    alpha = planes.halved(geometry.alpha)
    rim = (alpha > 0.3) & (alpha < 0.7)
    found = planes.contrast(replace(geometry, guide=guide))[rim]
    assert np.abs(found[:, :3] - (orange + 0.02) / (grey + 0.02)).max() < 0.03
    assert (found[:, 3] == 1.0).all()


@given(st.floats(0, 1), st.floats(1 / planes.MOST, planes.MOST))
def test_the_share_from_behind_is_all_and_nothing_at_its_ends(alpha: float, contrast: float) -> None:
    share = [float(planes.behind_share(np.float64(a), np.float64(contrast))) for a in (0.0, alpha, 1.0)]
    assert share[0] == 1.0
    assert share[2] == 0.0
    assert 0.0 <= share[1] <= 1.0
    brighter_behind = contrast <= 1.0
    assert share[1] >= 1.0 - alpha - 1e-9 if brighter_behind else share[1] <= 1.0 - alpha + 1e-9


def test_only_edges_that_show_are_repainted() -> None:
    alpha = sphere(GRID).alpha
    gain = np.ones((SIZE[1] // 2, SIZE[0] // 2, 3), np.float32)
    assert not len(edge(gain, alpha))  # nothing changes there
    inside = cv2.resize(alpha, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_NEAREST) > 0.5
    gain[inside] = 1.5
    places = edge(gain, alpha)
    y, x = np.divmod(places, SIZE[0] // 2)
    far = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)[y, x]
    assert 500 < len(places) < 0.1 * inside.size
    assert far.max() < 3  # half-size pixels from the silhouette
    gain[inside] = np.float32(1.0) + np.random.default_rng(0).random((inside.sum(), 1), np.float32)
    assert far.max() < 30  # what changes well inside the person is not the edge's business


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_an_edge_in_one_colour_is_seen(channel: int) -> None:
    """A magenta light leaves green as it was."""
    alpha = sphere(GRID).alpha
    gain = np.ones((SIZE[1] // 2, SIZE[0] // 2, 3), np.float32)
    inside = cv2.resize(alpha, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_NEAREST) > 0.5
    gain[inside, channel] = 1.5
    assert len(edge(gain, alpha)) > 500


@pytest.mark.parametrize("size", [(513, 320), (512, 321)])
def test_pictures_with_an_odd_side_have_the_edge_of_even_ones(size: tuple[int, int]) -> None:
    """Dark before a bright wall that is dimmed, against everything worked out at full size."""
    even, geometry = cut_out(0.2, 0.9)
    image = resized(even, size)
    plain = reference.relight(image, geometry.guide, geometry, LOOK)
    shader = OpenGLShader(on_grid=True)
    try:
        made = shader.shade(image, geometry, LOOK)
    finally:
        shader.close()
    assert np.abs(made.astype(int) - plain).max() <= 2


@pytest.mark.parametrize(("person", "wall"), [(0.25, 0.85), (0.7, 0.2)])
def test_edges_are_mixed_as_the_camera_mixed_them(person: float, wall: float) -> None:
    """With a true matte the mixture relit is the relit person mixed with the dimmed wall; by alpha alone it
    is too bright before a bright wall and too dark before a dark one."""
    image, geometry = cut_out(person, wall)
    lit, behind = 2.0 ** (1 / 2.2), 0.45 ** (1 / 2.2)
    cover = (image[..., 1] / 255.0 - wall) / (person - wall)
    wanted = 255 * (cover * person * lit + (1 - cover) * wall * behind)
    band = (cover > 0.05) & (cover < 0.95)
    contrast = planes.sample(planes.contrast(geometry), SIZE)[..., 1]
    away = []
    for share in (planes.behind_share(cover, contrast), 1 - cover):
        away.append((image[..., 1] * (lit + (behind - lit) * share) - wanted)[band])
    assert np.abs(away[0]).mean() < 2.5
    assert np.abs(away[1]).mean() > 12
    assert (away[1] > 0).all() if person < wall else (away[1] < 0).all()


@pytest.mark.parametrize(("size", "halves"), [((640, 360), True), ((853, 480), False), ((240, 136), False)])
def test_it_says_where_half_the_size_would_change_nothing(size: tuple[int, int], halves: bool) -> None:
    shader = OpenGLShader(on_grid=True)
    rng = np.random.default_rng(3)
    image = rng.integers(30, 220, (size[1], size[0], 3)).astype(np.uint8)
    geometry, look = AnalyticEstimator().estimate(image), Look((Light.of("key", az=60),), ambient=0.3)
    try:
        fine, coarse = (shader.shade(image, geometry, look, fine=fine) for fine in (True, False))
        assert shader.halves == halves
        assert np.array_equal(fine, coarse) != halves
    finally:
        shader.close()
