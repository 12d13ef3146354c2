"""Runs inside the virtual machine (see vm.py): uses the program and writes down what happens.

Standard library only. Every step leaves NAME.json (exit status, output, seconds) and raw pictures in the
folder given as first argument; test_virtual_camera.py judges them outside. One boot serves all the tests,
because starting Python and OpenCV is what takes the time here.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CAMERA, VIRTUAL = "/dev/video0", "/dev/video10"
SIZE = (320, 180)  # software OpenGL on an emulated processor: small pictures only
PROGRAM = [str(Path(sys.executable).with_name("live-relight"))]
# few frames a second leave the two emulated processors time for the other programs
COMMON = ["--size", f"{SIZE[0]}x{SIZE[1]}", "--fps", "5", "--engine", "analytic"]
PATIENCE = 120.0  # seconds; a start takes about 15 on an idle machine

out = Path(sys.argv[1])
started = time.monotonic()


def note(name: str, **facts: object) -> None:
    (out / f"{name}.json").write_text(json.dumps(facts))
    print(f"[{time.monotonic() - started:6.1f}] {name}: exit {facts.get('exit')}", flush=True)


def step(name: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    begin = time.monotonic()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        done = subprocess.CompletedProcess(
            command, -1, str(error.stdout), f"no end in {PATIENCE} s: {error.stderr}"
        )
    note(name, exit=done.returncode, out=done.stdout, err=done.stderr, seconds=time.monotonic() - begin)
    return done


@contextlib.contextmanager
def running(name: str, command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A program in the background; ended with Ctrl-C if it has not ended by itself."""
    with (out / f"{name}.out").open("w") as stdout, (out / f"{name}.err").open("w") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True, stdin=subprocess.DEVNULL)
        try:
            yield process
        finally:
            begin = time.monotonic()
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE / 3)
            seconds = time.monotonic() - begin
            if process.poll() is None:
                process.kill()
                process.wait()
    texts = {key: (out / f"{name}.{key}").read_text() for key in ("out", "err")}
    note(name, exit=process.returncode, seconds=seconds, **texts)


def wait_for_producer(process: subprocess.Popen[str]) -> bool:
    """The virtual camera offers pictures only while a program writes into it (exclusive_caps)."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        info = subprocess.run(["v4l2-ctl", "-d", VIRTUAL, "--all"], capture_output=True, text=True).stdout
        if "Video Capture\n" in info:
            return True
        time.sleep(0.5)
    return False


def grab(name: str, device: str, frames: int) -> None:
    """Takes pictures from a camera with a tool that is not ours: NAME.raw, NAME.json."""
    raw = out / f"{name}.raw"
    take = ["v4l2-ctl", "-d", device, "--stream-mmap=3", f"--stream-count={frames}", f"--stream-to={raw}"]
    done = step(f"{name}-take", take)
    form = subprocess.run(["v4l2-ctl", "-d", device, "--get-fmt-video"], capture_output=True, text=True)
    note(name, exit=done.returncode, format=form.stdout)


def main() -> None:
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/run"}
    mode = f"width={SIZE[0]},height={SIZE[1]},pixelformat=YUYV"
    quiet = ["-c", "test_pattern=0,osd_text_mode=2"]  # colour bars without the running text
    step("vivid", ["v4l2-ctl", "-d", CAMERA, f"--set-fmt-video={mode}", "--set-parm=15", *quiet])
    grab("reference", CAMERA, 3)

    # Devices by name, no lights; a second program comes while the first has the camera; Ctrl-C.
    named = ["--source", CAMERA, "--sink", f"vcam:{VIRTUAL}"]
    with running("off", [*PROGRAM, "run", *named, "--preset", "off", *COMMON]) as process:
        if wait_for_producer(process):
            grab("off-seen", VIRTUAL, 8)
            step("cameras", [*PROGRAM, "cameras"])
            step("busy", [*PROGRAM, "run", "--source", CAMERA, "--sink", "null", "--frames", "3", *COMMON])

    # The same virtual camera once more, found by the program itself; a light; the camera is pulled out.
    light = ["--ambient", "0.3", "--light", "key:az=60,el=0,power=1"]
    with running("lit", [*PROGRAM, "run", *light, *COMMON]) as process:
        if wait_for_producer(process):
            grab("lit-seen", VIRTUAL, 8)
            step("unplug", ["v4l2-ctl", "-d", CAMERA, "-c", "disconnect=1"])
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)


main()
