"""`live-relight run` as a user starts it: real clip, real network, real OpenGL, real files."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from live_relight.capture import list_cameras, open_source
from tests.capture.clips import numbered, write_clip

COMMAND = [sys.executable, "-m", "live_relight"]


def relight(*args: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, args)], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
    )


def count(path: Path) -> int:
    source = open_source(str(path), pace=False)
    frames = 0
    while source.read() is not None:
        frames += 1
    source.close()
    return frames


def test_demo_into_a_file_is_frame_by_frame(tmp_path: Path) -> None:
    out, stats = tmp_path / "o.mp4", tmp_path / "stats.jsonl"
    done = relight("run", "--source", "demo", "--sink", f"file:{out}", "--frames", 12, "--stats", stats)
    assert done.returncode == 0, done.stderr
    assert count(out) == 12
    lines = [json.loads(line) for line in stats.read_text().splitlines()]
    last = lines[-1]
    assert last["summary"] is True
    assert (last["frames_out"], last["dropped"], last["repeated"]) == (12, 0, 0)
    assert set(last["stages_ms"]) - {"wait"} == {"estimate", "smooth", "prepare", "shade", "send"}
    assert last["stages_ms"]["shade"]["p95"] >= last["stages_ms"]["shade"]["p50"] > 0


def test_auto_says_what_it_took_and_how_to_get_the_other(tmp_path: Path) -> None:
    done = relight("run", "--frames", 3, "--engine", "analytic", "--sink", "auto", "--sink", "null")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stderr.splitlines() if line.strip()}
    assert "demo" in lines["source"] or "camera" in lines["source"]
    assert "127.0.0.1" in done.stderr or "virtual camera" in done.stderr


def test_several_sinks_get_every_frame(tmp_path: Path) -> None:
    a, b = tmp_path / "a.mp4", tmp_path / "b.mkv"
    done = relight(
        "run", "--source", "demo", "--frames", 5, "--engine", "analytic", "--size", "320x180",
        "--sink", f"file:{a}", "--sink", f"file:{b}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert count(a) == count(b) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_at_once_with_a_playable_file(tmp_path: Path, number: signal.Signals) -> None:
    out, stats = tmp_path / "o.mp4", tmp_path / "stats.jsonl"
    args = [
        "run",
        "--source",
        "demo",
        "--sink",
        f"file:{out}",
        "--stats",
        str(stats),
        "--size",
        "640x360",
        "--frames",
        "99999",
    ]
    process = start(*args)
    try:
        wait_for(lambda: stats.exists() and stats.stat().st_size > 0, process)
        time.sleep(0.5)
        sent = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        took = time.monotonic() - sent
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert count(out) >= 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.mp4", "stats.jsonl"]
    print(f"ended {took:.2f} s after {number.name}")  # reported: a shared machine's clock asserts nothing


def start(*args: str) -> subprocess.Popen[str]:
    """The program with signals as a terminal gives them: whoever runs the tests may ignore some."""

    def as_in_a_terminal() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    return subprocess.Popen([*COMMAND, *args], stderr=subprocess.PIPE, text=True, preexec_fn=as_in_a_terminal)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it did not start"
        time.sleep(0.05)


def test_keys_in_a_real_terminal(tmp_path: Path) -> None:
    """A pseudo-terminal presses keys; the status line answers; q ends it with status 0."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "200", "XDG_CONFIG_HOME": str(tmp_path)}
    args = ["run", "--source", "demo", "--sink", "web", "--engine", "analytic", "--size", "320x180"]
    process = subprocess.Popen([*COMMAND, *args], stdin=slave, stderr=slave, stdout=slave, env=env)
    os.close(slave)
    seen = ""

    def until(text: str, seconds: float = 60) -> None:
        nonlocal seen
        end = time.monotonic() + seconds
        while text not in seen:
            assert time.monotonic() < end, f"'{text}' never came; seen: {seen[-600:]!r}"
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 4096).decode(errors="replace")

    try:
        for key, answer in [
            ("", "fps"),
            ("2", "[2/3 fill]"),
            ("\x1b[C", "az -45"),
            (" ", "OFF"),
            ("b", "BEFORE"),
            ("b", "fps"),
            ("p", "window |"),
            ("h", "before / after"),
            ("x", "shadow off"),
            ("z", "does nothing"),
        ]:
            seen = ""
            os.write(master, key.encode())
            until(answer)
        os.write(master, b"q")
        seen = ""
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(master)


def test_two_interrupts_at_once_still_save_the_recording(tmp_path: Path) -> None:
    out, stats = tmp_path / "o.mp4", tmp_path / "stats.jsonl"
    args = [
        "run",
        "--source",
        "demo",
        "--sink",
        f"file:{out}",
        "--stats",
        str(stats),
        "--engine",
        "analytic",
        "--frames",
        "99999",
    ]
    process = start(*args)
    try:
        wait_for(lambda: stats.exists() and stats.stat().st_size > 0, process)
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert count(out) >= 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.mp4", "stats.jsonl"]


def test_an_interrupted_video_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    clip, out = tmp_path / "in.mp4", tmp_path / "o.mp4"
    words = ["run", "--source", "demo", "--frames", 40, "--engine", "analytic", "--size", "320x180"]
    assert relight(*words, "--sink", f"file:{clip}").returncode == 0
    out.write_bytes(clip.read_bytes())
    process = start("video", str(clip), str(out), "--engine", "analytic", "--maps", str(tmp_path / "maps"))
    try:
        wait_for(lambda: (tmp_path / "maps" / "000003").exists(), process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert out.read_bytes() == clip.read_bytes()
    assert 3 <= count(tmp_path / "o.part.mp4") < 40
    assert "frames are in" in said.splitlines()[-1]
    assert "o.part.mp4" in said.splitlines()[-1]


def test_what_never_ends_into_a_file_alone_needs_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    picture, out = tmp_path / "p.png", tmp_path / "o.mp4"
    cv2.imwrite(str(picture), np.zeros((64, 96, 3), np.uint8))
    words = ["run", "--sink", f"file:{out}", "--engine", "analytic", "--size", "96x64"]
    for source, what in (
        (str(picture), "a picture"),
        (f"file://{picture}", "a picture"),
        ("~/p.png", "a picture"),
        ("demo", "the demo clip"),
    ):
        done = relight(*words, "--source", source, "--sink", "null")
        assert done.returncode == 2
        last = done.stderr.splitlines()[-1]
        assert f"--source {source}, got {what}, which never ends, into a file; add --frames N" in last
        assert not out.exists()
    for source in ("~/p.png", "demo"):
        assert relight(*words, "--source", source, "--frames", 3).returncode == 0
        assert count(out) == 3


@pytest.mark.skipif(bool(list_cameras()), reason="this machine has a camera: `auto` takes it")
def test_auto_without_a_camera_into_a_file_alone_needs_an_end(tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    words = ["run", "--sink", f"file:{out}", "--engine", "analytic", "--size", "96x64"]
    done = relight(*words)
    assert done.returncode == 2
    assert "no camera found" in done.stderr
    assert "--source auto, got the demo clip, which never ends" in done.stderr.splitlines()[-1]
    for line in (f"sink    file {out}", f"sink    file {out} - replaces o.mp4 when done"):
        done = relight(*words, "--frames", 3)  # the README's example
        assert done.returncode == 0
        assert line in done.stderr.splitlines()
        assert count(out) == 3


def test_what_is_lost_on_the_way_is_said_at_once_and_once(tmp_path: Path) -> None:
    """A recording and the statistics on a full disk; the page goes on. Interrupted when both were said, long
    before the clip ends."""
    large = tmp_path / "large.mkv"
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (180, 320, 3), np.uint8) for _ in range(100)]  # does not compress
    words = [
        "run", "--source", str(write_clip(tmp_path / "noise.mp4", noise)), "--engine", "analytic",
        "--sink", f"file:{large}", "--sink", "web:0", "--stats", "/dev/full",
    ]  # fmt: skip
    code = f"""
import resource, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
from live_relight.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
sys.exit(main({words!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines: list[str] = []
    with process.stderr:
        for line in process.stderr:
            lines.append(line)
            if "large.mkv, got" in line:
                process.send_signal(signal.SIGINT)
    assert process.wait(60) == 1
    said = [line for line in lines if "lost on the way" in line]
    assert len(said) == 2
    assert "--stats /dev/full, got No space left on device" in said[0]
    assert f"cannot write {large}, got File too large" in said[1]
    assert "large.partial.mkv, which is incomplete" in said[1]
    assert int(lines[-1].split()[0]) < 100
    assert count(tmp_path / "large.partial.mkv") > 1


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.3, 0.7])
def test_interrupt_while_starting_is_quiet(tmp_path: Path, delay: float) -> None:
    args = ["run", "--source", "demo", "--sink", f"file:{tmp_path / 'o.mp4'}", "--frames", "99999"]
    process = start(*args)
    try:
        time.sleep(delay)
        process.send_signal(signal.SIGTERM if delay == 0.3 else signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    # The very first moments belong to Python itself, before any of our lines.
    if delay >= 0.3:
        assert process.returncode == 130, said
        assert "Traceback" not in said
    assert not list(tmp_path.glob(".*")), "a part file is left"


def test_a_sink_that_is_the_source_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    assert relight("run", "--source", "demo", "--frames", 3, "--engine", "analytic", "--size", "160x90",
                   "--sink", f"file:{clip}").returncode == 0  # fmt: skip
    before = clip.read_bytes()
    for option in (("--sink", f"file:{clip}"), ("--stats", clip)):
        done = relight("run", "--source", clip, "--engine", "analytic", "--sink", "null", *option)
        assert done.returncode == 2
        assert "same file" in done.stderr
        assert clip.read_bytes() == before


def test_home_in_a_sink_is_seen_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell leaves ~ alone after `file:`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    clip = write_clip(tmp_path / "clip.mp4", numbered(3))
    before = clip.read_bytes()
    for words, says in (
        (["--sink", "file:~/clip.mp4"], "the same file as the input"),
        (["--sink", "file:~/o.mp4", "--sink", f"file:{tmp_path}/o.mp4"], "the same file twice"),
        (["--sink", "file:~/o.mp4", "--stats", tmp_path / "o.mp4"], "the same file twice"),
    ):
        done = relight("run", "--source", "~/clip.mp4", "--engine", "analytic", *words)
        assert done.returncode == 2
        assert says in done.stderr.splitlines()[-1]
    assert clip.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_closed_error_stream_does_not_matter(tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    words = " ".join(
        [*COMMAND, "run --source demo --engine analytic --size 160x90 --frames 3 --sink", f"file:{out}"]
    )
    assert subprocess.run(["sh", "-c", f"{words} 2>&-"], timeout=60, check=False).returncode == 0
    assert count(out) == 3
    piped = f"{words.replace('--frames 3', '--frames 8')} 2>&1 | head -n 1"
    subprocess.run(["sh", "-c", piped], timeout=60, check=False, stdout=subprocess.DEVNULL)
    assert count(out) == 8


def test_a_signal_that_is_ignored_for_us_stays_ignored(tmp_path: Path) -> None:
    """`nohup live-relight run` and `live-relight run &` in a script."""
    words = " ".join([*COMMAND, "run --source demo --engine analytic --size 160x90 --frames 300 --sink null"])
    done = subprocess.run(
        ["sh", "-c", f"trap '' HUP INT; {words} & sleep 1.5; kill -HUP $!; kill -INT $!; wait $!"],
        timeout=90,
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "300 frames" in done.stderr


def test_an_address_that_does_not_answer_can_be_interrupted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/stream"
        process = start("run", "--engine", "analytic", "--source", url, "--sink", "null")
        try:
            silent.settimeout(60)
            caller, _ = silent.accept()  # it is waiting for our words now
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)  # left alone it gives up later, with status 1
            caller.close()
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert "Traceback" not in said


def test_a_clip_that_is_watched_begins_at_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It plays from the first frame that can be shown on, however long shaders take to compile."""
    monkeypatch.setenv("MESA_SHADER_CACHE_DISABLE", "true")
    clip = write_clip(tmp_path / "clip.mkv", numbered(40, 320, 180), fps=20)
    out = tmp_path / "out.mkv"
    sinks = ("--sink", "web:0", "--sink", f"file:{out}", "--frames", "2")
    done = relight("run", "--source", clip, *sinks, "--preset", "off", "--engine", "analytic")
    assert done.returncode == 0, done.stderr
    source = open_source(str(out), pace=False)
    first = source.read()
    source.close()
    assert first is not None
    assert first.image.mean() < 20 + 4 * 4
