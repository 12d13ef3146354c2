"""Drives a real headless Chromium over its debugging pipe (descriptors 3 and 4): no driver to install."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--window-size=1280,860",
    "--remote-debugging-pipe",
)
PATIENCE = 60.0


class Chromium:
    """One page. `folder` holds the profile and the log."""

    def __init__(self, folder: Path) -> None:
        program = (
            shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        )
        assert program, "no Chromium: sudo apt install chromium"
        their_read, self._write = os.pipe()
        self._read, their_write = os.pipe()
        # The pipe's ends have to be 3 and 4 over there; bash moves them, dash cannot above 9.
        move = f'exec "$0" "$@" 3<&{their_read} 4>&{their_write}'
        profile = f"--user-data-dir={folder / 'profile'}"
        with (folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", move, program, *FLAGS, profile, "about:blank"],
                stdout=log,
                stderr=log,
                pass_fds=(their_read, their_write),
                start_new_session=True,
            )
        os.close(their_read)
        os.close(their_write)
        self._buffer = b""
        self._id = 0
        self._session: str | None = None
        pages = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self._session = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)[
            "sessionId"
        ]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._id += 1
        message: dict[str, Any] = {"id": self._id, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            reply = self._message(end)
            if reply.get("id") == self._id:
                assert "error" not in reply, reply["error"]
                return dict(reply["result"])

    def _message(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, "Chromium does not answer; see chromium.log"
            data = os.read(self._read, 1 << 20)
            assert data, "Chromium has ended; see chromium.log"
            self._buffer += data
        first, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(first))

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait(f"location.href === {json.dumps(url)} && document.readyState !== 'loading'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; promises are waited for."""
        reply = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    def wait(self, script: str) -> Any:
        """Runs the expression until it is true."""
        end = time.monotonic() + PATIENCE
        while True:
            value = self.run(script)
            if value:
                return value
            assert time.monotonic() < end, f"never true in the page: {script}"
            time.sleep(0.05)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """All its processes stand still: nothing is read, nothing is drawn."""
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        os.close(self._read)
        os.close(self._write)
