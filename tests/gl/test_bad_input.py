"""Never a black or broken picture out, whatever comes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from live_relight.core.frames import Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.present import fit
from live_relight.core.settings import Settings
from live_relight.geometry.analytic import sphere
from live_relight.relighter import Relighter
from live_relight.shade.opengl import OpenGLShader
from tests.golden.scenes import head

SIZE, GRID = (320, 180), (128, 80)
LOOK = Look(
    (Light.of("key"), Light.of("fill"), Light.of("rim"), Light.of("area")), ambient=0.5, background=0.4
)
HOLES = {"normal": np.nan, "depth": np.inf, "alpha": np.nan}


def seen(level: int = 120) -> tuple[Image, Geometry]:
    ball = sphere(GRID)
    return (
        np.full((SIZE[1], SIZE[0], 3), level, np.uint8),
        Geometry(ball.normal, ball.depth, ball.alpha, np.full((GRID[1], GRID[0], 3), level, np.uint8)),
    )


@pytest.fixture(scope="module")
def relighter() -> Iterator[Relighter]:
    with Relighter(Settings(engine="analytic")) as made:
        made.look = LOOK
        yield made


@pytest.fixture(scope="module", params=[True, False])
def shader(request: pytest.FixtureRequest) -> Iterator[OpenGLShader]:
    made = OpenGLShader(on_grid=request.param)
    yield made
    made.close()


@pytest.mark.parametrize("name", HOLES)
def test_a_hole_in_the_geometry_stays_a_hole(relighter: Relighter, name: str) -> None:
    """One cell that is no number: what is away from it is lit as ever."""
    image, whole = seen()
    holed = {field: getattr(whole, field).copy() for field in HOLES}
    holed[name][GRID[1] // 2, GRID[0] // 2] = HOLES[name]
    made = relighter.relight(image, geometry=Geometry(**holed, guide=whole.guide)).astype(int)
    plain = relighter.relight(image, geometry=whole).astype(int)
    apart = np.abs(made - plain).max(axis=2) > 3
    assert apart.mean() < 0.02
    assert made.min() > 20
    assert np.isfinite(Geometry(**holed, guide=whole.guide).sound().normal).all()
    assert whole.sound() is whole


@pytest.mark.parametrize("level", [0, 255])
def test_a_black_and_a_burnt_frame(shader: OpenGLShader, level: int) -> None:
    image, geometry = seen(level)
    out = shader.shade(image, geometry, LOOK, present=fit(geometry))
    on = sphere(SIZE).alpha > 0.9
    if level:
        assert out[on].min() > 100, "what is white stays bright where light falls or is left"
    else:
        assert out.max() == 0, "light on nothing is nothing"


def test_three_people_are_lit_alike(shader: OpenGLShader) -> None:
    image, _ = seen()
    ball = sphere((GRID[0] // 4, GRID[1]))
    apart = np.zeros((GRID[1], GRID[0] // 12), np.float32)

    def three(plane: np.ndarray) -> np.ndarray:
        gap = np.zeros((*apart.shape, *plane.shape[2:]), np.float32)
        rows = np.concatenate([plane, gap, plane, gap, plane], axis=1)
        return np.pad(rows, [(0, 0), (0, GRID[0] - rows.shape[1]), *[(0, 0)] * (plane.ndim - 2)])

    alpha = three(ball.alpha)
    depth = np.where(alpha > 0.5, three(ball.depth), 1.0).astype(np.float32)
    normal = three(ball.normal)
    normal[alpha < 0.5] = (0, 0, 1)
    geometry = Geometry(normal, depth, alpha, np.full((GRID[1], GRID[0], 3), 120, np.uint8))
    out = shader.shade(image, geometry, Look((Light.of("key", az=0, size=1.0),), ambient=0.5))
    width = SIZE[0] / GRID[0] * (ball.alpha.shape[1] + apart.shape[1])
    middle = [round(width * k + SIZE[0] / 8) for k in range(3)]
    levels = [float(out[SIZE[1] // 2 - 5 : SIZE[1] // 2 + 5, x - 5 : x + 5].mean()) for x in middle]
    assert min(levels) > 120
    assert max(levels) < 1.3 * min(levels)


def test_nobody_passes_unchanged_even_with_a_stray_spot(relighter: Relighter) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    _, geometry = seen()
    alpha = np.zeros_like(geometry.alpha)
    alpha[10:14, 10:15] = 1.0  # two in a thousand cells
    spot = Geometry(geometry.normal, geometry.depth, alpha, geometry.guide)
    np.testing.assert_array_equal(relighter.relight(image, geometry=spot), image)


def hand_before_a_face() -> tuple[Image, Geometry]:
    """A ball, and a board an eighth of the distance before its lower half, facing the camera."""
    image, face = seen()
    alpha, depth, normal = face.alpha.copy(), face.depth.copy(), face.normal.copy()
    board = slice(GRID[1] // 2, GRID[1] * 3 // 4), slice(GRID[0] * 2 // 5, GRID[0] * 3 // 5)
    alpha[board], depth[board], normal[board] = 1.0, 0.62, (0.0, 0.0, 1.0)
    return image, Geometry(normal, depth, alpha, face.guide)


def test_a_hand_before_the_face_is_lit_and_shades_it(shader: OpenGLShader) -> None:
    image, geometry = hand_before_a_face()
    key = Light.of("key", az=0, el=-40, dist=1.5, size=0.1)
    with_shadow, without = (
        shader.shade(image, geometry, Look((replace(key, shadow=cast),), ambient=0.3)).astype(int)
        for cast in (True, False)
    )
    hand = slice(SIZE[1] * 9 // 16, SIZE[1] * 11 // 16), slice(SIZE[0] * 9 // 20, SIZE[0] * 11 // 20)
    above = slice(SIZE[1] * 7 // 16 - 8, SIZE[1] * 7 // 16), slice(SIZE[0] * 9 // 20, SIZE[0] * 11 // 20)
    assert with_shadow[hand].mean() > 100  # the key reaches it
    assert np.abs(with_shadow[hand] - without[hand]).mean() < 3  # and its own shadow does not
    assert with_shadow[above].mean() < without[above].mean() - 10  # lit from below it shades the face above
    assert with_shadow.min() > 20


def test_a_light_that_moves_moves_nothing_else(shader: OpenGLShader) -> None:
    """No pumping: the backdrop stays to the bit, and what is added comes and goes smoothly."""
    image, geometry = seen()
    person, behind = sphere(SIZE).alpha > 0.99, sphere(SIZE).alpha <= 0.0
    behind &= cv2.erode(behind.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    made = [
        shader.shade(image, geometry, Look((Light.of("key", az=az), Light.of("fill")), 0.5, 0.4)).astype(int)
        for az in range(-90, 91, 6)
    ]
    assert behind.any()
    assert all((one[behind] == made[0][behind]).all() for one in made)
    levels = np.array([one[person].mean() for one in made])
    assert np.abs(np.diff(levels)).max() < 4
    assert np.abs(levels - levels[::-1]).max() < 0.06 * levels.max()  # one fill for both sides


@pytest.mark.parametrize("az", [-125, -140, 160, 180])
def test_a_rim_light_leaves_the_face_alone(shader: OpenGLShader, az: float) -> None:
    """It comes from behind the head: the nose, which turns sideways as well, gets nothing of it."""
    image, geometry = head()
    rim = Light.of("rim", az=az, el=20, power=2.0)
    gain = {}
    for lights in ((), (rim,)):
        out = shader.shade(image, geometry, Look(lights, 0.3)).astype(float)
        gain[bool(lights)] = out.sum(axis=2) + 3
    ratio = gain[True] / gain[False]
    inside = cv2.erode((geometry.alpha > 0.9).astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
    edge = (geometry.alpha > 0.6) & (cv2.erode((geometry.alpha > 0.6).astype(np.uint8), np.ones((5, 5))) == 0)
    assert np.percentile(ratio[inside], 99) < 1.03
    if abs(az) < 150:  # the others stand behind the whole of the head
        assert np.percentile(ratio[edge], 80) > 1.3
