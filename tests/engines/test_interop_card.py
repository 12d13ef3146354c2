"""From a real card's memory to OpenGL's: bit for bit, memory over a thousand frames, time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from live_relight.core.frames import Frame, Image
from live_relight.geometry import cards, cuda, network, race, tensorrt, trt_library
from live_relight.geometry.tensorrt import TensorRtEstimator
from live_relight.pipeline import Pipeline
from live_relight.shade.opengl import OpenGLShader
from live_relight.shade.ways import INTEROP
from live_relight.sinks import open_sink
from tests.engines.gl_card import LOOK, STEADY, assert_holds

pytestmark = pytest.mark.gl


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TensorRtEstimator, OpenGLShader]]:
    """The shipped network and a shader on one card; skipped where there is none or they do not meet."""
    missing, install = tensorrt.fault()
    if missing:
        pytest.skip(f"{missing}; {install}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = trt_library.require()
    target = tensorrt.target_for(found, cards.find().cards[0])
    net = network.find_network()
    estimator = TensorRtEstimator(net, found, cuda.Device(), target, lambda line: None)
    shader = OpenGLShader(False, "card")
    image = portrait((1280, 720))
    shader.shade(image, estimator.estimate(image), LOOK)
    why = shader.to_light.not_used.get(INTEROP)
    if why:
        shader.close()
        estimator.close()
        pytest.skip(why)
    yield estimator, shader
    shader.close()
    estimator.close()


def portrait(size: tuple[int, int], shift: int = 0) -> Image:
    import cv2

    moved = np.roll(race.picture(), shift, axis=1)
    return np.asarray(cv2.resize(moved, size), np.uint8)


@pytest.mark.gpu
@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (701, 523)])
def test_card_textures_hold_what_the_host_got(
    real: tuple[TensorRtEstimator, OpenGLShader], size: tuple[int, int]
) -> None:
    estimator, shader = real
    for k in range(20):
        image = portrait(size, 7 * k)
        geometry = estimator.estimate(image)
        shader.shade(image, geometry, LOOK, smoothing=STEADY)
        assert shader.to_light.way == INTEROP
        assert_holds(shader, geometry)


@pytest.mark.gpu
def test_a_thousand_frames_on_the_card_take_no_more_memory(
    real: tuple[TensorRtEstimator, OpenGLShader],
) -> None:
    estimator, shader = real
    image, device = portrait((1280, 720)), cuda.Device()

    def go(count: int) -> int:
        for _ in range(count):
            shader.shade(image, estimator.estimate(image), LOOK, smoothing=STEADY)
        return device.free_memory()

    before = go(50)
    assert before - go(1000) < 8 << 20
    assert shader.to_light.way == INTEROP
    device.close()


@pytest.mark.gpu
def test_time_of_a_1080p_frame(
    real: tuple[TensorRtEstimator, OpenGLShader], capsys: pytest.CaptureFixture[str]
) -> None:
    """Prints what each way takes and what a frame takes from its bytes to the relit picture's."""
    estimator, _ = real
    shader = OpenGLShader()
    sink = open_sink("null", size=(1920, 1080), fps=30.0)
    loop = Pipeline(estimator, shader, [sink], lambda: LOOK, STEADY)
    images, taken = [portrait((1920, 1080), 2 * k) for k in range(16)], []
    marks: list[dict[str, float]] = []
    for k in range(200):
        marks.append({})
        start = time.perf_counter()
        loop.process(Frame(images[k % 16], k / 30, k), marks[-1])
        taken.append(time.perf_counter() - start)
    p50, p95 = np.percentile(np.array(taken[50:]) * 1e3, [50, 95])
    parts = {name: np.median([m[name] for m in marks[50:]]) * 1e3 for name in marks[-1]}
    with capsys.disabled():
        print(f"\n1080p to 1080p: p50 {p50:.2f} ms, p95 {p95:.2f} ms, by stage {parts}")
        print(f"geometry to light: {shader.to_light}")
    shader.close()
    assert p50 < 33.0
