"""Networks of the sizes that others use for this job, drawn on the spot with random weights.

Layer types, widths, depths and the size of the output are those of the published designs, batch
normalisation folded into the convolutions as every exporter does. The weights mean nothing: such a network
says how long the real one takes and nothing of how good it is.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import LiveRelightError
from ..core.install import pip

OPSET = 20
"""The first with Gelu as one node."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A network to compare with: `about` for people, `side` in pixels of its square input, `draw` its graph
    from a float32 picture 1 x 3 x side x side to depth 1 x 1 x side x side."""

    name: str
    about: str
    side: int
    draw: Callable[[Graph, int], str]


class Graph:
    """An ONNX graph that grows node by node. Names of tensors are handed on as strings."""

    def __init__(self, side: int) -> None:
        self.rng = np.random.default_rng(5)
        self.side = side
        self.parameters = 0
        self._nodes: list[Any] = []
        self._initial: list[Any] = []
        self._helper = _part("helper")
        self._from_array = _part("numpy_helper").from_array
        self._float = int(_part("TensorProto").FLOAT)

    def node(self, op: str, inputs: Sequence[str], **attributes: object) -> str:
        name = f"t{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def weight(self, *shape: int, gain: float = 1.0) -> str:
        """Normal random numbers that keep the size of what passes through them, float32; counted."""
        values = self.rng.standard_normal(shape, np.float32)
        values *= np.float32(gain / math.sqrt(math.prod(shape[1:])))
        self.parameters += values.size
        return self.constant(values)

    def constant(self, values: object) -> str:
        name = f"w{len(self._initial)}"
        array = np.asarray(values)
        self._initial.append(self._from_array(np.ascontiguousarray(array), name))
        return name

    def conv(self, x: str, cin: int, cout: int, k: int = 1, stride: int = 1, groups: int = 1) -> str:
        """With a bias and edges of zeros that keep the size (halve it with a stride of 2)."""
        weight, bias = self.weight(cout, cin // groups, k, k, gain=1.4), self.weight(cout, gain=0.01)
        pads, strides = [k // 2] * 4, [stride, stride]
        return self.node("Conv", [x, weight, bias], pads=pads, strides=strides, group=groups)

    def enlarge(self, x: str, height: int, width: int, channels: int, exact: bool = True) -> str:
        """Bilinear, corners on corners where `exact`."""
        size = self.constant(np.array([1, channels, height, width], np.int64))
        mode = "align_corners" if exact else "half_pixel"
        inputs = [x, "", "", size]
        return self.node("Resize", inputs, mode="linear", coordinate_transformation_mode=mode)

    def serialised(self, output: str) -> bytes:
        """The model with input `image` and output `output`."""
        make = self._helper.make_tensor_value_info
        image = make("image", self._float, [1, 3, self.side, self.side])
        depth = make(output, self._float, [1, 1, self.side, self.side])
        graph = self._helper.make_graph(self._nodes, "peer", [image], [depth], self._initial)
        model = self._helper.make_model(graph, opset_imports=[self._helper.make_opsetid("", OPSET)])
        model.ir_version = 9
        return bytes(model.SerializeToString())


def _part(name: str) -> Any:
    """`onnx.NAME`; the package is for this alone, so it is optional and has no place at the top."""
    try:
        return getattr(importlib.import_module("onnx"), name)
    except ImportError:
        todo = f"{pip('onnx')}, or give an ONNX file: --against FILE.onnx"
        raise LiveRelightError("--against", "no onnx package to draw networks with", todo=todo) from None


def require() -> None:
    """Raises LiveRelightError without the package that draws."""
    _part("helper")


def draw(peer: Peer) -> tuple[bytes, int]:
    """The serialised network and how many parameters it has. Raises LiveRelightError without `onnx`."""
    graph = Graph(peer.side)
    return graph.serialised(peer.draw(graph, peer.side)), graph.parameters


# EfficientNet-Lite3: kernel, stride, widening, channels, repeats of every stage
LITE3 = (
    (3, 1, 1, 24, 1), (3, 2, 6, 32, 3), (5, 2, 6, 48, 3), (3, 2, 6, 96, 5),
    (5, 1, 6, 136, 5), (5, 2, 6, 232, 6), (3, 1, 6, 384, 1),
)  # fmt: skip
TAPS = (1, 2, 4, 6)
"""Stages whose output the decoder reads, at 1/4, 1/8, 1/16 and 1/32."""


def _lite3(g: Graph) -> list[tuple[str, int]]:
    """The encoder's four pyramid levels and their channels."""
    low, high = g.constant(np.float32(0)), g.constant(np.float32(6))

    def relu6(x: str) -> str:
        return g.node("Clip", [x, low, high])

    x, channels = relu6(g.conv("image", 3, 32, 3, 2)), 32
    levels = []
    for stage, (kernel, stride, wider, cout, repeats) in enumerate(LITE3):
        for index in range(repeats):
            step, inner = (stride if index == 0 else 1), channels * wider
            y = relu6(g.conv(x, channels, inner)) if wider > 1 else x
            y = relu6(g.conv(y, inner, inner, kernel, step, groups=inner))
            y = g.conv(y, inner, cout)
            x = g.node("Add", [x, y]) if step == 1 and channels == cout else y
            channels = cout
        if stage in TAPS:
            levels.append((x, channels))
    return levels


def _residual(g: Graph, x: str, channels: int) -> str:
    y = g.conv(g.node("Relu", [x]), channels, channels, 3)
    return g.node("Add", [x, g.conv(g.node("Relu", [y]), channels, channels, 3)])


def _fuse(g: Graph, levels: list[tuple[str, int, int]], last: int, sizes: Sequence[int]) -> str:
    """Coarse to fine: `levels` are tensors, widths going in and coming out, finest first; `sizes` the side
    that each is enlarged to. Returns the finest, of `last` channels."""
    x = ""
    for (level, width, out), size in zip(reversed(levels), sizes, strict=True):
        side = _residual(g, level, width)
        x = _residual(g, g.node("Add", [x, side]) if x else level, width)
        x = g.conv(g.enlarge(x, size, size, width), width, out)
    return g.conv(x, last, last // 2, 3)


def _midas_small(g: Graph, side: int) -> str:
    levels = []
    for index, (x, channels) in enumerate(_lite3(g)):
        width = 64 << index
        levels.append((g.conv(x, channels, width, 3), width, max(width // 2, 64)))
    x = _fuse(g, levels, 64, [side // 16, side // 8, side // 4, side // 2])
    x = g.enlarge(x, side, side, 32, exact=False)
    x = g.node("Relu", [g.conv(x, 32, 32, 3)])
    return g.node("Relu", [g.conv(x, 32, 1)])


WIDTH, HEADS, BLOCKS, PATCH = 384, 6, 12, 14
READ = (2, 5, 8, 11)
"""Transformer blocks that the decoder reads."""


def _attention(g: Graph, x: str) -> str:
    """x: 1 x tokens x 384; the same out. In plain nodes, as an exporter writes it; ONNX Runtime's own fused
    node was 3 % faster at 1370 tokens."""
    apart = g.constant(np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
    together = g.constant(np.array([0, 0, WIDTH], np.int64))

    def heads(order: list[int]) -> str:
        y = g.node("Reshape", [_dense(g, x, WIDTH, WIDTH), apart])
        return g.node("Transpose", [y], perm=order)

    query, key, value = heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3])
    scores = g.node("Mul", [g.node("MatMul", [query, key]), g.constant(np.float32((WIDTH // HEADS) ** -0.5))])
    mixed = g.node("MatMul", [g.node("Softmax", [scores], axis=-1), value])
    mixed = g.node("Reshape", [g.node("Transpose", [mixed], perm=[0, 2, 1, 3]), together])
    return _dense(g, mixed, WIDTH, WIDTH)


def _norm(g: Graph, x: str) -> str:
    scale = g.constant(np.ones(WIDTH, np.float32))
    g.parameters += WIDTH
    return g.node("LayerNormalization", [x, scale, g.weight(WIDTH, gain=0.01)], axis=-1, epsilon=1e-6)


def _dense(g: Graph, x: str, cin: int, cout: int) -> str:
    return g.node("Add", [g.node("MatMul", [x, g.weight(cin, cout)]), g.weight(cout, gain=0.01)])


def _vit_small(g: Graph, count: int) -> list[str]:
    """What the decoder reads: 1 x 384 x count x count after every block of READ."""
    weight, bias = g.weight(WIDTH, 3, PATCH, PATCH), g.weight(WIDTH, gain=0.01)
    x = g.node("Conv", ["image", weight, bias], strides=[PATCH, PATCH])
    flat = g.constant(np.array([1, WIDTH, count * count], np.int64))
    x = g.node("Transpose", [g.node("Reshape", [x, flat])], perm=[0, 2, 1])
    x = g.node("Concat", [g.weight(1, 1, WIDTH), x], axis=1)
    x = g.node("Add", [x, g.weight(1, count * count + 1, WIDTH)])
    square = g.constant(np.array([1, WIDTH, count, count], np.int64))
    start, end, axis = (g.constant(np.array([v], np.int64)) for v in (1, count * count + 1, 1))
    maps = []
    for block in range(BLOCKS):
        # layer scale, one factor a channel
        x = g.node("Add", [x, g.node("Mul", [_attention(g, _norm(g, x)), g.weight(WIDTH)])])
        inner = g.node("Gelu", [_dense(g, _norm(g, x), WIDTH, 4 * WIDTH)])
        x = g.node("Add", [x, g.node("Mul", [_dense(g, inner, 4 * WIDTH, WIDTH), g.weight(WIDTH)])])
        if block in READ:
            patches = g.node("Slice", [_norm(g, x), start, end, axis])
            maps.append(g.node("Reshape", [g.node("Transpose", [patches], perm=[0, 2, 1]), square]))
    return maps


def _depth_anything_small(g: Graph, side: int) -> str:
    count, width = side // PATCH, 64
    levels = []
    for index, (x, inner) in enumerate(zip(_vit_small(g, count), (48, 96, 192, 384), strict=True)):
        x = g.conv(x, WIDTH, inner)
        if index < 2:  # 4 and 2 times finer than the patches
            times = 4 >> index
            weight, bias = g.weight(inner, inner, times, times), g.weight(inner, gain=0.01)
            x = g.node("ConvTranspose", [x, weight, bias], strides=[times, times])
        elif index == 3:
            x = g.conv(x, inner, inner, 3, 2)
        levels.append((g.conv(x, inner, width, 3), width, width))
    x = _fuse(g, levels, width, [count, 2 * count, 4 * count, 8 * count])
    x = g.enlarge(x, side, side, 32)
    x = g.node("Relu", [g.conv(x, 32, 32, 3)])
    return g.node("Relu", [g.conv(x, 32, 1)])


PEERS = {
    peer.name: peer
    for peer in (
        Peer("midas-small", "MiDaS-small's size: EfficientNet-Lite3", 256, _midas_small),
        Peer("depth-anything-252", "Depth-Anything-V2-small's size: ViT-S/14", 252, _depth_anything_small),
        Peer("depth-anything-518", "Depth-Anything-V2-small's size: ViT-S/14", 518, _depth_anything_small),
    )
}
