"""A fake card with a library for it and a network: what the tests of running plans have without a card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_relight.core.frames import Geometry, Image
from live_relight.geometry import build, cuda, network
from live_relight.geometry.tensorrt import TensorRtEstimator
from live_relight.geometry.trt_library import Library, Log
from tests.engines.fake_card import FakeApi, FakeCuda
from tests.engines.nets import small_network


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image:
    """Smooth, so that a small network has something to say."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3)).astype(np.float32)
    rows, columns = np.linspace(0, 5, size[1]).astype(int), np.linspace(0, 7, size[0]).astype(int)
    return np.ascontiguousarray(coarse[rows][:, columns].astype(np.uint8))


class Place:
    """A fake card with a library for it, and a network."""

    def __init__(self, folder: Path, rtx: bool) -> None:
        path = folder / "small.onnx"
        path.write_bytes(small_network())
        self.net = network.find_network(str(path))
        self.cuda = FakeCuda()
        self.api: Any = FakeApi(self.cuda, rtx)
        self.log = Log(None, [], [])
        self.library = Library("tensorrt_rtx", "0.0", "a test", self.api, self.log)
        self.lines: list[str] = []

    def open(self) -> TensorRtEstimator:
        device = cuda.Device(api=self.cuda)
        return TensorRtEstimator(self.net, self.library, device, "ampere", self.lines.append)


@pytest.fixture(params=[False, True], ids=["captured", "rtx"], name="place")
def make_place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """With and without graphs of the library's own. What it compiles is the graph itself."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "compile_plan", lambda library, source, *rest: source.data)
    return Place(tmp_path, request.param)


def close_to(one: Geometry, other: Geometry) -> bool:
    return all(
        np.allclose(getattr(one, name), getattr(other, name), atol=2e-3)
        for name in ("normal", "depth", "alpha", "guide")
    )
