"""Running plans: the logic on a stand-in for a card, names on the real bindings, the rest on a real card."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from live_relight.cli import main
from live_relight.commands.engines import backends
from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Geometry, Image
from live_relight.geometry import (
    build,
    cards,
    cuda,
    fuse,
    lane,
    network,
    open_estimator,
    plans,
    race,
    tensorrt,
    trt_library,
)
from live_relight.geometry.fallback import FallbackEstimator
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.geometry.race import Candidate, open_on_card
from live_relight.geometry.tensorrt import TensorRtEstimator
from live_relight.geometry.trt_library import Library, Log
from tests.engines import pictures
from tests.engines.fake_card import FakeApi, FakeCuda, Status
from tests.engines.nets import small_network
from tests.engines.place import ROOT, library, needs_wheels

CARD = not cards.find().fault
NO_CARD = pytest.mark.skipif(CARD, reason="this machine has a card")
MADE = ("cudaMalloc", "cudaHostAlloc")


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


@pytest.fixture(params=[False, True], ids=["captured", "rtx"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """With and without graphs of the library's own. What it compiles is the graph itself."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "compile_plan", lambda library, source, *rest: source.data)
    return Place(tmp_path, request.param)


def close_to(one: Geometry, other: Geometry) -> bool:
    return all(
        np.allclose(getattr(one, name), getattr(other, name), atol=2e-3)
        for name in ("normal", "depth", "alpha", "guide")
    )


def test_gives_what_the_cpu_gives_and_keeps_nothing_of_it(place: Place) -> None:
    estimator, plain = place.open(), OnnxEstimator(place.net)
    wide = np.zeros((240, 400, 3), np.uint8)
    wide[:, 40:360] = picture(1)
    first = estimator.estimate(wide[:, 40:360])  # not in one piece in memory
    kept = [array.copy() for array in (first.normal, first.depth, first.alpha, first.guide)]
    for seed in range(2, 8):
        assert close_to(estimator.estimate(picture(seed)), plain.estimate(picture(seed)))
    assert close_to(first, plain.estimate(picture(1)))
    for was, array in zip(kept, (first.normal, first.depth, first.alpha, first.guide), strict=True):
        np.testing.assert_array_equal(was, array)
    assert first.guide.dtype == np.uint8
    estimator.close()
    assert float(first.normal[0, 0, 0]) == float(kept[0][0, 0, 0])  # memory of its own


def test_everything_is_made_once(place: Place) -> None:
    """Share or none; and no Python object per frame holds anything on the card."""
    estimator = place.open()
    one = estimator.estimate(picture(1))
    before, live = dict(place.cuda.calls), len(place.cuda.live)
    for seed in range(20):
        assert estimator.estimate(picture(seed), 0.36).size == one.size
    assert {name: place.cuda.calls[name] for name in MADE} == {name: before[name] for name in MADE}
    assert len(place.cuda.live) == live
    if hasattr(place.api, "CudaGraphStrategy"):
        assert place.cuda.calls["cudaMemcpyAsync"] - before["cudaMemcpyAsync"] == 40
        assert "cudaGraphLaunch" not in place.cuda.calls
    else:
        assert place.cuda.calls["cudaMemcpyAsync"] == before["cudaMemcpyAsync"]
        assert place.cuda.calls["cudaGraphLaunch"] == 21
    estimator.close()


def test_tells_what_the_card_needs_by_its_own_clock(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the processor, which is not charged for waiting: its clock ticks when it is asked, and for an hour
    while it waits."""
    now, waited = [0.0], cuda.wait

    def tick(seconds: float = 0.001) -> float:
        now[0] += seconds
        return now[0]

    def wait(*args: Any) -> None:
        tick(3600.0)
        waited(*args)

    monkeypatch.setattr(lane, "time", SimpleNamespace(perf_counter=tick))
    monkeypatch.setattr(cuda, "wait", wait)
    plain, frame = OnnxEstimator(place.net), picture(3)
    estimator = FallbackEstimator(place.open(), lambda: plain)
    for _ in range(2):
        estimator.estimate(frame)
        runs, copies = place.api.runs, place.cuda.calls["cudaMemcpyAsync"]
        found = estimator.card_ms(frame)
        assert found == {"network": 1.0, "copies": 2.0, "host": pytest.approx(2.0, abs=1e-3)}
        assert place.api.runs - runs == 101  # and one frame before, for a size that is new
        assert place.cuda.calls["cudaMemcpyAsync"] - copies >= 100
        assert close_to(estimator.estimate(frame), plain.estimate(frame))
    place.cuda.query = Status.cudaErrorUnknown
    with pytest.raises(EstimatorError):
        estimator.card_ms(frame)
    estimator.close()
    assert place.cuda.live == {}
    assert estimator.card_ms(frame) == {}


def test_few_sizes_are_kept_and_all_is_given_back(place: Place) -> None:
    estimator, plain = place.open(), OnnxEstimator(place.net)
    counts = []
    for width in (320, 330, 340, 350, 360, 320):
        frame = picture(width, (width, 240))
        assert close_to(estimator.estimate(frame), plain.estimate(frame))
        counts.append(len(place.cuda.live))
    assert counts[2] == counts[3] == counts[5]
    assert len(place.lines) == 2 * 6, "each size and the usual one are compiled once"  # and said to be done
    estimator.close()
    estimator.close()
    assert place.cuda.live == {}
    with pytest.raises(EstimatorError, match="after its end"):
        estimator.estimate(picture(1))


def test_what_cannot_be_captured_runs_step_by_step(place: Place) -> None:
    place.cuda.capturable = False
    place.api.refuses = "graphs"
    estimator = place.open()
    assert close_to(estimator.estimate(picture(1)), OnnxEstimator(place.net).estimate(picture(1)))
    assert "cudaGraphLaunch" not in place.cuda.calls
    if hasattr(place.api, "CudaGraphStrategy"):
        assert place.api.contexts == ["whole", "disabled"]
        estimator.estimate(picture(1, (200, 100)))
        assert place.api.contexts[2:] == ["disabled"], "what did not work is not tried again"
    estimator.close()
    assert place.cuda.live == {}


def test_kernels_are_kept_for_the_next_start(place: Place) -> None:
    for _ in range(2):
        estimator = place.open()
        estimator.estimate(picture(1))
        estimator.close()
    if not hasattr(place.api, "CudaGraphStrategy"):  # nor have kernels
        assert list(plans.cache_folder().glob("*" + plans.KERNELS)) == []
        return
    assert place.api.kernels == [b"kernels"]
    (file,) = plans.cache_folder().glob("*" + plans.KERNELS)
    assert file.with_suffix(".plan").exists()
    file.write_bytes(file.read_bytes()[:-1])
    assert plans.load_kernels(file.with_suffix(".plan")) == b""
    estimator = place.open()
    estimator.estimate(picture(1))
    estimator.close()
    assert place.api.kernels == [b"kernels"]
    assert plans.load_kernels(file.with_suffix(".plan")) == b"kernels", "written anew"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("engine", "the library's own words, expected a plan that runs on this card"),
        ("run", "the library's own words, expected a plan that runs"),
        ("memory", "CUDA's cudaMalloc, got cudaErrorMemoryAllocation (as the test asked)"),
        ("crash", "CUDA's stream, got cudaErrorIllegalAddress (as the test asked)"),
    ],
)
def test_a_start_that_fails_says_why_and_gives_everything_back(place: Place, fault: str, said: str) -> None:
    estimator = place.open()
    place.api.refuses = fault
    if fault == "memory":
        place.cuda.memory = 100
    if fault == "crash":
        place.cuda.query = Status.cudaErrorIllegalAddress
    words = place.library.log.errors
    # The log is cleared at each start; the library speaks again after.
    real = place.log.clear
    place.library = Library("tensorrt_rtx", "0.0", "a test", place.api, SpeakingLog(None, words, []))
    estimator._lanes.library = place.library
    real()
    for _ in range(2):  # and again without a try
        with pytest.raises(EstimatorError, match=re.escape(said)):
            estimator.estimate(picture(1))
    assert {thing for thing in place.cuda.live.values() if isinstance(thing, str)} == {"stream"}
    assert len(place.cuda.live) == 1
    estimator.close()
    assert place.cuda.live == {}


def test_a_plan_that_the_library_refuses_is_made_again_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the cache holds for whole."""
    compiled: list[int] = []

    def compile_plan(library: object, source: build.Source, *rest: object) -> bytes:
        compiled.append(len(compiled))
        return source.data

    monkeypatch.setattr(build, "compile_plan", compile_plan)
    estimator = place.open()
    estimator.estimate(picture(1))
    estimator.close()
    (path,) = plans.cache_folder().glob("*320x240*.plan")
    place.api.refused = [path.read_bytes()]
    before, lines = len(compiled), len(place.lines)
    estimator = place.open()
    plain = OnnxEstimator(place.net)
    assert close_to(estimator.estimate(picture(2)), plain.estimate(picture(2)))
    estimator.close()
    assert place.api.refused == []
    assert len(compiled) == before + 1, "it was tried without graphs as well"
    said = place.lines[lines:]
    assert said[0].startswith(f"plan {path.name}, got ")
    assert said[0].endswith("; compiling it again")
    assert ["compiling it again" in line for line in said] == [True, *[False] * (len(said) - 1)]
    assert path.exists()

    place.api.refused = [path.read_bytes()] * 2
    estimator = place.open()
    for _ in range(2):
        with pytest.raises(EstimatorError, match="expected a plan that runs on this card"):
            estimator.estimate(picture(3))
    assert len(compiled) == before + 2
    estimator.close()
    assert place.cuda.live == {}


def test_a_plan_that_another_program_removes_before_it_is_read_is_made_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator, obtain, removed = place.open(), plans.obtain, list[Path]()

    def obtained(*args: Any, **more: Any) -> Path:
        path = obtain(*args, **more)
        if not removed:
            path.unlink()
            removed.append(path)
        return path

    monkeypatch.setattr(plans, "obtain", obtained)
    assert close_to(estimator.estimate(picture(1)), OnnxEstimator(place.net).estimate(picture(1)))
    assert removed[0].exists()
    assert len([line for line in place.lines if "compiling it again" in line]) == 1
    estimator.close()


class SpeakingLog(Log):
    """Has always something to say."""

    def clear(self) -> None:
        self.errors[:] = ["the library's own words"]


@pytest.mark.parametrize("fault", [Status.cudaErrorNotReady, Status.cudaErrorIllegalAddress])
def test_in_mid_stream_the_cpu_takes_over_within_a_second_in_one_line(place: Place, fault: Status) -> None:
    plain, lines = OnnxEstimator(place.net), list[str]()
    estimator = FallbackEstimator(place.open(), lambda: plain, lines.append)
    for seed in range(3):
        estimator.estimate(picture(seed))
    assert lines == []
    place.cuda.query = fault
    start = time.monotonic()
    found = estimator.estimate(picture(9))
    assert time.monotonic() - start < 1.0
    assert close_to(found, plain.estimate(picture(9)))
    estimator.estimate(picture(10))
    (line,) = lines
    assert line.endswith("; the CPU takes over")
    assert ("no answer in 0.5 s" if fault is Status.cudaErrorNotReady else fault.name) in line
    estimator.close()
    assert place.cuda.live == {}


def test_a_new_size_that_hangs_freezes_no_picture_and_is_not_tried_twice(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "FIRST", 1.0)
    plain, lines = OnnxEstimator(place.net), list[str]()
    estimator = FallbackEstimator(place.open(), lambda: plain, lines.append)
    estimator.estimate(picture(1))
    contexts = len(place.api.contexts)
    place.cuda.query = Status.cudaErrorNotReady
    wide, end = picture(3, (330, 240)), time.monotonic() + 5.0
    while not lines and time.monotonic() < end:
        start = time.monotonic()
        assert close_to(estimator.estimate(wide), plain.estimate(wide))
        assert time.monotonic() - start < 0.5
    (line,) = lines
    assert "no answer in 1 s" in line
    assert len(place.api.contexts) == contexts + 1
    estimator.close()
    assert place.cuda.live == {}


def test_what_lies_on_the_card_is_left_alone_while_another_size_is_prepared(place: Place) -> None:
    estimator, seen = place.open(), list[bool]()
    found = estimator.estimate(picture(1))
    resident = found.resident
    assert resident is not None
    estimator._say = lambda line: seen.append(resident.stands_for(found))
    estimator.estimate(picture(1, (330, 240)))
    assert seen == [False, False]
    assert resident.stands_for(found)
    estimator.close()


def test_is_opened_behind_the_trial(place: Place) -> None:
    lines: list[str] = []
    for refuses in ("", "engine"):
        place.api.refuses = refuses
        estimator = open_on_card(place.net, [Candidate("tensorrt", place.open)], say=lines.append)
        assert isinstance(estimator, FallbackEstimator) == (not refuses)
        estimator.estimate(picture(1))
        estimator.close()
    (line,) = lines
    assert line.startswith("--engine tensorrt is not used: ")
    assert "\n" not in line
    assert place.cuda.live == {}


def test_list_says_which_plan_a_card_refuses(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A frame is tried; what is said about compiling goes to stderr."""

    def opened(item: network.Network, say: fuse.Say) -> TensorRtEstimator:
        return TensorRtEstimator(item, place.library, cuda.Device(api=place.cuda), "ampere", say)

    monkeypatch.setattr(trt_library, "look", lambda: (place.library, ()))
    monkeypatch.setattr(tensorrt, "check", lambda item: None)
    monkeypatch.setattr(tensorrt, "open_tensorrt", opened)
    for refuses in ("", "engine"):
        place.api.refuses = refuses
        fault = dict(backends(place.net))["tensorrt"]
        assert ("expected a plan that runs on this card" in fault) == bool(refuses)
        assert bool(fault) == bool(refuses)
    out, err = capsys.readouterr()
    assert not out
    assert "live-relight: compiling small for frames of 1280x720" in err
    assert place.cuda.live == {}


def test_cache_that_cannot_be_written_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = place.net.path.parent / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.raises(EstimatorError, match="file"):
        place.open()
    assert place.cuda.live == {}


@pytest.mark.parametrize(
    ("driver", "bindings", "said"),
    [
        (cards.Driver("13.0", (cards.Card("RTX 4070", (8, 9), 1),), ""), "13.5.0", ""),
        (
            cards.Driver("12.4", (cards.Card("RTX 4070", (8, 9), 1),), ""),
            "13.5.0",
            "CUDA 12.4, expected 13.0",
        ),
        (cards.Driver("13.0", (cards.Card("GTX 1080", (6, 1), 1),), ""), "13.5.0", "GTX 1080, got sm61"),
        (cards.Driver("13.0", (cards.Card("RTX 4070", (8, 9), 1),), ""), "", "no package cuda-bindings"),
        (cards.Driver("", (), "no NVIDIA driver"), "", "no NVIDIA driver"),
    ],
)
def test_what_is_missing_is_said(
    driver: cards.Driver, bindings: str, said: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "find", lambda: driver)
    monkeypatch.setattr(cuda, "version", lambda: bindings)
    monkeypatch.setattr(trt_library, "look", lambda: (place.library, ()))
    missing, install = tensorrt.fault()
    assert (said in missing) if said else not missing
    assert bool(install) == (said.startswith("no package"))
    monkeypatch.setattr(trt_library, "look", lambda: (None, ("tensorrt: not installed",)))
    both, install = tensorrt.fault(everything=True)
    assert "no TensorRT that loads (tensorrt: not installed)" in both
    assert install == trt_library.how_to_install()


def test_cards_and_their_plans() -> None:
    rtx, classical = (SimpleNamespace(name=name) for name in ("tensorrt_rtx", "tensorrt"))
    for capability, target in (((7, 5), "sm75"), ((8, 6), "ampere"), ((12, 0), "ampere"), ((9, 0), "ampere")):
        card = cards.Card("card", capability, 1)
        assert tensorrt.target_for(rtx, card) == target  # type: ignore[arg-type]
        assert tensorrt.target_for(classical, card) == "current"  # type: ignore[arg-type]
    with pytest.raises(EstimatorError, match=r"got sm61.*Turing"):
        tensorrt.target_for(rtx, cards.Card("old", (6, 1), 1))  # type: ignore[arg-type]


# ---------------------------------------------------------------- the real bindings


@needs_wheels
def test_every_name_of_cudas_bindings_exists() -> None:
    from cuda.bindings import runtime

    assert [name for name in cuda.NAMES if not hasattr(runtime, name)] == []
    source = (ROOT / "live_relight" / "geometry" / "cuda.py").read_text()
    used = set(re.findall(r"\bcuda[A-Z]\w+", source))
    inner = {name for name in used if hasattr(runtime.cudaError_t, name)}
    inner |= {name for name in used if hasattr(runtime.cudaMemcpyKind, name)}
    inner |= {name for name in used if hasattr(runtime.cudaStreamCaptureMode, name)}
    assert used - inner == set(cuda.NAMES)
    assert [name for name in cuda.NAMES if not hasattr(FakeCuda, name)] == [], (
        "nor does the stand-in lack one"
    )


@needs_wheels
@NO_CARD
def test_cudas_bindings_take_our_arguments() -> None:
    """Every call with arguments of the types that we pass: without a driver they are looked at, and refused
    by CUDA in the bindings' way, (status, values...)."""
    from cuda.bindings import runtime as real

    stream, event, graph, ready = (
        real.cudaStream_t(), real.cudaEvent_t(), real.cudaGraph_t(), real.cudaGraphExec_t()
    )  # fmt: skip
    assert int(stream) == 0
    mode = real.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    ways = [(real.cudaMemcpyKind.cudaMemcpyHostToDevice,), (real.cudaMemcpyKind.cudaMemcpyDeviceToHost,)]
    calls: list[tuple[str, tuple[Any, ...], int]] = [
        ("cudaGetDeviceCount", (), 1), ("cudaSetDevice", (0,), 0), ("cudaGetDeviceProperties", (0,), 1),
        ("cudaMemGetInfo", (), 2), ("cudaGetLastError", (), 0),
        ("cudaMalloc", (100,), 1), ("cudaFree", (4096,), 0),
        ("cudaHostAlloc", (100, real.cudaHostAllocDefault), 1), ("cudaFreeHost", (4096,), 0),
        *[("cudaMemcpyAsync", (4096, 8192, 100, *way, stream), 0) for way in ways],
        ("cudaStreamCreateWithFlags", (real.cudaStreamNonBlocking,), 1), ("cudaStreamDestroy", (stream,), 0),
        ("cudaEventCreateWithFlags", (real.cudaEventDisableTiming,), 1), ("cudaEventDestroy", (event,), 0),
        ("cudaEventCreateWithFlags", (real.cudaEventDefault,), 1),
        ("cudaEventRecord", (event, stream), 0), ("cudaEventQuery", (event,), 0),
        ("cudaEventElapsedTime", (event, event), 1),
        ("cudaStreamBeginCapture", (stream, mode), 0), ("cudaStreamEndCapture", (stream,), 1),
        ("cudaGraphInstantiate", (graph, 0), 1), ("cudaGraphLaunch", (ready, stream), 0),
        ("cudaGraphDestroy", (graph,), 0), ("cudaGraphExecDestroy", (ready,), 0),
    ]  # fmt: skip
    for name, args, values in calls:
        status, *rest = getattr(real, name)(*args)
        assert isinstance(status, real.cudaError_t), name
        assert len(rest) == values, name
    named = {name for name, _, _ in calls} | {"cudaGetErrorName", "cudaGetErrorString"}
    assert {
        name for name in cuda.NAMES if callable(getattr(FakeCuda, name)) and name[4].isupper()
    } - named == {"cudaError_t"}
    assert isinstance(real.cudaDeviceProp().name, bytes)


@needs_wheels
@NO_CARD
def test_without_a_driver_cuda_says_so_in_its_own_words() -> None:
    with pytest.raises(EstimatorError, match=r"cudaGetDeviceCount, got cudaError\w+ \(\w+"):
        cuda.Device()


@needs_wheels
@NO_CARD
def test_the_real_library_is_asked_and_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It compiles the frame's graph and then finds no driver; only CUDA is a stand-in."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "small.onnx").write_bytes(small_network())
    net, fake, lines = network.find_network(str(tmp_path / "small.onnx")), FakeCuda(), list[str]()
    estimator = TensorRtEstimator(net, library(), cuda.Device(api=fake), "ampere", lines.append)
    assert estimator.name == f"tensorrt small ({library().title}, Fake Card)"
    with pytest.raises(
        EstimatorError, match=r"plan small-\w{6}-tensorrt_rtx-ampere-640x480-to-\S+, got .*[Cc]uda"
    ):
        estimator.estimate(picture(1, (640, 480)))
    estimator.close()
    assert fake.live == {}
    made = [True, False]  # it compiles, and has compiled
    assert ["compiling" in line for line in lines] == [*made, *made, True, *made]
    assert lines[4].endswith("; compiling it again")


@needs_wheels
def test_tensorrt_takes_our_arguments() -> None:
    """As its bindings describe their own functions."""
    api = library().api
    for function, wanted in (
        (api.Runtime.deserialize_cuda_engine, "serialized_engine: "),
        (api.ICudaEngine.create_execution_context, "runtime_config: "),
        (api.IExecutionContext.execute_async_v3, "stream_handle: typing.SupportsInt) -> bool"),
        (api.IExecutionContext.set_tensor_address, "name: str, memory: typing.SupportsInt) -> bool"),
        (api.IRuntimeCache.deserialize, "blob: "),
        (api.IRuntimeCache.serialize, "IHostMemory"),
        (api.IRuntimeConfig.set_runtime_cache, "cache: "),
    ):
        assert wanted in function.__doc__
    assert isinstance(api.IRuntimeConfig.cuda_graph_strategy, property)
    assert {"DISABLED", "WHOLE_GRAPH_CAPTURE"} <= set(api.CudaGraphStrategy.__members__)
    assert {"UINT8", "FLOAT"} <= set(api.DataType.__members__)
    assert isinstance(api.ICudaEngine.num_io_tensors, property)


@NO_CARD
def test_without_a_card_it_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EstimatorError, match="no NVIDIA") as error:
        open_estimator("tensorrt")
    assert "--engine onnx" in str(error.value)
    assert main(["run", "--engine", "tensorrt", "--sink", "null", "--frames", "1"]) == 1
    out, err = capfd.readouterr()
    assert not out
    assert len(err.splitlines()) == 1


@NO_CARD
def test_auto_takes_the_cpu_without_a_word_and_loads_nothing() -> None:
    code = """
import sys
from live_relight.geometry import open_estimator
lines = []
estimator = open_estimator("auto", say=lines.append)
print(estimator.name, lines)
heavy = ("cuda", "tensorrt", "onnxruntime_ep", "onnx.")
print([n for n in sys.modules if n.startswith(heavy) or n == "onnx"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    name, modules = done.stdout.splitlines()
    assert name.startswith("onnx ")
    assert name.endswith(" []")
    assert modules == "[]"
    assert done.stderr == ""


@needs_wheels
@NO_CARD
def test_list_says_why_not(tmp_path: Path) -> None:
    assert "no NVIDIA" in dict(backends(network.find_network()))["tensorrt"]


# ---------------------------------------------------------------- a real card


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

    frame = np.asarray(cv2.resize(race._picture(), size), np.uint8)
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
