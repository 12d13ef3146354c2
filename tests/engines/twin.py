"""What the tests of ONNX Runtime's providers share: a card that is the CPU, a slow one, no thread left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from live_relight.core.frames import Geometry, Image
from live_relight.geometry import providers
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.geometry.network import Network
from tests.engines.nets import small_network

ABSENT = [provider for provider in providers.ORDER if provider not in providers.available()]
TWIN = providers.Provider("twin", providers.CPU, "Twin", "nothing", "nothing")
"""The CPU's provider in the place of a card's: everything is real but the card."""
DARK, BRIGHT = np.full((90, 160, 3), 20, np.uint8), np.full((90, 160, 3), 230, np.uint8)


@pytest.fixture(name="small")
def make_small(tmp_path: Path) -> Network:
    path = tmp_path / "small.onnx"
    path.write_bytes(small_network())
    return Network("small", path, {"pixels": 96 * 64})


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 2
    while (names := [t.name for t in threading.enumerate()]).count(
        "estimate"
    ) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "estimate" not in names


def same(one: Geometry, other: Geometry) -> bool:
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in ("normal", "depth", "alpha"))


class Slow(AnalyticEstimator):
    """Takes `seconds` from its `start`-th frame on, or until it is let go."""

    def __init__(self, seconds: float, start: int = 0) -> None:
        super().__init__("sphere")
        self.seconds, self.start, self.frames = seconds, start, 0
        self.let_go = threading.Event()

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        self.frames += 1
        if self.frames > self.start:
            self.let_go.wait(self.seconds)
        return super().estimate(image, share)
