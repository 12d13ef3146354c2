"""Keys and the status line in a pseudo-terminal: with a shell's job control, and redirected."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from live_relight.control.terminal import read_keys

ROOT = Path(__file__).resolve().parents[2]
KEYS = """
import signal
import threading
from live_relight.control.terminal import raw_keys, read_keys

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
with raw_keys():
    print("keys, please", flush=True)
    for key in read_keys(stopping):
        print(f"<{key}>", flush=True)
        if key == "q":
            break
print("goodbye")
"""
LINE = """
from live_relight.control.terminal import StatusLine

say = StatusLine()
say.say(f"room for {say.width}")
"""


class Terminal:
    """The far end of a pseudo-terminal: what a person types and sees."""

    def __init__(self, master: int) -> None:
        self.master = master
        self.seen = ""

    def type(self, text: str) -> None:
        self.seen = ""
        os.write(self.master, text.encode())

    def until(self, text: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, f"'{text}' never came; seen: {self.seen[-600:]!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                with suppress(OSError):  # Linux, once nobody has the other end
                    self.seen += os.read(self.master, 4096).decode(errors="replace")


@contextmanager
def terminal(*command: str, columns: int = 0, **more: object) -> Iterator[Terminal]:
    """`command` in a session of its own on a terminal that is `columns` wide (0: does not know)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    streams = {"stdin": slave, "stdout": slave, "stderr": slave, **more}
    process = subprocess.Popen(
        command,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        **streams,  # type: ignore[call-overload]
    )
    os.close(slave)
    try:
        yield Terminal(master)
    finally:
        process.kill()
        os.close(master)  # hangs up whatever else is there
        process.wait(10)


@contextmanager
def shell(folder: Path) -> Iterator[Terminal]:
    """An interactive shell in which KEYS listens, from a file in `folder`."""
    if not shutil.which("bash"):
        pytest.skip("no bash here")
    (folder / "keys.py").write_text(KEYS)
    environment = {**os.environ, "PS1": "shell> ", "TERM": "dumb", "PYTHONPATH": str(ROOT)}
    with terminal("bash", "--norc", "--noprofile", "-i", env=environment) as window:
        window.until("shell> ")
        window.type(f"{sys.executable} {folder / 'keys.py'}\n")
        window.until("keys, please")
        yield window


def stop(window: Terminal) -> None:
    window.type("\x1a")  # Ctrl-Z
    window.until("shell> ")


def test_keys_work_again_after_the_shell_took_the_terminal(tmp_path: Path) -> None:
    with shell(tmp_path) as window:
        window.type("a")
        window.until("<a>")
        stop(window)
        window.type("fg\n")
        window.until("keys.py\r\n")  # the shell's own words
        for key in "bq":
            window.type(key)
            window.until(f"<{key}>")
        window.until("shell> ")


def test_in_the_background_it_leaves_the_terminal_alone(tmp_path: Path) -> None:
    """Reading or setting it there would stop the program."""
    with shell(tmp_path) as window:
        for _ in range(2):
            stop(window)
            window.type("bg\n")
            window.until("keys.py &")
            time.sleep(0.4)  # more than one of its looks
            window.type("echo $((40 + 2)); jobs\n")
            window.until("42\r\n")
            window.until("Running")
            window.type("fg\n")
            window.until("keys.py\r\n")
            time.sleep(0.4)
            window.type("b")
            window.until("<b>")


def test_it_does_not_wait_for_keys_that_the_shell_has_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal that the shell has set back since, that would be until Enter."""
    master, slave = pty.openpty()

    real = select.select

    def taken(files: list[int], *more: object) -> object:
        found = real(files, *more)  # type: ignore[arg-type]
        termios.tcflush(files[0], termios.TCIFLUSH)
        return found

    monkeypatch.setattr(select, "select", taken)
    stopping = threading.Event()
    later = [threading.Timer(0.3, stopping.set), threading.Timer(2.0, os.write, (master, b"late"))]
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        tty.setcbreak(stdin.fileno())
        os.write(master, b"f")
        for timer in later:
            timer.start()
        assert list(read_keys(stopping)) == []
    for timer in later:
        timer.cancel()
        timer.join()
    os.close(master)


def test_what_is_ended_in_the_background_ends(tmp_path: Path) -> None:
    with shell(tmp_path) as window:
        stop(window)
        window.type("bg\n")
        window.until("keys.py &")
        window.type("kill %1\n")
        window.until("goodbye")


@pytest.mark.parametrize(
    "streams", [{}, {"stdout": subprocess.DEVNULL}], ids=["all there", "output elsewhere"]
)
def test_the_width_is_that_of_the_terminal_it_writes_to(streams: dict[str, int]) -> None:
    stale = {**os.environ, "COLUMNS": "200"}
    with terminal(sys.executable, "-c", LINE, columns=60, env=stale, **streams) as window:
        window.until("room for 59\r\n")
    with terminal(sys.executable, "-c", LINE, columns=0, env=stale, **streams) as window:
        window.until("room for 199\r\n")  # a terminal that does not know
