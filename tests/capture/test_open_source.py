"""The way in: what each `--source` opens, and what it says when it cannot. Cameras are in tests/device."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

import live_relight.capture.demo as demo
from live_relight.capture import NotedSource, list_cameras, open_source, v4l2
from live_relight.capture.picture import StillSource, write_picture
from live_relight.capture.video import VideoSource
from live_relight.core.errors import SourceError, UsageError
from tests.capture.clips import bars, write_clip

no_camera = pytest.mark.usefixtures("without_cameras")


@pytest.fixture
def without_cameras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a developer's laptop too, these tests see a machine without cameras."""
    monkeypatch.setattr(v4l2, "SYSFS", tmp_path / "none")


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_clip(tmp_path / "clip.mp4", [bars()] * 3)
    monkeypatch.setattr(demo.open_demo, "__kwdefaults__", {**demo.open_demo.__kwdefaults__, "clip": path})
    return path


def test_a_file_is_opened_by_its_content(clip: Path, tmp_path: Path) -> None:
    source = open_source(str(clip))
    assert isinstance(source, VideoSource)
    source.close()
    write_picture(tmp_path / "still.png", bars())
    misnamed = (tmp_path / "still.png").rename(tmp_path / "still.mp4")
    for spec in (str(misnamed), f"file://{misnamed}"):
        still: NotedSource = open_source(spec, fps=12, size=(64, 64), mirror=True)
        assert isinstance(still, StillSource)
        assert (still.fps, still.size, still.note) == (12, (64, 64), "")
        still.close()


@no_camera
def test_auto_without_a_camera_shows_the_demo_and_says_so(clip: Path) -> None:
    source = open_source("auto", pace=False)
    assert source.name == "the demo clip"
    assert "no camera found" in source.note
    assert "--source camera:N" in source.note
    source.close()


@no_camera
@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("camera", "no camera found; plug one in"),
        ("camera:97", "no such device; no camera is plugged in"),
        ("camera:Logitech", "no camera named 'Logitech', got no camera at all"),
        ("/dev/video97", "no such device"),
        ("/dev/null", "not a camera device"),
    ],
)
def test_cameras_that_are_not_there(spec: str, says: str) -> None:
    with pytest.raises(SourceError, match=says) as caught:
        open_source(spec)
    assert "\n" not in str(caught.value)


@no_camera
def test_no_cameras_are_listed() -> None:
    assert list_cameras() == []


@pytest.mark.parametrize("wrong", [{"size": (0, 10)}, {"fps": 0.0}, {"fps": -1.0}, {"fps": float("nan")}])
def test_values_that_make_no_sense(wrong: dict[str, object], clip: Path) -> None:
    with pytest.raises(UsageError):
        open_source(str(clip), **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="source is empty"):
        open_source("")


def test_ioctl_numbers_are_those_of_the_kernel_headers() -> None:
    """_IOC: direction 2 bits (read 2, write 1), size 14 bits, type 'V', number."""

    def ioc(direction: int, size: int, number: int) -> int:
        return direction << 30 | size << 16 | ord("V") << 8 | number

    capability = struct.calcsize("16s32s32sII3I") + 4
    assert ioc(2, capability, 0) == v4l2.VIDIOC_QUERYCAP
    assert ioc(3, struct.calcsize("III32sII3I"), 2) == v4l2.VIDIOC_ENUM_FMT
    assert ioc(3, struct.calcsize("III6I2I"), 74) == v4l2.VIDIOC_ENUM_FRAMESIZES


def test_formats_are_named_as_v4l2_ctl_names_them() -> None:
    assert v4l2.fourcc_text(b"MJPG") == "MJPG"
    assert v4l2.fourcc_text(b"Y16 ") == "Y16"
    assert v4l2.fourcc_text(b"Y16\xa0") == "Y16-BE"
    assert str(v4l2.Format("YUYV", ((640, 480), (320, 240)))) == "YUYV 640x480 320x240"


def test_the_program_that_holds_a_device_is_named(tmp_path: Path) -> None:
    held = tmp_path / "video0"
    held.write_bytes(b"")
    with held.open("rb") as file, subprocess.Popen(["sleep", "60"], stdin=file) as sleeper:
        file.close()
        try:
            assert v4l2.holders(str(held)) == [f"sleep (pid {sleeper.pid})"]
        finally:
            sleeper.kill()
    assert v4l2.holders(str(held)) == []
