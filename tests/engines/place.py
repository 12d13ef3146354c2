"""What the tests of compiled engines share: the library, its Python packages, and folders without them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from live_relight.geometry import trt_library

ROOT = Path(__file__).resolve().parents[2]
PAIR = "onnxruntime_ep_nv_tensorrt_rtx"
BINDINGS = "tensorrt_rtx_bindings"
LIBRARIES = ("tensorrt_rtx_libs", "tensorrt_rtx_cu13_libs")
"""What NVIDIA's own libraries are installed as."""
needs_wheels = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="PyPI's TensorRT for RTX is for Linux on x86_64",
)


def library() -> trt_library.Library:
    """Installed with the other test tools, so its absence is a failure."""
    return trt_library.require()


def packages_without(folder: Path, *names: str) -> Path:
    """A folder of links to every installed package but those whose names start with one of `names`."""
    folder.mkdir()
    for place in [Path(p) for p in sys.path if p.endswith("site-packages")]:
        for entry in place.iterdir():
            if not entry.name.startswith(names) and entry.suffix != ".pth" and entry.name != "__pycache__":
                (folder / entry.name).symlink_to(entry)
    return folder


def python(code: str, *folders: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs code with the packages of `folders` alone (and this checkout), in this order."""
    path = os.pathsep.join(str(folder) for folder in (*folders, ROOT))
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": path, **env},
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
