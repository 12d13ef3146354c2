"""The float16 form of a network: as good as the float32 one, and float32 where it has to be."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
import skimage.data
from onnx import TensorProto, numpy_helper

from live_relight.geometry import network
from tests.engines.nets import small_network, with_shading
from training import half


def pictures(root: Path) -> list[np.ndarray]:
    """RGB: a portrait, and frames of the bundled clip."""
    with av.open(str(root / "live_relight" / "media" / "demo.mp4")) as clip:
        frames = [
            f.to_ndarray(format="rgb24") for i, f in enumerate(clip.decode(video=0)) if i in (0, 40, 80)
        ]
    assert len(frames) == 3
    return [skimage.data.astronaut(), *frames]


@pytest.fixture(scope="module", params=[n.name for n in network.list_networks()])
def shipped(request: pytest.FixtureRequest) -> tuple[network.Network, Path]:
    found = network.find_network(request.param)
    return found, found.path.parent / "half" / found.path.name


def test_shipped_half_agrees_with_float32(shipped: tuple[network.Network, Path], root: Path) -> None:
    single, short = (path.read_bytes() for path in (shipped[0].path, shipped[1]))
    found = half.differences(single, short, pictures(root), half.sizes_of(shipped[0].stride))
    assert {"normal", "depth", "alpha"} <= found.keys()
    assert all(value <= half.LIMITS[name] for name, value in found.items()), found
    assert found["normal"] > 0, "the same network twice"


def test_shipped_half_was_made_from_the_shipped_network(shipped: tuple[network.Network, Path]) -> None:
    """Where this fails: python -m training.half engines/NAME.onnx."""
    single, path = shipped
    card = tomllib.loads(path.with_suffix(".toml").read_text())
    assert card["source_sha256"] == hashlib.sha256(single.path.read_bytes()).hexdigest()
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["bytes"] == path.stat().st_size <= 0.53 * single.path.stat().st_size


def test_shipped_half_is_no_network_of_its_own() -> None:
    assert [n.path.parent.name for n in network.list_networks()].count("half") == 0


def test_float32_where_it_has_to_be(shipped: tuple[network.Network, Path]) -> None:
    check_types(onnx.load(str(shipped[1])))


def check_types(model: onnx.ModelProto) -> None:
    """Inputs and outputs, sensitive layers and everything after the last weights are float32; weights are
    float16, and no constant of a float32 layer was rounded on its way."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    single, short = TensorProto.FLOAT, TensorProto.FLOAT16
    values = (*graph.input, *graph.output, *graph.value_info)
    kinds = {v.name: v.type.tensor_type.elem_type for v in values}
    kinds |= {i.name: i.data_type for i in graph.initializer}
    assert {kinds[v.name] for v in (*graph.input, *graph.output)} == {single}
    for node in graph.node:
        if node.op_type in half.SENSITIVE:
            assert kinds[node.input[0]] == single, node.name
        if node.op_type in half.WEIGHTED:
            assert [kinds[name] for name in node.input] == [short] * len(node.input), node.name
    made = {name for node in graph.node if node.op_type == "Cast" for name in node.input}
    assert not made & {i.name for i in graph.initializer}


def test_any_network_of_the_contract(tmp_path: Path) -> None:
    """Layers that the shipped one may not have: bilinear upsampling, channels to pixels."""
    path = tmp_path / "small.onnx"
    path.write_bytes(small_network())
    target = half.write_half(path)
    assert target == tmp_path / "half" / "small.onnx"
    model = onnx.load(str(target))
    check_types(model)
    constants = [float(numpy_helper.to_array(i)) for i in model.graph.initializer if i.dims in ([], ())]
    assert any(abs(c - 1e-6) < 1e-12 for c in constants), "a small constant lost its digits"
    first = target.read_bytes()
    half.write_half(path)
    assert target.read_bytes() == first, "not the same twice"


def test_a_network_that_float16_cannot_hold_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "loud.onnx"
    path.write_bytes(small_network(gain=3e5))
    assert half.main([str(path)]) == 1
    assert "differs" in capsys.readouterr().err
    assert not (tmp_path / "half").exists()
    path.write_bytes(b"not a network")
    assert half.main([str(path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_shading_is_compared_where_it_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(with_shading(small_network()))
    card = tomllib.loads(half.write_half(path).with_suffix(".toml").read_text())
    assert 0 < card["half_shading_mean"] <= half.LIMITS["shading"]
    path.write_bytes(with_shading(small_network(), gain=100.0))
    assert half.main([str(path)]) == 1
    assert "'shading': 0." in capsys.readouterr().err


def test_model_that_is_given_is_not_changed() -> None:
    model = onnx.load_from_string(small_network())
    before = model.SerializeToString(deterministic=True)
    assert half.to_half(model).SerializeToString(deterministic=True) != before
    assert model.SerializeToString(deterministic=True) == before
