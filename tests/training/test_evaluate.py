"""The measures of the evaluation: each has a known answer on a method that errs in a known way."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from live_relight.capture import open_source
from live_relight.cli import main as application
from tests.engines.foreign_nets import KNOWN
from tests.training.balls import ball_at
from training import evaluate, metrics, stills
from training import temporal_measures as over_time
from training.networks import TCMONODEPTH, Found, OnnxMethod, predictors, settled, tcmonodepth
from training.real import fit, shared_parts, stray
from training.synth.shards import Sample, write_shard

SIZE = (96, 64)
CAMERA = np.array([90.0, 47.5, 31.5], np.float32)


def doll(seed: int, size: tuple[int, int] = SIZE) -> dict[str, np.ndarray]:
    """A lit ball with the fields of data.load_item."""
    width, height = size
    rng = np.random.default_rng(seed)
    r, cx, cy = 0.3 * height, rng.uniform(0.3, 0.4) * width, 0.5 * height
    on, n = (v.astype(np.float32) for v in ball_at(size, cx, cy, r))
    shade = np.clip(n @ np.float32([0.5, 0.4, 0.77]), 0.1, 1)[..., None]
    image = np.where(on[..., None] > 0, shade * np.float32([0.9, 0.7, 0.6]), np.float32([0.1, 0.2, 0.3]))
    depth = np.where(on > 0, np.log(1.1 - 0.1 * n[..., 2]), 0).astype(np.float32)
    return {"image": image.astype(np.float32), "normal": n, "mask": on, "alpha": on, "log_depth": depth,
            "camera": CAMERA}  # fmt: skip


class Knowing:
    """Knows the ball by its brightness; `late`: tells what it saw so many frames ago."""

    def __init__(self, late: int = 0, normal: tuple[float, float, float] = (0, 0, 1)) -> None:
        self.late, self.normal = late, np.float32(normal)

    def still(self, image: np.ndarray) -> Found:
        alpha = cv2.blur((image[..., 0] > image[..., 2]).astype(np.float32), (3, 3))
        return Found(np.broadcast_to(self.normal, image.shape).copy(), np.ones_like(alpha), alpha)

    def clip(self):
        seen: list[Found] = []

        def follow(image: np.ndarray) -> Found:
            seen.append(self.still(image))
            return seen[max(0, len(seen) - 1 - self.late)]

        return follow


class Trembling(Knowing):
    """Its normals are to the left and to the right in turn, by `degrees`."""

    def __init__(self, degrees: float) -> None:
        super().__init__()
        self.half = np.radians(degrees) / 2

    def clip(self):
        sign = 1.0

        def follow(image: np.ndarray) -> Found:
            nonlocal sign
            sign = -sign
            self.normal = np.float32([sign * np.sin(self.half), 0, np.cos(self.half)])
            return self.still(image)

        return follow


def test_a_constant_network_does_not_jitter_and_a_trembling_one_by_as_much():
    items = [doll(0), doll(1)]
    assert over_time.jitter(Knowing(), items) == (0.0, 0.0)
    raw, smooth = over_time.jitter(Trembling(6.0), items)
    assert raw == pytest.approx(6.0, rel=1e-3)
    # the smoothing's weight at rest, 0.15, of a value that jumps to and fro: 2 w / (2 - w) of it is left over
    assert smooth == pytest.approx(6.0 * 0.15 / (2 - 0.15), rel=0.05)


@pytest.mark.parametrize("late", [0, 1, 2])
def test_lag_is_what_it_was_made_to_be(late):
    found = over_time.lag(Knowing(late), [doll(0, (160, 64)), doll(1, (160, 64))])
    assert set(found) == set(over_time.SPEEDS)
    for raw, smooth in found.values():
        assert raw == pytest.approx(late, abs=0.06)
        assert smooth >= raw - 0.06


def test_a_ball_that_slides_is_where_it_should_be_and_leaves_nothing_behind():
    item = doll(0)
    frames, places = over_time.sliding(item, 8, 5, np.random.default_rng(0))
    assert places == [0, 0, 0, 8, 16, 24, 32, 40]
    red = frames[-1][..., 0] > frames[-1][..., 2]
    assert (red != (over_time.moved(item["alpha"], 40) > 0.5)).mean() < 0.01


def test_flicker_counts_what_stands_still_alone():
    rng = np.random.default_rng(0)
    still = [over_time.noisy(rng, doll(0)["image"], 0.004) for _ in range(14)]
    raw, _, share = over_time.flicker(Trembling(4.0), [still])
    assert raw == pytest.approx(4.0, rel=1e-3)
    assert share > 0.95
    flashing = [image * (1.0 if k % 2 else 0.6) for k, image in enumerate(still)]
    raw, _, share = over_time.flicker(Trembling(4.0), [flashing])
    assert np.isnan(raw)
    assert share == 0.0


def test_change_is_held_against_the_true_change():
    on = np.ones((4, 4), bool)
    ahead = np.tile(np.float32([0, 0, 1]), (4, 4, 1))
    a = np.radians(10)
    turned = np.tile(np.float32([np.sin(a), 0, np.cos(a)]), (4, 4, 1))
    chord = np.degrees(2 * np.sin(a / 2))
    assert over_time.change_error((turned, ahead), (turned, ahead), on).max() == 0
    assert over_time.change_error((ahead, ahead), (ahead, turned), on) == pytest.approx(chord, rel=1e-5)
    assert over_time.change_error((turned, ahead), (ahead, turned), on) == pytest.approx(2 * chord, rel=1e-5)


def test_edges_are_wrong_by_their_height_where_they_are_missing():
    mask = np.ones((24, 40), np.float32)
    truth = np.where(np.arange(40) < 20, 1.0, 1.2).astype(np.float32) * np.ones((24, 1), np.float32)
    step = 100 * np.log(1.2)
    assert metrics.depth_edges(truth * 7, truth, mask).max() == pytest.approx(0, abs=1e-3)
    assert metrics.depth_edges(np.ones_like(truth), truth, mask) == pytest.approx(step, rel=1e-5)
    # one pixel beside: of the REACH pixels that see the edge one does not, and all others do
    assert metrics.depth_edges(np.roll(truth, 1, 1), truth, mask).mean() == pytest.approx(step / 4, rel=1e-5)
    gentle = (1 + 0.01 * np.arange(40)).astype(np.float32) * np.ones((24, 1), np.float32)
    assert metrics.depth_edges(gentle, gentle * 0 + 1, mask).size == 0
    fold = np.where(np.arange(40)[:, None] < 20, [[0.6, 0, 0.8]], [[-0.6, 0, 0.8]])
    fold = np.broadcast_to(fold.astype(np.float32), (24, 40, 3))
    flat = np.broadcast_to(np.float32([0, 0, 1]), fold.shape)
    assert metrics.normal_edges(flat, fold, mask) == pytest.approx(np.degrees(1.2), rel=1e-5)


def test_depth_within_and_sad():
    mask = np.ones((10, 10), np.float32)
    truth = np.full((10, 10), 2.0, np.float32)
    pred = np.full((10, 10), 5.0, np.float32)
    pred[:3] *= 1.06  # three rows of ten are farther off than the limit, whatever the scale
    assert metrics.depth_within(pred, truth, mask) == pytest.approx(0.7)
    half = np.zeros((10, 10), np.float32)
    half[:5] = 0.5
    assert metrics.sad(half, np.zeros_like(half)) == pytest.approx(250)


def test_an_inverse_depth_finds_its_scale_and_its_normals():
    y, x = np.mgrid[:64, :96].astype(np.float32)
    ray = np.dstack([(x - CAMERA[1]) / CAMERA[0], -(y - CAMERA[2]) / CAMERA[0], -np.ones_like(x)])
    n = np.float32([0.4, 0.2, 0.9]) / np.linalg.norm([0.4, 0.2, 0.9])
    depth = (-n[2] / (ray @ n)).astype(np.float32)  # a plane through (0, 0, -1)
    mask = np.zeros((64, 96), np.float32)
    mask[16:48, 24:72] = 1
    found = settled(Found(depth=30 / depth - 4, meaning="inverse depth"), depth, mask, CAMERA)
    assert metrics.depth_error(found.depth, depth, mask) < 1e-4
    assert metrics.angles(found.normal, np.broadcast_to(n, ray.shape), mask).max() < 0.5
    # z itself of any scale keeps its shape, and given normals are kept
    told = settled(Found(normal=ray, depth=3 * depth), depth, mask, CAMERA)
    assert told.normal is ray
    assert np.array_equal(told.depth, 3 * depth)


def test_groups_say_what_the_light_is():
    lit, dim = doll(0), doll(0)
    dim["image"] = dim["image"] * 0.2
    about = {"lights": [{"kind": "window"}, {"kind": "back"}]}
    assert stills.light_of(about, 0, lit) == "sun or window"
    assert stills.light_of(about, 0, dim) == "dark"
    assert stills.light_of(about, 1, dim) == "from behind"
    assert stills.light_of({}, 0, lit) == ""
    score = stills.Score(
        angles=[np.float32([10]), np.float32([12])],
        about=[{"tone": "1"}, {"tone": "9", "extra": "glasses:sun"}],
    )
    assert stills.skin_ratio(score) == pytest.approx(1.2)
    assert set(stills.by_group(score)) >= {"skin: dark", "skin: light", "glasses: yes", "glasses: no"}


def tiny_sample(key: str, seed: int, frames: int = 0) -> Sample:
    """A ball as a sample of a data set, or a clip of one that moves."""
    items = [doll(seed)] * 2 if not frames else [moved_doll(seed, 2 * k) for k in range(frames)]

    def stack(name, form):
        return np.stack([form(item[name]) for item in items])

    arrays = {
        "colour": stack("image", lambda a: (a * 255).astype(np.uint8)),
        "normal": stack("normal", lambda a: np.round(a * 127).astype(np.int8)),
        "depth": stack("log_depth", lambda a: np.exp(a).astype(np.float16)),
        "alpha": stack("alpha", lambda a: (a * 255).astype(np.uint8)),
        "part": stack("mask", lambda a: a.astype(np.uint8)),
    }
    if not frames:
        arrays = {name: a if name == "colour" else a[0] for name, a in arrays.items()}
        arrays["albedo"] = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
    about = {"tan": 0.6, "tone": str(seed % 10), "yaw": 0.0, "hair": "buzz"}
    about["lights"] = [{"kind": "window"}, {"kind": "ring"}]
    return Sample(key, arrays, about)


def moved_doll(seed: int, pixels: int) -> dict[str, np.ndarray]:
    item = doll(seed)
    return {k: over_time.moved(v, pixels) if v.ndim > 1 else v for k, v in item.items()}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("heldout")
    write_shard(folder / "shard_00000.tar", [tiny_sample(str(k), k) for k in range(4)])
    write_shard(folder / "clips_00000.tar", [tiny_sample("0", 0, 4), tiny_sample("1", 5, 3)])
    return folder


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    if sys.platform == "win32":
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    elif sys.platform == "darwin":
        monkeypatch.setenv("HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def rows_of(text: str) -> dict[str, list[list[str]]]:
    """Method -> its rows, cells as texts, from all tables."""
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        if line.startswith("| "):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found.setdefault(name, []).append(cells)
    return found


def test_one_command_for_the_whole_report(data, tmp_path, root, capsys):
    out = tmp_path / "docs" / "accuracy.md"
    args = ["--data", str(data), "--model", str(root / "engines" / "fast.onnx"), "--count", "8"]
    args += ["--size", "96x64", "--temporal", "2", "--assets", str(tmp_path / "none"), "--out", str(out)]
    args += ["--plots", str(out.with_name("plots.png")), "--worst", str(out.with_name("worst.jpg"))]
    assert evaluate.main([*args, "--figures", str(tmp_path / "figures.json")]) == 0, capsys.readouterr().err
    text = out.read_text(encoding="utf-8")
    assert len(rows_of(text)["ours"]) == 3  # stills, jitter and lag, clips
    assert "2 clips of held-out people in motion, 7 frames" in text
    for part in (
        "light: sun or window",
        "glasses: no",
        "TCMonoDepth is not in the table",
        "no figures on real",
    ):
        assert part in text
    assert "](plots.png)" in text
    assert cv2.imread(str(out.with_name("plots.png"))).shape[1] > 900
    sheet = cv2.imread(str(out.with_name("worst.jpg")))
    assert sheet.shape[1] == 2 * 4 * SIZE[0] + 6
    assert sheet.shape[0] == 4 * (SIZE[1] + 14)
    assert not list(out.parent.glob("*.part*"))


def test_clips_that_are_not_there_are_one_line(data, tmp_path, root, capsys):
    args = ["--data", str(data), "--model", str(root / "engines" / "fast.onnx"), "--count", "2"]
    args += ["--size", "96x64", "--temporal", "1", "--clips", str(tmp_path)]
    assert evaluate.main(args) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no clips_*.tar" in error


def test_somebody_else_s_networks_beside_ours_with_one_command(data, tmp_path, root, own_folder, capsys):
    names = ("midas-v21-small", "omnidata-normal")
    for name in names:
        file, make = KNOWN[name]
        (tmp_path / file).write_bytes(make().bytes())
        assert application(["engines", "import", str(tmp_path / file)]) == 0
    args = ["--data", str(data), "--model", str(root / "engines" / "fast.onnx"), "--count", "4"]
    args += ["--temporal", "0", "--size", "96x64", "--out", str(tmp_path / "a.md"), "--beside"]
    assert evaluate.main([*args, *names, "+".join(names)]) == 0, capsys.readouterr().err
    rows = {
        name: cells[0] for name, cells in rows_of((tmp_path / "a.md").read_text(encoding="utf-8")).items()
    }
    depth, normal, both = (rows[name] for name in (*names, "+".join(names)))
    # MiDaS has depth, and normals from it that are not ours; Omnidata normals alone; neither has a matte
    assert depth[:6] != rows["ours"][:6]
    assert "–" not in [*depth[:5], *depth[6:8]]  # a ball has no edges
    assert normal[6:9] == ["–"] * 3
    assert both == normal[:6] + depth[6:9] + ["–"] * 3
    assert all(row[9:] == ["–"] * 3 for row in (depth, normal, both))
    assert "–" not in rows["ours"][9:11]


def test_an_imported_network_is_asked_in_its_own_units(tmp_path, root, own_folder):
    """Ours inside, so ours comes out again; it saw the picture at another size."""
    file, make = KNOWN["omnidata-normal"]
    (tmp_path / file).write_bytes(make().bytes())
    assert application(["engines", "import", str(tmp_path / file)]) == 0
    source = open_source("demo", pace=False)
    try:
        frames = [source.read() for _ in range(40)]
    finally:
        source.close()
    assert frames[-1] is not None
    image = fit(frames[-1].image[..., ::-1].astype(np.float32) / 255, (256, 160))
    found = predictors(root / "engines" / "fast.onnx", ["omnidata-normal"], "ours")
    ours, theirs = (found[name].still(image) for name in ("ours", "omnidata-normal"))
    assert theirs.depth is None
    assert theirs.alpha is None
    inside = (ours.alpha > 0.7).astype(np.float32)
    assert inside.mean() > 0.05
    assert metrics.angles(ours.normal, theirs.normal, inside).mean() < 12


def test_parts_of_a_matte_that_the_other_does_not_have_are_left_out():
    alpha = np.zeros((40, 60), np.float32)
    alpha[10:30, 5:25] = 0.9
    alpha[20:40, 50:] = 0.8
    other = np.zeros_like(alpha)
    other[8:28, 6:26] = 1
    kept = shared_parts(alpha, other)
    assert np.array_equal(kept[:, :40], alpha[:, :40])
    assert not kept[:, 40:].any()
    assert np.array_equal(shared_parts(alpha, np.ones_like(alpha)), alpha)
    assert not shared_parts(alpha, np.zeros_like(alpha)).any()


def test_what_is_taken_for_somebody_else_in_the_demo_clip_is_counted():
    class Painted:
        def still(self, image):
            alpha = np.zeros(image.shape[:2], np.float32)
            alpha[20:60, 30:70] = 1
            alpha[:10, :16] = 0.7
            alpha[80:, 90:] = 0.4
            return Found(alpha=alpha)

    assert stray(Painted(), (128, 96)) == pytest.approx(1000 * 160 / (128 * 96))

    class Blind:
        def still(self, image):
            return Found(normal=np.zeros(image.shape, np.float32))

    assert np.isnan(stray(Blind(), (128, 96)))


def test_shipped_networks_leave_the_flag_and_the_rocket_out(root):
    for name in ("base", "fast"):
        assert stray(OnnxMethod(root / "engines" / f"{name}.onnx"), (256, 192)) < 2.0


def test_both_ways_means_the_picture_and_its_mirror_image(root):
    found = predictors(root / "engines" / "fast.onnx", [], "ours")
    assert list(found) == ["ours", "ours, both ways (photo)"]
    once, both = found.values()
    image = np.random.default_rng(0).random((64, 96, 3), np.float32)
    seen, turned = both.still(image), both.still(np.ascontiguousarray(image[:, ::-1]))
    assert np.allclose(seen.normal, turned.normal[:, ::-1] * [-1, 1, 1], atol=1e-4)
    assert np.allclose(seen.alpha, turned.alpha[:, ::-1], atol=1e-5)
    assert not np.allclose(seen.depth, once.still(image).depth, atol=1e-4)


@pytest.mark.parametrize("there", [False, True])
def test_tcmonodepth_is_a_row_where_its_file_is(there, tmp_path):
    """A stand-in of its form: 192 x 320, RGB 0..255, more where the picture is redder."""
    if there:
        from onnx import TensorProto, helper, save

        folder = tmp_path / "peers" / "tcmonodepth"
        folder.mkdir(parents=True)
        picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 192, 320])
        told = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 192, 320])
        node = helper.make_node("Split", ["input"], ["output", "g", "b"], axis=1, num_outputs=3)
        graph = helper.make_graph([node], "red", [picture], [told])
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        save(made, folder / "tcmonodepth_tcsmallnet_192x320.onnx")
    found = tcmonodepth(tmp_path)
    assert list(found) == ([TCMONODEPTH] if there else [])
    if there:
        image = doll(0)["image"]
        said = found[TCMONODEPTH].still(image)
        assert said.normal is None
        assert said.meaning == "inverse depth"
        assert (
            np.abs(said.depth - 255 * image[..., 0])[5:-5, 5:-5].mean() < 6
        )  # in place, though it was padded


def test_a_network_with_a_memory_is_handed_its_state_within_a_clip_and_no_further(tmp_path):
    import torch

    from training import export
    from training.model import GeometryNet, ModelConfig

    torch.manual_seed(0)
    model = GeometryNet(ModelConfig(fast=True, memory=True)).eval()
    for parameter in model.memory.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    torch.nn.init.normal_(model.head.weight, std=0.3)
    export.export(export.fold(model), tmp_path / "net.onnx")
    method = OnnxMethod(tmp_path / "net.onnx")
    images = [doll(0)["image"], doll(1)["image"]]
    follow = method.clip()
    first, second = (follow(image).alpha for image in images)
    assert np.array_equal(first, method.still(images[0]).alpha)
    assert np.abs(second - method.still(images[1]).alpha).max() > 1e-3
    assert np.array_equal(method.clip()(images[1]).alpha, method.still(images[1]).alpha)
    follow = method.clip()  # the same clip again says the same
    assert np.array_equal([follow(image).alpha for image in images], [first, second])
