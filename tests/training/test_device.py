"""Data cut on a device against data cut on the host; several processes of torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.balls import ball_at
from training.card import DevicePool
from training.data import Pool, crop_box, draw_batch, load_item, middle_box
from training.device import join
from training.schedule import Phase
from training.supply import Progress, drawn_there
from training.synth.parts import PARTS
from training.synth.shards import Sample, write_shard
from training.train import TrainConfig

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 128, 96


def person(key: str, rng: np.random.Generator) -> Sample:
    """A smooth picture with a smooth 'person', eyes in its middle; two pictures."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    cx, cy, r = rng.uniform(45, 80), rng.uniform(40, 56), rng.uniform(20, 34)
    on, n = ball_at((WIDTH, HEIGHT), cx, cy, r)
    wave = np.stack([np.sin(x / 9 + k) * np.cos(y / 7 - k) for k in range(3)], -1)
    part = np.where(on, PARTS.index("skin"), 0)
    part[np.hypot(x - cx, y - cy) < 4] = PARTS.index("eyes")
    part[round(cy) + 9 : round(cy) + 12, round(cx) : round(cx) + 3] = PARTS.index(
        "hand"
    )  # too small to be led to
    arrays = {
        "colour": np.stack([(120 + 90 * wave).astype(np.uint8), (100 + 60 * wave).astype(np.uint8)]),
        "normal": np.round(n * 127).astype(np.int8),
        "depth": np.where(on, 0.7 - 0.1 * n[..., 2], 0).astype(np.float16),
        "alpha": (on * 255).astype(np.uint8),
        "part": part.astype(np.uint8),
        "albedo": np.round(on[..., None] * (150 + 40 * wave)).astype(np.uint8),
    }
    return Sample(key, arrays, {"tan": 0.6})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("device")
    rng = np.random.default_rng(1)
    write_shard(folder / "shard_00000.tar", [person(str(k), rng) for k in range(6)])
    return folder


@pytest.fixture(scope="module")
def pool(data):
    return DevicePool(data, torch.device("cpu"))


def both(data, pool, box, size, mirror=False):
    """Picture 3 cut by the pool, and by data.py: name -> channels-last arrays."""
    one = np.asarray([box], np.float32)
    found = pool.cut(torch.tensor([3]), one, size, np.ones(1, np.float32), np.array([mirror]))
    made = {k: v[0].numpy() if k == "camera" else v[0].permute(1, 2, 0).numpy() for k, v in found.items()}
    record, k = Pool.open(data).index[3]
    return made, load_item(np.random.default_rng(0), record, k, size, False, mirror=mirror)


@pytest.mark.parametrize("mirror", [False, True])
def test_a_whole_picture_is_the_one_that_the_host_loads(data, pool, mirror):
    made, plain = both(data, pool, (0, 0, WIDTH, HEIGHT), (WIDTH, HEIGHT), mirror)
    assert made.keys() == plain.keys()
    for name, value in plain.items():
        expected = value if value.ndim != 2 else value[..., None]
        np.testing.assert_allclose(made[name], expected, atol=2e-3, err_msg=name)


def test_a_shrunk_picture_is_the_one_that_the_host_shrinks(data, pool):
    size = WIDTH // 2, HEIGHT // 2
    x, y, w, h = crop_box(np.random.default_rng(0), (WIDTH, HEIGHT), size, False)  # the one `both` will draw
    box = round(x), round(y), round(x + w) - round(x), round(y + h) - round(y)
    made, plain = both(data, pool, box, size)
    for name in ("image", "alpha", "mask", "weight"):
        apart = np.abs(made[name].squeeze() - plain[name])
        assert apart.mean() < 0.01 * plain[name].max(), name
    inside = (plain["mask"] > 0) & (made["mask"].squeeze() > 0)
    cosine = (made["normal"] * plain["normal"]).sum(-1)[inside]
    assert np.quantile(cosine, 0.02) > 0.998
    assert np.abs(made["log_depth"].squeeze() - plain["log_depth"])[inside].max() < 0.02
    known = (plain["shade_mask"] > 0) & (made["shade_mask"].squeeze() > 0)
    assert known.sum() > 100
    assert np.abs(made["shade"].squeeze() - plain["shade"])[known].mean() < 0.05
    np.testing.assert_allclose(made["camera"], plain["camera"], atol=1.5)  # of the box before it was rounded


@pytest.mark.parametrize("want", [(64, 96), (96, 64), (128, 96), (64, 64)])
def test_the_middle_is_what_the_camera_looks_at(data, want):
    x, y, w, h = middle_box((WIDTH, HEIGHT), want)
    assert (x + w / 2, y + h / 2) == (WIDTH / 2, HEIGHT / 2)
    assert w / h == pytest.approx(want[0] / want[1])
    assert max(w / WIDTH, h / HEIGHT) == pytest.approx(1)
    record, k = Pool.open(data).index[0]
    items = [load_item(np.random.default_rng(n), record, k, want, False, middle=True) for n in (0, 1)]
    np.testing.assert_array_equal(items[0]["image"], items[1]["image"])
    np.testing.assert_allclose(items[0]["camera"][1:], (np.array(want) - 1) / 2, atol=0.6)


@pytest.mark.parametrize("want", [(64, 96), (96, 64), (64, 64)])
def test_boxes_stay_inside_and_have_the_wanted_shape(pool, want):
    rng = np.random.default_rng(5)
    owners = rng.integers(0, 6, 400)
    box = pool.boxes(rng, owners, want, 0.5)
    assert (box[:, :2] >= -1e-4).all()
    assert (box[:, 0] + box[:, 2] <= WIDTH + 1e-3).all()
    assert (box[:, 1] + box[:, 3] <= HEIGHT + 1e-3).all()
    np.testing.assert_allclose(box[:, 2] / box[:, 3], want[0] / want[1], rtol=1e-4)
    heads = pool.boxes(rng, owners, want, 1.0)
    middle = heads[:, :2] + heads[:, 2:] / 2
    assert np.abs(middle - pool.head[owners, :2]).mean() < np.abs(box[:, :2] - pool.head[owners, :2]).mean()


def test_boxes_go_round_hands_where_there_are_some(pool, monkeypatch):
    rng = np.random.default_rng(6)
    owners = rng.integers(0, 6, 300)
    hand = np.tile(np.float32([20.0, 90.0, 16.0]), (len(pool.head), 1))
    hand[0] = 0.0  # none seen
    monkeypatch.setattr(pool, "hand", hand)
    box = pool.boxes(rng, owners, (96, 64), 0.0, 1.0)
    assert (box[:, :2] >= -1e-4).all()
    assert (box[:, 0] + box[:, 2] <= WIDTH + 1e-3).all()
    assert (box[:, 1] + box[:, 3] <= HEIGHT + 1e-3).all()
    np.testing.assert_allclose(box[:, 2] / box[:, 3], 1.5, rtol=1e-4)
    there = owners > 0
    near = box[there]
    assert (near[:, 3] <= 4 * 16 + 1e-3).all()
    assert ((near[:, 0] <= 20) & (near[:, 0] + near[:, 2] >= 20)).all()
    assert ((near[:, 1] <= 90) & (near[:, 1] + near[:, 3] >= 90)).all()
    assert box[~there, 3].mean() > near[:, 3].mean()


def test_the_same_step_draws_the_same_batch(data, pool, monkeypatch):
    monkeypatch.setattr("training.supply.PHASES", (Phase(1.0, ((64, 64), (96, 64)), 3),))
    config = TrainConfig(str(data), "", steps=10, times=2, heads=0.5)
    drawn = []
    for _ in range(2):
        torch.manual_seed(0)
        drawn.append(next(drawn_there(config, pool, Progress(config, 0.0), 4, join("cpu"))))
    assert drawn[0]["image"].shape[0] == 6
    for name, value in drawn[0].items():
        assert torch.equal(value, drawn[1][name]), name
        assert torch.isfinite(value).all(), name
    assert drawn[0]["image"].min() >= 0
    assert drawn[0]["image"].max() <= 1


def test_nobody_comes_as_often_as_is_asked(tmp_path):
    rng = np.random.default_rng(2)
    samples = [person(str(k), rng) for k in range(4)]
    for name in ("alpha", "depth", "part"):
        samples[1].arrays[name][:] = 0
    write_shard(tmp_path / "shard_00000.tar", samples)
    host, there = Pool.open(tmp_path), DevicePool(tmp_path, torch.device("cpu"))
    assert host.nobody == there.nobody.tolist() == [2, 3]
    rng = np.random.default_rng(3)
    for draw in (lambda empty: draw_batch(rng, host, 48, (32, 32), empty=empty),
                 lambda empty: there.draw(rng, 48, (32, 32), empty=empty)):  # fmt: skip
        some = [(draw(empty)["alpha"].amax((1, 2, 3)) == 0).float().mean() for empty in (0.0, 0.6, 1.0)]
        assert 0 < some[0] < 0.5 < some[1] < 0.95
        assert some[2] == 1


def test_shares_of_the_data_are_apart(data, pool):
    parts = [DevicePool(data, torch.device("cpu"), (k, 2)) for k in range(2)]
    assert sum(len(part) for part in parts) == len(pool)
    assert not torch.equal(parts[0].maps["depth"][0], parts[1].maps["depth"][0])


def test_an_unknown_or_missing_device_is_told():
    with pytest.raises(ValueError, match="expected auto, cpu or cuda"):
        join("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="use --device cpu"):
            join("cuda")


WORKER = """
import sys
from pathlib import Path
import torch
from training.device import join, leave, same_progress, share_gradients
place = join("cpu")
layer = torch.nn.Linear(3, 2)
torch.nn.init.ones_(layer.weight)
(layer.weight.sum() * (place.rank + 1)).backward()
share_gradients(layer, place)
assert torch.equal(layer.weight.grad, torch.full((2, 3), 1.5)), layer.weight.grad
assert layer.bias.grad is None
assert same_progress(0.25 + place.rank, place) == 0.25
(Path(sys.argv[1]) / f"agreed{place.rank}").touch()
leave(place)
"""


def torchrun(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *args]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)


def test_processes_share_gradients_and_the_clock(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    done = torchrun(str(script), str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "agreed0").exists()
    assert (tmp_path / "agreed1").exists()


def test_two_processes_train_one_network(data, tmp_path):
    options = [
        "--steps",
        "2",
        "--no-imagenet",
        "--fast",
        "--threads",
        "1",
        "--report",
        "1",
        "--device",
        "cpu",
    ]
    # After "--" torchrun reads no more options: it would take --start for one of its own.
    train = ["-m", "--", "training.train", "--data", str(data), *options]
    done = torchrun(*train, "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "run" / "log.csv").read_text().count("\n") == 3  # the first process alone writes
    last = tmp_path / "run" / "last.pt"
    assert torch.load(last, weights_only=True)["step"] == 2
    again = torchrun(*train, "--start", str(last), "--out", str(tmp_path / "again"))
    assert again.returncode == 0, again.stderr[-2000:]
    assert str(last) in again.stdout
