"""The part of a network that says what stands nearer than the rest of it believes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.test_hands import held_folder
from tests.training.test_restore import used
from training import export, restore
from training.data import Pool, load_item, make_batch
from training.device import join
from training.hands import HandHead
from training.losses import Weights
from training.model import GeometryNet, ModelConfig
from training.reach import AHEAD, SURE, before, change, far, reach_loss
from training.schedule import Phase
from training.train import Extra, TrainConfig, heard, hold_still, make_optimizer, train, train_step
from training.weights import load_matching, load_model, save_checkpoint

FORM = ModelConfig(fast=True, widths=(24, 16, 16, 12, 8), relief=8, trim=True)
REACHING = replace(FORM, reach=12)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return held_folder(tmp_path_factory.mktemp("held"))


def with_reach(plain: GeometryNet) -> GeometryNet:
    """The same network with a part that reaches, which has learnt nothing."""
    model = GeometryNet(replace(plain.config, reach=12))
    model.load_state_dict(plain.state_dict(), strict=False)
    return model


def batch_of(folder, count: int = 4) -> dict[str, Tensor]:
    pool, rng = Pool.open(folder), np.random.default_rng(0)
    return make_batch([load_item(rng, *pool.index[k], (96, 64), False) for k in range(count)])


def test_where_nothing_reaches_out_it_gives_what_it_gave():
    torch.manual_seed(0)
    plain = GeometryNet(FORM).eval()
    model = with_reach(plain).eval()
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        torch.nn.init.normal_(model.reach.say.weight[1:], std=1.0)
        for mine, theirs in zip(model(image), plain(image), strict=True):
            assert torch.equal(mine, theirs)
        model.reach.say.bias[0] = 9
        assert (model(image)[1] < plain(image)[1]).all()
        assert torch.equal(model(image)[2], plain(image)[2])  # the matte is none of its business


@pytest.mark.parametrize(
    ("chance", "of_it"), [(0.02, 0), (SURE[0], 0), (sum(SURE) / 2, 0.5), (SURE[1], 1), (1, 1)]
)
def test_doubt_changes_nothing(chance, of_it):
    said = torch.tensor([torch.logit(torch.tensor(chance), eps=1e-6), 0.3, 0.2, -0.1, 0.4]).view(1, 5, 1, 1)
    made = change(said, torch.ones(1, 1, 1, 1)).flatten()
    wanted = of_it * torch.tensor([0.2, -0.1, 0.4, -float(far(said))])
    torch.testing.assert_close(made, wanted, atol=1e-4, rtol=0)
    assert float(far(said)) > 0
    assert not change(said, torch.zeros(1, 1, 1, 1)).any()  # of nobody


def test_what_stands_before_is_measured_from_the_rest_of_the_person():
    truth = {name: torch.zeros(3, 1, 40, 60) for name in ("log_depth", "hand", "mask")}
    truth["mask"][:2, ..., 5:55] = 1
    truth["hand"][:2, ..., 10:16, 10:16] = 1
    truth["log_depth"][0, ..., 10:16, 10:16] = -0.3
    truth["hand"][1] = 1  # nothing but hand
    told = torch.full((3, 1, 40, 60), 0.2)  # a level is nobody's mistake
    nearer, known = before(told, truth)
    assert nearer[0, 0, 12, 12] == pytest.approx(0.3)
    assert nearer[0, 0, 35, 50] == pytest.approx(0.0)
    assert known[0].sum() == truth["mask"][0].sum()
    assert known[1].sum() == 0
    assert known[2].sum() == 0  # nobody
    assert truth["mask"][1].sum() > 0  # which is as it was


def test_a_perfect_answer_costs_least():
    """What is said of a hand's square: sure and of the right size, against three ways to be wrong."""
    truth = {name: torch.zeros(1, 1, 32, 48) for name in ("log_depth", "hand")}
    truth |= {"mask": torch.ones(1, 1, 32, 48), "camera": torch.tensor([[60.0, 23.5, 15.5]])}
    truth["normal"] = torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).expand(1, 3, 32, 48)
    square = (..., slice(8, 16), slice(8, 16))
    truth["hand"][square], truth["log_depth"][square] = 1, -0.3
    half = torch.zeros(1, 1, 16, 24)
    half[..., 4:8, 4:8] = 1

    def cost(sure: float, size: float) -> float:
        raw_size = torch.log(torch.expm1(torch.tensor(size)))
        said = torch.cat([half * (6 + sure) - 6, half * raw_size, torch.zeros(1, 3, 16, 24)], 1)
        raw = torch.zeros(1, 5, 32, 48)
        raw[:, 2], raw[:, 4] = 1, 20
        raw[:, :4] += torch.nn.functional.interpolate(
            change(said, torch.ones_like(half)), scale_factor=2.0, mode="bilinear"
        )
        return float(reach_loss(raw, said, truth)[0])

    best = cost(6.0, 0.3)
    assert best < min(cost(-6.0, 0.3), cost(0.0, 0.3), cost(6.0, 0.15), cost(6.0, 0.5))


def test_it_learns_alone_that_a_hand_stands_before(data):
    torch.manual_seed(0)
    batch = batch_of(data)
    plain = GeometryNet(FORM).eval()
    model = with_reach(plain).train()
    hold_still(model, 0)
    head, said = HandHead(model), heard(model)
    optimizer = make_optimizer(model, TrainConfig("", "", rate=1e-2), head)
    extra = Extra(head=head, weight_hand=0.5, said=said)
    told = [train_step(model, optimizer, batch, Weights(), join("cpu"), extra) for _ in range(60)]
    assert said == []
    assert told[-1]["whether"] < 0.5 * told[0]["whether"]
    assert told[-1]["far"] < 0.5 * told[0]["far"]
    for name, value in plain.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    with torch.no_grad():  # by the batch's own statistics, which its norms have not caught up with
        moved = torch.log(model(batch["image"])[1] / plain(batch["image"])[1])
    hand, rest = batch["hand"] > 0.9, (batch["hand"] == 0) & (batch["mask"] > 0)
    assert float(moved[hand].mean()) < -AHEAD[0]
    assert float(moved[rest].mean()) > 0.2 * float(moved[hand].mean())


def test_a_run_starts_from_a_plain_network_and_exports(data, tmp_path, monkeypatch):
    monkeypatch.setattr("training.supply.PHASES", (Phase(1.0, ((64, 64),), 2),))
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "plain.pt", GeometryNet(FORM))
    form = {"fast": True, "widths": "24,16,16,12,8", "relief": 8, "trim": True, "reach": 12}
    config = TrainConfig(
        str(data),
        str(tmp_path / "run"),
        steps=2,
        threads=1,
        start=str(tmp_path / "plain.pt"),
        weight_hand=0.5,
        **form,
    )
    model = load_model(str(train(config)))
    assert model.config == REACHING
    train(replace(config, steps=3))
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["step"] == 3
    model = load_model(str(tmp_path / "run" / "last.pt"))
    torch.nn.init.constant_(model.reach.say.bias, 1.0)
    export.export(export.fold(model), tmp_path / "net.onnx")
    assert export.largest_error(model, tmp_path / "net.onnx") < 1e-4


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"teacher": "other.pt"}, "learns alone"),
        ({"settled": True, "start": "other.pt"}, "learns alone"),
        ({"weight_step": 3.0, "start": "other.pt"}, "learns alone"),
        ({}, "no --start"),
        ({"reach": 1, "start": "other.pt"}, "got 1, expected"),
        ({"reach": -4, "start": "other.pt"}, "got -4, expected"),
    ],
)
def test_what_makes_no_sense_with_it_is_refused_before_anything_is_written(given, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        train(TrainConfig(str(tmp_path), str(tmp_path / "run"), fast=True, **({"reach": 12} | given)))
    assert not (tmp_path / "run").exists()


def test_of_a_network_with_a_fine_part_that_learns(data):
    torch.manual_seed(0)
    model = GeometryNet(replace(REACHING, fine=8)).train()
    hold_still(model, 0)
    assert heard(model) is None
    learning = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {"fine"}
    with pytest.raises(ValueError, match="a fast network only"):
        GeometryNet(ModelConfig(reach=8))
    with pytest.raises(ValueError, match="without a memory"):
        GeometryNet(ModelConfig(fast=True, memory=True, reach=8))


def test_the_rest_is_trained_further_without_it(tmp_path, capsys):
    export.export(export.fold(used(REACHING)), tmp_path / "net.onnx")
    plain = restore.restore(tmp_path / "net.onnx", [torch.rand(2, 3, 64, 96)], plain=True)
    assert plain.config == FORM
    save_checkpoint(tmp_path / "net.pt", GeometryNet(REACHING))
    load_matching(GeometryNet(FORM), str(tmp_path / "net.pt"))
    assert "left out what does not fit, of reach" in capsys.readouterr().out
