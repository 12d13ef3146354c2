"""An imported network with all that comes before it as one ONNX graph, as front.py makes of ours.

`frame`    [H, W, 3] uint8 BGR, the camera's picture
`depth`, `normal`, `matte`: what the card promises of these, float32, in the shape that the network gives

What foreign_net.py does to a frame (OpenCV's resizing, borders, colours, the camera's matrix) becomes
operators and constants; what it does to the few maps that come out stays with the processor. Needs the
package `onnx`, when a graph is made only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core.errors import EstimatorError
from . import front
from .foreign_net import FLOATS, Box, ForeignNetwork, borders
from .graph import Parts, Size, shrunk, steps
from .shapes import Layout

VERSION = 1
"""Of the graph before the network; raise it when it changes, as plans are known by it."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a graph is made for. `frame`, `small`: (width, height) of the camera's picture and of the
    network's; `box`: where in that the frame is; `tasks`: what comes out."""

    frame: Size
    small: Size
    box: Box
    tasks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.frame[0]}x{self.frame[1]} to {self.small[0]}x{self.small[1]}"

    def outputs(self, found: Mapping[str, tuple[int, ...]]) -> Layout:
        """What a compiled graph has to give; `found`: the shapes of its tensors, by name."""
        return {task: (found.get(task, ()), np.float32) for task in self.tasks}


def form_for(net: ForeignNetwork, frame: Size) -> Form:
    """The form for a camera's frames of (width, height)."""
    return Form(frame, *net.placed(frame), tuple(net.card.outputs))


def digest(data: bytes, net: ForeignNetwork, form: Form) -> str:
    """sha256 of everything that `fused` depends on: hex. Needs no `onnx`."""
    names = [(task, out.name) for task, out in net.card.outputs.items()]
    said = (VERSION, form, net.card.input, names, steps(form.frame, form.box[2:]))
    total = hashlib.sha256(repr(said).encode())
    total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def fused(data: bytes, net: ForeignNetwork, form: Form, what: str) -> bytes:
    """The graph for the ONNX `data` that `net` was opened from; `what` names it in errors. Raises
    EstimatorError."""
    onnx, model = front.loaded(data, what)
    there = [output.name.removeprefix(front.PREFIX) for output in model.graph.output]
    parts = Parts(onnx)
    _before(parts, net, form)
    fed = [net.picture.name]
    if net.camera is not None:
        fed.append(net.camera.name)
        matrix = parts.constant(net.camera_at(form.box), FLOATS[net.camera.type])
        parts.add("Identity", matrix, name=front.PREFIX + net.camera.name)
    before = len(parts.nodes)
    for task, out in net.card.outputs.items():
        if out.name not in there:
            raise EstimatorError(what, f"no output '{out.name}'", f"one of {', '.join(there)}")
        parts.cast(front.PREFIX + out.name, "FLOAT", name=task)
    outputs = dict.fromkeys(form.tasks, (None, np.float32))
    return front.joined(onnx, model, parts, before, fed, form.frame, outputs)


def _before(parts: Parts, net: ForeignNetwork, form: Form) -> None:
    """`frame` to the network's picture, as `ForeignNetwork.given` and `foreign_net.tensor` make it."""
    one, (w, h) = net.card.input, form.small
    planes = parts.add("Transpose", parts.cast("frame", "FLOAT"), perm=[2, 0, 1])
    planes = shrunk(parts, planes, form.frame, form.box[2:])
    if form.box[2:] != form.small:
        left, top, right, bottom = borders(form.small, form.box)
        planes = parts.add("Pad", planes, parts.whole([0, top, left, 0, bottom, right]), mode="edge")
    if one.order == "RGB":
        planes = parts.add("Gather", planes, parts.whole([2, 1, 0]), axis=0)
    values = parts.add("Mul", planes, parts.constant(np.float32(one.scale / 255.0)))
    mean, std = (np.array(three, np.float32).reshape(3, 1, 1) for three in (one.mean, one.std))
    values = parts.add("Div", parts.add("Sub", values, parts.constant(mean)), parts.constant(std))
    if net.last:
        values = parts.add("Transpose", values, perm=[1, 2, 0])
    kind = "FLOAT16" if FLOATS[net.picture.type] is np.float16 else "FLOAT"
    shape = [1, h, w, 3] if net.last else [1, 3, h, w]
    parts.add("Reshape", parts.cast(values, kind), parts.whole(shape), name=front.PREFIX + net.picture.name)
