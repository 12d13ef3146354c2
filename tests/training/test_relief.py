"""The small network for relief: it starts as nothing, learns what the rest misses, leaves the rest alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.test_network import ball
from training.data import Pool, head_box
from training.export import main as export_main
from training.losses import masked_mean
from training.model import GeometryNet, ModelConfig, split_normal
from training.relief import (
    CROP,
    FIELDS,
    TRIM_FIELDS,
    ReliefConfig,
    batch_of,
    depth_error,
    draw_hands,
    harvest,
    matte_error,
    train,
    windows,
)
from training.synth.parts import PARTS
from training.synth.shards import read_shard, write_shard
from training.weights import load_matching, load_model, save_checkpoint


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    samples = [ball(str(k), rng, 160, 128) for k in range(8)]
    for sample in samples:
        v, u = np.nonzero(sample.arrays["part"])
        sample.arrays["part"][
            int(v.mean()) - 2 : int(v.mean()) + 2, int(u.mean()) - 4 : int(u.mean()) + 4
        ] = PARTS.index("eyes")
    write_shard(folder / "shard_00000.tar", samples)
    manifest = {"recipe": {"seed": 1, "bodies": 0}, "commit": "none", "assets": "none"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("start") / "last.pt"
    save_checkpoint(str(path), GeometryNet(ModelConfig(fast=True)))
    return str(path)


def test_a_head_box_holds_the_face_and_keeps_inside(data):
    for record in read_shard(data / "shard_00000.tar"):
        rng = np.random.default_rng(1)
        face = np.argwhere(record["part"] == PARTS.index("eyes")).mean(axis=0)
        for _ in range(50):
            box = head_box(rng, record, (128, 96))
            assert box is not None
            x, y, w, h = box
            assert w / h == pytest.approx(128 / 96)
            assert x >= 0
            assert y >= 0
            assert x + w <= 160 + 1e-6
            assert y + h <= 128 + 1e-6
            assert x <= face[1] <= x + w
            assert y <= face[0] <= y + h


def test_untrained_it_changes_nothing_but_rounding(start):
    plain = load_model(start)
    more = GeometryNet(replace(plain.config, relief=8))
    load_matching(more, start)
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        # The normals are made of length one before they are doubled instead of after.
        a, b = (split_normal(m.eval().raw(image)) for m in (plain, more))
        assert ((a * b).sum(1) > 0.995).all()
        assert torch.equal(plain.raw(image)[:, 3:], more.raw(image)[:, 3:])


def test_relief_goes_with_fast_only():
    with pytest.raises(ValueError, match="fast"):
        GeometryNet(ModelConfig(relief=8))


def test_it_learns_what_the_rest_misses_and_leaves_the_rest_alone(data, start, tmp_path):
    config = ReliefConfig(
        str(data), start, str(tmp_path), crops=24, others=0.25, steps=60, width=8, batch=4, report=5
    )
    made = train(config)
    before, after = load_model(start).state_dict(), load_model(str(made), "model").state_dict()
    for name, value in before.items():
        assert torch.equal(value, after[name]), name
    model = load_model(str(made), "model")
    crops = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in FIELDS}
    batch = batch_of(np.random.default_rng(9), crops, 16)
    with torch.no_grad():
        x = (batch["image"] - model.mean) / model.std
        assert model.relief is not None
        more = model.relief(x, batch["coarse"], batch["cover"])
        errors = [
            masked_mean(
                1
                - (split_normal(torch.nn.functional.interpolate(n, scale_factor=2.0)) * batch["normal"]).sum(
                    1, keepdim=True
                ),
                batch["weight"],
            )
            for n in (batch["coarse"] + more, batch["coarse"])
        ]
    assert errors[0] < 0.8 * errors[1]
    assert "without" in (tmp_path / "log.csv").read_text()


def test_crops_are_whole_or_absent_and_mirrored_truly(data, start, tmp_path):
    harvest(ReliefConfig(str(data), start, "", crops=5), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{name}.npy" for name in FIELDS)
    crops = {name: np.load(tmp_path / f"{name}.npy") for name in FIELDS}
    assert len(crops["image"]) == 5
    batch = batch_of(np.random.default_rng(0), crops, 32)
    inside = batch["weight"][:, 0] > 0
    # On a ball the normal's x grows to the right, mirrored or not.
    x = torch.arange(batch["normal"].shape[-1], dtype=torch.float32).expand_as(inside)
    for k in range(32):
        if inside[k].sum() > 500:
            both = torch.stack([batch["normal"][k, 0][inside[k]], x[k][inside[k]]])
            assert torch.corrcoef(both)[0, 1] > 0.5


def test_windows_round_hands_hold_hands(data, start, tmp_path):
    folder = tmp_path / "hands"
    folder.mkdir()
    rng = np.random.default_rng(0)
    samples = [ball(str(k), rng, 256, 192) for k in range(4)]
    for sample in samples[:2]:
        part = sample.arrays["part"]
        v, u = np.argwhere(part > 0).mean(0).astype(int)
        part[v - 6 : v + 6, u - 6 : u + 6] = PARTS.index("hand")
    write_shard(folder / "shard_00000.tar", samples)
    pool = Pool.open(folder)
    found, there = draw_hands(rng, pool, 6)
    assert found["image"].shape[0] == len(there) == 6
    for k in range(6):
        x, y = windows(rng, there[k])
        assert there[k][y : y + CROP, x : x + CROP].any()
        assert found["mask"][k, 0][torch.from_numpy(there[k])].all()  # on the ball, where it was put
    with pytest.raises(ValueError, match="--hands"):
        draw_hands(rng, Pool.open(data), 1)
    config = ReliefConfig(str(folder), start, "", crops=20, hands=1.0, trim=True)
    harvest(config, tmp_path)
    assert len(np.load(tmp_path / "image.npy")) == 20


def test_it_also_learns_to_trim_depth_and_the_matte(data, start, tmp_path):
    config = ReliefConfig(
        str(data), start, str(tmp_path),
        crops=24, others=0.8, trim=True, steps=60, width=8, batch=4, report=5, rate=1e-2,
    )  # fmt: skip
    model = load_model(str(train(config)), "model")
    assert model.relief is not None
    crops = {name: np.load(tmp_path / f"{name}.npy") for name in FIELDS | TRIM_FIELDS}
    batch = batch_of(np.random.default_rng(9), crops, 24)
    # the four logits of a point, left and right exchanged where the crop is: their mean is the cover
    matte = torch.sigmoid(torch.nn.functional.pixel_shuffle(batch["logit"], 2))
    assert (torch.nn.functional.avg_pool2d(matte, 2) - batch["cover"]).abs().max() < 0.03
    with torch.no_grad():
        x = (batch["image"] - model.mean) / model.std
        more = model.relief(x, batch["coarse"], batch["cover"])
        none = torch.zeros_like(more)
        assert matte_error(batch, more) < 0.8 * matte_error(batch, none)
        assert depth_error(batch, more) < depth_error(batch, none)
    # what is trained is what the network does
    before = load_model(start)
    picture = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        shape, logit = before.coarse(before.decoded((picture - before.mean) / before.std))
        alpha = torch.nn.functional.avg_pool2d(torch.sigmoid(logit), 2)
        more = model.relief((picture - model.mean) / model.std, split_normal(shape), alpha)
        raw = model.eval().raw(picture)
        expected = logit + torch.nn.functional.pixel_shuffle(more[:, 4:], 2)
    torch.testing.assert_close(raw[:, 4:5], expected, atol=1e-4, rtol=1e-4)


def test_windows_keep_inside_and_see_an_edge():
    alpha = np.zeros((192, 256), np.float32)
    alpha[60:, 100:180] = 1
    alpha[60, 100:180] = 0.5
    rng = np.random.default_rng(2)
    for _ in range(50):
        x, y = windows(rng, (alpha > 0.2) & (alpha < 0.8))
        assert x % 2 == y % 2 == 0
        assert 0 <= x <= 256 - CROP
        assert 0 <= y <= 192 - CROP
        assert (alpha[y : y + CROP, x : x + CROP] == 0.5).any()
    x, y = windows(rng, np.zeros((192, 256), bool))
    assert 0 <= x <= 256 - CROP


def test_trim_goes_with_relief_of_its_own():
    with pytest.raises(ValueError, match="trim"):
        GeometryNet(ModelConfig(fast=True, trim=True))
    with pytest.raises(ValueError, match="trim"):
        GeometryNet(ModelConfig(fast=True, relief=8, joint=True, trim=True))


def test_a_network_with_relief_is_exported(data, start, tmp_path):
    model = GeometryNet(replace(load_model(start).config, relief=8))
    save_checkpoint(str(tmp_path / "last.pt"), model, step=1)
    out = tmp_path / "net.onnx"
    arguments = ["--checkpoint", str(tmp_path / "last.pt"), "--out", str(out), "--data", str(data)]
    assert export_main(arguments) in (None, 0)
    assert out.stat().st_size > 1000
