"""A network with its whole surroundings as one ONNX graph: camera frame in, finished geometry out.

What `resize.resized`, `network.to_input` and `network.to_geometry` do on the CPU becomes operators before and
after the network, so that a card gets a frame's bytes and gives back arrays that are ready:

`frame`    [H, W, 3] uint8 BGR, the camera's picture
`normal`   [3, h, w] float32 unit vectors, planes x, y, z
`depth`    [h, w] float32, 0.05..20
`alpha`    [h, w] float32, 0..1
`small`    [h, w, 3] uint8 BGR, the picture as the network saw it
`shading`  [h, w] float32, where the network has it: stops of light, 0 at the person's mean

The small picture is resampled by the very steps and roundings of OpenCV's for bytes: the networks answer to
one level of noise with a degree of normals, so one that is merely as good would not give what the CPU
gives. Needs the package `onnx`, when a graph is made only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import EstimatorError
from ..core.install import pip
from .graph import Parts, Size, shrunk, steps
from .network import STEEPEST, Network, input_size
from .shapes import Layout

VERSION = 1
"""Of the graph around the network; raise it when it changes, as plans are known by it."""
OLDEST_OPSET = 11
"""Every operator below has the same form from here on."""
USUAL = ("normal", "depth", "alpha")
PREFIX = "net/"
"""Before every name of the network's own, so that others are free."""
LIMIT = 1e3
"""In place of infinities."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a graph is made for. `frame`, `small`: (width, height) of the camera's picture and of the
    network's."""

    frame: Size
    small: Size

    def __str__(self) -> str:
        return f"{self.frame[0]}x{self.frame[1]} to {self.small[0]}x{self.small[1]}"

    @property
    def squeeze(self) -> float:
        """How much narrower the network sees the picture: `to_geometry` explains."""
        return (self.small[0] / self.small[1]) / (self.frame[0] / self.frame[1])

    def outputs(self, found: Mapping[str, tuple[int, ...]]) -> Layout:
        """What a compiled graph has to give; `found`: the shapes of its tensors, by name."""
        return layout(self, "shading" in found)


def form_for(network: Network, frame: Size) -> Form:
    """The form for a camera's frames of (width, height)."""
    return Form(frame, input_size(frame, network.pixels, network.stride))


def digest(data: bytes, form: Form) -> str:
    """sha256 of everything that `fused` depends on: hex. Needs no `onnx`."""
    total = hashlib.sha256(f"{VERSION} {form} {steps(form.frame, form.small)}".encode())
    total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def layout(form: Form, shading: bool) -> dict[str, tuple[tuple[int, ...], type]]:
    """A Layout."""
    w, h = form.small
    found: dict[str, tuple[tuple[int, ...], type]] = {
        "normal": ((3, h, w), np.float32), "depth": ((h, w), np.float32), "alpha": ((h, w), np.float32)
    }  # fmt: skip
    if shading:
        found["shading"] = ((h, w), np.float32)
    return found | {"small": ((h, w, 3), np.uint8)}


def fused(data: bytes, form: Form, what: str) -> bytes:
    """The graph for a network's ONNX `data`; `what` names it in errors. Raises EstimatorError."""
    onnx, model = loaded(data, what)
    outputs = [output.name.removeprefix(PREFIX) for output in model.graph.output]
    weights = {value.name for value in model.graph.initializer}
    inputs = [v.name.removeprefix(PREFIX) for v in model.graph.input if v.name not in weights]
    if inputs != ["image"] or not set(USUAL) <= set(outputs):
        got = f"inputs {inputs} and outputs {outputs}"
        todo = "others: `live-relight engines import`"
        raise EstimatorError(what, got, "input 'image' and outputs 'normal', 'depth', 'alpha'", todo)
    parts = Parts(onnx)
    before = _before(parts, form)
    _after(parts, form, outputs)
    return joined(onnx, model, parts, before, ["image"], form.frame, layout(form, "shading" in outputs))


def loaded(data: bytes, what: str) -> tuple[Any, Any]:
    """The package `onnx`, and the network with PREFIX before all its names. Raises EstimatorError."""
    onnx = _onnx()
    try:
        model = onnx.load_model_from_string(data)
        opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    except Exception as error:  # protobuf's errors have no base of their own
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise EstimatorError(what, said, "an ONNX file that loads") from None
    if opset < OLDEST_OPSET:
        try:
            model = _newer(onnx, model)
        except Exception:  # a RuntimeError with lines of the converter's source
            raise EstimatorError(what, f"operators of opset {opset}", f"{OLDEST_OPSET} or newer") from None
    return onnx, onnx.compose.add_prefix(model, PREFIX, rename_functions=False)


def _newer(onnx: Any, model: Any) -> Any:
    """The same in operators of OLDEST_OPSET. What was Upsample or Resize becomes a Resize of another rule for
    where pixels are unless it is told the old one, which onnx's converter leaves out."""
    model = onnx.version_converter.convert_version(model, OLDEST_OPSET)
    rules = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for node in model.graph.node:
        if node.op_type == "Resize":
            others = [one for one in node.attribute if one.name not in rules]
            del node.attribute[:]
            node.attribute.extend(others)
            node.attribute.extend(onnx.helper.make_attribute(*rule) for rule in rules.items())
    return model


def joined(
    onnx: Any,
    model: Any,
    parts: Parts,
    before: int,
    fed: Iterable[str],
    frame: Size,
    outputs: Mapping[str, Any],
) -> bytes:
    """One graph of `model` (from `loaded`), before it the first `before` nodes of `parts`, which give its
    inputs `fed`, and behind it the others; `outputs`: a Layout, None for a shape that is not known."""
    graph = model.graph
    nodes = [*parts.nodes[:before], *graph.node, *parts.nodes[before:]]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(parts.constants)
    given = {PREFIX + name for name in fed}
    kept = [value for value in graph.input if value.name not in given]
    del graph.input[:], graph.output[:]
    kinds: dict[type, int] = {np.uint8: onnx.TensorProto.UINT8, np.float32: onnx.TensorProto.FLOAT}
    value = onnx.helper.make_tensor_value_info
    graph.input.extend([value("frame", kinds[np.uint8], [frame[1], frame[0], 3]), *kept])
    for name, (shape, kind) in outputs.items():
        graph.output.append(value(name, kinds[kind], shape))
    return bytes(model.SerializeToString())


def _before(parts: Parts, form: Form) -> int:
    """`frame` to the network's `net/image` and to `small`. Returns how many nodes there are now."""
    w, h = form.small
    planes = parts.add("Transpose", parts.cast("frame", "FLOAT"), perm=[2, 0, 1])
    planes = shrunk(parts, planes, form.frame, form.small)
    parts.cast(parts.add("Transpose", planes, perm=[1, 2, 0]), "UINT8", name="small")
    rgb = parts.add("Gather", planes, parts.whole([2, 1, 0]), axis=0)
    scaled = parts.add("Mul", rgb, parts.constant(1 / 255))
    parts.add("Reshape", scaled, parts.whole([1, 3, h, w]), name="net/image")
    return len(parts.nodes)


def _after(parts: Parts, form: Form, outputs: list[str]) -> None:
    """`net/NAME` to NAME: not-a-number replaced, in range, unit vectors, one picture instead of a batch."""
    w, h = form.small
    _normal(parts, form)
    for name, instead, low, high in (("depth", 1.0, 0.05, 20.0), ("alpha", 0.0, 0.0, 1.0)):
        flat = parts.add("Reshape", f"net/{name}", parts.whole([h, w]))
        parts.clip(parts.number(flat, instead), low, high, name)
    if "shading" in outputs:
        _shading(parts, parts.add("Reshape", "net/shading", parts.whole([h, w])))


def _normal(parts: Parts, form: Form) -> None:
    planes = parts.add("Reshape", "net/normal", parts.whole([3, form.small[1], form.small[0]]))
    finite = parts.clip(parts.number(planes, 0.0), -LIMIT, LIMIT)
    wide = parts.add("Mul", finite, parts.constant(np.array([form.squeeze, 1, 1]).reshape(3, 1, 1)))
    square = parts.add("Mul", wide, wide)
    # Three additions, not a sum: how a sum is told its axis differs between versions of the operators.
    x, y, z = (parts.add("Gather", square, parts.whole([i]), axis=0) for i in range(3))
    length = parts.add("Sqrt", parts.add("Add", parts.add("Add", x, y), z))
    parts.add("Div", wide, parts.add("Max", length, parts.constant(1e-6)), name="normal")


def _shading(parts: Parts, logs: str) -> None:
    """[h, w] natural logs of any level to stops, 0 where the light is the person's mean."""
    logs = parts.clip(parts.number(logs, 0.0), -STEEPEST, STEEPEST)
    twice = parts.add("Mul", "alpha", parts.constant(2.0))
    person = parts.clip(parts.add("Sub", twice, parts.constant(1.0)), 0.0, 1.0)
    there = parts.add("ReduceSum", person, keepdims=1)
    light = parts.add("ReduceSum", parts.add("Mul", parts.add("Exp", logs), person), keepdims=1)
    one, none = parts.constant(1.0), parts.constant(0.0)
    # Where nobody is, the quotient's logarithm is not asked for, but it is taken: of a number that has one.
    safe = parts.add("Max", parts.add("Div", light, parts.add("Max", there, one)), parts.constant(1e-6))
    level = parts.add("Where", parts.add("Greater", there, one), parts.add("Log", safe), none)
    parts.add("Mul", parts.add("Sub", logs, level), parts.constant(1 / np.log(2)), name="shading")


def _onnx() -> Any:
    try:
        import onnx
        import onnx.compose
        import onnx.version_converter
    except ImportError as error:
        todo = pip("live-relight[tensorrt]")
        raise EstimatorError(
            "package onnx", str(error), "it to join a network and its frames", todo
        ) from None
    return onnx
