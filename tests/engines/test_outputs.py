"""What a network gives, made into Geometry: checked, and the same whatever it calls the light's level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core.frames import Geometry
from live_relight.geometry.network import to_geometry

H, W = 48, 64
SMALL = np.full((H, W, 3), 120, np.uint8)


def told(shading: np.ndarray | None, alpha: np.ndarray | None = None) -> Geometry:
    normal = np.zeros((1, 3, H, W), np.float32)
    normal[:, 2] = 1.0
    cover = np.ones((1, 1, H, W), np.float32) if alpha is None else alpha
    return to_geometry(SMALL, normal, np.ones((1, 1, H, W), np.float32), cover, (W, H), shading)


@given(st.floats(-3, 3))
def test_the_level_of_shading_does_not_count(level: float) -> None:
    logs = np.linspace(-0.7, 0.7, H * W, dtype=np.float32).reshape(1, 1, H, W)
    one, other = told(logs).shading, told(logs + np.float32(level)).shading
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one, other, atol=1e-4)
    assert float(np.exp2(one).mean()) == pytest.approx(1.0, abs=1e-3)
    assert float(np.ptp(one)) == pytest.approx(1.4 / np.log(2), abs=1e-4)


def test_only_the_person_sets_the_level() -> None:
    logs, alpha = np.zeros((1, 1, H, W), np.float32), np.zeros((1, 1, H, W), np.float32)
    logs[..., : W // 2], alpha[..., : W // 2] = 1.0, 1.0
    found = told(logs, alpha).shading
    assert found is not None
    np.testing.assert_allclose(found[:, : W // 2], 0.0, atol=1e-5)
    np.testing.assert_allclose(found[:, W // 2 :], -1.0 / np.log(2), atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_nonsense_ends_in_bounds(bad: float) -> None:
    logs = np.zeros((1, 1, H, W), np.float32)
    logs[..., 3, 5] = bad
    for alpha in (None, np.zeros((1, 1, H, W), np.float32)):
        found = told(logs, alpha).shading
        assert found is not None
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 12.0


def test_a_network_that_does_not_say_leaves_it_open() -> None:
    assert told(None).shading is None
