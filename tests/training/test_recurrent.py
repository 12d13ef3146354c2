"""A network with a memory: clips, what it does at first, a tiny training, export."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest
import torch

from tests.training.balls import ball_at
from training import export
from training.clips import Clips, draw_part, frame_item, mirrored
from training.half import write_half
from training.middle import to_middle
from training.model import GeometryNet, ModelConfig
from training.recurrent import RecurrentConfig, coherence_loss, train
from training.synth.shards import Sample, write_shard
from training.weights import load_model, save_checkpoint

WIDTH, HEIGHT, FRAMES = 96, 64, 7
FORM = ModelConfig(fast=True, relief=8)


def moving(key: str, rng: np.random.Generator) -> Sample:
    """A ball that goes right by two pixels a frame."""
    frames = []
    for t in range(FRAMES):
        on, n = ball_at((WIDTH, HEIGHT), 36 + 2 * t, 32, 20)
        colour = np.where(on[..., None], 90 + 120 * n[..., 2:], 40) + rng.integers(0, 12, (HEIGHT, WIDTH, 3))
        frames.append((colour, n, np.where(on, 0.6 - 0.05 * n[..., 2], 0), on))
    colour, normal, depth, on = (np.stack(values) for values in zip(*frames, strict=True))
    arrays = {
        "colour": np.clip(colour, 0, 255).astype(np.uint8),
        "normal": np.round(normal * 127).astype(np.int8),
        "depth": depth.astype(np.float16),
        "alpha": (on * 255).astype(np.uint8),
        "part": on.astype(np.uint8),
    }
    return Sample(key, arrays, {"tan": 0.6})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    write_shard(folder / "clips_00000.tar", [moving(str(k), rng) for k in range(3)])
    return folder


def test_a_part_of_a_clip_is_one_crop_of_frames_in_turn(data):
    record = Clips.open(data).records[0]
    rng = np.random.default_rng(3)
    steps = set()
    for _ in range(24):
        part = draw_part(rng, record, 3, (96, 64))
        columns = [float((item["alpha"] * np.arange(96)).sum() / item["alpha"].sum()) for item in part]
        moved = np.diff(columns)
        assert np.allclose(moved[0], moved[1], atol=0.7)  # the crop stays where it is
        steps.add(int(np.sign(np.round(moved[0]))))
        assert not np.array_equal(part[0]["image"], part[1]["image"])
    assert steps == {-1, 0, 1}  # backward or mirrored, still, forward
    item = frame_item(record, 0, (0.0, 0.0, 96.0, 64.0), (96, 64))
    assert np.allclose(mirrored(item)["normal"][:, ::-1] * [-1, 1, 1], item["normal"])


def test_a_fresh_memory_changes_next_to_nothing_and_the_first_frame_not_at_all():
    torch.manual_seed(0)
    plain, model = GeometryNet(FORM).eval(), GeometryNet(replace(FORM, memory=True)).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    assert model.memory is not None
    picture = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        *first, state = model.follow(picture, model.memory.start(picture))
        for one, other in zip(first, plain(picture), strict=True):
            assert torch.equal(one, other)
        other = torch.rand(1, 3, 64, 96)
        raw, _ = model.raw_after(other, state)
        assert (raw - plain.raw(other)).abs().max() < 0.1
    assert state.shape == (1, model.memory.width + 1, 32, 48)


def test_a_memory_that_is_open_holds_the_last_frame():
    model = GeometryNet(replace(FORM, memory=True)).eval()
    torch.nn.init.normal_(model.head.weight, std=0.2)
    assert model.memory is not None
    torch.nn.init.constant_(model.memory.gate.bias, 30.0)
    one, other = torch.rand(2, 1, 3, 64, 96)
    with torch.no_grad():
        _, _, held, state = model.follow(one, model.memory.start(one))
        again, alone = model.follow(other, state), model(other)
    # relief sees the picture itself; the matte comes from the features alone
    assert (again[2] - held).abs().max() < 1e-4 < (alone[2] - held).abs().max()


def test_coherence_counts_changes_that_are_not_there():
    mask = torch.ones(1, 1, 8, 8)
    frames = [{"normal": torch.zeros(1, 3, 8, 8), "log_depth": torch.zeros(1, 1, 8, 8)} for _ in range(3)]
    for frame in frames:
        frame["normal"][:, 2] = 1
        frame |= {"mask": mask, "alpha": mask * 0.5}
        frame["camera"] = torch.tensor([[20.0, -9.0, 6.0]])  # a crop from the right: in its own axes told
    turned = [to_middle(f["normal"], f["log_depth"], f["camera"]) for f in frames]
    raw = [torch.cat([*shape, torch.zeros(1, 1, 8, 8)], 1) for shape in turned]
    assert coherence_loss(raw, frames) < 1e-5
    raw[1] = raw[1].clone()
    raw[1][:, 3] += 0.1  # 0.1 there and back again, twice weighed
    assert float(coherence_loss(raw, frames)) == pytest.approx(0.2, abs=1e-5)


def test_a_tiny_training_steadies_and_exports(data, tmp_path):
    torch.manual_seed(1)
    start = GeometryNet(FORM).eval()
    torch.nn.init.normal_(start.head.weight, std=0.3)
    save_checkpoint(str(tmp_path / "start.pt"), start)
    config = RecurrentConfig(
        str(data), str(tmp_path / "start.pt"), str(tmp_path / "run"),
        steps=40, batch=2, length=4, rate=0.05, report=1, threads=1,
    )  # fmt: skip
    model = load_model(str(train(config)))
    rows = [line.split(",") for line in (tmp_path / "run" / "log.csv").read_text().splitlines()]
    at, without = rows[0].index("coherence"), rows[0].index("coherence_without")
    last = [(float(row[at]), float(row[without])) for row in rows[-8:]]
    assert sum(a for a, _ in last) < 0.99 * sum(b for _, b in last)
    for name, value in start.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    export.export(export.fold(model), tmp_path / "net.onnx")
    again = load_model(str(tmp_path / "run" / "last.pt"))
    assert export.largest_error(again, tmp_path / "net.onnx") < 1e-4
    with pytest.raises(ValueError, match="rounded from frame to frame"):
        write_half(tmp_path / "net.onnx")
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["image", "state"]
    assert [value.name for value in session.get_outputs()] == ["normal", "depth", "alpha", "next_state"]
    for size in ((64, 96), (96, 64)):
        state = np.zeros((1, again.memory.width + 1, size[0] // 2, size[1] // 2), np.float32)
        found = session.run(None, {"image": np.random.rand(1, 3, *size).astype(np.float32), "state": state})
        assert found[3].shape == state.shape
