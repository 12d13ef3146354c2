"""From the doll to shards: stills, clips, labels, the second light, and the validator over all of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.training.doll import make_doll, make_wardrobe, pose  # noqa: F401
from training.synth import sample
from training.synth.check import check
from training.synth.clips.film import film, shaken
from training.synth.gl import View
from training.synth.parts import PARTS
from training.synth.places.light import Environment
from training.synth.sample import Studio
from training.synth.shards import read_shard, write_shard
from training.synth.stage import describe_camera

SIZE = (96, 64)
ABOUT = {"gender": 1.0, "age": 0.7}


@pytest.fixture(scope="module")
def studio(doll, wardrobe, tmp_path_factory):
    """A real Studio whose assets are the doll's and one grey sky."""
    assets = tmp_path_factory.mktemp("assets")
    (assets / "hdri" / "a").mkdir(parents=True)
    (assets / "hdri" / "a" / "sky.exr").write_bytes(b"")
    skin = assets / "male_skin.png"
    cv2.imwrite(str(skin), np.full((64, 64, 3), (120, 150, 200), np.uint8))
    # Brows are drawn from a picture with holes.
    brow = np.full((16, 32, 4), 90, np.uint8)
    cv2.imwrite(str(assets / "brow.png"), brow)
    wardrobe.skins = [skin]
    for garment in wardrobe.brows:
        garment.textures["diffuse"] = assets / "brow.png"
    sky = np.full((64, 128, 3), 0.5, np.float32)
    sky[10:14, 30:40] = 60
    environment = Environment("sky", sky, cv2.resize(sky, (64, 32), interpolation=cv2.INTER_AREA))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "read_topology", lambda path: path)
        patch.setattr(sample, "Figure", lambda topology: doll)
        patch.setattr(sample, "Wardrobe", lambda *args, **kwargs: wardrobe)
        patch.setattr(sample, "read_environment", lambda path: environment)
        patch.setattr(sample, "read_body", lambda bank, k: (*pose(doll, k), ABOUT))
        made = Studio(assets, Path("bank"), (0, 20), SIZE, False)
        yield made
        made.close()


def test_stills_have_sound_labels(studio, tmp_path):
    samples = [s for k in range(6) for s in studio.shoot(3, k, 2, 2)]
    write_shard(tmp_path / "shard_00000.tar", samples)
    report = check(tmp_path)
    assert report.lines == []
    assert (report.pictures, report.labels) == (24, 12)
    height, width = SIZE[1], SIZE[0]
    for record in read_shard(tmp_path / "shard_00000.tar"):
        shapes = {name: (record[name].shape, record[name].dtype.name) for name in record.names}
        assert shapes == {
            "colour": ((2, height, width, 3), "uint8"),
            "normal": ((height, width, 3), "int8"),
            "depth": ((height, width), "float16"),
            "alpha": ((height, width), "uint8"),
            "albedo": ((height, width, 3), "uint8"),
            "part": ((height, width), "uint8"),
            "relit": ((height, width, 3), "float16"),
        }
        about = record.about
        assert len(about["lights"]) == 2
        assert {"kind", "sh", "place", "power", "shadow"} <= set(about["lights"][0])
        assert {"fx", "fy", "cx", "cy", "k"} == set(about["camera"])
        assert not np.array_equal(*record["colour"])  # another light, another place
        if about["people"]:
            assert record["relit"].max() > 0.01
            assert PARTS.index("skin") in record["part"]


def test_the_same_geometry_has_the_same_bytes(studio):
    first, again, other = (studio.shoot(3, k, 1, 1)[0] for k in (2, 2, 4))
    for name, array in first.arrays.items():
        assert array.tobytes() == again.arrays[name].tobytes(), name
    assert first.about == again.about
    assert first.arrays["colour"].tobytes() != other.arrays["colour"].tobytes()


def test_clips_move_the_person_and_keep_the_place(studio, doll, tmp_path, monkeypatch):
    frames = 5
    still = pose(doll, 1)
    vertices = np.repeat(still[0][None], frames, 0)
    vertices[:, :, 0] += np.linspace(0, 0.08, frames)[:, None]
    motion = {**ABOUT, "shake": [[0.0, 0.0]] * frames, "light": [1.0, 1.0, 1.0, 0.5, 0.5]}
    turns = np.repeat(still[1][None], frames, 0)
    read = SimpleNamespace(read_clip=lambda *args: (vertices.astype(np.float32), turns, motion))
    monkeypatch.setattr("training.synth.clips.film.clipbank", read)
    clip = film(studio, 9, 0)
    write_shard(tmp_path / "clips_00000.tar", [clip])
    assert check(tmp_path).lines == []
    assert clip.arrays["colour"].shape == (frames, SIZE[1], SIZE[0], 3)
    assert clip.arrays["depth"].shape == (frames, SIZE[1], SIZE[0])
    covered = [np.argwhere(a > 127)[:, 1].mean() for a in clip.arrays["alpha"]]
    assert abs(covered[-1] - covered[0]) > 1  # the person moved across
    bright = clip.arrays["colour"].astype(float).mean((1, 2, 3))
    assert bright[3:].mean() < 0.93 * bright[:3].mean()  # the light went down


def test_shake_moves_the_picture_by_its_share_of_the_width():
    view = View(np.eye(4, dtype=np.float32), (0.7, 0.5))
    moved = shaken(view, [0.02, -0.01])
    camera = describe_camera(view, 200, 140)
    x, y, z = (moved.view @ np.array([0, 0, -1.0, 1], np.float32))[:3]
    right, down = camera["fx"] * x / -z, -camera["fy"] * y / -z
    assert right == pytest.approx(0.02 * 200, rel=0.02)
    assert down == pytest.approx(-0.01 * 200, rel=0.02)
