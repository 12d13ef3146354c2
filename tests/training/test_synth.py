"""The generator's parts: pure functions of the seed, formats, the validator."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from training.synth import __main__ as cli
from training.synth import meshes, people, props
from training.synth.backdrop import draw_backdrop
from training.synth.check import check
from training.synth.framing import HEAD, draw_view, rotate
from training.synth.gl import View
from training.synth.light import Environment, draw_lamps
from training.synth.make import Recipe, check_recipe
from training.synth.sample import Labels, Shot, pick
from training.synth.sensor import expose, shoot
from training.synth.shards import read_shard, write_shard
from training.synth.sheet import write_sheet

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
    bones = [*people.HEAD_SHARE, *people.SPINE, *(f"{b}{t}" for t in (".L", ".R") for b in ARM)]
    first, second = (people.draw_pose(np.random.default_rng(3), bones)[0] for _ in range(2))
    assert np.array_equal(first, second)
    turn = first[:, :3, :3]
    assert np.allclose(turn @ turn.transpose(0, 2, 1), np.eye(3), atol=1e-9)


ARM = ("upperarm01", "lowerarm01", "clavicle", "wrist")


def test_a_positive_pitch_nods_and_a_positive_yaw_turns_to_the_left_hand():
    forward = np.array([0, -1.0, 0])  # anny faces -y, z is up, its left is +x
    assert (people.euler(20, 0, 0) @ forward)[2] < 0
    assert (people.euler(0, 20, 0) @ forward)[0] > 0
    world = people.to_world(forward[None])[0]
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


def shot(depth_hole: bool = False) -> Shot:
    rng = np.random.default_rng(1)
    normal = np.zeros((64, 96, 3), np.int8)
    normal[10:50, 20:70, 2] = 127
    alpha = (normal[..., 2] > 0).astype(np.uint8) * 255
    depth = (alpha > 0).astype(np.float16) * (0 if depth_hole else 1)
    picture = rng.integers(0, 255, (64, 96, 3), np.uint8)
    return Shot(Labels(normal, depth.astype(np.float16), alpha), [picture, picture], {"tan": 0.6})


def test_shards_come_back_and_are_checked(tmp_path):
    write_shard(tmp_path / "shard_00000", [shot(), shot()])
    back = read_shard(tmp_path / "shard_00000")
    assert back.label.tolist() == [0, 0, 1, 1]
    assert np.array_equal(back.normal[1], shot().labels.normal)
    assert check(tmp_path) == []
    write_shard(tmp_path / "shard_00001", [shot(depth_hole=True)])
    assert any("no depth" in line for line in check(tmp_path))
    write_sheet(tmp_path, tmp_path / "sheet.png", 2, 0)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (128, 6 * 96, 3)


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
