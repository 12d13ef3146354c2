"""What a user may type wrong, and the small commands."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from live_relight.cli import build_parser, main, settings_of
from live_relight.core.errors import LiveRelightError, UsageError
from live_relight.core.light import Light
from live_relight.core.settings import Settings
from live_relight.relighter import Relighter, look_of

BAD = [
    (["run", "--sorce", "demo"], 2, "did you mean '--source'"),
    (["run", "--frames", "0"], 2, "from 1"),
    (["run", "--frames", "many"], 2, "--frames"),
    (["run", "--fps", "-3"], 2, "0.1 to 1000"),
    (["run", ""], 2, "unknown argument"),
    (["photo", "", "out.png"], 2, "expected a path"),
    (["run", "--sink", "file:a.mp4", "--sink", "file:./a.mp4"], 2, "twice"),
    (["run", "--sink", "web:70000"], 2, "70000"),
    (["run", "--size", "big"], 2, "WIDTHxHEIGHT"),
    (["run", "--preset", "stduio"], 2, "did you mean 'studio'"),
    (["run", "--engine", "onx"], 2, "did you mean 'onnx'"),
    (["run", "--light", "key:azimuth=3"], 2, "did you mean 'az'"),
    (["run", "--source", "demo", "--sink", "fil:x"], 2, "fil"),
    (["run", "--source", "demo", "--sink", "pipewire", "--engine", "analytic"], 2, "pipewire"),
    (["run", "--source", "/no/such/clip.mp4", "--sink", "null"], 1, "clip.mp4"),
    (["run", "--source", "demo", "--sink", "file:/no/such/folder/o.mp4"], 1, "/no/such/folder"),
    (["run", "--source", "demo", "--sink", "file:o.xyz"], 2, ".mp4"),
    (["run", "--source", "/dev/video93", "--sink", "null"], 1, "/dev/video93"),
    (["run", "--engine", "onnx:/no/net.onnx"], 1, "net.onnx"),
    (["run", "--engine", "tensorrt"], 1, "--engine onnx"),
    (["run", "--config", "/no/config.toml"], 2, "no such file"),
    (["run", "--stats", "/no/such/folder/s.jsonl", "--engine", "analytic"], 1, "--stats"),
    (["run", "--ambient", "-1"], 2, "ambient"),
    (["photo", "/no/in.png", "out.png"], 1, "no such file"),
    (["video", "/no/in.mp4", "out.mp4"], 1, "no such file"),
    (["presets", "show"], 2, "no name"),
    (["presets", "show", "none"], 2, "no such preset"),
    (["engines", "info", "none"], 1, "no such network"),
    (["run", "--ambient", "x"], 2, "--ambient: got 'x', expected a number in 0..4"),
    (["run", "--fov", ""], 2, "--fov: got '', expected a number in 10..150"),
    (["dance"], 2, "'dance'; known: run, photo, "),
    (["rnu"], 2, "unknown command 'rnu'; did you mean 'run'?"),
    (["engines", "biuld"], 2, "engines: unknown action 'biuld'; did you mean 'build'?"),
    (
        ["photo", "a.jpg", "b.png", "--size", "1280x720"],
        2,
        "'--size'; it belongs to `run`, `bench` and `engines`",
    ),
    (["photo", "--sink=web", "a.jpg", "b.png"], 2, "'--sink=web'; it belongs to `run`"),
    (["run", "--maps", "x"], 2, "it belongs to `photo` and `video`"),
    (["photo", "a.jpg", "b.png", "c.png", "--map", "x"], 2, "'--map'; did you mean '--maps'?"),
    (["doctor", "--sourcery"], 2, "see live-relight doctor --help"),
    (["--source", "demo", "run"], 2, "'--source'; it belongs to `run` and `bench`, after the command"),
    (["--sorce", "demo", "run"], 2, "'--sorce'; did you mean '--source'?"),
    (["run", "--version"], 2, "before the command"),
    (["run", "clip.mp4"], 2, "see live-relight run --help"),
    ([], 2, "COMMAND"),
]


@pytest.mark.parametrize(("args", "status", "said"), BAD, ids=[" ".join(a) for a, _, _ in BAD])
def test_mistakes_are_one_line(
    args: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == status
    err = capsys.readouterr().err.strip()
    error = err.splitlines()[-1]
    assert said in error
    assert error.startswith("live-relight: ")
    assert "Traceback" not in err
    assert len([line for line in err.splitlines() if line.startswith("live-relight:")]) == 1


def test_broken_network_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    assert main(["run", "--engine", f"onnx:{tmp_path / 'bad.onnx'}"]) == 1
    assert "bad.onnx" in capsys.readouterr().err


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    for args in (["presets"], ["presets", "show", "window"], ["engines"], ["engines", "info"], ["cameras"]):
        assert main(args) == 0
        assert capsys.readouterr().out.strip()


def test_doctor_finds_what_run_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "broken" not in out
    for topic in ("OpenGL", "network", "engine", "camera", "virtual camera"):
        assert topic in out


def test_preset_saved_from_lights_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["presets", "save", "mine", "--light", "key:az=10", "--ambient", "0.3"]) == 0
    assert main(["presets", "show", "mine"]) == 0
    out = capsys.readouterr().out
    assert "az = 10" in out
    assert "ambient = 0.3" in out
    assert main(["presets", "save", "../evil"]) == 2
    assert main(["presets", "save", "studio"]) == 2
    assert "no shipped preset has" in capsys.readouterr().err
    assert main(["presets", "save", "mine"]) == 0
    assert "'mine' was there and is replaced" in capsys.readouterr().err


def test_debug_goes_before_the_command_too() -> None:
    with pytest.raises(UsageError, match="did you mean '--source'"):
        main(["--debug", "run", "--sorce", "demo"])
    assert main(["photo", "in.png", "out.png", "--frames", "2"]) == 2  # another command's


def test_a_preset_on_the_command_line_wins_over_the_lights_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('preset = "off"\nambient = 0.6\n[[light]]\nkind = "rim"\n')
    words = ["photo", "--config", str(tmp_path / "c.toml"), "in.png", "out.png"]
    kinds = []
    for more in ([], ["--preset", "window"], ["--preset", "window", "--light", "spot"]):
        look = look_of(settings_of(build_parser().parse_args([*words, *more])))
        kinds.append([light.kind for light in look.lights])
        assert look.ambient == 0.6
    assert kinds == [["rim"], ["key", "ambient"], ["spot"]]


def test_the_front_door_says_what_it_cannot_do(tmp_path: Path) -> None:
    frame = np.zeros((32, 48, 3), np.uint8)
    with Relighter(Settings(engine="analytic")) as relighter:
        for wrong in (Light.of("key"), ["key"], 3):
            with pytest.raises(LiveRelightError, match=r"lights, got .*expected a list"):
                relighter.relight(frame, wrong)  # type: ignore[arg-type]
        assert relighter.relight(frame, (Light.of(kind) for kind in ("key", "rim"))).shape == frame.shape
        with ThreadPoolExecutor(1) as pool, pytest.raises(LiveRelightError, match="from another thread"):
            pool.submit(relighter.relight, frame).result()
    with pytest.raises(LiveRelightError, match=r"after close\(\)"):
        relighter.relight(frame)


def test_bench_prints_each_stage_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "b.json"
    assert main(["bench", "--frames", "6", "--size", "320x180", "--json", str(target)]) == 0
    result = json.loads(target.read_text())
    assert set(result) >= {
        "fps",
        "core_ms_per_frame",
        "latency_ms",
        "stages",
        "size",
        "engine",
        "gl",
        "cores",
    }
    assert set(result["stages"]) - {"wait"} == {"read", "estimate", "smooth", "prepare", "shade", "send"}
    assert result["size"] == "320x180"
    out = capsys.readouterr().out
    assert all(name in out for name in result["stages"])


def test_photo_keeps_size_and_transparency(tmp_path: Path) -> None:
    rgba = np.zeros((37, 53, 4), np.uint8)
    rgba[..., :3] = 120
    rgba[5:30, 10:40, 3] = 255
    cv2.imwrite(str(tmp_path / "in.png"), rgba)
    assert main(["photo", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--engine", "analytic"]) == 0
    out = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert out.shape == rgba.shape
    np.testing.assert_array_equal(out[..., 3], rgba[..., 3])
    assert np.abs(out[..., :3].astype(int) - 120).max() > 10


@pytest.mark.parametrize("kind", ["grey", "16 bit", "1x1", "wide"])
def test_odd_pictures_come_out_right(tmp_path: Path, kind: str) -> None:
    image = {
        "grey": np.full((40, 50), 90, np.uint8),
        "16 bit": np.full((40, 50, 3), 90 * 257, np.uint16),
        "1x1": np.full((1, 1, 3), 90, np.uint8),
        "wide": np.full((3, 900, 3), 90, np.uint8),
    }[kind]
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    cv2.imwrite(str(source), image)
    assert main(["photo", str(source), str(target), "--engine", "analytic"]) == 0
    out = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    assert out.dtype == np.uint8
    assert out.shape == (*image.shape[:2], 3)


def test_same_in_and_out_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    before = path.read_bytes()
    assert main(["photo", str(path), str(path), "--engine", "analytic"]) == 2
    assert path.read_bytes() == before


def test_maps_are_written_at_the_pictures_size(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), np.full((60, 80, 3), 120, np.uint8))
    maps = tmp_path / "maps"
    args = ["photo", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--engine", "analytic"]
    assert main([*args, "--maps", str(maps)]) == 0
    with np.load(maps / "maps.npz") as data:
        assert data["depth"].shape == data["alpha"].shape == (60, 80)
        assert data["normal"].shape == (60, 80, 3)
        np.testing.assert_allclose(np.linalg.norm(data["normal"], axis=-1), 1, atol=1e-3)
        assert data["intrinsics"].shape == (3, 3)
        middle = data["normal"][30, 40]
    assert middle[2] > 0.98
    depth = cv2.imread(str(maps / "depth.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16
    assert depth[30, 40] > depth[30, 60]  # near is bright
    normals = cv2.imread(str(maps / "normals.png"))
    assert normals[30, 40, 0] > 250  # BGR: z is blue, facing the camera
    for name in ("alpha.png", "shading.png"):
        assert cv2.imread(str(maps / name)) is not None


def test_folder_goes_on_past_a_broken_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    source.mkdir()
    cv2.imwrite(str(source / "a.png"), np.full((20, 30, 3), 120, np.uint8))
    (source / "b.png").write_text("no picture")
    cv2.imwrite(str(source / "c.bmp"), np.full((20, 30, 3), 120, np.uint8))
    assert main(["photo", str(source), str(tmp_path / "out"), "--engine", "analytic"]) == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    assert "b.png" in capsys.readouterr().err


def test_help_of_every_command_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for line in build_parser().format_help().splitlines():
        assert len(line) <= 100


def test_video_keeps_every_frame_and_the_sound(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    clip_with_sound(source, frames=9, size=(161, 91))
    assert main(["video", str(source), str(target), "--engine", "analytic"]) == 0
    with av.open(str(target)) as made, av.open(str(source)) as original:
        assert sum(1 for _ in made.decode(video=0)) == sum(1 for _ in original.decode(video=0)) == 9
    with av.open(str(target)) as made, av.open(str(source)) as original:
        assert [p.dts for p in made.demux(audio=0)] == [p.dts for p in original.demux(audio=0)]


def test_failed_video_leaves_the_old_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    source.write_bytes(b"not a video")
    target.write_bytes(b"an older one")
    assert main(["video", str(source), str(target), "--engine", "analytic"]) == 1
    assert target.read_bytes() == b"an older one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]
    assert "Traceback" not in capsys.readouterr().err


def clip_with_sound(path: Path, frames: int, size: tuple[int, int]) -> None:
    """H.264 (odd sizes as 4:4:4) and AAC."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = *size, "yuv444p"
        audio = out.add_stream("aac", rate=48000)
        for i in range(frames):
            grey = np.full((size[1], size[0], 3), 60 + i * 5, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        for i in range(frames * 48000 // 30 // 1024):
            wave = (np.sin(np.arange(1024) / 20) * 0.3).astype(np.float32)[None]
            sound = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            sound.sample_rate, sound.pts = 48000, i * 1024
            out.mux(audio.encode(sound))
        out.mux(video.encode())
        out.mux(audio.encode())
