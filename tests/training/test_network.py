"""The network: shapes, a tiny training, export."""

from __future__ import annotations

import csv
import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.balls import ball_at
from training import evaluate, export
from training.model import GeometryNet, ModelConfig, parameters
from training.schedule import Phase
from training.synth.shards import Sample, write_shard
from training.train import TrainConfig, train
from training.weights import load_matching, load_model, save_checkpoint


def ball(key: str, rng: np.random.Generator, width: int = 128, height: int = 96) -> Sample:
    """A lit sphere of random place and size as a stand-in for a person."""
    r, cx, cy = rng.uniform(15, 40), rng.uniform(40, 88), rng.uniform(35, 60)
    on, n = ball_at((width, height), cx, cy, r)
    shade = np.clip(n @ np.array([0.5, 0.4, 0.77]), 0.05, 1)
    picture = np.where(on[..., None], shade[..., None] * np.array([220, 170, 140]), rng.uniform(0, 90, 3))
    depth = np.where(on, 1.0 - 0.2 * n[..., 2], 0)
    arrays = {
        "colour": np.stack([picture.astype(np.uint8)] * 2),
        "normal": np.round(n * 127).astype(np.int8),
        "depth": depth.astype(np.float16),
        "alpha": (on * 255).astype(np.uint8),
        "part": on.astype(np.uint8),
        # what is left of the colour once the light is taken away, as its square root
        "albedo": np.round(on[..., None] * np.sqrt((np.array([220, 170, 140]) / 255) ** 2.2) * 255).astype(
            np.uint8
        ),
    }
    return Sample(key, arrays, {"tan": 0.6})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    write_shard(folder / "shard_00000.tar", [ball(str(k), rng) for k in range(8)])
    manifest = {"recipe": {"seed": 1, "bodies": 0}, "commit": "none", "assets": "none"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("width", "height"), [(64, 64), (96, 64), (160, 288)])
def test_outputs_have_the_contract_s_shapes_and_ranges(width, height, fast):
    torch.manual_seed(0)
    model = GeometryNet(ModelConfig(fast=fast)).eval()
    torch.nn.init.normal_(model.head.weight, std=0.5)
    with torch.no_grad():
        normal, depth, alpha = model(torch.rand(1, 3, height, width))
    assert normal.shape == (1, 3, height, width)
    assert depth.shape == alpha.shape == (1, 1, height, width)
    assert torch.allclose(normal.norm(dim=1), torch.ones(1, height, width), atol=1e-2)
    assert (depth > 0).all()
    assert ((alpha >= 0) & (alpha <= 1)).all()


def test_sizes_stay_small():
    assert parameters(GeometryNet(ModelConfig(fast=True))) <= 2_000_000
    assert parameters(GeometryNet(ModelConfig(fast=True, relief=16))) <= 5_000_000
    large = ModelConfig(fast=True, relief=16, trim=True, deep=True, fine=32)
    base = ModelConfig(fast=True, relief=16, trim=True, deep=True, widths=(160, 128, 96, 48, 24))
    assert parameters(GeometryNet(base)) <= 5_000_000
    assert 3_000_000 < parameters(GeometryNet(large)) <= 10_000_000
    with pytest.raises(ValueError, match="needs fast"):
        GeometryNet(ModelConfig(deep=True))
    with pytest.raises(ValueError, match="neither joint nor memory"):
        GeometryNet(ModelConfig(fast=True, memory=True, fine=8))


def test_a_large_one_trains_and_exports(data, tmp_path, monkeypatch):
    monkeypatch.setattr("training.supply.PHASES", (Phase(1.0, ((64, 64),), 2),))
    form = {"fast": True, "relief": 16, "trim": True, "deep": True, "fine": 12, "zoom": 2}
    train(TrainConfig(str(data), str(tmp_path), steps=1, threads=1, imagenet=False, **form))
    model = load_model(str(tmp_path / "last.pt"))
    export.export(export.fold(model), tmp_path / "large.onnx")
    assert export.largest_error(model, tmp_path / "large.onnx") < 1e-4


def test_another_form_starts_from_what_fits(tmp_path):
    torch.manual_seed(0)
    source, target = GeometryNet(), GeometryNet(ModelConfig(fast=True))
    save_checkpoint(str(tmp_path / "a.pt"), source)
    assert load_matching(target, str(tmp_path / "a.pt")) > 200
    assert torch.equal(target.encoder.stem[0].weight, source.encoder.stem[0].weight)
    torch.save({"model": {"else": torch.zeros(1)}}, tmp_path / "b.pt")
    with pytest.raises(ValueError, match="nothing in it fits"):
        load_matching(target, str(tmp_path / "b.pt"))


def test_a_tiny_training_runs_and_resumes(data, tmp_path, monkeypatch):
    monkeypatch.setattr("training.supply.PHASES", (Phase(1.0, ((64, 64),), 4),))
    config = TrainConfig(str(data), str(tmp_path), steps=6, imagenet=False, report=1, save=3, threads=1)
    train(config)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    blob = torch.load(tmp_path / "last.pt", weights_only=True)
    assert blob["step"] == 6
    assert load_model(str(tmp_path / "last.pt")).config == GeometryNet().config
    train(TrainConfig(**{**config.__dict__, "steps": 8}))
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 8


def test_overfitting_lowers_the_loss(data):
    from training.data import Pool, load_item, make_batch
    from training.device import join
    from training.losses import Weights
    from training.train import make_optimizer, train_step

    torch.manual_seed(0)
    pool = Pool.open(data)
    rng = np.random.default_rng(0)
    batch = make_batch([load_item(rng, *pool.index[k], (64, 64), False) for k in (0, 4)])
    model = GeometryNet().train()
    optimizer = make_optimizer(model, TrainConfig("", ""))
    place, weights = join("cpu"), Weights()
    losses = [float(sum(train_step(model, optimizer, batch, weights, place).values())) for _ in range(24)]
    assert np.mean(losses[-3:]) < 0.6 * losses[0]


def test_a_fresh_joint_form_says_what_the_plain_one_says():
    torch.manual_seed(3)
    config = ModelConfig(fast=True, relief=8)
    plain, joint = GeometryNet(config).eval(), GeometryNet(replace(config, joint=True)).eval()
    missing, unexpected = joint.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert {name.split(".")[1] for name in missing} == {"link", "tail"}
    picture = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        one, other = plain.raw(picture), joint.raw(picture)
    torch.testing.assert_close(other[:, :5], one)
    assert (other[:, 5:] == 0).all()


def test_shading_is_the_light_and_not_the_paint(data):
    from training.data import Pool, load_item

    record, _ = Pool.open(data).index[0]
    for augment in (False, True):
        for seed in range(4):
            item = load_item(np.random.default_rng(seed), record, 0, (128, 96), augment, mirror=False)
            known = item["shade_mask"] > 0
            assert known.sum() > 500
            light = np.clip(item["normal"] @ np.array([0.5, 0.4, 0.77]), 0.05, 1)[known]
            # the doll is lit in encoded values: its linear light is that to a power, gamma a further one
            slope, _ = np.polyfit(np.log(light), item["shade"][known], 1)
            assert 2.2 * 0.3 < slope < 2.2 * 3
            left = item["shade"][known] - slope * np.log(light)
            assert left.std() < 0.1


def test_items_without_shading_are_the_others_without_it(data):
    from training.data import Pool, draw_batch

    pool = Pool.open(data)
    whole, bare = (draw_batch(np.random.default_rng(2), pool, 3, (96, 64), 0.5, s) for s in (True, False))
    assert whole.keys() - bare.keys() == {"shade", "shade_mask"}
    assert all(torch.equal(whole[name], value) for name, value in bare.items())


def test_what_is_held_still_learns_nothing(data, tmp_path, monkeypatch):
    monkeypatch.setattr("training.supply.PHASES", (Phase(1.0, ((64, 64),), 4),))
    config = TrainConfig(str(data), str(tmp_path), steps=2, imagenet=False, threads=1, fast=True, still=3)
    torch.manual_seed(config.seed)
    before = GeometryNet(ModelConfig(fast=True)).state_dict()
    train(config)
    after = torch.load(tmp_path / "last.pt", weights_only=True)["model"]
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    still = ("encoder.stem.", "encoder.stages.0.", "encoder.stages.1.")
    assert not any(name.startswith(still) for name in changed)
    assert any(name.startswith("encoder.stages.2.") for name in changed)
    assert "head.weight" in changed
    with pytest.raises(ValueError, match="--still: got 9, expected 0 to"):
        train(replace(config, still=9, out=str(tmp_path / "other")))


def test_a_trimming_form_is_trained_as_a_whole(data, tmp_path, monkeypatch):
    monkeypatch.setattr("training.supply.PHASES", (Phase(1.0, ((64, 64),), 4),))
    form = {"fast": True, "relief": 8, "trim": True}
    train(
        TrainConfig(str(data), str(tmp_path), steps=1, imagenet=False, report=1, weight_pyramid=0.5, **form)
    )
    assert load_model(str(tmp_path / "last.pt")).config.trim
    with (tmp_path / "log.csv").open() as file:
        assert float(next(csv.DictReader(file))["pyramid"]) > 0


def test_every_field_of_a_configuration_is_an_option(capsys):
    from training.told import from_options

    given = ["--data", "a", "--out", "b", "--weight-angle", "0.5", "--fast", "--no-imagenet", "--steps", "7"]
    made = from_options(TrainConfig, "training.train", "", given)
    wanted = TrainConfig("a", "b", weight_angle=0.5, fast=True, imagenet=False, steps=7)
    assert made == wanted
    with pytest.raises(SystemExit):
        from_options(TrainConfig, "training.train", "", ["--data", "a"])
    assert "--out" in capsys.readouterr().err


def test_weights_of_a_configuration_are_the_loss_s():
    from training.losses import Weights
    from training.train import weights_of

    assert weights_of(TrainConfig("a", "b")) == Weights()
    made = weights_of(TrainConfig("a", "b", weight_agree=0.7, weight_alpha=2.0, weight_depth=0.0))
    assert made == Weights(agree=0.7, alpha=2.0, depth=0.0)


def test_mirrored_items_agree(data):
    from training.data import Pool, load_item

    record, _ = Pool.open(data).index[0]
    plain, turned = (
        load_item(np.random.default_rng(0), record, 0, (128, 96), False, mirror=m) for m in (False, True)
    )
    assert np.allclose(plain["normal"][:, ::-1] * [-1, 1, 1], turned["normal"])
    assert np.allclose(plain["image"][:, ::-1], turned["image"])


def test_export_agrees_with_torch_and_fills_the_card(data, tmp_path):
    torch.manual_seed(1)
    model = GeometryNet().train()
    torch.nn.init.normal_(model.head.weight, std=0.05)
    with torch.no_grad():  # move the running statistics off their defaults, so that folding is tested
        model(torch.rand(2, 3, 64, 96))
    checkpoint, onnx = tmp_path / "a.pt", tmp_path / "net.onnx"
    save_checkpoint(str(checkpoint), model, step=3, seconds=1.0)
    args = ["--checkpoint", str(checkpoint), "--out", str(onnx), "--data", str(data), "--commit", "abc"]
    assert export.main(args) == 0
    assert export.largest_error(load_model(str(checkpoint)), onnx) < 1e-4
    card = tomllib.loads(onnx.with_suffix(".toml").read_text())
    assert card["file"] == "net.onnx"
    assert card["commit"] == "abc"
    assert card["data_pictures"] == 16
    assert len(card["sha256"]) == 64
    assert onnx.stat().st_size < 20 * 2**20


def test_evaluate_prints_the_baselines(data, tmp_path, capsys):
    onnx = tmp_path / "net.onnx"
    export.export(export.fold(GeometryNet().eval()), onnx)
    out, numbers = tmp_path / "docs" / "accuracy.md", tmp_path / "figures.json"
    args = ["--data", str(data), "--model", str(onnx), "--count", "6", "--size", "128x96", "--temporal", "0"]
    more = ["--beside", "analytic:sphere", str(onnx)]
    assert evaluate.main([*args, "--out", str(out), "--figures", str(numbers), *more]) == 0
    rows = {
        row.split("|")[1].strip(): row.split("|")[2:] for row in out.read_text().splitlines() if "°" in row
    }
    assert rows["net"] == rows["ours"]
    assert rows["analytic:sphere"] != rows["ours"]
    assert evaluate.main([*args, "--beside", "no-such-network"]) == 1
    assert "no such network" in capsys.readouterr().err
    assert evaluate.main(args) == 0
    assert "sphere fitted to the mask" in out.read_text()
    assert json.loads(numbers.read_text())["sphere_normal_mean_deg"] < 15
    assert "| ours |" in capsys.readouterr().out


def test_missing_data_is_one_line(tmp_path, capsys):
    assert evaluate.main(["--data", str(tmp_path), "--model", str(tmp_path / "none.onnx")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_middle_of_two_networks(tmp_path, capsys):
    from training import blend

    torch.manual_seed(5)
    one, two = (
        GeometryNet(ModelConfig(fast=True, relief=8)),
        GeometryNet(ModelConfig(fast=True, relief=8, joint=True)),
    )
    paths = [str(tmp_path / name) for name in ("a.pt", "b.pt", "c.pt")]
    save_checkpoint(paths[0], one, step=3, seconds=1.5)
    save_checkpoint(paths[1], two, step=4, seconds=2.0)
    assert blend.main([*paths[:2], "--out", paths[2], "--share", "0.25"]) == 0
    made = load_model(paths[2])
    assert made.config == one.config
    torch.testing.assert_close(
        made.head.weight, 0.75 * one.head.weight + 0.25 * two.head.weight, rtol=1e-5, atol=1e-7
    )
    assert torch.load(paths[2], weights_only=True)["step"] == 7
    assert blend.main([paths[1], paths[0], "--out", str(tmp_path / "d.pt")]) == 1  # the second lacks the link
    assert "relief.link" in capsys.readouterr().err
    assert not (tmp_path / "d.pt").exists()
    assert blend.main([paths[1], paths[0], "--out", str(tmp_path / "d.pt"), "--partly"]) == 0
    kept, own = (torch.load(p, weights_only=True)["model"] for p in (tmp_path / "d.pt", paths[1]))
    assert torch.equal(kept["relief.link.weight"], own["relief.link.weight"])
    assert not torch.equal(kept["head.weight"], own["head.weight"])


def test_another_network_s_word_is_learned_too(data, tmp_path, monkeypatch):
    monkeypatch.setattr("training.supply.PHASES", (Phase(1.0, ((64, 64),), 4),))
    teacher = GeometryNet(ModelConfig(fast=True))
    save_checkpoint(tmp_path / "teacher.pt", teacher)
    given = {"imagenet": False, "threads": 1, "fast": True, "report": 1, "steps": 2}
    train(TrainConfig(str(data), str(tmp_path / "a"), teacher=str(tmp_path / "teacher.pt"), **given))
    train(TrainConfig(str(data), str(tmp_path / "b"), **given))
    assert "teacher" in (tmp_path / "a" / "log.csv").read_text().splitlines()[0]
    assert "teacher" not in (tmp_path / "b" / "log.csv").read_text().splitlines()[0]
