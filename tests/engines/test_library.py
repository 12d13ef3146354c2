"""Which TensorRT is found, in which order, and what is said where there is none that loads."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from live_relight.geometry import cards, trt_library
from tests.engines.place import (
    BINDINGS,
    LIBRARIES,
    PAIR,
    ROOT,
    library,
    needs_wheels,
    packages_without,
    python,
)

LOOK = """
from live_relight.geometry import trt_library
found, why = trt_library.look()
print(found and (found.name, found.version, found.origin), why)
"""
# The metapackage as NVIDIA makes it.
NVIDIA = f"from {BINDINGS} import *\nfrom {BINDINGS} import __version__\n"
SHARED = {
    "Builder": (
        "create_network", "create_builder_config", "create_optimization_profile", "build_serialized_network",
    ),
    "IOptimizationProfile": ("set_shape",),
    "INetworkDefinition": ("get_input", "num_inputs", "get_output", "num_outputs"),
    "ParserError": ("desc",),
    "IBuilderConfig": ("add_optimization_profile", "progress_monitor", "hardware_compatibility_level"),
    "OnnxParser": ("parse", "num_errors", "get_error"),
    "ILogger": ("log", "Severity"),
    "DataType": ("UINT8", "FLOAT"),
    "IProgressMonitor": ("phase_start", "step_complete", "phase_finish"),
    "NetworkDefinitionCreationFlag": ("STRONGLY_TYPED",),
    "HardwareCompatibilityLevel": ("AMPERE_PLUS",),
    "Runtime": ("deserialize_cuda_engine",),
    "ICudaEngine": (
        "create_execution_context", "num_io_tensors", "get_tensor_name",
        "get_tensor_mode", "get_tensor_dtype", "get_tensor_shape", "get_tensor_profile_shape",
    ),
    "IExecutionContext": (
        "execute_async_v3", "set_tensor_address", "set_input_shape", "set_optimization_profile_async",
        "get_tensor_shape", "infer_shapes",
    ),
}  # fmt: skip
"""What compiles and what will run engines asks of every TensorRT."""
RTX_ONLY = {
    "ICudaEngine": ("create_runtime_config",),
    "IBuilderConfig": ("num_compute_capabilities", "set_compute_capability"),
    "Runtime": ("engine_header_size", "get_engine_validity"),
    "IRuntimeConfig": ("create_runtime_cache", "set_runtime_cache", "cuda_graph_strategy"),
    "IRuntimeCache": ("serialize", "deserialize"),
    "CudaGraphStrategy": ("WHOLE_GRAPH_CAPTURE",),
    "EngineInvalidityDiagnostics": ("MALFORMED_ENGINE", "VERSION_MISMATCH", "UNSUPPORTED_CC"),
}


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, live_relight.cli, live_relight.geometry.build, live_relight.geometry.plans\n"
        "print([n for n in sys.modules if 'tensorrt' in n or n.startswith('onnxruntime_ep')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@needs_wheels
def test_nvidias_own_package_is_found_and_says_its_version() -> None:
    found = library()
    assert (found.name, found.origin) == ("tensorrt_rtx", "tensorrt_rtx")
    assert re.fullmatch(r"TensorRT for RTX [\d.]+", found.title)
    assert trt_library.look()[1] == ()


@needs_wheels
def test_without_its_libraries_the_pair_is(tmp_path: Path) -> None:
    said = python(LOOK, packages_without(tmp_path / "bare", *LIBRARIES)).stdout
    assert "'onnxruntime-ep-nv-tensorrt-rtx-cu13') ('tensorrt_rtx: not installed',)" in said


@needs_wheels
def test_the_pair_compiles_the_same_plan(tmp_path: Path) -> None:
    """One library from two packages: a plan of the one is a plan of the other."""
    code = """
import hashlib
from live_relight.geometry import build, network, shapes, trt_library
net, library = network.find_network(), trt_library.require()
sizes = shapes.shapes_for(net, "64x64")
plan = build.compile_plan(library, build.source_of(net), "ampere", sizes, lambda _: None)
print(library.origin, library.version, len(plan), library.api.Runtime(library.log.receiver)
      .get_engine_validity(plan)[0])
"""
    usual = python(code, packages_without(tmp_path / "usual", "none"))
    pair = python(code, packages_without(tmp_path / "bare", *LIBRARIES))
    assert usual.returncode == pair.returncode == 0, usual.stderr + pair.stderr
    (first, *told), (second, *same) = usual.stdout.split(), pair.stdout.split()
    assert (first, second) == ("tensorrt_rtx", "onnxruntime-ep-nv-tensorrt-rtx-cu13")
    assert told[0] == same[0]
    assert abs(int(told[1]) - int(same[1])) < 0.01 * int(told[1])


@needs_wheels
@pytest.mark.parametrize("names", [SHARED, RTX_ONLY], ids=["shared", "rtx"])
def test_names_that_we_use_exist(names: dict[str, tuple[str, ...]]) -> None:
    api = library().api
    missing = [f"{c}.{n}" for c, several in names.items() for n in several if not hasattr(getattr(api, c), n)]
    assert not missing


def absent_from(binding: bytes) -> list[str]:
    """Names with which no string of a binding's compiled half ends: it does not load without its libraries,
    but they stand in it (linkers let one be another's end)."""
    words = {word for c, several in SHARED.items() for word in (c, *several)}
    return [word for word in sorted(words) if word.encode() + b"\0" not in binding]


@needs_wheels
def test_names_that_we_use_exist_in_the_classical_11() -> None:
    place = importlib.util.find_spec("tensorrt_bindings")
    assert place is not None
    assert place.origin is not None
    assert absent_from((Path(place.origin).parent / "tensorrt.so").read_bytes()) == []


@needs_wheels
@pytest.mark.parametrize("version", ["10.0.1", "10.16.1.11"])
def test_names_that_we_use_exist_in_the_classical_10(version: str, tmp_path: Path) -> None:
    """The first and a late one. They would take 11's place in the environment, so they are only looked at."""
    wanted = f"tensorrt-cu12-bindings=={version}"
    options = ("-q", "--no-deps", "--only-binary=:all:", "--python-version=3.11", "--retries=1")
    pip = [sys.executable, "-m", "pip", "download", *options, "-d", str(tmp_path)]
    got = subprocess.run([*pip, wanted], capture_output=True, text=True)
    if (
        got.returncode and "connection" in got.stderr
    ):  # an index that answers and does not have it is a failure
        pytest.skip("no package index in reach")
    assert got.returncode == 0, got.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as parts:
        found = parts.read("tensorrt_bindings/tensorrt.so")
    assert absent_from(found) == []
    assert absent_from(found.replace(b"execute_async_v3\0", b"execute_async_v9\0")) == ["execute_async_v3"]


@needs_wheels
def test_without_packages_it_says_what_to_install(tmp_path: Path) -> None:
    bare = packages_without(tmp_path / "bare", PAIR, "tensorrt")
    done = python(LOOK, bare)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("None")
    assert done.stdout.count("not installed") == 3
    for command, status in (("['engines', 'build']", 1), ("['doctor']", 0)):
        done = python(f"import sys; from live_relight.cli import main; sys.exit(main({command}))", bare)
        assert done.returncode == status, done.stderr
        assert "live-relight[tensorrt]" in done.stdout + done.stderr
        assert len(done.stderr.splitlines()) <= 1


@needs_wheels
@pytest.mark.parametrize("absent", [("cuda",), ("cuda", PAIR, "tensorrt")], ids=["cuda", "everything"])
def test_without_packages_the_cpu_runs(absent: tuple[str, ...], tmp_path: Path) -> None:
    bare = packages_without(tmp_path / "bare", *absent)
    assert "None" in python("import importlib.util as u; print(u.find_spec('cuda'))", bare).stdout
    words = ["run", "--source", "demo", "--sink", "null", "--frames", "3", "--size", "320x180"]
    for engine in ("auto", "onnx"):
        command = [*words, "--engine", engine]
        done = python(f"import sys; from live_relight.cli import main; sys.exit(main({command}))", bare)
        assert done.returncode == 0, done.stderr
        assert re.search(r"engine  (onnx|openvino) base \(", done.stderr + done.stdout)
    said = "from live_relight.geometry import tensorrt; print(tensorrt.fault(everything=True))"
    assert "no package cuda-bindings" in python(said, bare).stdout


@needs_wheels
@pytest.mark.parametrize("left", ["libraries", "bindings"])
def test_half_of_nvidias_package_is_not_enough(left: str, tmp_path: Path) -> None:
    absent = (BINDINGS, "tensorrt_rtx_cu13_bindings") if left == "libraries" else LIBRARIES
    said = python(LOOK, packages_without(tmp_path / "bare", PAIR, *absent)).stdout
    assert said.startswith("None ('tensorrt_rtx: not installed'")


@needs_wheels
def test_half_of_the_pair_is_not_enough(tmp_path: Path) -> None:
    done = python(LOOK, packages_without(tmp_path / "bare", "tensorrt"))
    assert "tensorrt-rtx-cu13-bindings is not installed" in done.stdout


@needs_wheels
def test_a_pair_of_two_versions_is_refused(tmp_path: Path) -> None:
    bare = packages_without(tmp_path / "bare", PAIR, *LIBRARIES)
    place = importlib.util.find_spec(PAIR)
    assert place is not None
    assert place.submodule_search_locations is not None
    (bare / PAIR).mkdir()
    (bare / PAIR / "__init__.py").touch()
    for file in Path(place.submodule_search_locations[0]).glob("libtensorrt_*rtx.so.*.*"):
        (bare / PAIR / re.sub(r"so\..*", "so.1.0.3", file.name)).symlink_to(file)
    done = python(LOOK, bare)
    assert "libraries of 1.0.3 do not fit tensorrt-rtx-cu13-bindings" in done.stdout


@needs_wheels
def test_nvidias_own_package_comes_first_and_a_broken_one_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "tensorrt_rtx.py").write_text(NVIDIA)
    usual = packages_without(tmp_path / "usual", "none")
    assert python(
        LOOK + "print('tensorrt_rtx' in __import__('sys').modules)", tmp_path / "own", usual
    ).stdout.endswith("'tensorrt_rtx') ()\nTrue\n")
    (tmp_path / "own" / "tensorrt_rtx.py").write_text("raise OSError('libcudart.so.13: cannot open')")
    said = python(LOOK, tmp_path / "own", usual).stdout
    assert "'onnxruntime-ep-nv-tensorrt-rtx-cu13')" in said
    assert "tensorrt_rtx: does not load (libcudart.so.13: cannot open)" in said


@needs_wheels
@pytest.mark.parametrize(("version", "said"), [("8.6.1", "expected 10 or newer"), ("11.4.0", "'11.4.0'")])
def test_classical_library_is_the_last_and_new_enough(tmp_path: Path, version: str, said: str) -> None:
    bare = packages_without(tmp_path / "bare", PAIR, "tensorrt")
    (bare / "tensorrt.py").write_text(
        "class ILogger:\n class Severity:\n  INTERNAL_ERROR, ERROR, WARNING = range(3)\n"
        f"__version__ = '{version}'\n"
    )
    assert said in python(LOOK, bare).stdout


@needs_wheels
@pytest.mark.parametrize("first", ["tensorrt", "onnxruntime"])
def test_lives_beside_the_other_runtimes(first: str) -> None:
    """All of them in one process, in either order: none takes another's symbols."""
    code = f"""
import numpy as np
from live_relight.geometry import build, network, open_estimator, shapes, trt_library
net = network.find_network()
def compiled():
    library = trt_library.require()
    part = lambda done: None
    return build.compile_plan(library, build.source_of(net), "ampere", shapes.shapes_for(net, "64x64"), part)
def estimated():
    picture = np.full((96, 128, 3), 90, np.uint8)
    return [open_estimator(e).estimate(picture).depth.mean() for e in ("onnx", "openvino")]
if {first == "tensorrt"}:
    print(len(compiled()) > 1e6)
a, b = estimated()
print(abs(a - b) < 5e-3, len(compiled()) > 1e6)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == ["True", "True"]


def test_driver_is_asked_without_a_package() -> None:
    """On a machine with a card it is named, on one without the reason is; never neither."""
    driver = cards.find()
    assert bool(driver.cards) != bool(driver.fault)
    for card in driver.cards:
        assert re.fullmatch(r"sm\d{2,3}", card.target)
        assert card.memory > 2**30
