"""The shipped network on a real card: agreement, graphs against steps, memory, time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from live_relight.geometry import cards, cuda, network, race, tensorrt, trt_library
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.geometry.tensorrt import TensorRtEstimator
from tests.engines import pictures
from tests.engines.stand_in import picture


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> network.Network:
    """The shipped network, on a machine where it can run; a cache of the test's own."""
    missing, install = tensorrt.fault()
    if missing:
        pytest.skip(f"{missing}; {install}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return network.find_network()


def on_card(net: network.Network, graphs: bool = True) -> TensorRtEstimator:
    found = trt_library.require()
    target = tensorrt.target_for(found, cards.find().cards[0])
    return TensorRtEstimator(net, found, cuda.Device(), target, lambda line: None, graphs)


@pytest.mark.gpu
@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (1920, 1080), (701, 523)])
def test_card_agrees_with_the_cpu(real: network.Network, size: tuple[int, int]) -> None:
    estimator, plain = on_card(real), OnnxEstimator(real)
    import cv2

    frame = np.asarray(cv2.resize(race.picture(), size), np.uint8)
    card, slow = estimator.estimate(frame), plain.estimate(frame)
    estimator.close()
    cosine = np.clip((card.normal.astype(float) * slow.normal).sum(-1), -1, 1)
    assert np.degrees(np.arccos(cosine)).mean() < 1.0
    assert np.abs(card.depth / slow.depth - 1).mean() < 0.01
    assert np.abs(card.alpha - slow.alpha).mean() < 0.01
    assert np.abs(card.guide.astype(int) - slow.guide).max() <= 1


@pytest.mark.gpu
def test_card_agrees_with_the_cpu_on_real_and_rendered_pictures(
    real: network.Network, capsys: pytest.CaptureFixture[str]
) -> None:
    estimator, plain, apart = on_card(real), OnnxEstimator(real), []
    for frame in pictures.thirty_two():
        card, slow = estimator.estimate(frame), plain.estimate(frame)
        cosine = np.clip((card.normal.astype(float) * slow.normal).sum(-1), -1, 1)
        apart.append(float(np.degrees(np.arccos(cosine)).mean()))
        assert np.abs(card.depth / slow.depth - 1).mean() < 0.01
        assert np.abs(card.alpha - slow.alpha).mean() < 0.01
    estimator.close()
    with capsys.disabled():
        print(f"\nnormals on 32 pictures: mean {np.mean(apart):.3f} degrees, worst {max(apart):.3f}")
    assert max(apart) < 1.0


@pytest.mark.gpu
def test_graph_gives_what_steps_give(real: network.Network) -> None:
    frames = [picture(seed, (1280, 720)) for seed in range(6)]
    found = []
    for graphs in (True, False):
        estimator = on_card(real, graphs)
        found.append([estimator.estimate(frame) for frame in frames])
        estimator.close()
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one.normal, other.normal, atol=1e-4)
        np.testing.assert_allclose(one.depth, other.depth, atol=1e-4)
        np.testing.assert_array_equal(one.guide, other.guide)


@pytest.mark.gpu
def test_a_thousand_frames_take_no_more_memory(real: network.Network) -> None:
    estimator, frame = on_card(real), picture(1, (1280, 720))
    for _ in range(20):
        estimator.estimate(frame)
    device = cuda.Device()
    before = device.free_memory()
    for _ in range(1000):
        estimator.estimate(frame)
    assert before - device.free_memory() < 4 << 20
    estimator.close()
    device.close()


@pytest.mark.gpu
@pytest.mark.parametrize("pixels", [256 * 192, 384 * 288, 512 * 384])
def test_time_a_frame(real: network.Network, pixels: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what it takes from the frame's bytes to finished arrays; fails where a CPU would be quicker."""
    net = network.Network(real.name, real.path, {**real.card, "pixels": pixels})
    estimator, frame, taken = on_card(net), picture(1, (640, 480)), []
    for _ in range(300):
        start = time.perf_counter()
        estimator.estimate(frame)
        taken.append(time.perf_counter() - start)
    size, card = estimator.estimate(frame).size, estimator.card_ms(frame)
    estimator.close()
    p50, p95 = np.percentile(np.array(taken[50:]) * 1e3, [50, 95])
    with capsys.disabled():
        print(
            f"\n{net.name} at {size[0]}x{size[1]} from 640x480: p50 {p50:.2f} ms, p95 {p95:.2f} ms; ", end=""
        )
        print(", ".join(f"{name} {ms:.3f} ms" for name, ms in card.items()))
    assert p50 < 20.0
