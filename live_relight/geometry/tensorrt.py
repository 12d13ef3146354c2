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

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.errors import EstimatorError, LiveRelightError
from ..core.frames import Geometry, Image
from . import build, cards, cuda, front, lane, plans, trt_library
from .lane import Lane
from .network import Network
from .trt_library import Library

SIZES = 3
"""Frame sizes that are kept ready; the one not used for longest is given up for another."""
PATIENCE = 0.5
"""Seconds for a frame, its size's first apart: less than FallbackEstimator waits, so that the error says what
went wrong."""
OLDEST_CAPABILITY = (7, 5)
"""Of a card: Turing."""
USUAL = (1280, 720)
"""Frames that the plan is looked for, or made, at the start."""

Say = Callable[[str], None]


def build_fused(
    network: Network,
    form: front.Form,
    target: str,
    library: Library,
    say: Callable[[str], None] = lambda line: None,
    progress: Callable[[float], None] = lambda part: None,
) -> Path:
    """As `build.build`, for one camera's frames: from a frame's bytes to finished arrays. Says nothing of a
    plan that is there already."""
    build.check_target(library, target)
    source = build.source_of(network)
    key = plans.Key(
        network=network.name,
        onnx=front.digest(source.data, form),
        library=library.name,
        version=library.version,
        target=build.resolved(target),
        precision=source.precision,
        shapes=str(form),
        place=build.place(network),
    )

    def make() -> bytes:
        say(f"compiling {network.name} for frames of {form.frame[0]}x{form.frame[1]} with {library.title}")
        whole = front.fused(source.data, form, f"network {source.path}")
        return build.compile_plan(library, replace(source, data=whole), target, form, progress)

    return plans.obtain(key, library, make, say, say_hits=False)


def target_for(library: Library, card: cards.Card) -> str:
    """What to compile for a card in this machine. Raises EstimatorError for one that is too old."""
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


def open_tensorrt(network: Network, say: Say = lambda line: None) -> TensorRtEstimator:
    """On the first card. Raises EstimatorError."""
    check(network)
    library = trt_library.require()
    target = target_for(library, cards.find().cards[0])
    return TensorRtEstimator(network, library, cuda.Device(), target, say)


class TensorRtEstimator:
    """Estimator on TensorRT. Owns `device`. `share` is not heeded: another size would be another plan.

    After a failure every later call fails at once: what the card still does with the buffers is not known.
    """

    def __init__(
        self,
        network: Network,
        library: Library,
        device: cuda.Device,
        target: str,
        say: Say,
        graphs: bool = True,
    ) -> None:
        """`target`: what plans are compiled for; `say`: gets a line when one is; `graphs` False: every step
        of every frame is started on its own."""
        self.name = f"tensorrt {network.name} ({library.title}, {device.name})"
        self._network, self._library, self._target, self._say = network, library, target, say
        self._device, self._graphs = device, graphs
        self._lanes: OrderedDict[tuple[int, int], Lane] = OrderedDict()
        self._failed: EstimatorError | None = None
        try:
            self._runtime = library.api.Runtime(library.log.receiver)
            self._plan(front.form_for(network, USUAL))
        except BaseException as error:
            device.close()
            if isinstance(error, Exception):
                raise self._told(error) from None
            raise

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        if self._failed is not None:
            raise self._failed
        try:
            self._device.use()  # whichever thread this is
            way = self._lane((image.shape[1], image.shape[0]))
            found = way.run(image, PATIENCE)
        except Exception as error:
            self._failed = self._told(error)
            raise self._failed from None
        normal = np.moveaxis(found["normal"], 0, -1)
        arrays = (normal, found["depth"], found["alpha"], found["small"], found.get("shading"))
        return Geometry(*arrays, resident=way.held(arrays))

    def close(self) -> None:
        """Gives back everything on the card."""
        self._failed = self._failed or EstimatorError(self.name, "a frame after its end")
        with contextlib.suppress(EstimatorError):
            self._device.use()
        while self._lanes:
            self._lanes.popitem()[1].close()
        self._runtime = None
        self._device.close()

    def _lane(self, frame: tuple[int, int]) -> Lane:
        if frame not in self._lanes:
            self._hide(True)  # frames may come from elsewhere meanwhile, and are shaded in another thread
            while len(self._lanes) >= SIZES:
                self._lanes.popitem(last=False)[1].close()
            form = front.form_for(self._network, frame)
            plan = self._plan(form)
            self._lanes[frame] = self._started(plan, form)
            self._hide(False)
        self._lanes.move_to_end(frame)
        return self._lanes[frame]

    def _hide(self, hidden: bool) -> None:
        for one in self._lanes.values():
            one.hidden = hidden

    def _started(self, plan: Path, form: front.Form) -> Lane:
        """A lane that has run; without the library's graphs where it does not run with them."""
        args, start = (self._device, self._library, self._runtime, plan, form), time.monotonic()
        if self._graphs:
            try:
                return Lane(*args, graphs=True)
            except Exception:  # what is wrong with more than graphs, the second one says
                if time.monotonic() - start >= lane.FIRST:
                    raise  # a card that hangs would hang as long again
                self._graphs = False
        return Lane(*args, graphs=False)

    def _plan(self, form: front.Form) -> Path:
        return build_fused(self._network, form, self._target, self._library, self._say)

    def _told(self, error: Exception) -> EstimatorError:
        """Anything as an EstimatorError, with the library's own words where it has said some."""
        if isinstance(error, EstimatorError):
            return error
        if isinstance(error, LiveRelightError):
            return EstimatorError(error.what, error.got, error.expected, error.todo)
        said = build.last_said(self._library) if self._library.log.errors else str(error)
        return EstimatorError(self.name, said or type(error).__name__)
