"""Networks through ONNX Runtime: on the CPU, or on a card through one of its execution providers."""

from __future__ import annotations

from dataclasses import replace

import onnxruntime as ort

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from ..resize import with_half
from .network import Network, input_size, to_geometry, to_input
from .providers import Provider, first_line, open_session

USUAL = (1280, 720)
"""Frame whose network input a provider that compiles for one size is given first."""


OUTPUTS = ("normal", "depth", "alpha", "shading")
"""In the order of `to_geometry`; the last one is not every network's."""


class OnnxEstimator:
    """Estimator on ONNX Runtime. `threads`: 0 = one a core, at most 4; `provider`: None = the CPU."""

    def __init__(self, network: Network, threads: int = 0, provider: Provider | None = None) -> None:
        self.provider = provider
        self._network, self._threads = network, threads
        self._fixed = provider is not None and provider.fixed
        self._sessions: dict[tuple[int, int] | None, ort.InferenceSession] = {}
        session = self._session(input_size(USUAL, network.pixels, network.stride))
        _check(session, network)
        told = {o.name for o in session.get_outputs()}
        self._outputs = [name for name in OUTPUTS if name in told]
        engine, title = (provider.name, provider.title) if provider else ("onnx", "CPU")
        self.name = f"{engine} {network.name} (ONNX Runtime {ort.__version__}, {title})"

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        h, w = image.shape[:2]
        # Compiling anew for every step of the quality governor would be a pause; a card has the time.
        share = 1.0 if self._fixed else share
        size = input_size((w, h), round(self._network.pixels * share), self._network.stride)
        half, small = with_half(image, size)
        session = self._session(size)
        try:
            found = session.run(self._outputs, {"image": to_input(small)})
        except Exception as error:  # onnxruntime has no common base for its errors
            raise EstimatorError(self.name, first_line(error), "a network that runs") from None
        normal, depth, alpha, *more = found
        made = to_geometry(small, normal, depth, alpha, (w, h), *more)
        return replace(made, half=half)

    def close(self) -> None:
        """Frees what a provider holds on its card. Usable again: sessions are opened when needed."""
        self._sessions.clear()

    def _session(self, size: tuple[int, int]) -> ort.InferenceSession:
        """The one for inputs of `size` (width, height); there is only one where any size will do."""
        key = size if self._fixed else None
        if key not in self._sessions:
            label = f"network {self._network.path}"
            self._sessions[key] = open_session(self._network.path, label, self._threads, self.provider, size)
        return self._sessions[key]


def _check(session: ort.InferenceSession, network: Network) -> None:
    inputs = {i.name for i in session.get_inputs()}
    outputs = {o.name for o in session.get_outputs()}
    if inputs != {"image"} or not {"normal", "depth", "alpha"} <= outputs:
        raise EstimatorError(
            f"network {network.path}",
            f"inputs {sorted(inputs)} and outputs {sorted(outputs)}",
            "input 'image' and outputs 'normal', 'depth', 'alpha'",
        )
