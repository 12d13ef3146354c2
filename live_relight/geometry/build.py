"""Networks compiled to TensorRT plans, ahead of time: no card is needed, but for the target `current`.

`build` compiles a network as it is; what runs is compiled with everything around it (front.py, tensorrt.py).
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

import numpy as np

from ..assets import folder
from ..core.errors import EstimatorError, UsageError, nearest
from ..core.paths import read_whole, reason
from ..core.settings import parse_size, read_toml
from . import cards, front, plans
from .network import MOST, STRIDE, Network, input_size
from .trt_library import Library

AMPERE, CURRENT = "ampere", "current"
TARGETS = (AMPERE, "sm75", "sm80", "sm86", "sm89", "sm120", "sm121", CURRENT)
"""`ampere`: one plan for every card from Ampere (RTX 30) on; `smNN`: for that compute capability alone;
`current`: for the card in this machine."""
DEFAULT_TARGETS = (AMPERE, "sm75")
"""Together every card that the library runs on: Turing (RTX 20) needs a plan of its own."""
HALF = "float16"
"""Precision of a plan; the other is 'as given', for what a network's own file says."""
WIDEST = 2048
"""Longest side that a plan may be compiled for."""
LARGEST_ONNX = 2_000_000_000
CHANNELS = {"normal": 3, "depth": 1, "alpha": 1}
"""What comes out, [1, channels, height, width]; `image` with 3 goes in. All float32."""

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shapes:
    """(width, height) of the picture that a plan takes: the smallest, the one it is best at, the largest."""

    smallest: Size
    best: Size
    largest: Size

    def __str__(self) -> str:
        words = [f"{w}x{h}" for w, h in (self.smallest, self.best, self.largest)]
        return words[0] if len(set(words)) == 1 else "..".join(words)


@dataclass(frozen=True, slots=True)
class Source:
    """The ONNX file that is compiled for a network, and the precision that a plan's key names."""

    path: Path
    data: bytes
    precision: str


def parse_targets(text: str | None) -> tuple[str, ...]:
    """'sm86,sm89' to its parts, each once; None: DEFAULT_TARGETS. Raises UsageError."""
    words = text.lower().replace(" ", "").split(",") if text is not None else list(DEFAULT_TARGETS)
    for word in words:
        if word not in TARGETS:
            raise UsageError("--target", f"'{word}'", todo=nearest(word, TARGETS))
    return tuple(dict.fromkeys(words))


def shapes_for(network: Network, size: str | None = None) -> Shapes:
    """One fixed size for 'WxH'; otherwise every size that `input_size` can ask for. Raises UsageError."""
    if size is None:
        return Shapes((STRIDE, STRIDE), input_size((1280, 720), network.pixels), (MOST, MOST))
    width, height = parse_size(size)
    if width % STRIDE or height % STRIDE or max(width, height) > WIDEST:
        raise UsageError("--size", size, f"multiples of {STRIDE}, at most {WIDEST}")
    return Shapes((width, height), (width, height), (width, height))


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
    """Tells networks of one name apart in plans' keys: '' for a shipped one, else six letters of a sum of its
    path. So one in another folder is another one, and a new version in the same place is not."""
    if network.path.parent == folder("engines"):
        return ""
    return hashlib.sha256(os.fsencode(network.path.resolve())).hexdigest()[:6]


def compile_plan(
    library: Library,
    source: Source,
    target: str,
    shapes: Shapes | front.Form,
    progress: Callable[[float], None],
) -> bytes:
    """The library's work, in a thread of its own: a Ctrl-C must not travel through its callbacks. `shapes` is
    a Form where the source is a fused graph.

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


def _compile(
    library: Library, source: Source, target: str, shapes: Shapes | front.Form, monitor: Any
) -> bytes:
    api, what = library.api, f"network {source.path}"
    builder = _made(library, what, lambda: api.Builder(library.log.receiver))
    network = builder.create_network(1 << int(api.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = api.OnnxParser(network, library.log.receiver)
    if not parser.parse(source.data):
        found = parser.get_error(0).desc() if parser.num_errors else last_said(library)
        raise EstimatorError(what, _short(found), f"an ONNX file that {library.title} reads")
    config = builder.create_builder_config()
    config.progress_monitor = monitor
    if isinstance(shapes, front.Form):
        _check_fused(network, api, what, shapes)  # every size in it is fixed
    else:
        _check_network(network, api, what, shapes)
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
            todo = f"--target {AMPERE}" if library.name == "tensorrt_rtx" else ""
            raise EstimatorError(f"--target {target}", fault, "a card in this machine", todo)


def resolved(target: str) -> str:
    """`current` says nothing on another day, with another card: 'current-sm89'."""
    return f"{CURRENT}-{cards.find().cards[0].target}" if target == CURRENT else target


def _check_network(network: Any, api: Any, what: str, shapes: Shapes) -> None:
    """The contract's inputs and outputs, as the library understood them. Raises EstimatorError."""
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    found = {tensor.name: (_shape(tensor)[1:2], tensor.dtype) for tensor in (*inputs, *outputs)}
    wanted = {name: ((channels,), api.DataType.FLOAT) for name, channels in {"image": 3, **CHANNELS}.items()}
    if [tensor.name for tensor in inputs] != ["image"] or found != wanted:
        said = ", ".join(f"{t.name} {_shape(t)} {t.dtype.name}" for t in (*inputs, *outputs))
        expected = "float32 input 'image' (3 channels), outputs 'normal' (3), 'depth' (1), 'alpha' (1)"
        raise EstimatorError(what, said, expected)
    h, w = _shape(inputs[0])[2:4]
    if any(h not in (-1, size[1]) or w not in (-1, size[0]) for size in (shapes.smallest, shapes.largest)):
        side = [str(s) if s > 0 else "?" for s in (w, h)]
        raise EstimatorError(what, f"an input of {'x'.join(side)}", str(shapes), "--size with its own size")


def _check_fused(network: Any, api: Any, what: str, form: front.Form) -> None:
    """What front.py promises, as the library understood it. Raises EstimatorError."""
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [network.get_output(i) for i in range(network.num_outputs)]
    found = {t.name: (_shape(t), t.dtype) for t in tensors}
    kinds: dict[type, Any] = {np.uint8: api.DataType.UINT8, np.float32: api.DataType.FLOAT}
    wanted: dict[str, tuple[tuple[int, ...], Any]] = {}
    wanted["frame"] = ((form.frame[1], form.frame[0], 3), api.DataType.UINT8)
    for name, (shape, kind) in front.layout(form, "shading" in found).items():
        wanted[name] = (shape, kinds[kind])
    if found != wanted:
        said = ", ".join(f"{t.name} {_shape(t)} {t.dtype.name}" for t in tensors)
        raise EstimatorError(what, said, "a frame of bytes and a picture's geometry")


def _shape(tensor: Any) -> tuple[int, ...]:
    """-1 where a side is free, () where even their number is not known."""
    try:
        return tuple(tensor.shape)
    except ValueError:  # a length below zero
        return ()


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
