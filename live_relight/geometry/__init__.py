"""Estimators: a picture to its geometry. `open_estimator` is the only door."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..core.errors import EstimatorError, UsageError, nearest
from ..core.settings import ENGINES
from ..core.stages import Estimator

if TYPE_CHECKING:
    from .network import Network
    from .providers import Provider
    from .race import Candidate


def open_estimator(
    spec: str = "auto",
    threads: int = 0,
    say: Callable[[str], None] | None = None,
    note: Callable[[str], None] | None = None,
    live: bool = False,
) -> Estimator:
    """`auto`, `onnx`, `openvino`, `tensorrt`, `analytic` or one of CARDS, each with `:NAME` of a network or
    file (`onnx:my.onnx`). `say` gets a line when a card is given up, now or later, and when a network is
    compiled for it; the default is the log. `note` gets one when a card works and loses against the CPU.
    Imported networks are named like ours, several with a + between (`auto:my-depth+my-normals`): see trio.py.

    `auto` is TensorRT where it and a card for it are there, else the first of CARDS that the installed ONNX
    Runtime has, then, if somebody watches (`live`), OpenVINO where it is installed and the CPU computes in
    bfloat16; each if it works and is faster than ONNX Runtime on the CPU, else that. What nobody waits for
    comes out the same every time. See docs/performance.md for the comparison.
    """
    engine, _, name = spec.partition(":")
    if engine not in ENGINES:
        raise UsageError(f"--engine '{spec}'", "an unknown engine", todo=nearest(engine, ENGINES))
    if engine == "analytic":
        from .analytic import AnalyticEstimator

        if name not in ("", "sphere", "plane"):
            raise UsageError(f"--engine '{spec}'", f"'{name}'", "analytic:sphere or analytic:plane")
        return AnalyticEstimator(name or "sphere")
    from .imported import is_foreign, split
    from .network import DEFAULT, find_network, verify

    networks = [find_network(part) for part in split(name or DEFAULT)]
    for one in networks:
        verify(one)
    if len(networks) > 1 or is_foreign(networks[0]):
        from .trio import open_trio

        return open_trio(engine, networks, threads, say, note)
    network = networks[0]
    if engine == "openvino":
        from .openvino import OpenVinoEstimator

        return OpenVinoEstimator(network, threads)
    if engine == "onnx":
        from .onnx import OnnxEstimator

        return OnnxEstimator(network, threads)
    from . import providers
    from .fallback import warn
    from .race import open_on_card

    say = say or warn
    candidates = _candidates(engine, network, threads, say, live)
    if engine == "gpu" and not candidates:
        titles = ", ".join(provider.title for provider in providers.ORDER)
        todo = "`live-relight doctor` says what to install, or use --engine onnx"
        raise EstimatorError("engine gpu", "an ONNX Runtime for the CPU alone", f"one with {titles}", todo)
    return open_on_card(network, candidates, threads, say, engine == "auto", note)


def _candidates(
    engine: str, network: Network, threads: int, say: Callable[[str], None], live: bool
) -> list[Provider | Candidate]:
    """What `engine` may run on, in the order to try. Raises EstimatorError where a name asks for what is not
    there."""
    from . import openvino, providers, tensorrt
    from .race import Candidate, on_processor

    if engine in providers.NAMES:
        return [providers.find(engine)]
    compiled = Candidate("tensorrt", partial(tensorrt.open_tensorrt, network, say))
    if engine == "tensorrt":
        tensorrt.check(network)
        return [compiled]
    cards: list[Provider | Candidate] = [*([] if tensorrt.fault()[0] else [compiled]), *providers.available()]
    if not live or engine != "auto" or openvino.fault():
        return cards
    return [*cards, on_processor("openvino", partial(openvino.OpenVinoEstimator, network, threads))]
