"""The head that says where hands are while a network is trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.balls import ball_at
from training import export
from training.data import Pool, load_item, make_batch
from training.device import join
from training.hands import HandHead
from training.losses import STEP_FULL, Weights, gradient_loss, teacher_loss
from training.model import GeometryNet, ModelConfig
from training.schedule import Phase
from training.synth.parts import PARTS
from training.synth.shards import Sample, write_shard
from training.train import Extra, TrainConfig, make_optimizer, settle, train, train_step
from training.weights import load_model

FORM = ModelConfig(fast=True, widths=(24, 16, 16, 12, 8))


def held(key: str, rng: np.random.Generator) -> Sample:
    """A ball with a square of another shade before it, which is called a hand."""
    on, n = ball_at((128, 96), 64, 48, 40)
    x, y = rng.integers(40, 70), rng.integers(30, 50)
    hand = np.zeros_like(on)
    hand[y : y + 20, x : x + 20] = True
    part = np.where(on, PARTS.index("skin"), 0)
    part[hand] = PARTS.index("hand")
    colour = np.where(hand[..., None], [200, 90, 90], np.where(on[..., None], [220, 170, 140], 40))
    n[hand] = 0, 0, 1
    arrays = {
        "colour": colour.astype(np.uint8)[None],
        "normal": np.round(n * 127).astype(np.int8),
        "depth": np.where(hand, 0.6, np.where(on, 0.8, 0)).astype(np.float16),
        "alpha": ((on | hand) * 255).astype(np.uint8),
        "part": part.astype(np.uint8),
        "albedo": np.full((96, 128, 3), 180, np.uint8),
    }
    return Sample(key, arrays, {"tan": 0.6})


def held_folder(folder: Path) -> Path:
    """A data set of six such balls in `folder`."""
    rng = np.random.default_rng(0)
    write_shard(folder / "shard_00000.tar", [held(str(k), rng) for k in range(6)])
    (folder / "manifest.json").write_text(
        json.dumps({"recipe": {"seed": 1, "bodies": 0}, "commit": "none", "assets": "none"})
    )
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return held_folder(tmp_path_factory.mktemp("held"))


def test_a_hand_is_labelled_where_it_is(data):
    record, k = Pool.open(data).index[0]
    whole = load_item(np.random.default_rng(0), record, k, (128, 96), False)["hand"]
    np.testing.assert_array_equal(whole, record["part"] == PARTS.index("hand"))
    half = load_item(np.random.default_rng(0), record, k, (64, 48), False)["hand"]
    assert 0.98 < half.sum() * 4 / whole.sum() < 1.02 / 0.9**2  # of a crop that is nearly the whole


def test_the_head_learns_and_leaves_the_network_as_it_is(data):
    torch.manual_seed(0)
    pool, rng = Pool.open(data), np.random.default_rng(0)
    batch = make_batch([load_item(rng, *pool.index[k], (96, 64), False, hand=True) for k in range(4)])
    model = GeometryNet(FORM).train()
    before = model.eval()(batch["image"])
    head = HandHead(model)
    for a, b in zip(before, model(batch["image"]), strict=True):
        torch.testing.assert_close(a, b)
    model.train()
    assert not any("head" in name and "say" in name for name in model.state_dict())
    optimizer, told = make_optimizer(model, TrainConfig("", ""), head), []
    for _ in range(40):
        terms = train_step(model, optimizer, batch, Weights(), join("cpu"), Extra(head=head, weight_hand=1.0))
        told.append(float(terms["hand"]))
    assert np.mean(told[-3:]) < 0.5 * np.mean(told[:3])
    with torch.no_grad():
        says = torch.sigmoid(head.say(look(model, batch["image"])))[:, 0]
    hand = torch.nn.functional.avg_pool2d(batch["hand"], 4)[:, 0]
    assert float(says[hand > 0.9].mean()) > 2 * float(says[hand == 0].mean())


def look(model: GeometryNet, image: torch.Tensor) -> torch.Tensor:
    """The features that the head sees."""
    seen: list[torch.Tensor] = []
    hook = model.smooth[2].register_forward_hook(lambda _, __, made: seen.append(made))
    model.raw(image)
    hook.remove()
    return seen[0]


def test_a_run_with_a_head_resumes_and_its_network_is_one_without(data, tmp_path, monkeypatch):
    monkeypatch.setattr("training.supply.PHASES", (Phase(1.0, ((64, 64),), 2),))
    given = {"threads": 1, "imagenet": False, "fast": True, "widths": "24,16,16,12,8"}
    plain = TrainConfig(str(data), str(tmp_path / "plain"), steps=1, **given)
    config = TrainConfig(str(data), str(tmp_path / "run"), steps=2, weight_hand=1.0, **given)
    last = train(config)
    first = torch.load(last, weights_only=True)["head"]["say.weight"]
    train(TrainConfig(**{**config.__dict__, "steps": 3}))
    blob = torch.load(last, weights_only=True)
    assert blob["step"] == 3
    assert not torch.equal(first, blob["head"]["say.weight"])
    model = load_model(str(last))
    assert model.state_dict().keys() == load_model(str(train(plain))).state_dict().keys()
    export.export(export.fold(model), tmp_path / "net.onnx")
    assert export.largest_error(model, tmp_path / "net.onnx") < 1e-4
    with pytest.raises(ValueError, match="begun without --weight-hand"):
        train(TrainConfig(**{**plain.__dict__, "weight_hand": 1.0, "steps": 4}))
    with pytest.raises(ValueError, match="a run with --weight-hand"):
        train(TrainConfig(**{**config.__dict__, "weight_hand": 0.0, "steps": 4}))
    with pytest.raises(ValueError, match="only the fine part learns"):
        train(TrainConfig(**{**config.__dict__, "relief": 8, "fine": 8}))


@pytest.mark.parametrize(
    ("given", "lacks"), [({"settled": True}, "no --start"), ({"weight_elsewhere": 0.1}, "no --teacher")]
)
def test_what_a_run_lacks_is_said_before_anything_is_written(given, lacks, tmp_path):
    with pytest.raises(ValueError, match=lacks):
        train(TrainConfig(str(tmp_path), str(tmp_path / "run"), **given))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("share", [0.35, 0.2])
def test_a_real_step_that_is_less_than_likely_is_told_where_steps_weigh_more(share):
    """Of many pictures that look alike a share has a step here: what does the best constant answer say?"""
    truth = torch.zeros(20, 1, 8, 16)
    truth[: round(20 * share), ..., 8:] = STEP_FULL
    answers = torch.linspace(0, STEP_FULL, 11)
    ones, shape = torch.ones_like(truth), (torch.arange(16) >= 8).float().expand_as(truth)

    def best(more: float) -> float:
        losses = [float(gradient_loss(a * shape, truth, ones, (1,), more)) for a in answers]
        return float(answers[int(np.argmin(losses))])

    assert best(0.0) == 0
    assert best(6.0) == pytest.approx(STEP_FULL)


def test_a_network_with_settled_norms_begins_as_its_own_teacher(data):
    torch.manual_seed(0)
    pool, rng = Pool.open(data), np.random.default_rng(0)
    batch = make_batch([load_item(rng, *pool.index[k], (96, 64), False) for k in range(4)])
    model, teacher = GeometryNet(FORM).train(), GeometryNet(FORM).eval()

    def apart() -> float:
        with torch.no_grad():
            return float(teacher_loss(model.raw(batch["image"]), teacher.raw(batch["image"]), batch))

    apart()  # gathers statistics, which are not those of the next picture
    teacher.load_state_dict(model.state_dict())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert apart() > 0.05
    model.load_state_dict(before)
    settle(model)
    assert apart() < 0.02
    train_step(model, make_optimizer(model, TrainConfig("", "")), batch, Weights(), join("cpu"))
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert not any("running" in name or "tracked" in name for name in moved)
