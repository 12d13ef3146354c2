"""Stand-ins for other people's networks: ours inside, with theirs around it: inputs, units, axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from live_relight.geometry.network import find_network

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
INSIDE = (256, 160)
"""(width, height) that our network sees."""


@dataclass
class StandIn:
    """`outputs`: name, our output ('normal', 'depth', 'alpha'), what is made of it, and its shape.

    What is made is a list of (operator, value): a number or a list for each channel.
    """

    outputs: Sequence[tuple[str, str, Sequence[tuple[str, object]], tuple[int | str, ...]]]
    name: str = "image"
    sides: tuple[int | str, int | str] = ("height", "width")
    norm: tuple[tuple[float, ...], tuple[float, ...]] = PLAIN
    white: float = 1.0
    bgr: bool = False
    last: bool = False
    """Channels last."""
    kind: int = TensorProto.FLOAT
    camera: str = ""
    """Name of a further input for the pinhole camera, 1 x 3 x 3, which turns the first output about."""
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    values: list[onnx.TensorProto] = field(default_factory=list)

    def bytes(self) -> bytes:
        model = onnx.load(find_network("fast").path)
        inner = onnx.compose.add_prefix_graph(model.graph, "in_")
        self.nodes, self.values = [], list(inner.initializer)
        self._before()
        self.nodes += inner.node
        infos = [self._after(*output) for output in self.outputs]
        shape = [1, *self.sides, 3] if self.last else [1, 3, *self.sides]
        inputs = [helper.make_tensor_value_info(self.name, self.kind, shape)]
        if self.camera:
            inputs.append(helper.make_tensor_value_info(self.camera, TensorProto.FLOAT, [1, 3, 3]))
        graph = helper.make_graph(self.nodes, "stand-in", inputs, infos, self.values)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        made.ir_version = 8
        return bytes(made.SerializeToString())

    def _node(self, kind: str, inputs: Sequence[str], name: str, **more: object) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **more))
        return name

    def _value(self, name: str, value: object, kind: type = np.float32) -> str:
        self.values.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def _resize(self, source: str, size: tuple[int, int], name: str) -> str:
        sizes = self._value(f"{name}.size", [1, 0, *size], np.int64)
        count = self._node("Shape", [source], f"{name}.shape")
        head = self._node("Slice", [count, self._int("0"), self._int("2")], f"{name}.head")
        tail = self._node("Slice", [sizes, self._int("2"), self._int("4")], f"{name}.tail")
        whole = self._node("Concat", [head, tail], f"{name}.whole", axis=0)
        return self._node("Resize", [source, "", "", whole], name, mode="linear")

    def _int(self, number: str) -> str:
        if f"int.{number}" not in {value.name for value in self.values}:
            self._value(f"int.{number}", [int(number)], np.int64)
        return f"int.{number}"

    def _before(self) -> None:
        """From their picture to ours: RGB 0..1, planes."""
        now = self._node("Cast", [self.name], "f32", to=TensorProto.FLOAT)
        if self.last:
            now = self._node("Transpose", [now], "planes", perm=[0, 3, 1, 2])
        for kind, part in (("Mul", self.norm[1]), ("Add", self.norm[0])):
            now = self._node(
                kind, [now, self._value(f"{kind}.norm", np.reshape(part, (1, 3, 1, 1)))], f"{kind}.n"
            )
        now = self._node("Div", [now, self._value("white", self.white)], "unit")
        if self.bgr:
            now = self._node("Gather", [now, self._value("swap", [2, 1, 0], np.int64)], "swapped", axis=1)
        # A network that is given the wrong numbers sees little; ours would forgive much of it.
        now = self._node("Clip", [now, self._value("zero", 0.0), self._value("one", 1.0)], "clipped")
        self._resize(now, (INSIDE[1], INSIDE[0]), "in_image")

    def _after(
        self, name: str, ours: str, steps: Sequence[tuple[str, object]], shape: tuple[int | str, ...]
    ) -> onnx.ValueInfoProto:
        now = f"in_{ours}"
        if all(isinstance(side, int) for side in self.sides):
            now = self._resize(now, (int(self.sides[0]), int(self.sides[1])), f"{name}.full")
        for index, (kind, value) in enumerate(steps):
            inputs = [now]
            if value is not None:
                array = np.reshape(value, (1, -1, 1, 1)) if np.ndim(value) else value
                inputs.append(self._value(f"{name}.{index}.value", array))
            now = self._node(kind, inputs, f"{name}.{index}")
        if self.camera:
            # The focal length over itself: 1 where a camera comes in, not a number where none does.
            where = self._node("ReduceMax", [self.camera], f"{name}.focal", keepdims=0)
            now = self._node("Mul", [now, self._node("Div", [where, where], f"{name}.same")], f"{name}.seen")
        if len(shape) == 3:
            now = self._node("Squeeze", [now, self._int("1")], f"{name}.flat")
        self._node("Cast", [now], name, to=self.kind)
        return helper.make_tensor_value_info(name, self.kind, shape)


def depth_anything(sides: tuple[int | str, int | str] = ("height", "width")) -> StandIn:
    """'pixel_values' to 'predicted_depth' [1, h, w]: relative inverse depth of an odd scale and shift."""
    steps = [("Reciprocal", None), ("Mul", 37.0), ("Add", 4.0)]
    return StandIn([("predicted_depth", "depth", steps, (1, "h", "w"))], "pixel_values", sides, IMAGENET)


def midas() -> StandIn:
    steps = [("Reciprocal", None), ("Mul", 900.0), ("Add", -300.0)]
    return StandIn([("797", "depth", steps, (1, 256, 256))], "0", (256, 256), IMAGENET)


def dsine() -> StandIn:
    """x left, y up, z toward the viewer; three steps of which the last counts; a camera comes in."""
    flip: Sequence[tuple[str, object]] = [("Mul", [-1.0, 1.0, 1.0])]
    wrong: Sequence[tuple[str, object]] = [("Mul", [1.0, -1.0, 1.0])]
    outputs = [(n, "normal", s, (1, 3, "h", "w")) for n, s in (("n0", wrong), ("n1", wrong), ("n2", flip))]
    return StandIn(outputs, "img", ("H", "W"), IMAGENET, camera="intrins")


def omnidata() -> StandIn:
    """x right, y down, z toward the viewer, (n + 1) / 2; 384 x 384."""
    steps = [("Mul", [0.5, -0.5, 0.5]), ("Add", 0.5)]
    return StandIn([("output", "normal", steps, (1, 3, 384, 384))], "input", (384, 384))


DAVID: dict[str, tuple[str, Sequence[tuple[str, object]], tuple[int | str, ...]]] = {
    "depth": ("depth", [("Neg", None), ("Mul", 3.0)], (1, 512, 512)),
    "normal": ("normal", [("Mul", 1.1)], (1, 3, 512, 512)),
    "matte": ("alpha", [], (1, 1, 512, 512)),
}


def david(*tasks: str) -> StandIn:
    """Depth, normals, foreground, or those of them that are named, at 512 x 512, from BGR."""
    outputs = [(f"o{index}", *DAVID[task]) for index, task in enumerate(tasks or DAVID, 1)]
    return StandIn(outputs, "x", (512, 512), bgr=True)


KNOWN: dict[str, tuple[str, Callable[[], StandIn]]] = {
    "depth-anything-v2-small": ("depth_anything_v2_vits.onnx", depth_anything),
    "midas-v21-small": ("model-small.onnx", midas),
    "dsine": ("dsine.onnx", dsine),
    "omnidata-normal": ("omnidata_dpt_normal_v2.onnx", omnidata),
    "david-multitask": ("multi-task-model-vitb16_384.onnx", david),
    "david-base-depth": ("depth-model-vitb16_384.onnx", partial(david, "depth")),
    "david-base-normal": ("normal-model-vitb16_384.onnx", partial(david, "normal")),
    "david-base-matte": ("foreground-segmentation-model-vitb16_384.onnx", partial(david, "matte")),
}
"""Ready-made card: the name that a file goes by, and a stand-in."""
