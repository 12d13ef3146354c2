"""Networks on the CPU through ONNX Runtime."""

from __future__ import annotations

import os

import onnxruntime as ort

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from ..resize import resized
from .network import Network, input_size, to_geometry, to_input


class OnnxEstimator:
    """Estimator on ONNX Runtime's CPU provider. `threads`: 0 = one a core, at most 4."""

    def __init__(self, network: Network, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or min(os.cpu_count() or 1, 4)
        # Spinning threads would take the cores from the rasteriser between two frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                str(network.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has no common base for its errors
            expected = "an ONNX file that loads"
            raise EstimatorError(f"network {network.path}", _first_line(error), expected) from None
        _check(self._session, network)
        self._pixels = network.pixels
        self.name = f"onnx {network.name} (ONNX Runtime {ort.__version__}, CPU)"

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        h, w = image.shape[:2]
        small = resized(image, input_size((w, h), round(self._pixels * share)))
        try:
            feed = {"image": to_input(small)}
            normal, depth, alpha = self._session.run(["normal", "depth", "alpha"], feed)
        except Exception as error:  # as above
            raise EstimatorError(self.name, _first_line(error), "a network that runs") from None
        return to_geometry(small, normal, depth, alpha, (w, h))

    def close(self) -> None:
        """Nothing is held but memory."""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _check(session: ort.InferenceSession, network: Network) -> None:
    inputs = {i.name for i in session.get_inputs()}
    outputs = {o.name for o in session.get_outputs()}
    if inputs != {"image"} or not {"normal", "depth", "alpha"} <= outputs:
        raise EstimatorError(
            f"network {network.path}",
            f"inputs {sorted(inputs)} and outputs {sorted(outputs)}",
            "input 'image' and outputs 'normal', 'depth', 'alpha'",
        )
