"""A card that fails, hangs or is closed in mid-stream: the CPU takes over and no frame is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Geometry, Image
from live_relight.core.stages import Estimator
from live_relight.geometry import fallback
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.geometry.fallback import FallbackEstimator
from live_relight.geometry.network import Network
from live_relight.geometry.onnx import OnnxEstimator
from tests.engines.nets import small_network
from tests.engines.twin import BRIGHT, DARK, TWIN, Slow, make_small, no_thread_is_left, same  # noqa: F401


@pytest.fixture
def fragile(tmp_path: Path) -> Network:
    """Runs on dark pictures; on bright ones ONNX Runtime stops: it looks up entry 1 of a table of one."""
    model = onnx.load_from_string(small_network())
    make, table = onnx.helper.make_node, onnx.numpy_helper.from_array(np.zeros(1, np.float32), "table")
    for node in model.graph.node:
        node.output[:] = ["alpha0" if name == "alpha" else name for name in node.output]
    model.graph.initializer.extend([table, onnx.numpy_helper.from_array(np.float32(1.6), "gain")])
    model.graph.node.extend([
        make("ReduceMean", ["image"], ["mean"], keepdims=0),
        make("Mul", ["mean", "gain"], ["level"]),
        make("Cast", ["level"], ["index"], to=onnx.TensorProto.INT64),
        make("Gather", ["table", "index"], ["zero"]),
        make("Add", ["alpha0", "zero"], ["alpha"]),
    ])  # fmt: skip
    path = tmp_path / "fragile.onnx"
    path.write_bytes(model.SerializeToString())
    return Network("fragile", path, {"pixels": 96 * 64})


def timed(work: Callable[[], Geometry]) -> tuple[Geometry, float]:
    start = time.monotonic()
    result = work()
    return result, time.monotonic() - start


def test_a_failure_in_mid_stream_is_one_line_and_no_frame_is_lost(small: Network, fragile: Network) -> None:
    lines: list[str] = []
    made: list[Estimator] = []

    def cpu() -> Estimator:
        made.append(OnnxEstimator(small))
        return made[-1]

    fast = OnnxEstimator(fragile, provider=TWIN)
    estimator = FallbackEstimator(fast, cpu, lines.append)
    plain = OnnxEstimator(small)
    for _ in range(3):
        assert same(estimator.estimate(DARK), plain.estimate(DARK))
    assert (lines, made) == ([], [])
    result, seconds = timed(lambda: estimator.estimate(BRIGHT))
    assert same(result, plain.estimate(BRIGHT))
    assert seconds < 1.0
    assert estimator.name == plain.name
    assert estimator.provider is None
    for picture in (BRIGHT, DARK):
        estimator.estimate(picture)
    (line,) = lines
    assert line.startswith("twin fragile ")
    assert line.endswith("; the CPU takes over")
    assert "\n" not in line
    assert len(made) == 1
    assert fast._sessions == {}  # what the card held is free
    estimator.close()


def test_one_that_hangs_is_left_behind_within_a_second(small: Network) -> None:
    lines: list[str] = []
    fast = Slow(30.0, start=2)
    estimator = FallbackEstimator(fast, lambda: OnnxEstimator(small), lines.append)
    for _ in range(2):
        estimator.estimate(DARK)
    result, seconds = timed(lambda: estimator.estimate(DARK))
    assert same(result, OnnxEstimator(small).estimate(DARK))
    assert seconds < 1.0
    assert "no answer in 0.6 s" in lines[0]
    _, seconds = timed(lambda: estimator.estimate(DARK))
    assert seconds < 0.3
    assert len(lines) == 1
    estimator.close()
    fast.let_go.set()


def test_the_first_frame_of_a_size_may_take_longer(small: Network) -> None:
    lines: list[str] = []
    estimator = FallbackEstimator(Slow(0.8), lambda: OnnxEstimator(small), lines.append)
    estimator.estimate(DARK)
    estimator.estimate(DARK, 0.5)
    assert lines == []
    estimator.estimate(DARK)
    assert len(lines) == 1
    estimator.close()


class Compiles(AnalyticEstimator):
    """Takes `seconds` for every size's first frame, or until it is let go."""

    def __init__(self, seconds: float) -> None:
        super().__init__("sphere")
        self.seconds, self.sizes = seconds, set[tuple[int, int]]()
        self.let_go = threading.Event()

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        size = image.shape[0], image.shape[1]
        if self.sizes and size not in self.sizes:
            self.let_go.wait(self.seconds)
        self.sizes.add(size)
        return super().estimate(image, share)


def test_while_another_size_is_prepared_the_cpu_gives_the_frames(small: Network) -> None:
    lines: list[str] = []
    fast, cpu = Compiles(30.0), OnnxEstimator(small)
    estimator = FallbackEstimator(fast, lambda: OnnxEstimator(small), lines.append)
    card = estimator.estimate(DARK)
    upright = np.full((160, 90, 3), 99, np.uint8)
    for picture in (upright, upright, DARK):
        found, seconds = timed(lambda picture=picture: estimator.estimate(picture))
        assert seconds < 1.0
        assert same(found, cpu.estimate(picture))
    assert estimator.name == fast.name
    fast.let_go.set()
    end = time.monotonic() + 5.0
    while not same(estimator.estimate(DARK), card):
        assert time.monotonic() < end
    assert same(estimator.estimate(upright), fast.estimate(upright))
    assert lines == []
    estimator.close()


def test_another_size_that_hangs_is_one_line_and_no_frame_waits(small: Network) -> None:
    lines: list[str] = []
    fast, cpu = Compiles(30.0), OnnxEstimator(small)
    estimator = FallbackEstimator(fast, lambda: OnnxEstimator(small), lines.append, first=1.0)
    estimator.estimate(DARK)
    upright, end = np.full((160, 90, 3), 99, np.uint8), time.monotonic() + 5.0
    while not lines and time.monotonic() < end:
        found, seconds = timed(lambda: estimator.estimate(upright))
        assert seconds < 0.5
        assert same(found, cpu.estimate(upright))
    (line,) = lines
    assert line.endswith("no answer in 1 s, expected one frame's geometry; the CPU takes over")
    assert estimator.name == cpu.name
    estimator.close()
    fast.let_go.set()


def test_one_that_works_gets_the_time_to_end(small: Network) -> None:
    ended = threading.Event()

    class Ends(AnalyticEstimator):
        def close(self) -> None:
            time.sleep(0.5)
            ended.set()

    FallbackEstimator(Ends("sphere"), lambda: OnnxEstimator(small)).close()
    assert ended.is_set()


def test_closed_while_a_frame_runs_nothing_takes_over(small: Network) -> None:
    lines, made, found = list[str](), list[Estimator](), list[object]()
    fast = Slow(30.0, start=1)
    estimator = FallbackEstimator(fast, lambda: made.append(OnnxEstimator(small)) or made[0], lines.append)
    estimator.estimate(DARK)

    def frame() -> None:
        try:
            found.append(estimator.estimate(DARK))
        except EstimatorError as error:
            found.append(error)

    thread = threading.Thread(target=frame)
    thread.start()
    while fast.frames < 2:
        time.sleep(0.01)
    estimator.close()
    thread.join()
    assert isinstance(found[0], EstimatorError)
    with pytest.raises(EstimatorError, match="after its end"):
        estimator.estimate(DARK)
    assert (lines, made) == ([], [])
    fast.let_go.set()


def test_an_answer_that_nobody_waited_for_is_not_the_next_ones(small: Network) -> None:
    helper = fallback.Helper(Slow(0.2))
    with pytest.raises(EstimatorError, match=r"no answer in 0\.05 s"):
        helper.estimate(DARK, 1.0, 0.05)
    assert helper.estimate(BRIGHT, 1.0, 5.0).guide[0, 0, 0] == BRIGHT[0, 0, 0]
    helper.end()


def test_what_is_no_failure_of_the_card_is_raised(small: Network) -> None:
    estimator = FallbackEstimator(OnnxEstimator(small, provider=TWIN), lambda: OnnxEstimator(small))
    with pytest.raises(AttributeError):
        estimator.estimate("no picture")  # type: ignore[arg-type]
    assert estimator.provider is TWIN
    estimator.close()


def test_the_log_has_the_line(fragile: Network, small: Network, caplog: pytest.LogCaptureFixture) -> None:
    estimator = FallbackEstimator(OnnxEstimator(fragile, provider=TWIN), lambda: OnnxEstimator(small))
    with caplog.at_level(logging.WARNING):
        estimator.estimate(BRIGHT)
    (record,) = caplog.records
    assert record.getMessage().startswith("live-relight: twin fragile ")
    estimator.close()
