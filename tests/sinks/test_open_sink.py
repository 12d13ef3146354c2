"""The way out: what each `--sink` opens and what it says when it cannot; the virtual camera's error paths."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from live_relight.core.errors import SinkError, UsageError
from live_relight.sinks import check_sink, file_of, open_sink, virtual_camera
from live_relight.sinks.null import NullSink

SIZE = (64, 48)


def _open(spec: str) -> object:
    return open_sink(spec, size=SIZE, fps=30)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("pipewire", "not there yet; vcam, web and file:PATH work today"),
        ("window", "not there yet; vcam, web and file:PATH work today"),
        ("nul", "did you mean 'null'"),
        ("vcma", "did you mean 'vcam'"),
        ("out.mp4", "did you mean 'file:out.mp4'"),
        ("file:", "needs a name"),
        ("file", "needs a name"),
        ("web:abc", "expected a number"),
        ("web:99999", "expected a number"),
        ("web:" + "9" * 5000, "expected a number"),
        ("web:٨٠٨٨", "expected a number"),
        ("web:", "unknown sink"),
        ("null:x", "unknown sink"),
        ("file:out.gif", "ending '.gif'"),
        ("file:a\0.mp4", "NUL character"),
        ("vcam:/dev/video\0", "NUL character"),
        ("", "unknown sink"),
        ("vcam:", "unknown sink"),
    ],
)
def test_specs_that_make_no_sense(spec: str, says: str) -> None:
    for look_at in (check_sink, _open):
        with pytest.raises(UsageError, match=says) as caught:
            look_at(spec)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "spec", ["auto", "vcam", "vcam:/dev/video97", "web", "web:0", "file:/no/x.mp4", "null"]
)
def test_specs_that_make_sense_are_not_opened(spec: str) -> None:
    check_sink(spec)


def test_the_file_of_a_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert file_of("file:~/a:b.mp4") == tmp_path / "a:b.mp4"
    assert file_of("file:a.mp4") == Path("a.mp4")
    assert [file_of(spec) for spec in ("file:", "file", "web:8088", "null")] == [None] * 4
    sink = open_sink("file:~/a.mp4", size=SIZE, fps=30)
    assert sink.name == f"file {tmp_path / 'a.mp4'}"
    sink.close()


def test_null_counts() -> None:
    from live_relight.core.frames import Frame
    from tests.capture.clips import bars

    sink = _open("null")
    assert isinstance(sink, NullSink)
    for i in range(3):
        sink.send(Frame(bars(*SIZE), i / 30, i))
    assert sink.frames == 3


# --- the virtual camera, on a machine that has none (tests/device drives one) ----------------------------

needs_none = pytest.mark.usefixtures("no_device")


@pytest.fixture
def no_device() -> None:
    assert not virtual_camera.list_virtual_cameras(), (
        "this machine has a virtual camera: rmmod v4l2loopback first"
    )


@needs_none
def test_no_device_says_how_to_make_one() -> None:
    assert virtual_camera.installed() == (importlib.util.find_spec("pyvirtualcam") is not None)
    with pytest.raises(SinkError, match="no virtual camera") as caught:
        _open("vcam")
    expected = virtual_camera.how_to_make_one() if virtual_camera.installed() else virtual_camera.INSTALL
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_none
def test_a_device_that_is_not_there_or_not_a_virtual_camera() -> None:
    for device in ("/dev/video97", "/dev/null", "OBS Virtual Camera"):
        with pytest.raises(SinkError) as caught:
            _open(f"vcam:{device}")
        if virtual_camera.installed():
            assert device in str(caught.value)
        assert "\n" not in str(caught.value)


@needs_none
def test_auto_falls_back_to_the_web_and_says_how_to_get_the_camera() -> None:
    sink = open_sink("auto", size=SIZE, fps=30)
    try:
        assert sink.name.startswith("web preview http://127.0.0.1:")
        assert "to watch" in sink.note
        assert "no virtual camera" in sink.note
        assert "modprobe" in sink.note or "live-relight[vcam]" in sink.note or "OBS" in sink.note
    finally:
        sink.close()


def test_without_the_package_the_error_says_what_to_install(tmp_path: Path) -> None:
    """In a process that really cannot import it: its place on the path is taken by an unloadable one."""
    code = """
import sys
sys.path[:] = [p for p in sys.path]
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "pyvirtualcam":
            raise ModuleNotFoundError("No module named 'pyvirtualcam'", name=name)
sys.meta_path.insert(0, Hidden())
from live_relight.core.errors import SinkError
from live_relight.sinks import open_sink
try: open_sink("vcam", size=(64, 48), fps=30)
except SinkError as error: print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pyvirtualcam is not installed; " in done.stdout
    assert "pip install 'live-relight[vcam]'" in done.stdout


def test_heavy_packages_load_only_when_they_are_needed() -> None:
    code = """
import sys
import live_relight.capture, live_relight.sinks, live_relight.sinks.virtual_camera
from live_relight.sinks import open_sink
open_sink("null", size=(64, 48), fps=30)
print(sorted({"av", "pyvirtualcam"} & set(sys.modules)))
import live_relight.capture.video, live_relight.sinks.file, live_relight.sinks.web
print(sorted({"pyvirtualcam"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["[]", "[]"]
