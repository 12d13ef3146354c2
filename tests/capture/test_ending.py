"""A clip that is cut off or damaged says so; one that is whole says nothing."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.capture.ending import parse_length, shortfall
from live_relight.capture.fit import Fit
from live_relight.capture.video import VideoSource
from live_relight.cli import main


def clip(path: Path, frames: int = 60, fast: bool = True, sound: bool = False) -> Path:
    """Noise of 96x64 at 25 frames a second; `fast`: its index comes first, so that a part of it opens."""
    rng = np.random.default_rng(0)
    options = {"movflags": "faststart"} if fast and path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream("libx264", rate=25, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        audio = out.add_stream("aac", rate=16000) if sound else None
        for _ in range(frames):
            picture = rng.integers(0, 255, (64, 96, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        out.mux(stream.encode())
        if audio is not None:
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
            wave.rate = 16000
            out.mux(audio.encode(wave))
            out.mux(audio.encode())
    return path


def ending(path: Path) -> tuple[int, str]:
    source = VideoSource(path, Fit(), pace=False)
    try:
        frames = 0
        while source.read() is not None:
            frames += 1
        return frames, source.trouble
    finally:
        source.close()


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "webm", "gif"])
def test_a_whole_clip_says_nothing(kind: str, tmp_path: Path) -> None:
    if kind in ("webm", "gif"):
        path = tmp_path / f"whole.{kind}"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("libvpx" if kind == "webm" else "gif", rate=10)
            stream.width, stream.height = 96, 64
            stream.pix_fmt = "yuv420p" if kind == "webm" else "rgb8"
            for k in range(20):
                frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 10 * k, np.uint8), "bgr24")
                out.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
            out.mux(stream.encode())
        assert ending(path) == (20, "")
    else:
        assert ending(clip(tmp_path / f"whole.{kind}")) == (60, "")


def test_a_clip_that_is_cut_off_says_after_what(tmp_path: Path) -> None:
    for name, told in (
        ("cut.mp4", "of 60 frames: the file is cut off"),
        ("cut.mkv", "of 2.4 s: the file is cut"),
    ):
        path = clip(tmp_path / name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        frames, said = ending(path)
        assert 5 < frames < 50
        assert told in said


def run(path: Path, sink: str) -> int:
    return main(["run", "--source", str(path), "--sink", sink, "--engine", "analytic"])


def test_video_and_run_say_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = clip(tmp_path / "cut.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert main(["video", str(path), str(tmp_path / "out.mp4"), "--engine", "analytic"]) == 0
    assert "cut off" in capfd.readouterr().err
    assert run(path, f"file:{tmp_path / 'b.mp4'}") == 0
    assert "cut off" in capfd.readouterr().err


@pytest.mark.parametrize("sound", [True, False])
def test_run_says_that_sound_is_left_out(
    sound: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = clip(tmp_path / "in.mp4", 5, sound=sound)
    assert run(path, f"file:{tmp_path / 'b.mp4'}") == 0
    assert ("without the clip's sound" in capfd.readouterr().err) == sound
    assert run(path, "null") == 0
    assert "without the clip's sound" not in capfd.readouterr().err


@given(st.integers(1, 10000))
def test_what_is_all_there_is_no_shortfall(frames: int) -> None:
    assert shortfall(frames, frames / 25, frames, "") == ""
    assert shortfall(frames, frames / 25, 0, f"0:0:{frames / 25}") == ""
    assert shortfall(frames, frames / 25, 2 * frames + 2, "")


def test_lengths() -> None:
    assert parse_length("01:02:03.500000000") == 3723.5
    assert parse_length("") == parse_length("12") == parse_length("a:b:c") == 0.0
