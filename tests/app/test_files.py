"""Nothing that is read gets overwritten, nothing half-written stays, and damaged installations say so."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from live_relight import files, presets
from live_relight.commands import lists
from live_relight.commands.bench import bench
from live_relight.commands.photo import folder_jobs, photo
from live_relight.commands.video import video
from live_relight.core.errors import EstimatorError, LiveRelightError, SinkError, SourceError, UsageError
from live_relight.core.look import Look
from live_relight.core.settings import Settings
from live_relight.files import refuse_same, write_whole
from live_relight.geometry import network
from tests.capture.clips import numbered, write_clip

ANALYTIC = Settings(engine="analytic")


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def _touch(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"kept")


# --- writing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.json", "n" * 249 + ".json", "é" * 120 + ".json", "n" * 255])
def test_a_whole_file_under_any_name(name: str, tmp_path: Path) -> None:
    for data in (b"old", b"new"):
        write_whole(tmp_path / name, data)
        assert (tmp_path / name).read_bytes() == data
    assert _names(tmp_path) == [name]


def test_links_are_written_through(tmp_path: Path) -> None:
    _touch(tmp_path / "there", "real")
    for name, aim in (("link", "there/real"), ("new", "there/other")):
        (tmp_path / name).symlink_to(aim)
        write_whole(tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / aim).read_bytes() == b"new"
    assert _names(tmp_path / "there") == ["other", "real"]


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(tmp_path / "socket"))
    # No real device in here: a root's failing test would remove it.
    for name, got in (("folder", "a folder"), ("fifo", "a FIFO"), ("socket", "a socket"), ("loop", "levels")):
        with pytest.raises(SinkError, match=got):
            write_whole(tmp_path / name, b"x")
    assert _names(tmp_path) == ["fifo", "folder", "loop", "socket"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    for path, got in (
        (tmp_path / "none" / "x", "no folder"),
        (tmp_path / ("x" * 300), "too long"),
        (tmp_path / "a\0b", "NUL"),
        (Path("/proc/x"), "No such file"),
    ):
        with pytest.raises(SinkError, match=got):
            write_whole(path, b"x")
    assert _names(tmp_path) == []


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "x")

    def full(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SinkError, match="No space left"):
        write_whole(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"kept"
    assert _names(tmp_path) == ["x"]


# --- the input is never the output ------------------------------------------------------------------------


def test_the_same_file_by_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "a", "b")
    (tmp_path / "link").symlink_to("a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in ("a", "link", tmp_path / "a", f"file://{tmp_path}/a", "~/a"):
        with pytest.raises(UsageError, match="--json, got the same file as the input"):
            refuse_same(Path("a"), source, "--json")
    for source in ("b", "none", "demo", "camera:0", "http://a/b", "a\0b", str(tmp_path), ""):
        refuse_same(Path("a"), source, "--json")


def test_bench_and_video_keep_their_input(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.mp4", numbered(3))
    before = clip.read_bytes()
    with pytest.raises(UsageError, match="the same file"):
        bench(Settings(engine="analytic", source=str(clip)), 1, clip)
    with pytest.raises(UsageError, match="the same file"):
        video(clip, clip, ANALYTIC, None, None)
    assert clip.read_bytes() == before


def test_photo_keeps_its_input(tmp_path: Path) -> None:
    _touch(tmp_path, "alpha.png")
    source = tmp_path / "alpha.png"
    with pytest.raises(UsageError, match="the same folder"):
        photo(tmp_path, tmp_path, ANALYTIC, None)
    with pytest.raises(UsageError, match="the same file"):
        photo(source, tmp_path, ANALYTIC, None)
    with pytest.raises(UsageError, match=r"--maps .*the same file"):
        photo(source, tmp_path / "z.png", ANALYTIC, tmp_path)
    with pytest.raises(UsageError, match="one of the maps"):
        photo(source, tmp_path / "m" / ".." / "normals.png", ANALYTIC, tmp_path)
    assert source.read_bytes() == b"kept"
    assert _names(tmp_path) == ["alpha.png"]


def test_every_picture_of_a_folder_has_its_own_result(tmp_path: Path) -> None:
    source = tmp_path / "in"
    _touch(source, "a.jpg", "a.png", "a.ppm", "a.bmp", "a.ppm.png", "b.tif", "b.webp", "text.txt")
    jobs = folder_jobs(source, tmp_path / "out", tmp_path / "maps")
    assert {job.source.name: job.target.name for job in jobs} == {
        "a.jpg": "a.jpg",
        "a.png": "a.png",
        "a.bmp": "a.bmp.png",
        "a.ppm": "2-a.ppm.png",
        "a.ppm.png": "a.ppm.png",
        "b.tif": "b.png",
        "b.webp": "b.webp",
    }
    assert len({job.maps for job in jobs}) == len(jobs)
    assert {job.maps for job in jobs if job.source.stem == "b"} == {
        tmp_path / "maps" / n for n in ("b", "b.webp")
    }


def test_video_says_what_it_cannot_take(tmp_path: Path) -> None:
    _touch(tmp_path, "still.png")
    (tmp_path / "still.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.mkfifo(tmp_path / "fifo")
    for name, got in (("still.png", "a picture.*`photo`"), (".", "a folder.*`photo`"), ("fifo", "a FIFO")):
        with pytest.raises(SourceError, match=got):
            video(tmp_path / name, tmp_path / "o.mp4", ANALYTIC, None, None)


# --- presets of one's own ---------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "live-relight" / "presets"
    folder.mkdir(parents=True)
    return folder


def test_broken_presets_do_not_hide_the_others(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "bad.toml").write_text("ambient = ")
    (own / "dir.toml").mkdir()
    os.mkfifo(own / "fifo.toml")
    presets.save("mine", Look(), "tab\t, newline\n and \x7f")
    assert lists.presets("list", None, ANALYTIC) == 0
    said = capsys.readouterr().out
    assert said.count("broken: ") == 3
    assert "studio" in said
    assert presets.load("mine").description == "tab\t, newline\n and \x7f"


def test_no_home_and_odd_ones(tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert presets.user_folder() == tmp_path / "home" / ".config" / "live-relight" / "presets"
    for home in ("/dev/null", f"/{'x' * 300}"):
        monkeypatch.setenv("HOME", home)
        assert "studio" in presets.find()
        with pytest.raises(LiveRelightError, match="cannot make the folder"):
            presets.save("mine", Look())

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert "studio" in presets.find()
    with pytest.raises(LiveRelightError, match="no home folder"):
        presets.save("mine", Look())


# --- damaged installations --------------------------------------------------------------------------------


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(network, "folder", lambda name: tmp_path)
    return tmp_path


def test_no_networks_at_all(engines: Path) -> None:
    with pytest.raises(EstimatorError, match="install live-relight again"):
        network.find_network()


@pytest.mark.parametrize("pixels", ['"abc"', "-5", "99999999999", "true", "1.5", "nan", f"0x{'f' * 5000}"])
def test_cards_with_a_wrong_size(pixels: str, engines: Path) -> None:
    _touch(engines, f"{network.DEFAULT}.onnx")
    (engines / f"{network.DEFAULT}.toml").write_text(f"pixels = {pixels}\n")
    with pytest.raises(EstimatorError, match=r"pixels, got .*, expected a whole number"):
        network.find_network()


@pytest.mark.parametrize("stride", ["48", "0", "-32", "256", '"64"'])
def test_cards_with_a_wrong_stride(stride: str, engines: Path) -> None:
    _touch(engines, f"{network.DEFAULT}.onnx")
    (engines / f"{network.DEFAULT}.toml").write_text(f"stride = {stride}\n")
    with pytest.raises(EstimatorError, match=r"stride, got .*, expected a multiple of 32"):
        network.find_network()


def test_a_card_says_what_sides_are_multiples_of(engines: Path) -> None:
    _touch(engines, f"{network.DEFAULT}.onnx")
    assert network.find_network().stride == network.STRIDE
    (engines / f"{network.DEFAULT}.toml").write_text(f"stride = 64\npixels = {4 * network.PIXELS}\n")
    found = network.find_network()
    for frame in ((1280, 720), (640, 480), (480, 640), (320, 320)):
        usual = network.input_size(frame)
        assert network.input_size(frame, found.pixels, found.stride) == (2 * usual[0], 2 * usual[1])


def test_cards_and_networks_that_are_missing_or_no_files(engines: Path) -> None:
    _touch(engines, f"{network.DEFAULT}.onnx")
    assert network.find_network().pixels == network.PIXELS
    with pytest.raises(EstimatorError, match="the network's card"):
        lists.engines("info", None)
    (engines / f"{network.DEFAULT}.toml").mkdir()
    with pytest.raises(EstimatorError, match=rf"{network.DEFAULT}\.toml, got a folder"):
        network.find_network()
    (engines / "my.onnx").mkdir()
    with pytest.raises(EstimatorError, match="got a folder, expected an ONNX file"):
        network.find_network(str(engines / "my.onnx"))
    with pytest.raises(EstimatorError, match="no such file"):
        network.find_network(str(engines / "none.onnx"))


@pytest.mark.parametrize("name", ["clip.mp4", "n" * 251 + ".mp4", "é" * 125 + ".mp4"])
def test_what_is_kept_beside_replaces_nothing(name: str, tmp_path: Path) -> None:
    seen = set()
    for data in (b"1", b"2", b"3"):
        part = files.part_beside(tmp_path / name)
        part.write_bytes(data)
        kept = files.keep_beside(part, tmp_path / name, "partial")
        assert kept.read_bytes() == data
        assert ".partial" in kept.name
        assert kept.suffix == ".mp4"
        seen.add(kept.name)
    assert _names(tmp_path) == sorted(seen)
    assert len(seen) == 3


def test_parts_are_never_named_twice(tmp_path: Path) -> None:
    assert len({files.part_beside(tmp_path / "x") for _ in range(5)}) == 5
    assert len(files.part_beside(tmp_path / ("x" * 255)).name) < 80
