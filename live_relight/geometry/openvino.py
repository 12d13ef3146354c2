"""Networks on the CPU through OpenVINO (optional: pip install 'live-relight[openvino]')."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from ..core.install import pip
from ..resize import resized
from .network import Network, input_size, to_geometry, to_input


class OpenVinoEstimator:
    """Estimator on OpenVINO's CPU plugin; the network is compiled once for every input size. It runs in
    bfloat16 where the processor computes in it, which takes two thirds of the time and moves normals by less
    than a degree; float32 elsewhere."""

    def __init__(self, network: Network, threads: int = 0) -> None:
        try:
            import openvino
        except ImportError:
            todo = f"{pip('live-relight[openvino]')}, or --engine onnx"
            raise EstimatorError("engine openvino", "no openvino package", todo=todo) from None
        self._core = openvino.Core()
        self._threads = threads or min(os.cpu_count() or 1, 4)
        try:
            self._model = self._core.read_model(network.path)
        except Exception as error:  # openvino raises RuntimeError subclasses and plain Exception alike
            expected = "an ONNX file that loads"
            raise EstimatorError(f"network {network.path}", _last_line(error), expected) from None
        self._pixels, self._stride = network.pixels, network.stride
        self._shades = any("shading" in output.get_names() for output in self._model.outputs)
        self._compiled: dict[tuple[int, int], Any] = {}
        self._short = computes_short(self._core)
        version, kind = openvino.__version__.split("-")[0], "CPU, bfloat16" if self._short else "CPU"
        self.name = f"openvino {network.name} (OpenVINO {version}, {kind})"

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        h, w = image.shape[:2]
        size = input_size((w, h), round(self._pixels * share), self._stride)
        small = resized(image, size)
        try:
            result = self._network(size)({"image": to_input(small)})
            normal, depth, alpha = result["normal"], result["depth"], result["alpha"]
            shading = result["shading"] if self._shades else None
        except Exception as error:  # as above
            raise EstimatorError(self.name, _last_line(error), "a network that runs") from None
        return to_geometry(small, normal, depth, alpha, (w, h), shading)

    def close(self) -> None:
        self._compiled.clear()

    def _network(self, size: tuple[int, int]) -> Any:
        """Compiled for inputs of `size`, once."""
        if size not in self._compiled:
            model = self._model.clone()
            model.reshape({"image": [1, 3, size[1], size[0]]})
            config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": self._threads}
            config["INFERENCE_PRECISION_HINT"] = "bf16" if self._short else "f32"
            self._compiled[size] = self._core.compile_model(model, "CPU", config)
        return self._compiled[size]


def fault() -> str:
    """Why `auto` does not try it, '' where it does: it is not installed, does not load, or takes as long as
    ONNX Runtime, as it does in float32. ONNX Runtime does not compute in bfloat16."""
    if not importlib.util.find_spec("openvino"):
        return "not installed"
    try:
        import openvino

        return "" if computes_short(openvino.Core()) else "no bfloat16 in this processor"
    except Exception as error:  # a broken installation raises what it likes; doctor says it
        return f"does not load: {_last_line(error)}"


def computes_short(core: Any) -> bool:
    """Whether OpenVINO's `core` finds a processor that computes in bfloat16."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
