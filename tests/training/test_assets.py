"""The folder of base assets: fetched, unpacked, shrunk, built and checked - from a server on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.place import serving
from tests.training.tiny_assets import HEAD, obj, write_world
from training.assets import __main__ as cli
from training.assets import fetch, ict, textures
from training.assets.fetch import Downloader
from training.assets.manifest import read_manifest

SHARED = Path(__file__).parents[3] / "shared/data"


@pytest.fixture
def place(monkeypatch):
    with serving(monkeypatch) as place:
        yield place


@pytest.fixture
def quick(monkeypatch):
    """Tries without pauses."""
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)


@pytest.fixture
def world(place, tmp_path):
    """(folder, options): a manifest of four tiny sources, and the server that has them, packages too."""
    manifest = tmp_path / "manifest.toml"
    write_world(place, manifest)
    folder = tmp_path / "assets"
    mirrors = ["--base", f"pm={place.url}npm", "--base", f"bl={place.url}deb"]
    return folder, ["--assets", str(folder), "--manifest", str(manifest), *mirrors]


def test_everything_arrives_and_is_not_asked_for_again(world, place, quick, capsys):
    folder, options = world
    assert cli.main([*options, "--check"]) == 1
    assert "missing: hdri/pm/day.exr" in capsys.readouterr().out
    assert cli.main(options) == 0
    skin = cv2.imread(str(folder / "synth/mh/skin.png"), cv2.IMREAD_UNCHANGED)
    assert skin.shape == (512, 1024, 4)
    assert (folder / "synth/mh/brow.png").read_bytes() == place.files["raw/brow.png"]  # small: left as it is
    with np.load(folder / "synth/ict/all.npz") as file:
        assert file["identity"].shape == file["expression"].shape == (1, 4, 3)
        assert file["identity"].dtype == np.float16
        np.testing.assert_allclose(file["identity"][0, 0], [0.25, 0, -0.1359], atol=1e-4)
        assert file["faces"].tolist() == [[0, 1, 2, 3], [0, 2, 3, 3]]
        assert file["materials"].tolist() == ["Eye", "Skin"]
        assert file["face_material"].tolist() == [1, 0]
    assert not (folder / ".download").exists()
    assert cli.main([*options, "--check"]) == 0
    before = len(place.asked)
    assert cli.main(options) == 0
    assert len(place.asked) == before
    assert not list(folder.rglob("*.part"))


def test_a_damaged_folder_is_seen_and_mended(world, place, quick, capsys):
    folder, options = world
    assert cli.main(options) == 0
    (folder / "hdri/bl/night.exr").write_bytes(b"0" * 3000)
    (folder / "synth/mh/brow.png").write_bytes(textures.to_png(np.full((64, 64, 3), 90, np.uint8)))
    with np.load(folder / "synth/ict/all.npz") as file:
        arrays = dict(file)
    arrays["expression"][0, 0, 0] += 1
    np.savez_compressed(folder / "synth/ict/all.npz", **arrays)
    capsys.readouterr()
    assert cli.main([*options, "--check"]) == 1
    told = capsys.readouterr().out
    assert "night.exr: sha256 differs" in told
    assert "brow.png: shows something else" in told
    assert "expression 0" in told
    assert cli.main(options) == 0
    assert cli.main([*options, "--check"]) == 0


def test_a_stop_costs_one_mesh(world, place, quick, monkeypatch, capsys):
    _, options = world
    real = Downloader.fetch

    def stop(self, places, path, *rest, **more):
        if path == "jawOpen.obj":
            raise KeyboardInterrupt
        real(self, places, path, *rest, **more)

    monkeypatch.setattr(Downloader, "fetch", stop)
    assert cli.main([*options, "--only", "ict"]) == 130
    monkeypatch.setattr(Downloader, "fetch", real)
    place.asked.clear()
    assert cli.main([*options, "--only", "ict"]) == 0
    assert [path for path, _ in place.asked] == ["ict/jawOpen.obj"]


def test_one_line_for_what_is_gone_or_foreign(world, place, quick, capsys):
    folder, options = world
    place.files["media/skin.png"] = place.files["raw/brow.png"]  # another picture under the name
    place.files["ict/identity000.obj"] = obj(HEAD + np.array([0.25, 0, -0.1349])).encode()
    del place.files["npm/pm-tiny-1.0.0.tgz"]
    assert cli.main(options) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("assets: ") and "--base" in line for line in lines)
    assert "HTTP 404" in lines[0]
    assert "expected" in lines[1]
    assert "delta's sha256" in lines[2]
    assert not (folder / "synth/mh/skin.png").exists()
    assert not (folder / "synth/ict/all.npz").exists()
    assert (folder / "hdri/bl/night.exr").exists()  # the others go on


def test_another_picture_without_a_pointer_is_refused(world, place, quick, capsys):
    folder, options = world
    place.files["raw/brow.png"] = textures.to_png(np.full((64, 64, 3), 90, np.uint8))
    assert cli.main([*options, "--only", "mh"]) == 1
    assert "brow.png: shows something else" in capsys.readouterr().err
    place.files["raw/brow.png"] = b"<html>Please log in</html>"
    assert cli.main([*options, "--only", "mh"]) == 1
    assert "neither a picture nor" in capsys.readouterr().err
    assert not (folder / "synth/mh/brow.png").exists()
    assert (folder / "synth/mh/skin.png").exists()


def test_a_text_that_also_lies_elsewhere_is_taken_from_there(world, place, quick):
    folder, options = world
    place.files["else/c.txt"] = place.files.pop("raw/x/coat.obj")
    assert cli.main([*options, "--only", "mh", "--base", f"mh={place.url}raw"]) == 1  # only there, then
    assert cli.main([*options, "--only", "mh"]) == 0
    assert (folder / "synth/mh/x/coat.obj").read_bytes() == place.files["else/c.txt"]


def test_a_mirror_and_a_folder_replace_the_public_places(world, place, quick, tmp_path):
    _, options = world
    place.files |= {
        "mirror/skin.png": place.files["media/skin.png"],
        "mirror/brow.png": place.files["raw/brow.png"],
    }
    clone = tmp_path / "clone/x"
    clone.mkdir(parents=True)
    (clone / "coat.obj").write_bytes(place.files["raw/x/coat.obj"])
    (clone / "brow.png").write_bytes(b"broken")
    extra = ["--only", "mh", "--base", f"mh={place.url}mirror", "--from", str(tmp_path / "clone")]
    assert cli.main([*options, *extra]) == 0
    assert {path for path, _ in place.asked} == {"mirror/skin.png", "mirror/brow.png"}
    assert cli.main([*options, "--check", "--only", "mh"]) == 0
    assert cli.main([*options, "--only", "nothing"]) == 2
    assert cli.main([*options, "--base", "mh=elsewhere"]) == 2


def test_pictures_are_told_apart_but_not_by_the_way_of_shrinking():
    rng = np.random.default_rng(3)
    big = cv2.resize(rng.integers(0, 256, (16, 16, 3), np.uint8), (2048, 2048), interpolation=cv2.INTER_CUBIC)
    known = textures.fingerprint(textures.shrink(big))
    assert textures.difference(cv2.resize(big, (1024, 1024), interpolation=cv2.INTER_CUBIC), known) is None
    other = textures.shrink(big)
    other[:128, :128] = np.clip(other[:128, :128].astype(int) + 12, 0, 255)  # one of 64 blocks
    assert "something else" in textures.difference(other, known)
    assert "is 2048x2048x3" in textures.difference(big, known)
    opaque = textures.with_channels(big, 4)
    assert opaque.shape[2] == 4
    assert opaque[..., 3].min() == 255


def test_a_shrunk_pixel_is_the_mean_of_those_it_covers():
    fine = np.zeros((2048, 1024, 3), np.uint8)
    fine[::2, ::2] = 200
    small = textures.shrink(fine)
    assert small.shape == (1024, 512, 3)
    assert np.all(small == 50)
    assert textures.shrink(small) is small


def test_meshes_must_fit():
    neutral = ict.read_mesh(obj(HEAD))["neutral"]
    with pytest.raises(ValueError, match="has 3 vertices, expected 4"):
        ict.delta(obj(HEAD[:3]), neutral)
    with pytest.raises(ValueError, match="5 corners"):
        ict.read_mesh(obj(HEAD) + "f 1/1 2/2 3/3 4/1 1/1\n")


def test_the_manifest_names_what_the_generator_reads():
    sources = {source.name: source for source in read_manifest()}
    assert sorted(sources) == ["blender", "ict", "makehuman", "pmndrs"]
    for source in sources.values():
        assert bool(source.places) != bool(source.package)  # a package's place is its client's business
        assert all(place.startswith("https://") and place.endswith("/") for place in source.places)
        for path in source.files:
            digest, size = source.known(path)
            assert re.fullmatch("[0-9a-f]{64}", digest)
            assert size > 0
            assert not Path(path).is_absolute()
            assert ".." not in Path(path).parts
    assert sum(path.endswith(".exr") for s in sources.values() for path in s.files) == 26
    assert (len(sources["ict"].identities), len(sources["ict"].expressions)) == (100, 57)
    hair = {path.split("/")[2] for path in sources["makehuman"].files if path.startswith("base/hair/")}
    assert len(hair) == 10


@pytest.mark.skipif(not (SHARED / "hdri").is_dir(), reason="no folder of base assets here")
def test_the_folder_at_hand_is_the_known_one():
    assert cli.main(["--assets", str(SHARED), "--check", "--only", "hdri"]) == 0
