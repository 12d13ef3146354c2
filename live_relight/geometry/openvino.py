"""Networks on the CPU through OpenVINO (optional: pip install 'live-relight[openvino]')."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from ..core.install import pip
from ..resize import with_half
from .network import Network, input_size, to_geometry, to_input

Floats = npt.NDArray[np.float32]


class OnCpu:
    """An ONNX file on OpenVINO's CPU plugin; compiled once for every shape of its input. It runs in bfloat16
    where the processor computes in it, in float32 elsewhere. `threads`: 0 = one a core, at most 4."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Raises EstimatorError."""
        try:
            import openvino
        except ImportError:
            todo = f"{pip('live-relight[openvino]')}, or --engine onnx"
            raise EstimatorError("engine openvino", "no openvino package", todo=todo) from None
        self._threads = threads or min(os.cpu_count() or 1, 4)
        try:
            self._core = openvino.Core()
            self.short = computes_short(self._core)
            self._model = self._core.read_model(path)
        except Exception as error:  # openvino raises RuntimeError subclasses and plain Exception alike
            raise EstimatorError(f"network {path}", last_line(error), "an ONNX file that loads") from None
        self._input = self._model.inputs[0].get_any_name()
        self._compiled: dict[tuple[int, ...], Any] = {}
        self.outputs = {name for output in self._model.outputs for name in output.get_names()}
        kind = "CPU, bfloat16" if self.short else "CPU"
        self.title = f"OpenVINO {openvino.__version__.split('-')[0]}, {kind}"

    def __call__(self, array: Floats) -> Any:
        """What comes out of `array`, by name. Raises what OpenVINO raises."""
        if array.shape not in self._compiled:
            model = self._model.clone()
            model.reshape({self._input: list(array.shape)})
            config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": self._threads}
            config["INFERENCE_PRECISION_HINT"] = "bf16" if self.short else "f32"
            self._compiled[array.shape] = self._core.compile_model(model, "CPU", config)
        return self._compiled[array.shape]({self._input: array})

    def close(self) -> None:
        """Frees what was compiled."""
        self._compiled.clear()


class OpenVinoEstimator:
    """Estimator on OpenVINO's CPU plugin. In bfloat16 it takes two thirds of the time, and normals move by
    less than a degree."""

    def __init__(self, network: Network, threads: int = 0) -> None:
        self._run = OnCpu(network.path, threads)
        self._pixels, self._stride = network.pixels, network.stride
        self.name = f"openvino {network.name} ({self._run.title})"

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        h, w = image.shape[:2]
        size = input_size((w, h), round(self._pixels * share), self._stride)
        half, small = with_half(image, size)
        try:
            result = self._run(to_input(small))
            normal, depth, alpha = result["normal"], result["depth"], result["alpha"]
            shading = result["shading"] if "shading" in self._run.outputs else None
        except Exception as error:  # as above
            raise EstimatorError(self.name, last_line(error), "a network that runs") from None
        return replace(to_geometry(small, normal, depth, alpha, (w, h), shading), half=half)

    def close(self) -> None:
        self._run.close()


def fault() -> str:
    """Why `auto` does not try it, '' where it does: it is not installed, does not load, or takes as long as
    ONNX Runtime, as it does in float32. ONNX Runtime does not compute in bfloat16."""
    if not importlib.util.find_spec("openvino"):
        return "not installed"
    try:
        import openvino

        return "" if computes_short(openvino.Core()) else "no bfloat16 in this processor"
    except Exception as error:  # a broken installation raises what it likes; doctor says it
        return f"does not load: {last_line(error)}"


def computes_short(core: Any) -> bool:
    """Whether OpenVINO's `core` finds a processor that computes in bfloat16."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def last_line(error: Exception) -> str:
    """What an exception says at its end, where OpenVINO has the reason."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
