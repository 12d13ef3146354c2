"""What a network gives is told from what ours sees, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Geometry, Map
from live_relight.geometry import judge
from live_relight.geometry.analytic import sphere
from live_relight.geometry.foreign import Output

GRID = (128, 96)
UNSAID = Output("depth")


@pytest.fixture(scope="module")
def ours() -> Geometry:
    return sphere(GRID)


def beside(ours: Geometry, follows: float, behind: float, seed: int = 0) -> Map:
    """An inverse depth of which the share `follows` is the person's, the rest noise; about 0.5 on the person,
    `behind` in the background."""
    relief = 1.0 / ours.depth - np.median(1.0 / ours.depth[ours.alpha > 0.5])
    relief /= relief[ours.alpha > 0.5].std()
    noise = np.random.default_rng(seed).normal(0, 1, relief.shape)
    inside = 0.5 + 0.05 * (follows * relief + (1 - follows**2) ** 0.5 * noise)
    outside = behind + 0.01 * noise
    return np.where(ours.alpha > 0.2, inside, outside).astype(np.float32)


def told(plane: Map, ours: Geometry) -> str:
    return str(judge.depth(plane, UNSAID, ours, "--depth")[0].meaning)


def test_a_clear_relief_is_enough(ours: Geometry) -> None:
    assert told(beside(ours, 0.9, 0.5), ours) == "inverse depth"
    assert told(-beside(ours, 0.9, 0.5), ours) == "depth"


def test_a_weak_relief_wants_the_background_to_agree(ours: Geometry) -> None:
    assert told(beside(ours, 0.35, 0.1), ours) == "inverse depth"
    assert told(-beside(ours, 0.35, 0.1), ours) == "depth"


@pytest.mark.parametrize("behind", [0.5, 0.9])  # nothing said by it, or the opposite
def test_a_weak_relief_alone_is_refused(ours: Geometry, behind: float) -> None:
    with pytest.raises(EstimatorError, match=r"follow our depth neither way \(correlation 0\.3") as error:
        told(beside(ours, 0.35, behind), ours)
    assert "\n" not in str(error.value)
