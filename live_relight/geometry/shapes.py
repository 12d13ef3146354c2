"""What a plan is compiled for: its sizes, and whether the library understood a graph as it was meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..core.errors import EstimatorError, UsageError
from ..core.settings import parse_size
from .network import MOST, Network, input_size

WIDEST = 2048
"""Longest side that a plan may be compiled for."""
CHANNELS = {"normal": 3, "depth": 1, "alpha": 1}
"""What comes out, [1, channels, height, width]; `image` with 3 goes in. All float32."""
OPTIONAL = {"shading": 1}
"""What may come out as well."""

Layout = Mapping[str, tuple[tuple[int, ...], type]]
"""Shape and type of every output, by name."""

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


class Job(Protocol):
    """What a graph from a frame's bytes on is made for: front.Form, foreign_front.Form."""

    @property
    def frame(self) -> Size:
        """(width, height) of the camera's picture: `frame`, [height, width, 3] uint8, is what goes in."""

    @property
    def small(self) -> Size:
        """(width, height) of the network's picture."""

    def outputs(self, found: Mapping[str, tuple[int, ...]]) -> Layout:
        """What has to come out of a graph whose tensors have these shapes, by name."""


def agreed(found: Mapping[str, tuple[tuple[int, ...], Any]], form: Job, api: Any) -> Layout | None:
    """What comes out of a graph whose tensors are `found` (shape and the library's type, by name), None where
    they are not what `form` promises, or of sizes that are not known."""
    outputs = form.outputs({name: shape for name, (shape, _) in found.items()})
    kinds: dict[type, Any] = {np.uint8: api.DataType.UINT8, np.float32: api.DataType.FLOAT}
    wanted = {name: (shape, kinds[kind]) for name, (shape, kind) in outputs.items()}
    wanted["frame"] = ((form.frame[1], form.frame[0], 3), api.DataType.UINT8)
    known = all(shape and min(shape) > 0 for shape, _ in found.values())
    return outputs if known and found == wanted else None


def shapes_for(network: Network, size: str | None = None) -> Shapes:
    """One fixed size for 'WxH'; otherwise every size that `input_size` can ask for. Raises UsageError."""
    stride = network.stride
    if size is None:
        usual = input_size((1280, 720), network.pixels, stride)
        return Shapes((stride, stride), usual, (MOST, MOST))
    width, height = parse_size(size)
    if width % stride or height % stride or max(width, height) > WIDEST:
        raise UsageError("--size", size, f"multiples of {stride}, at most {WIDEST}")
    return Shapes((width, height), (width, height), (width, height))


def check_network(network: Any, api: Any, what: str, shapes: Shapes) -> None:
    """The contract's inputs and outputs, as the library understood them. Raises EstimatorError."""
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    found = {tensor.name: (_shape(tensor)[1:2], tensor.dtype) for tensor in (*inputs, *outputs)}
    channels = {"image": 3, **CHANNELS, **{name: n for name, n in OPTIONAL.items() if name in found}}
    wanted = {name: ((count,), api.DataType.FLOAT) for name, count in channels.items()}
    if [tensor.name for tensor in inputs] != ["image"] or found != wanted:
        said = ", ".join(f"{t.name} {_shape(t)} {t.dtype.name}" for t in (*inputs, *outputs))
        given = "outputs 'normal' (3), 'depth' (1), 'alpha' (1), and 'shading' (1) or none"
        expected = f"float32 input 'image' (3 channels), {given}"
        raise EstimatorError(what, said, expected)
    h, w = _shape(inputs[0])[2:4]
    if any(h not in (-1, size[1]) or w not in (-1, size[0]) for size in (shapes.smallest, shapes.largest)):
        side = [str(s) if s > 0 else "?" for s in (w, h)]
        raise EstimatorError(what, f"an input of {'x'.join(side)}", str(shapes), "--size with its own size")


def check_fused(network: Any, api: Any, what: str, form: Job) -> None:
    """What a fused graph promises, as the library understood it. Raises EstimatorError."""
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [network.get_output(i) for i in range(network.num_outputs)]
    if agreed({t.name: (_shape(t), t.dtype) for t in tensors}, form, api) is None:
        said = ", ".join(f"{t.name} {_shape(t)} {t.dtype.name}" for t in tensors)
        raise EstimatorError(what, said, "a frame of bytes and maps whose sizes are known")


def _shape(tensor: Any) -> tuple[int, ...]:
    """-1 where a side is free, () where even their number is not known."""
    try:
        return tuple(tensor.shape)
    except ValueError:  # a length below zero
        return ()
