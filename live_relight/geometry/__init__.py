"""Estimators: a picture to its geometry. `open_estimator` is the only door."""

from __future__ import annotations

from ..core.errors import EstimatorError, UsageError, nearest
from ..core.settings import ENGINES
from ..core.stages import Estimator


def open_estimator(spec: str = "auto", threads: int = 0) -> Estimator:
    """`auto`, `onnx`, `openvino`, `analytic`, each with `:NAME` of a network or file (`onnx:my.onnx`).

    `auto` is ONNX Runtime on the CPU; see docs/performance.md for the comparison with OpenVINO.
    """
    engine, _, name = spec.partition(":")
    if engine not in ENGINES:
        raise UsageError(f"--engine '{spec}'", "an unknown engine", todo=nearest(engine, ENGINES))
    if engine == "tensorrt":
        raise EstimatorError("engine tensorrt", "not in this version yet", todo="use --engine onnx")
    if engine == "analytic":
        from .analytic import AnalyticEstimator

        if name not in ("", "sphere", "plane"):
            raise UsageError(f"--engine '{spec}'", f"'{name}'", "analytic:sphere or analytic:plane")
        return AnalyticEstimator(name or "sphere")
    from .network import DEFAULT, find_network, verify

    network = find_network(name or DEFAULT)
    verify(network)
    if engine == "openvino":
        from .openvino import OpenVinoEstimator

        return OpenVinoEstimator(network, threads)
    from .onnx import OnnxEstimator

    return OnnxEstimator(network, threads)
