from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core.projection import head_point, intrinsics, unproject
from live_relight.geometry.analytic import plane, sphere

sizes = st.tuples(st.integers(8, 80), st.integers(8, 80))
fields = st.floats(20, 120)


@given(sizes, fields)
def test_intrinsics_project_unprojected_points_back(size: tuple[int, int], fov: float) -> None:
    w, h = size
    depth = np.random.default_rng(0).uniform(0.5, 2, (h, w)).astype(np.float32)
    points = unproject(depth, fov)
    k = intrinsics(size, fov)
    seen = (points * [1, -1, -1]) @ k.T  # OpenGL's axes to a picture's
    u, v = seen[..., 0] / seen[..., 2], seen[..., 1] / seen[..., 2]
    np.testing.assert_allclose(u, np.broadcast_to(np.arange(w) + 0.5, (h, w)), atol=1e-2)
    np.testing.assert_allclose(v, np.broadcast_to((np.arange(h) + 0.5)[:, None], (h, w)), atol=1e-2)
    np.testing.assert_allclose(seen[..., 2], depth, rtol=1e-5)


def test_sphere_lies_on_a_sphere_and_its_normals_point_out() -> None:
    g = sphere((256, 192), radius=0.3)
    inside = g.alpha > 0.5
    points = unproject(g.depth, 65.0)
    points = points[inside]
    # One radius and one centre explain every point.
    a = np.c_[2 * points, np.ones(len(points))]
    solved = np.linalg.lstsq(a, (points**2).sum(1), rcond=None)[0]
    centre, radius = solved[:3], np.sqrt(solved[3] + (solved[:3] ** 2).sum())
    np.testing.assert_allclose(np.linalg.norm(points - centre, axis=1), radius, rtol=1e-3)
    np.testing.assert_allclose(g.normal[inside], (points - centre) / radius, atol=5e-3)
    assert np.median(g.depth[inside]) == pytest.approx(1.0)


def test_head_of_nobody_is_straight_ahead() -> None:
    g = plane((64, 48))
    empty = type(g)(g.normal, g.depth, np.zeros_like(g.alpha), g.guide)
    assert head_point(empty, 65.0) == (0.0, 0.0, -1.0)


def test_head_follows_the_mask() -> None:
    g = plane((64, 48))
    alpha = np.zeros_like(g.alpha)
    alpha[5:25, 40:56] = 1.0  # head, on the right
    alpha[25:, 20:64] = 1.0  # shoulders
    x, y, z = head_point(type(g)(g.normal, g.depth, alpha, g.guide), 65.0)
    assert x > 0.1
    assert y > 0.1
    assert z == pytest.approx(-1.0)


@given(st.floats(0.25, 0.75), st.floats(0.3, 0.7), st.floats(0.08, 0.2), st.sampled_from([384, 512, 900]))
def test_a_large_grid_is_looked_at_here_and_there(x: float, y: float, size: float, width: int) -> None:
    """The same as on a grid that every place of is looked at, but for a hundredth of a distance."""

    def seen(w: int) -> tuple[float, float, float]:
        h = w * 9 // 16
        v, u = np.mgrid[:h, :w]
        away = np.hypot((u + 0.5) / w - x, ((v + 0.5) / h - y) * 9 / 16) / size
        alpha = np.clip((1 - away) * size * w, 0, 1).astype(np.float32)
        g = sphere((w, h))
        return head_point(type(g)(g.normal, (1 + 0.1 * away).astype(np.float32), alpha, g.guide), 65.0)

    np.testing.assert_allclose(seen(width), seen(256), atol=0.01)
