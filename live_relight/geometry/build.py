"""Networks compiled to TensorRT plans, ahead of time: no card is needed, but for the target `current`.

`build` compiles a network as it is; what runs is compiled with everything around it (fuse.py).
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..assets import PACKAGE
from ..core.errors import EstimatorError, UsageError, nearest
from ..core.paths import read_whole, reason
from ..core.toml import read_toml
from . import cards, plans
from .network import Network
from .shapes import Job, Shapes, check_fused, check_network
from .trt_library import Library

AMPERE, CURRENT = "ampere", "current"
TARGETS = (AMPERE, "sm75", "sm80", "sm86", "sm89", "sm120", "sm121", CURRENT)
"""`ampere`: one plan for every card from Ampere (RTX 30) on; `smNN`: for that compute capability alone;
`current`: for the card in this machine."""
EVERY_CARD = (AMPERE, "sm75")
"""Together every card that TensorRT for RTX runs on: Turing (RTX 20) needs a plan of its own."""
HALF = "float16"
"""Precision of a plan; the other is 'as given', for what a network's own file says."""
LARGEST_ONNX = 2_000_000_000
INSTALLED = PACKAGE / "_data" / "engines"
"""Where networks are in an installed package; in a checkout there is no such folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """The ONNX file that is compiled for a network, and the precision that a plan's key names."""

    path: Path
    data: bytes
    precision: str


def parse_targets(text: str) -> tuple[str, ...]:
    """'sm86,sm89' to its parts, each once. Raises UsageError."""
    words = text.lower().replace(" ", "").split(",")
    for word in words:
        if word not in TARGETS:
            raise UsageError("--target", f"'{word}'", todo=nearest(word, TARGETS))
    return tuple(dict.fromkeys(words))


def usual_targets(library: Library) -> tuple[str, ...]:
    """What plans are compiled for where nobody says, and all that `--engine tensorrt` uses."""
    return (CURRENT,) if library.name == "tensorrt" else EVERY_CARD


def source_of(network: Network) -> Source:
    """The network's float16 form `half/NAME.onnx` where there is one, else the network as it is.

    Raises EstimatorError where the float16 form was made from another network, or a file cannot be read.
    """
    half = network.path.parent / "half" / network.path.name
    card = half.with_suffix(".toml")
    path = half if half.exists() else network.path
    try:
        data = read_whole(path, LARGEST_ONNX)
        if path == network.path:
            return Source(path, data, "as given")
        made = read_toml(card)[1]
        original = hashlib.sha256(read_whole(network.path, LARGEST_ONNX)).hexdigest()
    except (OSError, ValueError) as error:
        raise EstimatorError(f"network {path}", reason(error), "a file that can be read") from None
    if made.get("source_sha256") != original or made.get("sha256") != hashlib.sha256(data).hexdigest():
        todo = f"python -m training.half {network.path}"
        raise EstimatorError(f"network {half}", f"not the float16 form of {network.path.name}", todo=todo)
    return Source(path, data, HALF)


def build(
    network: Network,
    target: str,
    shapes: Shapes,
    library: Library,
    say: Callable[[str], None] = lambda line: None,
    progress: Callable[[float], None] = lambda part: None,
) -> Path:
    """The plan's file in the cache, compiled if it is not there. `say`: one line for people; `progress`: how
    much is done, 0..1. Raises EstimatorError, UsageError, SinkError."""
    check_target(library, target)
    source = source_of(network)
    key = plans.Key(
        network=network.name,
        onnx=hashlib.sha256(source.data).hexdigest(),
        library=library.name,
        version=library.version,
        target=resolved(target),
        precision=source.precision,
        shapes=str(shapes),
        place=place(network),
    )
    return plans.obtain(key, library, lambda: compile_plan(library, source, target, shapes, progress), say)


def place(network: Network) -> str:
    """Tells networks of one name apart in plans' keys: '' for one of the installed package, else six letters
    of a sum of its path. So one in another folder, such as a checkout's, is another one, and a new version in
    the same place is not."""
    if network.path.parent == INSTALLED:
        return ""
    return hashlib.sha256(os.fsencode(network.path.resolve())).hexdigest()[:6]


def compile_plan(
    library: Library,
    source: Source,
    target: str,
    shapes: Shapes | Job,
    progress: Callable[[float], None],
) -> bytes:
    """The library's work, in a thread of its own: a Ctrl-C must not travel through its callbacks. `shapes` is
    a Job where the source is a fused graph.

    Raises EstimatorError with the library's own reason.
    """
    library.log.clear()
    monitor = _monitor(library.api)
    with concurrent.futures.ThreadPoolExecutor(1, "tensorrt build") as pool:
        work = pool.submit(_compile, library, source, target, shapes, monitor)
        try:
            while not work.done():
                concurrent.futures.wait([work], timeout=0.1)
                progress(monitor.part)
        except BaseException:
            monitor.cancel.set()  # the library looks at it after each of its steps
            raise
        return work.result()


def _compile(library: Library, source: Source, target: str, shapes: Shapes | Job, monitor: Any) -> bytes:
    api, what = library.api, f"network {source.path}"
    builder = _made(library, what, lambda: api.Builder(library.log.receiver))
    network = builder.create_network(1 << int(api.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = api.OnnxParser(network, library.log.receiver)
    if not parser.parse(source.data):
        found = parser.get_error(0).desc() if parser.num_errors else last_said(library)
        raise EstimatorError(what, _short(found), f"an ONNX file that {library.title} reads")
    config = builder.create_builder_config()
    config.progress_monitor = monitor
    if not isinstance(shapes, Shapes):
        check_fused(network, api, what, shapes)  # every size in it is fixed
    else:
        check_network(network, api, what, shapes)
        profile = builder.create_optimization_profile()
        sizes = [(1, 3, h, w) for w, h in (shapes.smallest, shapes.best, shapes.largest)]
        profile.set_shape("image", *sizes)
        config.add_optimization_profile(profile)
    _aim(config, library, target)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        expected = f"a network that {library.title} compiles"
        turing = target == "sm75" and source.precision != HALF  # multiplies matrices in float16 alone
        todo = "make its float16 form: python -m training.half FILE" if turing else ""
        raise EstimatorError(f"{what} for {target}", last_said(library), expected, todo)
    return bytes(plan)


def _aim(config: Any, library: Library, target: str) -> None:
    """Tells the library which cards the plan is for."""
    if library.name == "tensorrt":
        if target == AMPERE:
            config.hardware_compatibility_level = library.api.HardwareCompatibilityLevel.AMPERE_PLUS
    elif target != AMPERE:  # left alone, TensorRT for RTX compiles for every card from Ampere on
        config.num_compute_capabilities = 1
        config.set_compute_capability(library.api.ComputeCapability.__members__[target.upper()], 0)


def check_target(library: Library, target: str) -> None:
    """Raises UsageError where the library does not know the target, EstimatorError where it needs a card."""
    if library.name == "tensorrt" and target not in (AMPERE, CURRENT):
        expected = f"{AMPERE} or {CURRENT} (only TensorRT for RTX compiles for other cards)"
        raise UsageError("--target", target, expected)
    if library.name == "tensorrt_rtx" and target != AMPERE:
        known = library.api.ComputeCapability.__members__
        if target.upper() not in known:
            raise UsageError("--target", target, f"a card that {library.title} knows: {', '.join(known)}")
    if library.name == "tensorrt" or target == CURRENT:
        fault = cards.find().fault
        if fault:
            classical = library.name == "tensorrt"  # which needs a card whatever the target
            what = f"compiling with {library.title}" if classical else f"--target {target}"
            todo = "" if classical else f"--target {AMPERE}"
            raise EstimatorError(what, fault, "a card in this machine", todo)


def resolved(target: str) -> str:
    """`current` says nothing on another day, with another card: 'current-sm89'."""
    return f"{CURRENT}-{cards.find().cards[0].target}" if target == CURRENT else target


def _made(library: Library, what: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:  # the binding's own way to say that the library gave nothing
        raise EstimatorError(f"{what} with {library.title}", last_said(library) or str(error)) from None


def last_said(library: Library) -> str:
    """The library's reason, from its log."""
    return _short(library.log.errors[0]) if library.log.errors else "no reason given"


def _short(message: str) -> str:
    """Without the place in the library's own source."""
    line = re.sub(r"\s*\bIn \S+ at \S+?:\d+", "", " ".join(message.split()))
    return line.replace("( ", "(").replace(" )", ")").replace(".)", ")").rstrip(".")[:300]


def _monitor(api: Any) -> Any:
    """Follows the library's nested phases: `part` is how much is done, 0..1; `cancel` makes it stop."""

    class Monitor(api.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            api.IProgressMonitor.__init__(self)
            self.cancel = threading.Event()
            self.part = 0.0
            self._phases: list[tuple[str, int, int]] = []  # name, steps, steps done; outermost first

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._phases.append((phase_name, max(num_steps, 1), 0))

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._phases = [
                (name, steps, step + 1 if name == phase_name else done) for name, steps, done in self._phases
            ]
            part, share = 0.0, 1.0
            for _, steps, done in self._phases:
                part += share * min(done / steps, 1.0)
                share /= steps
            self.part = max(self.part, min(part, 1.0))  # never backwards
            return not self.cancel.is_set()

        def phase_finish(self, phase_name: str) -> None:
            self._phases = [phase for phase in self._phases if phase[0] != phase_name]

    return Monitor()
