"""The real bindings without a card: names, arguments, and what is said where there is none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from live_relight.cli import main
from live_relight.commands.engines import backends
from live_relight.core.errors import EstimatorError
from live_relight.geometry import cards, cuda, network, open_estimator
from live_relight.geometry.tensorrt import TensorRtEstimator
from tests.engines.fake_card import FakeCuda
from tests.engines.nets import small_network
from tests.engines.place import ROOT, library, needs_wheels
from tests.engines.stand_in import picture

NO_CARD = pytest.mark.skipif(not cards.find().fault, reason="this machine has a card")


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
