"""A network's float16 form, for engines whose networks are strongly typed.

    python -m training.half engines/first-light.onnx

writes `engines/half/first-light.onnx` and its card. Inputs and outputs stay float32, and so does all that
comes before the first or after the last layer with weights, and every mean, sum, root, division and
exponential.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto

from live_relight.geometry.network import STRIDE, find_network
from training.told import in_one_line

OUTPUTS = ("normal", "depth", "alpha", "shading")
"""The last one is not every network's."""
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
SENSITIVE = (
    "Div", "Exp", "Log", "Pow", "Reciprocal", "Sigmoid", "Softmax", "Sqrt", "Tanh", "ReduceL2", "ReduceMean",
    "ReduceSum", "GlobalAveragePool", "InstanceNormalization", "LayerNormalization",
)  # fmt: skip
LIMITS = {"normal": 0.5, "depth": 0.005, "alpha": 0.005, "shading": 0.01}
"""Most that a picture may differ on average: degrees, share of the depth, coverage, natural logs of light."""
SIZES = ((256, 192), (288, 160), (160, 288))


def to_half(model: ModelProto) -> ModelProto:
    """The float16 form of a float32 model. The argument is not changed."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    copy = ModelProto()
    copy.CopyFrom(model)
    _constants_to_initializers(copy.graph)
    for index, node in enumerate(copy.graph.node):
        node.name = node.name or f"node {index}"  # the converter knows them by name
    half = convert_float_to_float16(
        copy,
        keep_io_types=True,
        op_block_list=[*DEFAULT_OP_BLOCK_LIST, *SENSITIVE],
        node_block_list=sorted(_outside(copy.graph)),
    )
    _without_twins(half.graph)
    _sort(half.graph)
    onnx.checker.check_model(half, full_check=True)
    return half


def _constants_to_initializers(graph: GraphProto) -> None:
    """The converter rounds constants of layers that it leaves alone, but not their initializers."""
    for node in [n for n in graph.node if n.op_type == "Constant" and n.attribute[0].name == "value"]:
        tensor = graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        graph.node.remove(node)


def _outside(graph: GraphProto) -> set[str]:
    """Names of the nodes before the first or after the last layer with weights."""

    def reached(nodes: list[onnx.NodeProto], come_from: str, go_to: str) -> set[str]:
        found: set[str] = set()
        names: set[str] = set()
        for node in nodes:
            if node.op_type in WEIGHTED or found & set(getattr(node, come_from)):
                names.add(node.name)
                found |= set(getattr(node, go_to)) - {""}
        return names

    nodes = list(graph.node)
    after, before = reached(nodes, "input", "output"), reached(nodes[::-1], "output", "input")
    return {node.name for node in nodes} - (after & before)


def _without_twins(graph: GraphProto) -> None:
    """Where several layers take one tensor, the converter casts it as often under one name: once will do."""
    first = {tuple(node.output): node for node in reversed(graph.node)}
    nodes = [node for node in graph.node if first[tuple(node.output)] is node]
    del graph.node[:]
    graph.node.extend(nodes)


def _sort(graph: GraphProto) -> None:
    """Every node after those whose outputs it takes: the converter appends its casts at the end."""
    known = {i.name for i in graph.input} | {i.name for i in graph.initializer} | {""}
    left, done = list(graph.node), []
    while left:
        ready = [node for node in left if known >= set(node.input)]
        if not ready:
            raise ValueError("the graph has a circle")
        done += ready
        known |= {name for node in ready for name in node.output}
        left = [node for node in left if not known >= set(node.output)]
    del graph.node[:]
    graph.node.extend(done)


def sizes_of(stride: int) -> tuple[tuple[int, int], ...]:
    """SIZES for a network whose sides are multiples of `stride`."""
    return tuple((w * stride // STRIDE, h * stride // STRIDE) for w, h in SIZES)


def differences(
    single: bytes, half: bytes, pictures: list[NDArray[np.uint8]], sizes: tuple[tuple[int, int], ...] = SIZES
) -> dict[str, float]:
    """Largest mean difference over pictures (h x w x 3 uint8 RGB) and network sizes, in LIMITS' units, by
    output; 'shading' only where the network has it."""
    import cv2
    import onnxruntime as ort

    sessions = [ort.InferenceSession(data, providers=["CPUExecutionProvider"]) for data in (single, half)]
    told = {output.name for output in sessions[0].get_outputs()}
    names = [name for name in OUTPUTS if name in told or name != "shading"]
    worst = dict.fromkeys(names, 0.0)
    for picture in pictures:
        for size in sizes:
            small = cv2.resize(middle(picture, size), size, interpolation=cv2.INTER_AREA)
            image = np.float32(small / 255).transpose(2, 0, 1)[None]
            found = [s.run(names, {"image": image}) for s in sessions]
            for name, one, other in zip(names, *found, strict=True):
                mean = _difference(name, one, other)
                worst[name] = float(np.maximum(worst[name], mean))  # which keeps not-a-number
    return worst


def middle(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The largest middle part of the aspect of `size`: no camera's picture comes squeezed."""
    height, width = picture.shape[:2]
    w = min(width, round(height * size[0] / size[1]))
    h = min(height, round(width * size[1] / size[0]))
    x, y = (width - w) // 2, (height - h) // 2
    return picture[y : y + h, x : x + w]


def _difference(name: str, one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The mean, in LIMITS' units, of two outputs of that name (1 x channels x h x w)."""
    if name == "normal":
        # Of the chord: the cosine of small angles has no digits left in float32.
        angle = 2 * np.arcsin(np.clip(np.linalg.norm(one - other, axis=1) / 2, 0, 1))
        return float(np.degrees(angle.mean()))
    return float(np.abs(other / one - 1 if name == "depth" else other - one).mean())


def write_half(path: Path) -> Path:
    """Makes, compares and writes the float16 form of `path` and its card, beside and renamed. Returns it.

    Raises RuntimeError where it differs by more than LIMITS.
    """
    from skimage import data

    single = path.read_bytes()
    try:
        model = onnx.load_from_string(single)
    except DecodeError:
        raise ValueError(f"{path}: not an ONNX file") from None
    if "state" in (inputs := [value.name for value in model.graph.input]):
        text = f"inputs {inputs}, expected 'image' alone: a state would be rounded from frame to frame"
        raise ValueError(f"{path}: {text}")
    half = to_half(model).SerializeToString()
    found = differences(single, half, [data.astronaut()], sizes_of(find_network(str(path)).stride))
    if not all(value <= LIMITS[name] for name, value in found.items()):  # not-a-number is too much, too
        raise RuntimeError(f"the float16 form of {path} differs by {found}, at most {LIMITS} is allowed")
    target = path.parent / "half" / path.name
    target.parent.mkdir(exist_ok=True)
    rows = [
        f'file = "{target.name}"',
        f'sha256 = "{hashlib.sha256(half).hexdigest()}"',
        f"bytes = {len(half)}",
        f'source_sha256 = "{hashlib.sha256(single).hexdigest()}"  # of ../{path.name}, the float32 network',
        f"half_normal_mean_deg = {found['normal']:.4f}  # differences on the CPU, means over a picture",
        f"half_depth_mean_rel = {found['depth']:.6f}",
        f"half_alpha_mean = {found['alpha']:.6f}",
        *([f"half_shading_mean = {found['shading']:.6f}"] if "shading" in found else []),
    ]
    text = "# Float16 form of a network. Written by training/half.py; not by hand.\n" + "\n".join(rows) + "\n"
    for place, content in ((target, half), (target.with_suffix(".toml"), text.encode())):
        part = place.with_suffix(".part")
        part.write_bytes(content)
        part.rename(place)
    return target


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.half", description=__doc__)
    parser.add_argument("network", type=Path, nargs="+", metavar="NETWORK.onnx")
    for path in parser.parse_args(argv).network:
        target = write_half(path)
        print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    sys.exit(main())
