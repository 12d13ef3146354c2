"""A larger network that starts where a smaller one had come to."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from tests.training.test_restore import used
from training import grow
from training.blocks import double
from training.model import GeometryNet, ModelConfig, split_normal
from training.schedule import PHASES, Phase
from training.weights import load_model, save_checkpoint

SMALL = ModelConfig(fast=True, relief=8, trim=True)
WIDE = replace(SMALL, widths=tuple(2 * w for w in SMALL.widths), relief=12)
DEEP = replace(SMALL, deep=True)
LARGE = replace(SMALL, deep=True, fine=12)


@pytest.mark.parametrize(("config", "echo"), [(WIDE, grow.ECHO), (DEEP, 0.0)])
def test_a_grown_network_gives_what_the_small_one_gives(config, echo, monkeypatch):
    monkeypatch.setattr(grow, "ECHO", echo)
    small = used(SMALL)
    large = grow.grow(small, config)
    picture = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        for mine, theirs in zip(large(picture), small(picture), strict=True):
            assert torch.allclose(mine, theirs, atol=1e-5)


def test_a_fine_part_starts_from_the_picture_at_half_its_size():
    small = used(SMALL)
    large = grow.grow(small, replace(SMALL, fine=12))
    picture = torch.rand(2, 3, 128, 192)
    with torch.no_grad():
        normal, depth, alpha = small(F.avg_pool2d(picture, 2))
        told = large(picture)
    assert torch.allclose(told[0], split_normal(double(normal)), atol=1e-3)
    assert torch.allclose(told[1], double(depth.log()).exp(), atol=1e-4)
    assert torch.allclose(told[2], torch.sigmoid(double(torch.logit(alpha))), atol=1e-4)


def test_a_fine_part_may_be_another_networks():
    small, other = used(SMALL), used(replace(SMALL, fine=12))
    made = grow.grow_with_fine_of(small, other)
    assert made.config == replace(SMALL, fine=12)
    for k, v in made.state_dict().items():
        theirs = other if k.startswith("fine.") else small
        assert torch.equal(v, theirs.state_dict()[k])
    with pytest.raises(ValueError, match="without a fine part"):
        grow.grow_with_fine_of(small, small)


def test_only_the_fine_part_learns():
    from training.train import hold_still

    large = grow.grow(used(SMALL), LARGE).train()
    hold_still(large, 3)
    before = {k: v.clone() for k, v in large.state_dict().items()}
    raw = large.raw(torch.rand(2, 3, 128, 192))
    raw.square().mean().backward()
    told = {name for name, p in large.named_parameters() if p.grad is not None}
    assert told == {name for name, _ in large.named_parameters() if name.startswith("fine.")}
    assert large.fine.tail.weight.grad.abs().max() > 0
    changed = {k for k, v in large.state_dict().items() if not torch.equal(v, before[k])}
    assert all(name.startswith("fine.") for name in changed)  # no statistics of what is held either


def test_what_is_new_learns():
    large = grow.grow(used(SMALL), replace(WIDE, deep=True)).train()
    normal, depth, alpha = large(torch.rand(2, 3, 64, 96))
    (normal[:, 0].mean() + depth.mean() + alpha.mean()).backward()
    wide = large.refine[-3].weight.grad  # from channels that the small one has not to those that it has
    width = SMALL.widths[-1]
    assert wide[:width, width:].abs().max() > 0
    assert all(
        block.body[-1].weight.grad.abs().max() > 0
        for _, block in grow.added_blocks(large, set(used(SMALL).state_dict()))
    )


def test_a_new_block_does_what_the_one_before_does_but_weaker():
    small = used(SMALL)
    large = grow.grow(small, DEEP)
    new = grow.added_blocks(large, set(small.state_dict()))
    assert len(new) == 5
    for name, block in new:
        stage = large.get_submodule(name.rsplit(".", 1)[0])
        x = torch.rand(1, block.body[0].in_channels, 4, 6)
        with torch.no_grad():
            assert torch.allclose(block(x) - x, grow.ECHO * (stage[2](x) - x), atol=1e-5)


def test_a_new_block_learns_as_a_whole_from_the_first_step_on():
    large = grow.grow(used(SMALL), DEEP).train()
    normal, depth, alpha = large(torch.rand(2, 3, 64, 96))
    (normal[:, 0].mean() + depth.mean() + alpha.mean()).backward()
    for _, block in grow.added_blocks(large, set(used(SMALL).state_dict())):
        assert all(p.grad.abs().max() > 0 for p in block.parameters())


def test_what_does_not_grow_is_refused():
    small = used(SMALL)
    with pytest.raises(ValueError, match="expected at most"):
        grow.grow(small, replace(SMALL, relief=4))
    with pytest.raises(ValueError, match="no such tensor"):
        grow.grow(small, ModelConfig(fast=True))
    with pytest.raises(ValueError, match="small network has no such tensor"):
        grow.grow(used(ModelConfig(fast=True)), SMALL)


def test_from_checkpoint_to_checkpoint_with_one_command(tmp_path, capsys):
    save_checkpoint(tmp_path / "small.pt", used(SMALL))
    told = [str(tmp_path / "small.pt"), "--out", str(tmp_path / "large.pt"), "--deep", "--fine", "12"]
    assert grow.main(told) == 0
    assert load_model(str(tmp_path / "large.pt")).config == LARGE
    assert "million parameters became" in capsys.readouterr().out
    assert grow.main([*told[:3], "--widths", "192,128,96,80,48", "--relief", "12"]) == 0
    assert load_model(str(tmp_path / "large.pt")).config == WIDE
    assert grow.main([*told[:3], "--widths", "192,128,96"]) == 1
    assert "expected five whole numbers" in capsys.readouterr().err
    assert grow.main([*told[:3], "--deep", "--fine", "12"]) == 0
    assert grow.main([*told[:3], "--relief", "4"]) == 1
    assert load_model(str(tmp_path / "large.pt")).fine is not None


def test_a_deep_network_does_not_start_from_imagenet():
    from training.weights import load_imagenet

    with pytest.raises(ValueError, match="grown"):
        load_imagenet(GeometryNet(LARGE))


@pytest.mark.parametrize("phase", PHASES)
def test_zoomed_crops_are_multiples_of_32_and_batches_smaller(phase):
    assert phase.zoomed(1.0) == phase
    large = phase.zoomed(2.0)
    assert large.sizes == tuple((2 * w, 2 * h) for w, h in phase.sizes)
    assert 1 < large.batch < phase.batch / 2
    assert all(side % 32 == 0 for size in phase.zoomed(1.37).sizes for side in size)
    assert Phase(1.0, ((32, 32),), 2).zoomed(0.1) == Phase(1.0, ((32, 32),), 63)
