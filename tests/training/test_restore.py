"""A shipped network as a checkpoint again, and training in bfloat16 on a processor."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.training.test_network import ball
from training import export, restore
from training.depthwise import MixedConv2d, quicken
from training.model import GeometryNet, ModelConfig
from training.synth.shards import write_shard
from training.weights import load_imagenet, load_model, save_checkpoint


def used(config: ModelConfig) -> GeometryNet:
    """A network whose batch norms have seen something and whose corrections are not nothing."""
    torch.manual_seed(3)
    model = GeometryNet(config).train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.3, 0.3)
        elif isinstance(layer, nn.Conv2d) and layer.weight.abs().max() == 0:
            nn.init.normal_(layer.weight, std=0.05)
            nn.init.normal_(layer.bias, std=0.05)
    with torch.no_grad():
        for _ in range(20):
            model(torch.rand(4, 3, 64, 128))
    return model.eval()


FORMS = (
    ModelConfig(),
    ModelConfig(fast=True),
    ModelConfig(fast=True, relief=8, trim=True),
    ModelConfig(fast=True, relief=8, joint=True),
    ModelConfig(fast=True, relief=8, trim=True, deep=True),
    ModelConfig(fast=True, relief=8, trim=True, deep=True, widths=(128, 96, 64, 48, 32)),
    ModelConfig(fast=True, relief=8, trim=True, fine=8),
    ModelConfig(fast=True, relief=8, trim=True, reach=12),
)


@pytest.mark.parametrize("config", FORMS)
def test_a_restored_network_is_the_exported_one(config, tmp_path):
    model = used(config)
    export.export(export.fold(used(config)), tmp_path / "net.onnx")
    pictures = torch.rand(4, 3, 64, 128)
    again = restore.restore(tmp_path / "net.onnx", [pictures])
    assert again.config == config
    with torch.no_grad():
        fresh = torch.rand(2, 3, 128, 64)
        for mine, theirs in zip(again(fresh), model(fresh), strict=True):
            assert torch.allclose(mine, theirs, atol=1e-4)
        assert not torch.allclose(again(fresh)[0], again(fresh.flip(3))[0], atol=1e-2)
        # In training a batch's own statistics count: of the pictures it was measured on they are the same.
        still = [made.clone() for made in again(pictures)]
        for mine, theirs in zip(again.train()(pictures), still, strict=True):
            assert torch.allclose(mine, theirs, atol=2e-3)


def test_its_convolutions_have_a_fresh_network_s_size(tmp_path):
    export.export(export.fold(used(FORMS[1])), tmp_path / "net.onnx")
    again, fresh = restore.restore(tmp_path / "net.onnx", [torch.rand(4, 3, 64, 128)]), GeometryNet(FORMS[1])
    load_imagenet(fresh)
    pairs = zip(restore.folded_pairs(again), restore.folded_pairs(fresh), strict=True)
    for (name, mine, _), (_, theirs, _) in pairs:
        if name.startswith("encoder."):
            has, wanted = (conv.weight.flatten(1).norm(dim=1) for conv in (mine, theirs))
            alive = wanted > 1e-5
            assert alive.float().mean() > 0.5
            assert torch.allclose(has[alive], wanted[alive], rtol=1e-4), name


def test_from_file_to_file_with_one_command(tmp_path, capsys):
    rng = np.random.default_rng(0)
    write_shard(tmp_path / "shard_00000.tar", [ball(str(k), rng) for k in range(4)])
    (tmp_path / "manifest.json").write_text(json.dumps({"recipe": {}}))
    export.export(export.fold(used(FORMS[1])), tmp_path / "net.onnx")
    told = ["--data", str(tmp_path), "--out", str(tmp_path / "net.pt")]
    assert restore.main([str(tmp_path / "net.onnx"), *told, "--pictures", "16"]) == 0
    assert load_model(str(tmp_path / "net.pt")).config == FORMS[1]
    save_checkpoint(tmp_path / "other.onnx", used(FORMS[1]))
    assert restore.main([str(tmp_path / "other.onnx"), *told]) == 1
    assert "got no ONNX file" in capsys.readouterr().err


def test_another_s_network_and_half_a_one_are_refused(tmp_path, root):
    with pytest.raises(ValueError, match="float16"):
        restore.read_weights(next((root / "engines" / "half").glob("*.onnx")))
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:])),
        tmp_path / "x.onnx",
    )
    with pytest.raises(ValueError, match="another kind of network"):
        restore.read_weights(tmp_path / "x.onnx")


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_mixed_depthwise_gradients_are_the_plain_ones(kernel, stride):
    torch.manual_seed(0)
    plain = nn.Conv2d(12, 12, kernel, stride, kernel // 2, groups=12, bias=False)
    mixed = nn.Sequential(nn.Conv2d(12, 12, kernel, stride, kernel // 2, groups=12, bias=False))
    mixed[0].load_state_dict(plain.state_dict())
    assert quicken(mixed) == 1
    x, y = (torch.rand(3, 12, 17, 20).round(decimals=2).requires_grad_() for _ in range(2))
    with torch.no_grad():
        y.copy_(x)
    (plain(x) ** 2).sum().backward()
    with torch.autocast("cpu", torch.bfloat16):
        made = mixed(y)
    assert made.dtype == torch.bfloat16
    (made.float() ** 2).sum().backward()
    for mine, theirs in ((y.grad, x.grad), (mixed[0].weight.grad, plain.weight.grad)):
        assert (mine - theirs).abs().max() < 0.02 * theirs.abs().max()
    assert torch.equal(mixed(x), plain(x))  # without autocast nothing is different


def test_what_is_quickened_and_what_is_not():
    model = GeometryNet(ModelConfig(fast=True))
    names = set(model.state_dict())
    depthwise = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert quicken(model) == len(depthwise) > 10
    assert all(isinstance(m, MixedConv2d) for m in depthwise)
    assert set(model.state_dict()) == names
