"""What the tests of interop share: a fake card that is also what OpenGL runs on, and pictures for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
import pytest

from live_relight.core.frames import Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.temporal import Smoothing
from live_relight.geometry import build, cuda, network
from live_relight.geometry.tensorrt import TensorRtEstimator
from live_relight.geometry.trt_library import Library, Log
from live_relight.shade import intake
from live_relight.shade.opengl import OpenGLShader
from tests.engines.fake_card import FakeApi, FakeCuda
from tests.engines.nets import small_network

LOOK = Look((Light.of("key", az=50), Light.of("fill")), ambient=0.4)
STEADY = Smoothing()


def frames(count: int, size: tuple[int, int] = (320, 240)) -> list[Image]:
    """A block that moves over noise."""
    rng = np.random.default_rng(4)
    ground = np.kron(rng.integers(60, 200, (6, 8, 3)), np.ones((size[1] // 6, size[0] // 8, 1)))
    made = []
    for k in range(count):
        image = np.zeros((size[1], size[0], 3))
        image[: ground.shape[0], : ground.shape[1]] = ground
        image[60:200, 40 + 10 * k : 160 + 10 * k] = (120, 160, 220)
        made.append(np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8))
    return made


class Place:
    """A fake card that is also what OpenGL runs on, a network on it, and its estimator."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.setattr(build, "compile_plan", lambda library, source, *rest: source.data)
        monkeypatch.setattr(OpenGLShader, "_no_interop", lambda self: "")
        path = folder / "small.onnx"
        path.write_bytes(small_network())
        self.net = network.find_network(str(path))
        self.cuda = FakeCuda()
        api: Any = FakeApi(self.cuda, True)
        library = Library("tensorrt_rtx", "0.0", "a test", api, Log(None, [], []))
        device = cuda.Device(api=self.cuda)
        self.estimator = TensorRtEstimator(self.net, library, device, "ampere", lambda line: None)
        made = intake.Intake.__init__

        def watched(one: intake.Intake, ctx: moderngl.Context, geometry: Geometry) -> None:
            made(one, ctx, geometry)
            self.cuda.textures |= {one.maps.glo: one.maps, one.guide.glo: one.guide}

        monkeypatch.setattr(intake.Intake, "__init__", watched)


@pytest.fixture(name="place")
def make_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = Place(tmp_path, monkeypatch)
    yield made
    made.estimator.close()
    assert made.cuda.live == {}, "all that was made is released, whatever went wrong"


def on_host(geometry: Geometry) -> Geometry:
    return replace(geometry, resident=None)


def hardly(away: np.ndarray, most: int) -> bool:
    """Whether levels of 255 are at most so far apart, and one more at a few edges."""
    return bool(away.max() <= most + 1 and (away > most).mean() < 2e-4)


def assert_holds(shader: OpenGLShader, geometry: Geometry) -> None:
    """Bit for bit, and nothing else."""
    assert shader._ways is not None
    assert shader._ways._refiner is not None
    taken = shader._ways._refiner.intake
    planes = [*np.moveaxis(geometry.normal, -1, 0), geometry.depth, geometry.alpha]
    if geometry.shading is not None:
        planes.append(geometry.shading)
    with shader._ctx:
        found = np.frombuffer(taken.maps.read(alignment=1), np.float32)
        guide = np.frombuffer(taken.guide.read(alignment=1), np.uint8)
    np.testing.assert_array_equal(found, np.concatenate(planes).ravel())
    np.testing.assert_array_equal(guide, geometry.guide.ravel())
