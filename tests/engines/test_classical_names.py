"""The classical TensorRT, 10 and 11, has every name that the compiling and the running code call."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.engines.place import needs_wheels

RUNNING = (
    "deserialize_cuda_engine", "create_execution_context", "num_io_tensors", "get_tensor_name",
    "get_tensor_shape", "get_tensor_dtype", "set_tensor_address", "execute_async_v3", "UINT8",
)  # fmt: skip
COMPILING = (
    "Builder", "create_network", "STRONGLY_TYPED", "OnnxParser", "parse", "num_errors", "get_error",
    "ILogger", "INTERNAL_ERROR", "IProgressMonitor", "phase_start", "step_complete", "phase_finish",
    "progress_monitor", "create_builder_config", "create_optimization_profile", "set_shape",
    "add_optimization_profile", "hardware_compatibility_level", "AMPERE_PLUS", "build_serialized_network",
)  # fmt: skip


def missing(binding: bytes) -> list[str]:
    """Names with which no string of the binding's compiled half ends (linkers let one be another's end)."""
    return [word for word in (*RUNNING, *COMPILING) if word.encode() + b"\0" not in binding]


@needs_wheels
def test_eleven() -> None:
    found = importlib.util.find_spec("tensorrt_bindings")
    assert found is not None
    assert found.origin is not None
    assert missing((Path(found.origin).parent / "tensorrt.so").read_bytes()) == []


@needs_wheels
@pytest.mark.parametrize("version", ["10.0.1", "10.16.1.11"])
def test_ten(version: str, tmp_path: Path) -> None:
    """The first and a late 10. They would take 11's place in the environment, so they are only looked at."""
    wanted = f"tensorrt-cu12-bindings=={version}"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version",
        "3.11",
    ]
    got = subprocess.run([*pip, "-d", str(tmp_path), wanted], capture_output=True, text=True)
    if got.returncode and "No matching distribution" not in got.stderr:
        pytest.skip(f"no package index: {got.stderr.strip().splitlines()[-1]}")
    assert got.returncode == 0, got.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as parts:
        assert missing(parts.read("tensorrt_bindings/tensorrt.so")) == []


def test_a_missing_name_is_seen() -> None:
    whole = b"\0" + b"\0".join(word.encode() for word in (*RUNNING, *COMPILING)) + b"\0"
    assert missing(whole) == []
    assert missing(whole.replace(b"parse\0", b"parsed\0")) == ["parse"]
