"""Never a black or broken picture out, whatever comes in."""

from __future__ import annotations

from collections.abc import Iterator

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
