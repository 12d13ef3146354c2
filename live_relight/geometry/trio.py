"""Geometry from up to three imported networks, for depth, normals and the matte; the rest is from ours.

`--engine onnx:NAME` runs one of them, `onnx:NAME+NAME2` two or three, `onnx:fast+NAME` on top of our network
`fast` instead of the default one. Ours always runs: it gives the grid, what nobody was imported for, and the
units of a depth that has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import cv2
import numpy as np

from ..core.errors import EstimatorError, UsageError
from ..core.frames import Geometry, Image, Map
from ..core.stages import Estimator
from . import providers, tensorrt
from .fallback import Say, warn
from .foreign import Card
from .foreign_net import ForeignNetwork
from .imported import card_of, is_foreign
from .network import Network, find_network, verify
from .onnx import OnnxEstimator
from .providers import Provider
from .race import Candidate, first_that_works

NEAREST, FARTHEST = 0.05, 20.0
"""Limits of depth, in the person's median distance, as for our own networks."""
FEW = 16
"""Pixels of a person that are too few to measure units by."""


class Other(Protocol):
    """An imported network that is open: ForeignNetwork, tensorrt.ImportedOnCard."""

    card: Card

    def maps(self, image: Image, share: float = 1.0) -> dict[str, Map]:
        """A frame to what the card promises, by task, in our units and axes."""

    def close(self) -> None:
        """Gives back what it holds."""


class TrioEstimator:
    """Estimator: `base` with the maps of others in the place of its own. Owns them all."""

    def __init__(self, base: Estimator, others: Sequence[Other], names: Sequence[str]) -> None:
        self._base, self._others = base, others
        self.name = f"{base.name} with {', '.join(names)}"
        self.provider: Provider | None = getattr(base, "provider", None)

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        geometry = self._base.estimate(image, share)
        maps: dict[str, Map] = {}
        for other in self._others:
            maps |= {task: scaled(m, geometry.size) for task, m in other.maps(image, share).items()}
        if "matte" in maps:
            geometry = replace(geometry, alpha=np.clip(maps["matte"], 0.0, 1.0))
        if "normal" in maps:
            geometry = replace(geometry, normal=unit(maps["normal"]))
        if "depth" in maps:
            meaning = next(o.card.outputs["depth"].meaning for o in self._others if "depth" in o.card.outputs)
            geometry = replace(geometry, depth=in_our_units(maps["depth"], meaning, geometry))
        return geometry

    def close(self) -> None:
        with ExitStack() as everything:  # all, also where one fails
            everything.callback(self._base.close)
            for other in self._others:
                everything.callback(other.close)


def scaled(plane: Map, size: tuple[int, int]) -> Map:
    """h x w or h x w x 3 to `size` (width, height), without aliasing."""
    h, w = plane.shape[:2]
    smooth = cv2.INTER_AREA if w >= size[0] and h >= size[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=smooth), np.float32)


def unit(normal: Map) -> Map:
    """Of unit length; where nothing came, toward the viewer."""
    length = np.sqrt((normal * normal).sum(axis=-1, keepdims=True))
    ahead = np.array([0.0, 0.0, 1.0], np.float32)
    return np.asarray(np.where(length > 1e-3, normal / np.maximum(length, 1e-6), ahead), np.float32)


def in_our_units(found: Map, meaning: str, ours: Geometry) -> Map:
    """h x w as it came to z-distances, 1.0 = the person's median.

    'metric depth' is divided by its median over the person. The others have a scale and a shift that nobody
    knows: they get those with which their median and their median absolute deviation over the person become
    those of our network's depth ('depth') or of its inverse ('inverse depth'). So the relief is theirs, how
    deep it is in all is ours, and single wild values move nothing. Where there is no person to measure, or no
    relief, our depth stays.
    """
    person = ours.alpha > 0.5
    if int(person.sum()) < FEW:
        return ours.depth
    seen = found[person]
    middle = float(np.median(seen))
    if meaning == "metric depth":
        return _limited(found / middle, person) if middle > 1e-6 else ours.depth
    target = (1.0 / ours.depth if meaning == "inverse depth" else ours.depth)[person]
    level = float(np.median(target))
    spread = float(np.median(np.abs(seen - middle)))
    if spread <= 1e-6 * max(1.0, abs(middle)):
        return ours.depth
    gain = float(np.median(np.abs(target - level))) / spread
    values = (found - np.float32(middle)) * np.float32(gain) + np.float32(level)
    if meaning == "inverse depth":
        values = 1.0 / np.maximum(values, np.float32(1.0 / FARTHEST))
    return _limited(values, person)


def _limited(depth: Map, person: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Map:
    depth = depth / np.float32(max(float(np.median(depth[person])), 1e-6))
    return np.asarray(np.clip(depth, NEAREST, FARTHEST), np.float32)


def open_trio(
    engine: str, networks: list[Network], threads: int, say: Say | None = None, note: Say | None = None
) -> Estimator:
    """For open_estimator: `networks` are the imported ones and at most one of ours. Raises UsageError where
    two are for the same map, EstimatorError where one does not open."""
    ours = [network for network in networks if not is_foreign(network)]
    others = [network for network in networks if is_foreign(network)]
    if len(ours) > 1:
        names = " and ".join(network.name for network in ours)
        raise UsageError("--engine", f"two networks of ours, {names}", "at most one")
    base = ours[0] if ours else find_network()
    if not ours:
        verify(base)
    tasks = [(task, network.name) for network in others for task in card_of(network).outputs]
    for task in dict.fromkeys(task for task, _ in tasks):
        twice = [n for t, n in tasks if t == task]
        if len(twice) > 1:
            raise UsageError("--engine", f"{' and '.join(twice)} both for {task}", "one network for each map")

    return _Team(base, others, threads).opened(engine, say or warn, note)


@dataclass(frozen=True, slots=True)
class _Team:
    """Networks that work together: ours, and imported ones for other maps."""

    base: Network
    others: list[Network]
    threads: int

    def opened(self, engine: str, say: Say, note: Say | None) -> Estimator:
        if engine == "openvino":
            from .openvino import OpenVinoEstimator

            return self._joined(OpenVinoEstimator(self.base, self.threads), self._nets())
        if engine == "onnx":
            return self._through(None)
        if engine == "tensorrt":
            tensorrt.check(self.others[0])
        return self._on_card(engine, say, note)

    def _on_card(self, engine: str, say: Say, note: Say | None) -> Estimator:
        """TensorRT or the first provider that starts and gives what the CPU gives, with the CPU behind it;
        else the CPU."""
        found, compiles = providers.available(), engine == "tensorrt"
        if engine in providers.NAMES or compiles:
            found = [] if compiles else [providers.find(engine)]
        else:
            compiles = not tensorrt.fault()[0]
        if engine == "gpu" and not found and not compiles:
            todo = "`live-relight doctor` says what to install, or use --engine onnx"
            raise EstimatorError("engine gpu", "an ONNX Runtime for the CPU alone", todo=todo)
        nets = self._nets()
        slow = self._joined(OnnxEstimator(self.base, self.threads), nets)
        candidates = [Candidate(one.name, partial(self._through, one)) for one in found]
        if compiles:
            candidates.insert(0, Candidate("tensorrt", partial(self._compiled, nets, say)))
        return first_that_works(candidates, slow, say, engine == "auto", note)

    def _through(self, provider: Provider | None) -> TrioEstimator:
        return self._joined(OnnxEstimator(self.base, self.threads, provider), self._nets(provider))

    def _compiled(self, nets: list[ForeignNetwork], say: Say) -> TrioEstimator:
        """All of them on TensorRT; `nets`: the others, opened on the processor. Raises EstimatorError."""
        with ExitStack() as opened:
            ours = tensorrt.open_tensorrt(self.base, say)
            opened.callback(ours.close)
            theirs = []
            for network, net in zip(self.others, nets, strict=True):
                theirs.append(tensorrt.open_imported(network, net, say))
                opened.callback(theirs[-1].close)
            made = self._joined(ours, theirs)
            opened.pop_all()
            return made

    def _nets(self, provider: Provider | None = None) -> list[ForeignNetwork]:
        """The others through ONNX Runtime. Raises EstimatorError."""
        found = []
        for one in self.others:
            label = f"network {one.path}"
            found.append(ForeignNetwork(one.path, card_of(one), label, self.threads, provider))
        return found

    def _joined(self, base: Estimator, nets: Sequence[Other]) -> TrioEstimator:
        pairs = zip(self.others, nets, strict=True)
        return TrioEstimator(
            base, nets, [f"{' and '.join(net.card.outputs)} of {o.name}" for o, net in pairs]
        )
