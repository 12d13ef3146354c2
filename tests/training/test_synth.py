"""The generator's parts: pure functions of the seed, formats, the validator."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from training.synth import __main__ as cli
from training.synth import meshes
from training.synth.camera.sensor import expose, shoot
from training.synth.check import check
from training.synth.gl import View
from training.synth.make import Recipe, check_recipe
from training.synth.parts import PARTS
from training.synth.people import bodies, poses
from training.synth.places.backdrop import draw_backdrop
from training.synth.places.framing import HEAD, draw_view, rotate
from training.synth.places.light import Environment, draw_lamps
from training.synth.sample import pick
from training.synth.shards import Sample, read_shard, write_shard
from training.synth.sheet import write_clip_sheet, write_sheet
from training.synth.stats import gather, write_stats
from training.synth.wear import props

SIZE = (96, 64)


@pytest.fixture(scope="module")
def environment() -> Environment:
    """A grey sky with a sun."""
    picture = np.full((256, 512, 3), 0.5, np.float32)
    picture[40:50, 100:110] = 400
    return Environment("test", picture, cv2.resize(picture, (64, 32), interpolation=cv2.INTER_AREA))


def picture_of(seed: int, environment: Environment) -> np.ndarray:
    """Everything random that needs no assets, in one picture."""
    rng = np.random.default_rng(seed)
    turn = rotate(1, rng.uniform(0, 360))
    lamps = draw_lamps(rng, environment, turn, 0.7)
    view, _ = draw_view(rng, np.array([0, 0.7, 0], np.float32), 1.5)
    back, _ = draw_backdrop(rng, environment, turn, *SIZE, view.tan_half)
    back = back * (1 + lamps.power.sum())
    return shoot(rng, expose(rng, back, np.zeros(SIZE[::-1], np.float32)))


def test_same_seed_same_bytes(environment):
    for seed in range(12):
        assert picture_of(seed, environment).tobytes() == picture_of(seed, environment).tobytes()
    assert picture_of(1, environment).tobytes() != picture_of(2, environment).tobytes()


def test_bodies_are_functions_of_the_seed():
    bones = [*poses.HEAD_SHARE, *poses.SPINE, *(f"{b}{t}" for t in (".L", ".R") for b in ARM)]
    first, second = (poses.draw_pose(np.random.default_rng(3), bones)[0] for _ in range(2))
    assert np.array_equal(first, second)
    turn = first[:, :3, :3]
    assert np.allclose(turn @ turn.transpose(0, 2, 1), np.eye(3), atol=1e-9)


ARM = ("upperarm01", "lowerarm01", "clavicle", "wrist")


def test_a_positive_pitch_nods_and_a_positive_yaw_turns_to_the_left_hand():
    forward = np.array([0, -1.0, 0])  # anny faces -y, z is up, its left is +x
    assert (poses.euler(20, 0, 0) @ forward)[2] < 0
    assert (poses.euler(0, 20, 0) @ forward)[0] > 0
    world = bodies.to_world(forward[None])[0]
    assert np.allclose(world, [0, 0, 1])


def test_views_keep_the_head_in_front_of_the_camera():
    head = np.array([0.1, 0.7, 0.05], np.float32)
    for seed in range(200):
        view, distance = draw_view(np.random.default_rng(seed), head, 4 / 3)
        place = view.view @ np.array([*head, 1], np.float32)
        assert place[2] == pytest.approx(-distance, rel=1e-4)
        assert distance >= 0.3
        assert np.allclose(view.view[:3, :3] @ view.view[:3, :3].T, np.eye(3), atol=1e-5)
        assert HEAD / (2 * view.tan_half[1] * distance) < 1.1


def test_mhclo_reads_both_line_forms(tmp_path):
    rows = ("# c", "x_scale 0 1 1.5", "verts 0", "material a.mhmat", "5", "1 2 3 0.5 0.25 0.25 0.1 0.2 0.3")
    text = "\n".join((*rows, "delete_verts", "3 - 5 9"))
    (tmp_path / "a.mhclo").write_text(text)
    fit = meshes.read_mhclo(tmp_path / "a.mhclo")
    assert fit.index.tolist() == [[5, 5, 5], [1, 2, 3]]
    assert fit.weight[0].tolist() == [1, 0, 0]
    assert fit.hidden.tolist() == [3, 4, 5, 9]
    assert fit.scale_ref == {"x": (0, 1, 1.5)}


def test_obj_quads_become_triangles_and_uv_seams_split(tmp_path):
    rows = ("v 0 0 0", "v 1 0 0", "v 1 1 0", "v 0 1 0", "vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1")
    (tmp_path / "a.obj").write_text("\n".join((*rows, "f 1/1 2/2 3/3 4/4", "f 1/2 2/2 3/3")))
    mesh = meshes.read_obj(tmp_path / "a.obj")
    assert len(mesh.tri) == 3
    split = meshes.split_uv(mesh)
    assert len(split.source) == 5  # vertex 1 has two texture coordinates
    normals = meshes.vertex_normals(mesh.vertices, mesh.tri, meshes.incidence(mesh.tri, 4))
    assert np.allclose(normals, [0, 0, 1])


@pytest.mark.parametrize("seed", range(5))
def test_props_are_closed_enough_and_face_outward(seed):
    rng = np.random.default_rng(seed)
    for solid in (*props.glasses(rng), props.headphones(rng)):
        assert np.isfinite(solid.points).all()
        assert solid.tri.max() < len(solid.points)
        assert np.allclose(np.linalg.norm(solid.normals, axis=1), 1, atol=1e-5)


def test_the_split_never_shares_items():
    items = list(range(23))
    held, kept = pick(items, 5, True), pick(items, 5, False)
    assert not set(held) & set(kept)
    assert sorted(held + kept) == items


def sample_of(key: str, depth_hole: bool = False, frames: int = 0, **about: object) -> Sample:
    """A box for a person; `frames` > 0 makes a clip."""
    normal = np.zeros((64, 96, 3), np.int8)
    normal[10:50, 20:70, 2] = 127
    alpha = (normal[..., 2] > 0).astype(np.uint8) * 255
    depth = ((alpha > 0) * (0.0 if depth_hole else 1.0)).astype(np.float16)
    labels = {"normal": normal, "depth": depth, "alpha": alpha, "part": alpha // 255}
    if frames:
        labels = {name: np.stack([value] * frames) for name, value in labels.items()}
    colour = np.random.default_rng(1).integers(0, 255, (frames or 2, 64, 96, 3), np.uint8)
    camera = {"fx": 80.0, "fy": 80.0, "cx": 48.0, "cy": 32.0, "k": 0.0}
    return Sample(key, {"colour": colour, **labels}, {"tan": 0.6, "people": 1, "camera": camera, **about})


def test_shards_come_back_and_are_checked(tmp_path):
    write_shard(tmp_path / "shard_00000.tar", [sample_of("a"), sample_of("b", tone="3")])
    first, second = read_shard(tmp_path / "shard_00000.tar")
    for name, array in sample_of("a").arrays.items():
        np.testing.assert_array_equal(first[name], array)
        assert first[name].dtype == array.dtype
    assert second.about["tone"] == "3"
    write_shard(tmp_path / "clips_00000.tar", [sample_of("c", frames=5)])
    report = check(tmp_path)
    assert report.lines == []
    assert (report.pictures, report.labels) == (9, 7)
    write_shard(tmp_path / "shard_00001.tar", [sample_of("d", depth_hole=True)])
    assert any("no depth" in line for line in check(tmp_path).lines)
    write_sheet(tmp_path, tmp_path / "sheet.png", 2, 0)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (128, 7 * 96, 3)
    write_clip_sheet(tmp_path, tmp_path / "clips.png", 1, 0, frames=3)
    assert cv2.imread(str(tmp_path / "clips.png")).shape == (128, 3 * 96, 3)


def test_same_samples_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_shard(tmp_path / name, [sample_of("a"), sample_of("b")])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_cut_shard_is_one_clear_error(tmp_path):
    path = tmp_path / "shard_00000.tar"
    write_shard(path, [sample_of("a"), sample_of("b")])
    whole = path.read_bytes()
    for size in (100, len(whole) // 3, len(whole) - 20_000):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="make it again"):
            read_shard(path)


@pytest.mark.parametrize(
    ("name", "change", "kind"),
    [
        ("depth", lambda a: np.full_like(a, np.nan), "depth"),
        ("depth", lambda a: np.full_like(a, 0.02), "clipped"),
        ("normal", lambda a: (a * 0.5).astype(np.int8), "normal"),
        ("normal", lambda a: -a, "inside out"),
        ("part", lambda a: a * 77, "part"),
        ("part", lambda a: a * 0, "part"),
        ("alpha", lambda a: a * 0, "empty"),
        ("colour", lambda a: a * 0, "black"),
        ("colour", lambda a: a * 0 + 255, "white"),
    ],
)
def test_the_validator_sees(name, change, kind, tmp_path):
    sound = sample_of("a")
    broken = Sample("a", {**sound.arrays, name: change(sound.arrays[name])}, sound.about)
    write_shard(tmp_path / "shard_00000.tar", [broken])
    assert kind in check(tmp_path).counts


def test_the_validator_sees_a_collar_that_is_inside_out(tmp_path):
    sound = sample_of("a")
    part = sound.arrays["part"] * PARTS.index("cloth")
    write_shard(tmp_path / "shard_00000.tar", [Sample("a", {**sound.arrays, "part": part}, sound.about)])
    assert check(tmp_path).lines == []
    normal = sound.arrays["normal"].copy()
    normal[10:28, 20:70] = (127, 0, 2)  # turned until just edge-on, as the renderer's labels never look away
    wrong = {**sound.arrays, "part": part, "normal": normal}
    write_shard(tmp_path / "shard_00000.tar", [Sample("a", wrong, sound.about)])
    report = check(tmp_path)
    assert list(report.counts) == ["inside out"]
    assert report.across["cloth"][0] > 300


def test_shards_of_a_recipe_do_not_depend_on_how_many_are_asked_for():
    few, many = Recipe(1, 250, clips=11), Recipe(1, 5000, clips=200)
    assert set(few.shards()) <= set(many.shards())
    assert len(few.shards()) == 2 + 2


def test_statistics_are_drawn(tmp_path):
    about = {"distance": 0.6, "yaw": -3.0, "cover": 0.4, "tone": "4", "lights": [{"backdrop": "room"}]}
    write_shard(tmp_path / "shard_00000.tar", [sample_of(str(k), **about) for k in range(3)])
    write_stats(tmp_path, tmp_path / "stats.png")
    assert cv2.imread(str(tmp_path / "stats.png")).shape[1] > 800
    assert gather(tmp_path)["skin tone (Monk step)"] == [4, 4, 4]


def test_two_recipes_do_not_mix(tmp_path):
    assets = tmp_path / "assets"
    (assets / "hdri").mkdir(parents=True)
    (assets / "hdri" / "a.exr").write_bytes(b"x")
    check_recipe(tmp_path / "manifest.json", Recipe(1, 10), assets)
    check_recipe(tmp_path / "manifest.json", Recipe(1, 20), assets)
    with pytest.raises(ValueError, match="choose another"):
        check_recipe(tmp_path / "manifest.json", Recipe(2, 10), assets)
    assert json.loads((tmp_path / "manifest.json").read_text())["recipe"]["count"] == 20


def test_errors_are_one_line(tmp_path, capsys):
    assert (
        cli.main(
            ["make", "--out", str(tmp_path / "o"), "--count", "1", "--seed", "0", "--assets", "/nowhere"]
        )
        == 1
    )
    assert cli.main(["sheet", str(tmp_path), str(tmp_path / "a.png")]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 2
    assert all(line.startswith("error: ") for line in errors)


def test_the_command_line_needs_neither_torch_nor_anny():
    code = "import sys, training.synth.__main__ as m; m.build_parser(); "
    code += "print({'torch', 'anny'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_projection_maps_the_frustum_to_the_unit_cube():
    view = View(np.eye(4, dtype=np.float32), (0.6, 0.4))
    corner = view.projection @ np.array([0.6 * 2, 0.4 * 2, -2, 1], np.float32)
    assert np.allclose(corner[:2] / corner[3], 1)
