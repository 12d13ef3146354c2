"""The preview page in a real browser: the right colours arrive, they move, and it reconnects by itself."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from live_relight.core.frames import Frame
from live_relight.sinks.web import WebSink, server
from tests.capture.clips import BARS, bars
from tests.sinks.chromium import Chromium

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 640, 360

# What the page shows, through a canvas: the colour in the middle of each bar and the place of the white line.
LOOK = """(() => {
  const picture = document.getElementById("picture");
  if (!picture.naturalWidth) return null;
  const canvas = document.createElement("canvas");
  canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const at = (x, y) => Array.from(context.getImageData(x, y, 1, 1).data.slice(0, 3));
  const line = context.getImageData(0, 340, canvas.width, 1).data;
  let bright = -1;
  for (let x = 0; x < canvas.width; x++) if (line[4 * x] > 128) { bright = x; break; }
  const bars = [...Array(8).keys()].map((k) => at(40 + 80 * k, 60));
  return {size: [canvas.width, canvas.height], bars, bright};
})()"""


@contextmanager
def _playing(sink: WebSink) -> Iterator[None]:
    """Sends bars over a ramp with a white block that wanders along the bottom, about 30 times a second."""
    stop = threading.Event()

    def send() -> None:
        index = 0
        while not stop.wait(1 / 30):
            image = bars(WIDTH, HEIGHT)
            image[320:] = 0
            left = index * 16 % (WIDTH - 32)
            image[320:, left : left + 32] = 255
            sink.send(Frame(image, index / 30, index))
            index += 1

    player = threading.Thread(target=send)
    player.start()
    try:
        yield
    finally:
        stop.set()
        player.join()


def _wait_for_movement(browser: Chromium) -> None:
    before = browser.wait(LOOK)["bright"]
    browser.wait(f"(() => {{ const now = {LOOK}; return now && now.bright !== {before}; }})()")


def test_colours_movement_and_reconnecting(tmp_path: Path) -> None:
    sink = WebSink(0)
    port = sink.port
    with Chromium(tmp_path) as browser:
        with _playing(sink):
            browser.open(sink.url)
            browser.wait("document.body.classList.contains('live')")
            seen = browser.wait(LOOK)
            assert seen["size"] == [WIDTH, HEIGHT]
            # JPEG at 4:2:0 inside a browser: colours within 6 of what was sent.
            np.testing.assert_allclose(seen["bars"], [bar[::-1] for bar in BARS], atol=6)
            places = set()
            end = time.monotonic() + 30
            while len(places) < 5 and time.monotonic() < end:
                places.add(browser.run(LOOK)["bright"])
                time.sleep(0.05)
            assert len(places) >= 5, f"the picture stands still: {places}"
            assert browser.run("document.getElementById('size').textContent") == f"{WIDTH} × {HEIGHT}"
            assert browser.wait("/^[0-9.]+ fps$/.test(document.getElementById('fps').textContent)")
            assert sink.viewers == 1
            browser.screenshot(tmp_path / "live.png")
        sink.close()

        browser.wait("document.getElementById('what').textContent === 'Live Relight is not running'")
        assert not browser.run("document.body.classList.contains('live')")
        browser.screenshot(tmp_path / "gone.png")

        again = WebSink(port)
        with _playing(again):
            browser.wait("document.body.classList.contains('live')")
            _wait_for_movement(browser)
        again.close()


def test_a_browser_that_stood_still_too_long_reconnects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 0.5)  # STALL
    sink = WebSink(0)
    with Chromium(tmp_path) as browser, _playing(sink):
        browser.open(sink.url)
        _wait_for_movement(browser)
        first = browser.run("picture.src")
        with browser.stopped():
            end = time.monotonic() + 120  # the kernel's buffers have to fill first
            while sink.viewers and time.monotonic() < end:
                time.sleep(0.05)
            assert sink.viewers == 0
            monkeypatch.undo()
        browser.wait(f"picture.src !== {first!r} && document.body.classList.contains('live')")
        _wait_for_movement(browser)
        # It is content then, and does not ask again and again.
        second = browser.run("picture.src")
        time.sleep(3)
        assert browser.run("picture.src") == second
        assert sink.viewers == 1
    sink.close()


def test_a_stream_that_does_not_come_is_asked_for_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def refuse(handler: server._Handler, head: bool) -> None:
        asked.append(time.monotonic())
        # A real answer: of one that ends without a word Chromium asks again by itself, at once.
        handler._send(503, "text/plain", b"not now\n", head)

    monkeypatch.setattr(server._Handler, "_stream", refuse)
    sink = WebSink(0)
    with Chromium(tmp_path) as browser, _playing(sink):
        browser.open(sink.url)
        browser.wait("document.getElementById('state').textContent === 'Reconnecting'")
        end = time.monotonic() + 60
        while len(asked) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        monkeypatch.undo()
        assert len(asked) == 3
        assert asked[2] - asked[0] > 5.5  # 2 s and 4 s; once a second without the pauses
        browser.wait("document.body.classList.contains('live')")
        _wait_for_movement(browser)
    sink.close()


def test_a_program_that_does_not_answer_is_not_called_gone(tmp_path: Path) -> None:
    sink = WebSink(0)
    with Chromium(tmp_path) as browser:
        with _playing(sink):
            browser.open(sink.url)
            browser.wait("document.body.classList.contains('live')")
        sink.close()
        with socket.create_server(("127.0.0.1", sink.port), backlog=64):  # as a paused one: nobody accepts
            browser.wait("document.getElementById('what').textContent === 'Live Relight is not answering'")
        browser.wait("document.getElementById('what').textContent === 'Live Relight is not running'")


def test_the_footer_breaks_between_figures_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.PreviewServer, "viewers", 12)
    sink = WebSink(0)
    with Chromium(tmp_path) as browser, _playing(sink):
        browser.open(sink.url)
        browser.wait("$('viewers').textContent === '12 watching'")
        for width in (1440, 390, 320):
            browser.resize(width, 600)
            heights, wide = browser.run(
                "[[...document.querySelectorAll('footer span')].map((e) => e.offsetHeight)"
                ".concat($('full').clientHeight), document.documentElement.scrollWidth]"
            )
            assert wide == width
            assert max(heights[:3]) < 30, heights  # one line is 20
            assert heights[3] < 40, heights
            browser.screenshot(tmp_path / f"{width}.png")
    sink.close()


def test_another_site_cannot_show_or_read_the_stream(tmp_path: Path) -> None:
    """A second server stands for the other site: same machine, another origin."""
    import http.server

    sink = WebSink(0)

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    elsewhere = http.server.HTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=elsewhere.serve_forever, args=(0.05,))
    thread.start()
    try:
        sink.send(Frame(bars(), 0, 0))
        with Chromium(tmp_path) as browser:
            browser.open(f"http://localhost:{elsewhere.server_address[1]}/")
            browser.wait("document.title === 'elsewhere'")
            shown = browser.run(
                f"new Promise((done) => {{ const i = new Image(); i.onload = () => done('shown');"
                f" i.onerror = () => done('refused'); i.src = '{sink.url}frame.jpg'; }})"
            )
            read = browser.run(f"fetch('{sink.url}stats.json').then(() => 'read', () => 'refused')")
        assert (shown, read) == ("refused", "refused")
    finally:
        elsewhere.shutdown()
        thread.join()
        elsewhere.server_close()
        sink.close()
