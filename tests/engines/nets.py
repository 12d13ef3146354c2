"""Small networks with the contract's inputs and outputs, made on the spot."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def small_network(
    gain: float = 1.0,
    outputs: tuple[str, ...] = ("normal", "depth", "alpha"),
    sides: tuple[int | str, int | str] = ("height", "width"),
) -> bytes:
    """ONNX, opset 17: a strided convolution, a global mean through a matrix, bilinear upsampling, channels to
    pixels, heads like ours. `gain` scales the first layer's weights, and the second's down again; `sides`:
    height and width that it takes, names where they are free."""
    rng = np.random.default_rng(3)
    fixed = {
        "w0": rng.normal(0, 0.2, (16, 16)),
        "w1": rng.normal(0, 0.3, (16, 3, 3, 3)) * gain,
        "w2": rng.normal(0, 0.2, (20, 16, 3, 3)) / gain,
        "w3": rng.normal(0, 0.3, (4, 5, 1, 1)),
        "two": np.array([1, 1, 2, 2]),
    }
    whole = {"c": [1], "s0": [0], "s3": [3], "s4": [4], "s5": [5], "s23": [2, 3]}
    initial = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in fixed.items()]
    initial += [numpy_helper.from_array(np.asarray(v, np.int64), k) for k, v in whole.items()]
    make = helper.make_node
    nodes = [
        make("Conv", ["image", "w1"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        make("Relu", ["a"], ["b"]),
        make("ReduceMean", ["b"], ["m"], axes=[2, 3], keepdims=1),
        make("Flatten", ["m"], ["m2"]),
        make("Gemm", ["m2", "w0"], ["m3"]),
        make("Unsqueeze", ["m3", "s23"], ["m4"]),
        make("Add", ["b", "m4"], ["b2"]),
        make("Conv", ["b2", "w2"], ["d"], pads=[1, 1, 1, 1]),
        make("DepthToSpace", ["d"], ["e"], blocksize=2, mode="DCR"),  # 5 channels, full size
        make("Slice", ["e", "s4", "s5", "c"], ["logit"]),
        make("Conv", ["e", "w3"], ["f"], strides=[2, 2]),
        make("Resize", ["f", "", "two"], ["g"], mode="linear", coordinate_transformation_mode="half_pixel"),
        make("Slice", ["g", "s0", "s3", "c"], ["raw"]),
        make("Mul", ["raw", "raw"], ["sq"]),
        make("ReduceSum", ["sq", "c"], ["sum"], keepdims=1),
        make("Constant", [], ["eps"], value=numpy_helper.from_array(np.float32(1e-6), "eps")),
        make("Add", ["sum", "eps"], ["sum2"]),
        make("Sqrt", ["sum2"], ["root"]),
        make("Div", ["raw", "root"], ["normal"]),
        make("Slice", ["g", "s3", "s4", "c"], ["log"]),
        make("Tanh", ["log"], ["log2"]),
        make("Exp", ["log2"], ["depth"]),
        make("Sigmoid", ["logit"], ["alpha"]),
    ]

    def value(name: str, channels: int) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, *sides])

    graph = helper.make_graph(
        nodes, "small", [value("image", 3)],
        [value(name, 3 if name == "normal" else 1) for name in outputs], initial,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def with_shading(data: bytes, gain: float = 1.0, name: str = "shading") -> bytes:
    """Adds the fourth output, `gain` times the log of the depth, to a small_network."""
    model = onnx.load_model_from_string(data)
    model.graph.initializer.append(numpy_helper.from_array(np.float32(gain), "gain"))
    model.graph.node.append(helper.make_node("Log", ["depth"], ["log3"]))
    model.graph.node.append(helper.make_node("Mul", ["log3", "gain"], [name]))
    shape = [1, 1, "height", "width"]
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return bytes(model.SerializeToString())
