"""Marched shadows against casting rays in the true scene."""

from __future__ import annotations

import numpy as np
import pytest

from live_relight.core import planes, shadow
from live_relight.core.lamps import Lamp, lamps
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.projection import half_tangents
from live_relight.geometry.analytic import sphere
from tests.golden.scenes import SIZE, ball_on_wall

TANGENTS = half_tangents(SIZE, 65.0)
CENTRE, RADIUS = np.array([0.0, 0.0, -1.0]), 0.22
DIST = 1.2
LEAST_SIZE = 2 * shadow.LEAST_CONE * DIST


def lamp(**fields: float) -> Lamp:
    light = Light.of("point", **{"dist": DIST, "shadow": True, **fields})
    return lamps(Look((light,)), (0.0, 0.0, -1.0))[0]


def marched(source: Lamp, steps: int = shadow.STEPS) -> np.ndarray:
    _, geometry = ball_on_wall()
    occluder = np.stack([geometry.depth, geometry.alpha], axis=-1)
    seen = shadow.visibility(
        geometry.depth.astype(float), geometry.normal.astype(float), occluder, source, TANGENTS, steps
    )
    return shadow.settled(seen[..., None])[..., 0]


def points() -> np.ndarray:
    _, geometry = ball_on_wall()
    return rays(SIZE) * geometry.depth[..., None] + geometry.normal * 2e-3


def rays(size: tuple[int, int]) -> np.ndarray:
    """h x w x 3 through the pixels, z = -1."""
    w, h = size
    x = ((np.arange(w) + 0.5) / w * 2 - 1)[None] * TANGENTS[0]
    y = (1 - (np.arange(h) + 0.5) / h * 2)[:, None] * TANGENTS[1]
    return np.stack(np.broadcast_arrays(x, y, -1.0), axis=-1)


def cast(source: Lamp, size: float, samples: int = 64) -> np.ndarray:
    """True visibility: rays from every place to points of a disk that faces the ball."""
    rng = np.random.default_rng(0)
    at = np.asarray(source.place)
    ahead = (CENTRE - at) / np.linalg.norm(CENTRE - at)
    side = np.cross(ahead, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    up = np.cross(side, ahead)
    p = points()
    total = np.zeros(p.shape[:2])
    for radius, turn in zip(np.sqrt(rng.random(samples)), rng.random(samples) * 2 * np.pi, strict=True):
        spot = at + 0.5 * size * radius * (np.cos(turn) * side + np.sin(turn) * up)
        d = spot - p
        b = ((CENTRE - p) * d).sum(-1) / (d * d).sum(-1)
        near = ((p + np.clip(b, 0, 1)[..., None] * d - CENTRE) ** 2).sum(-1)
        total += near > RADIUS**2
    return total / samples


def on_wall() -> np.ndarray:
    _, geometry = ball_on_wall()
    return geometry.depth > 1.09


def inner(mask: np.ndarray, margin: int = 3) -> np.ndarray:
    """What of a mask is at least `margin` pixels from its edge."""
    out = mask.copy()
    for dy in range(-margin, margin + 1):
        for dx in range(-margin, margin + 1):
            out &= np.roll(mask, (dy, dx), (0, 1))
    return out


@pytest.mark.parametrize(("az", "el"), [(35, 20), (-40, 30), (20, 50), (-20, -25)])
@pytest.mark.parametrize("size", [0.0, 0.3])
def test_shadow_on_the_wall_is_where_rays_say(az: float, el: float, size: float) -> None:
    """The march takes no source for narrower than LEAST_CONE; what that costs a point's shadow, see below."""
    source = lamp(az=az, el=el, size=size)
    truth, found, wall = cast(source, max(size, LEAST_SIZE)), marched(source), on_wall()
    assert np.mean(truth[wall] < 0.05) > 0.03  # there is a shadow to find
    # Three pixels off the edges: `settled` blurs as far.
    dark, bright = inner(wall & (truth < 0.02)), inner(wall & (truth > 0.98))
    # A point's umbra is a little brighter where it is widest: few steps, and a cone that is never nothing.
    assert np.mean(found[dark] < 0.3) > (0.93 if size else 0.78)
    assert found[dark].mean() < 0.2
    assert np.mean(found[bright] > 0.7) > 0.97
    assert np.abs(found - truth)[wall].mean() < 0.05


def test_penumbras_lie_inside_what_a_point_would_shade() -> None:
    """A known limit: what a point lights stays lit, but its shadow loses up to a fifth of the umbra at the
    far edge. Should it become less, this bound can follow."""
    for az, el in ((35, 20), (-40, 30), (20, 50), (-20, -25)):
        source = lamp(az=az, el=el)
        truth, found, wall = cast(source, 0.0, 1), marched(source), on_wall()
        dark = inner(wall & (truth < 0.5))
        assert np.mean(found[dark] < 0.3) > 0.78
        assert np.mean(found[inner(wall & (truth > 0.5))] > 0.98) > 0.995
        assert 0.0 < (found - truth)[wall].mean() < 0.045


def test_shadows_are_harder_where_the_caster_is_near() -> None:
    """A board's shadow on a wall has a wider edge the further the board stands from it."""
    widths = [edge_of_a_board(gap) for gap in (0.05, 0.12, 0.25)]
    assert widths[0] < widths[1] < widths[2]


def edge_of_a_board(gap: float) -> float:
    """Pixels a row over which the shadow of a board `gap` before a wall goes from 0.9 to 0.1."""
    w, h = 512, 24
    u = np.broadcast_to(((np.arange(w) + 0.5) / w)[None], (h, w))
    depth = np.where(u < 0.4, 1.0 - gap, 1.0)
    normal = np.zeros((h, w, 3))
    normal[..., 2] = 1
    occluder = np.stack([depth, np.ones_like(depth)], axis=-1)
    tangents = half_tangents((w, h), 65.0)
    source = lamp(az=-45, el=0, size=0.4, dist=4.0)
    row = shadow.settled(shadow.visibility(depth, normal, occluder, source, tangents, 64)[..., None])[
        12, :, 0
    ]
    return float(np.count_nonzero((row > 0.1) & (row < 0.9) & (u[12] > 0.41)))


@pytest.mark.parametrize("tilt", [0, 30, 45, 60, 75])
@pytest.mark.parametrize("turn", [0, 90, 180, 270, 45])
def test_a_tilted_plane_does_not_shadow_itself(tilt: float, turn: float) -> None:
    """Whole visibility wherever the light comes at 75 degrees or steeper, out to depth 5."""
    a, b = np.radians(tilt), np.radians(turn)
    facing = np.array([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)])
    ray = rays(SIZE)
    falls = -(ray @ facing)
    depth = np.where(falls > 0.02, facing[2] / np.maximum(falls, 0.02), 5.0)
    there = (falls > 0.02) & (depth < 5.0) & (depth > 0.2)
    depth = np.clip(depth, 0.2, 5.0)
    normal = np.broadcast_to(facing, (*depth.shape, 3))
    checked = 0
    for az, el in ((0, 0), (30, 20), (-30, -20)):
        source = lamp(az=az, el=el, size=0.25)
        seen = shadow.visibility(
            depth, normal, np.dstack([depth, there * 1.0]), source, TANGENTS, shadow.STEPS
        )
        to = np.asarray(source.place) - ray * depth[..., None]
        cosine = (to @ facing) / np.linalg.norm(to, axis=-1)
        facing_it = inner(there & (cosine > np.cos(np.radians(75))), 2)
        checked += np.count_nonzero(facing_it)
        assert shadow.settled(seen[..., None])[..., 0][facing_it].min(initial=1.0) > 0.98
    assert checked > 100


@pytest.mark.parametrize(("az", "el"), [(0, 0), (50, 20), (-75, 0), (0, 75)])
def test_a_ball_alone_does_not_shadow_its_lit_side(az: float, el: float) -> None:
    ball = sphere(SIZE)
    source = lamp(az=az, el=el, size=0.2)
    args = ball.depth.astype(float), ball.normal.astype(float), planes.occluder(ball)
    seen = shadow.settled(shadow.visibility(*args, source, TANGENTS, shadow.STEPS)[..., None])[..., 0]
    to = np.asarray(source.place) - rays(SIZE) * ball.depth[..., None]
    cosine = (ball.normal * to).sum(-1) / np.linalg.norm(to, axis=-1)
    lit = inner(ball.alpha > 0.5) & (cosine > np.cos(np.radians(75)))
    assert np.count_nonzero(lit) > 200
    assert seen[lit].min() > 0.98


def test_larger_lamps_have_softer_shadows() -> None:
    wall, soft = on_wall(), []
    for size in (0.0, 0.3, 0.8):
        found = marched(lamp(az=40, el=25, size=size), 24)
        soft.append(np.count_nonzero(wall & (found > 0.1) & (found < 0.9)))
    assert soft[0] < soft[1] < soft[2]


@pytest.mark.parametrize(("az", "el"), [(0, 0), (60, 0), (-45, 45), (30, -60)])
def test_what_faces_the_light_does_not_shadow_itself(az: float, el: float) -> None:
    source = lamp(az=az, el=el, size=0.2, dist=3.0)
    _, geometry = ball_on_wall()
    toward = np.asarray(source.place) - points()
    toward /= np.linalg.norm(toward, axis=-1, keepdims=True)
    ball = (geometry.normal * toward).sum(-1) > 0.3
    ball &= (geometry.depth < 0.97) & (geometry.normal[..., 2] > 0.3)
    assert ball.any()
    found = marched(source)[ball]
    assert np.mean(found > 0.95) > 0.97
    assert found.mean() > 0.98


def test_nobody_casts_nothing_and_neither_does_what_is_outside() -> None:
    _, geometry = ball_on_wall()
    source = lamp(az=40, el=25)
    nobody = np.stack([geometry.depth, np.zeros_like(geometry.alpha)], axis=-1)
    args = geometry.depth.astype(float), geometry.normal.astype(float)
    assert (shadow.visibility(*args, nobody, source, TANGENTS, 8) == 1).all()
    flat = np.full((9, 16), 1.0), np.dstack([np.zeros((9, 16))] * 2 + [np.ones((9, 16))])
    plane = np.dstack([np.ones((9, 16)), np.ones((9, 16))])
    assert (shadow.visibility(*flat, plane, lamp(az=70, el=10), TANGENTS, 8) == 1).all()


@pytest.mark.parametrize(("pole", "free"), [(0.5, True), (1.3, False)])
def test_what_passes_well_behind_a_sheet_is_free(pole: float, free: bool) -> None:
    """Rays from a wall at 1.6 cross behind a pole at depths of about 1.4: one near the camera lets them pass,
    one that is less than THICKNESS before them does not. Not all of them: between texels of the pole and of
    the wall, the occluder has depths where nothing is."""
    depth = np.full((72, 128), 1.6)
    depth[:, 60:68] = pole
    normal = np.zeros((72, 128, 3))
    normal[..., 2] = 1
    occluder = np.stack([depth, np.ones_like(depth)], axis=-1)
    source = lamp(az=75, el=0, dist=1.0)
    seen = shadow.visibility(depth, normal, occluder, source, TANGENTS, 16)[20:52, 38:46]
    assert np.mean(seen > 0.95) > 0.75 if free else np.mean(seen < 0.05) > 0.95


def test_noise_of_the_depth_casts_nothing() -> None:
    """A wall whose depth is wrong by up to half a percent, lit from the side: why rays start above it."""
    depth = 1.0 + np.random.default_rng(0).uniform(-0.005, 0.005, (72, 128))
    normal = np.zeros((72, 128, 3))
    normal[..., 2] = 1
    occluder = np.stack([depth, np.ones_like(depth)], axis=-1)
    source = lamp(az=65, el=0, size=0.25, dist=3.0)
    seen = shadow.visibility(depth, normal, occluder, source, TANGENTS, shadow.STEPS)
    assert shadow.settled(seen[..., None])[6:-6, 6:-6].mean() > 0.99


def test_strange_depths_give_no_nan() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (2, 3), (20, 30)):
        depth = rng.uniform(0.2, 5.0, shape)
        normal = rng.normal(size=(*shape, 3))
        occluder = np.stack([depth, rng.random(shape)], axis=-1)
        for source in (lamp(az=180), lamp(el=90), lamp(dist=0.1)):
            found = shadow.visibility(depth, normal, occluder, source, TANGENTS, 6)
            assert np.isfinite(found).all()
            assert (found >= 0).all()
            assert (found <= 1).all()


def test_few_steps_agree_with_many() -> None:
    source = lamp(az=-35, el=30, size=0.25)
    assert np.abs(marched(source) - marched(source, 48))[on_wall()].mean() < 0.04


def test_settling_is_a_mean_of_four_by_four() -> None:
    values = np.random.default_rng(0).random((9, 11, 2))
    out = shadow.settled(values)
    np.testing.assert_allclose(out[4, 5], values[2:6, 3:7].mean(axis=(0, 1)))
    np.testing.assert_allclose(shadow.settled(np.full((5, 6, 4), 0.3)), 0.3)
    tiled = np.tile(shadow.PATTERN, (4, 4))[..., None].astype(float)
    np.testing.assert_allclose(shadow.settled(tiled)[4:-4, 4:-4], 7.5)
