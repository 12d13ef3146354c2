"""Estimators: a picture to its geometry. `open_estimator` is the only door."""

from __future__ import annotations

from collections.abc import Callable

from ..core.errors import EstimatorError, UsageError, nearest
from ..core.settings import ENGINES
from ..core.stages import Estimator


def open_estimator(
    spec: str = "auto", threads: int = 0, say: Callable[[str], None] | None = None
) -> Estimator:
    """`auto`, `onnx`, `openvino`, `analytic` or one of CARDS, each with `:NAME` of a network or file
    (`onnx:my.onnx`). `say` gets a line when a card is given up, now or later; the default is the log.

    `auto` is the first of CARDS that the installed ONNX Runtime has, that works and that is faster than the
    CPU, else ONNX Runtime on the CPU; see docs/performance.md for the comparison with OpenVINO.
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
    if engine == "onnx":
        from .onnx import OnnxEstimator

        return OnnxEstimator(network, threads)
    from . import fallback, providers

    candidates = [providers.find(engine)] if engine in providers.NAMES else providers.available()
    if engine == "gpu" and not candidates:
        titles = ", ".join(provider.title for provider in providers.ORDER)
        todo = "`live-relight doctor` says what to install, or use --engine onnx"
        raise EstimatorError("engine gpu", "an ONNX Runtime for the CPU alone", f"one with {titles}", todo)
    return fallback.open_on_card(network, candidates, threads, say or fallback.warn, pick=engine == "auto")
