"""Compiled networks on an NVIDIA card: a frame's bytes go up, finished geometry comes down.

The finished arrays stay on the card as well, until the next frame: interop.py brings them to OpenGL there.

One stream; for each of the last few frame sizes a plan, its context, and buffers that were made once. A frame
is one copy into pinned memory, one upload, the network with all that is around it (front.py), one download
and one copy to memory of the frame's own. The library's own graph strategy is used where it has one (TensorRT
for RTX); otherwise the three steps are captured once and launched as a whole; what cannot be captured runs
step by step.

Written against the bindings of TensorRT for RTX 1.7 and TensorRT 11, with stand-ins in the tests; it has
never run on a card.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image, Map
from . import build, cards, cuda, foreign_front, front, fuse, trt_library
from .foreign_net import ForeignNetwork
from .fuse import Say
from .lanes import Lanes
from .network import Network
from .trt_library import Library

OLDEST_CAPABILITY = (7, 5)
"""Of a card: Turing."""


def target_for(library: Library, card: cards.Card) -> str:
    """What to compile for a card in this machine, one of build.usual_targets. Raises EstimatorError for one
    that is too old."""
    if card.capability < OLDEST_CAPABILITY:
        raise EstimatorError(card.name, card.target, "a card of Turing (RTX 20) or newer")
    if library.name == "tensorrt":
        return build.CURRENT
    return build.AMPERE if card.capability >= (8, 0) else card.target


def fault(everything: bool = False) -> tuple[str, str]:
    """What of all that is needed here is missing, and what to install; empty where nothing is. Without a card
    the rest is looked at only if `everything` is asked for: it costs time to load."""
    driver = cards.find()
    if driver.fault and not everything:
        return driver.fault, ""
    library, why = trt_library.look()
    missing, install = [driver.fault] if driver.fault else [], ""
    if library is None:
        missing.append(f"no TensorRT that loads ({'; '.join(why)})")
        install = trt_library.how_to_install()
    bindings = cuda.version()
    if not bindings:
        missing.append("no package cuda-bindings")
        install = install or cuda.INSTALL
    elif driver.cuda and _major(driver.cuda) < _major(bindings):
        missing.append(f"a driver for CUDA {driver.cuda}, expected {_major(bindings)}.0 or newer")
    if library is not None and driver.cards:
        try:
            target_for(library, driver.cards[0])
        except EstimatorError as error:
            missing.append(str(error))
    return "; ".join(missing), install


def _major(version: str) -> int:
    return int(version.split(".")[0])


def check(network: Network) -> None:
    """Raises EstimatorError that says everything that is missing to run a network here."""
    missing, install = fault(everything=True)
    if missing:
        todo = f"{install}, or use --engine onnx" if install else "use --engine onnx"
        raise EstimatorError(f"engine tensorrt with {network.path}", missing, "a card and its packages", todo)


def open_tensorrt(network: Network, say: Say = fuse.quiet) -> TensorRtEstimator:
    """On the first card. Raises EstimatorError."""
    return TensorRtEstimator(network, *_where(network), say)


def open_imported(network: Network, net: ForeignNetwork, say: Say = fuse.quiet) -> ImportedOnCard:
    """On the first card; `net` as for ImportedOnCard. Raises EstimatorError."""
    return ImportedOnCard(network, net, *_where(network), say)


def _where(network: Network) -> tuple[Library, cuda.Device, str]:
    """Library, card and target. Raises EstimatorError."""
    check(network)
    library = trt_library.require()
    target = target_for(library, cards.find().cards[0])
    return library, cuda.Device(), target


class TensorRtEstimator:
    """Estimator on TensorRT. Owns `device`. `share` is not heeded: another size would be another plan."""

    def __init__(
        self,
        network: Network,
        library: Library,
        device: cuda.Device,
        target: str,
        say: Say,
        graphs: bool = True,
    ) -> None:
        """`target`: what plans are compiled for; `say`: gets a line when one is; `graphs`: as for Lanes."""
        self.name = f"tensorrt {network.name} ({library.title}, {device.name})"
        self._network, self._library, self._target, self._say = network, library, target, say
        self._lanes = Lanes(self.name, library, device, self._plan, graphs, say)

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        way, found = self._lanes.run(image)
        normal = np.moveaxis(found["normal"], 0, -1)
        arrays = (normal, found["depth"], found["alpha"], found["small"], found.get("shading"))
        return Geometry(*arrays, resident=way.held(arrays))

    def card_ms(self, image: Image) -> dict[str, float]:
        """Milliseconds, as Lane.card_ms. Raises EstimatorError."""
        return self._lanes.card_ms(image)

    def close(self) -> None:
        """Gives back everything on the card."""
        self._lanes.close()

    def _plan(self, frame: tuple[int, int]) -> tuple[front.Form, Path]:
        form = front.form_for(self._network, frame)
        return form, fuse.build_fused(self._network, form, self._target, self._library, self._say)


class ImportedOnCard:
    """An imported network as trio.py wants it, on TensorRT; `net` is the same, opened on the processor: it
    knows the network's card and what to make of what comes out. Owns `device`. `share` is not heeded."""

    def __init__(
        self,
        network: Network,
        net: ForeignNetwork,
        library: Library,
        device: cuda.Device,
        target: str,
        say: Say,
        graphs: bool = True,
    ) -> None:
        self.card = net.card
        self._network, self._net, self._library, self._target, self._say = network, net, library, target, say
        title = f"tensorrt {network.name} ({library.title}, {device.name})"
        self._lanes = Lanes(title, library, device, self._plan, graphs, say)

    def maps(self, image: Image, share: float = 1.0) -> dict[str, Map]:
        """As ForeignNetwork.maps. Raises EstimatorError."""
        found = self._lanes.run(image)[1]
        return self._net.told(found, (image.shape[1], image.shape[0]))

    def close(self) -> None:
        """Gives back everything on the card."""
        self._lanes.close()

    def _plan(self, frame: tuple[int, int]) -> tuple[foreign_front.Form, Path]:
        form = foreign_front.form_for(self._net, frame)
        made = fuse.build_imported(self._network, self._net, form, self._target, self._library, self._say)
        return form, made
