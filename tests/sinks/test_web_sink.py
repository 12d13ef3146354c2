"""The preview server: who may look, what a viewer gets, and that no viewer can disturb the pipeline."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from live_relight.core.errors import SinkError
from live_relight.core.frames import Frame, Image
from live_relight.sinks import open_sink
from live_relight.sinks.web import DEFAULT_PORT, WebSink, server
from tests.capture.clips import bars, far_from_edges, no_threads_left, numbered


@pytest.fixture
def sink() -> Iterator[WebSink]:
    with no_threads_left():
        sink = WebSink(0)
        yield sink
        sink.close()


def _send(sink: WebSink, image: Image, index: int = 0) -> None:
    sink.send(Frame(image, index / 30, index))


def _get(sink: WebSink, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", sink.port, timeout=20)) as connection:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as reply:
            body = reply.read()
    return reply.status, {k.lower(): v for k, v in reply.getheaders()}, body


def _decode(jpeg: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image  # type: ignore[return-value]


class Viewer:
    """Reads the stream as a browser does: boundary, headers, that many bytes."""

    def __init__(self, sink: WebSink, query: str = "") -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=20)
        self.connection.request("GET", "/stream.mjpg" + query)
        self.reply = self.connection.getresponse()
        kind = self.reply.getheader("Content-Type") or ""
        assert kind.startswith("multipart/x-mixed-replace; boundary=")
        self.boundary = kind.partition("boundary=")[2].encode()
        assert self.reply.readline().strip() == b"--" + self.boundary

    def next(self) -> Image:
        length = 0
        while line := self.reply.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        image = _decode(self.reply.read(length))
        assert self.reply.readline() == b"\r\n"
        assert self.reply.readline().strip() == b"--" + self.boundary
        return image

    def close(self) -> None:
        self.reply.close()
        self.connection.close()


def test_the_page_is_complete_in_itself(sink: WebSink) -> None:
    status, headers, body = _get(sink, "/")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert b"<title>Live Relight</title>" in body
    assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"")  # nothing from elsewhere
    assert b"https://" not in body
    assert "default-src 'none'" in headers["content-security-policy"]


def test_a_single_frame_and_the_figures(sink: WebSink) -> None:
    assert _get(sink, "/frame.jpg")[0] == 503
    _send(sink, bars())
    status, headers, body = _get(sink, "/frame.jpg")
    assert (status, headers["content-type"], headers["cache-control"]) == (200, "image/jpeg", "no-store")
    mask = far_from_edges(block=16)
    mask[:, 1:-1] &= mask[:, :-2] & mask[:, 2:]
    off = np.abs(_decode(body).astype(int) - bars())
    assert np.median(off[mask]) <= 3
    stats = json.loads(_get(sink, "/stats.json")[2])
    assert (stats["size"], stats["frames"], stats["viewers"]) == ([320, 180], 1, 0)


def test_the_stream_moves_and_ends_with_the_sink(sink: WebSink) -> None:
    viewer = Viewer(sink)
    seen = []
    for index, image in enumerate(numbered(5)):
        _send(sink, image, index)
        seen.append(round((viewer.next().mean() - 20) / 4))
    assert seen == [0, 1, 2, 3, 4]
    assert sink.viewers == 1
    sink.close()
    assert viewer.reply.read() == b""
    viewer.close()


def test_a_late_viewer_sees_the_newest_frame_at_once_and_again_while_nothing_moves(sink: WebSink) -> None:
    for index, image in enumerate(numbered(5)):
        _send(sink, image, index)
    viewer = Viewer(sink)
    assert round((viewer.next().mean() - 20) / 4) == 4
    assert round((viewer.next().mean() - 20) / 4) == 4
    viewer.close()


def test_nothing_is_encoded_while_nobody_watches_and_once_for_all_who_do(sink: WebSink) -> None:
    for index in range(20):
        _send(sink, bars(), index)
    assert sink.encoded == 0
    viewers = [Viewer(sink) for _ in range(4)]
    for viewer in viewers:
        viewer.next()
    assert sink.encoded == 1
    for index in range(3):
        _send(sink, bars(), index)
        for viewer in viewers:
            viewer.next()
    assert sink.encoded <= 4
    for viewer in viewers:
        viewer.close()


def test_a_viewer_that_reads_nothing_does_not_hold_up_anybody(sink: WebSink) -> None:
    stuck = socket.create_connection(("127.0.0.1", sink.port))
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    noise = [np.random.default_rng(i).integers(0, 255, (360, 640, 3), np.uint8) for i in range(8)]
    viewer = Viewer(sink)
    slowest = 0.0
    for index in range(24):
        start = time.monotonic()
        _send(sink, noise[index % 8], index)
        slowest = max(slowest, time.monotonic() - start)
        viewer.next()
    assert slowest < 2  # hang guard: `send` swaps a reference
    viewer.close()
    start = time.monotonic()
    sink.close()
    assert time.monotonic() - start < 5  # hang guard; the promise is one second
    stuck.close()


def test_viewers_that_vanish_are_forgotten(sink: WebSink) -> None:
    viewers = [Viewer(sink) for _ in range(5)]
    _send(sink, bars())
    for viewer in viewers:
        viewer.next()
        viewer.close()
    end = time.monotonic() + 20
    index = 0
    while sink.viewers and time.monotonic() < end:
        index += 1
        _send(sink, bars(), index)
        time.sleep(0.05)
    assert sink.viewers == 0


def _open(sink: WebSink, stream: str) -> object:
    return json.loads(_get(sink, f"/stats.json?id={stream}")[2])["open"]


def test_who_gave_a_stream_a_name_can_ask_whether_it_is_open(sink: WebSink) -> None:
    _send(sink, bars())
    assert _open(sink, "mine") is False
    nameless, viewer = Viewer(sink), Viewer(sink, "?id=mine")
    nameless.next()
    viewer.next()
    assert sink.viewers == 2
    assert _open(sink, "mine") is True
    assert _open(sink, "other") is False
    for query in ("", "?", "?id=", "?run=1"):
        assert "open" not in json.loads(_get(sink, f"/stats.json{query}")[2])
    viewer.close()
    end = time.monotonic() + 20
    while _open(sink, "mine") and time.monotonic() < end:
        _send(sink, bars())
    assert _open(sink, "mine") is False
    nameless.next()
    assert sink.viewers == 1
    nameless.close()


def test_a_stream_that_has_answered_is_open(sink: WebSink, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = server.PreviewServer.watching

    def late(self: server.PreviewServer, stream: str) -> Any:
        time.sleep(0.3)  # a busy machine
        return noted(self, stream)

    monkeypatch.setattr(server.PreviewServer, "watching", late)
    viewer = Viewer(sink, "?id=mine")
    assert _open(sink, "mine") is True
    viewer.close()


def test_a_viewer_that_was_let_go_can_learn_it(sink: WebSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 0.3)  # STALL
    noise = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    viewer = Viewer(sink, "?id=mine")  # reads its first line, then nothing more
    assert _open(sink, "mine") is True  # there is no picture yet that it could be late with
    end = time.monotonic() + 60
    while _open(sink, "mine") and time.monotonic() < end:
        _send(sink, noise)
        time.sleep(0.02)
    assert _open(sink, "mine") is False
    assert sink.viewers == 0
    viewer.close()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"Host": "localhost:8088"}, 200),
        ("/", {"Host": "127.0.0.1"}, 200),
        ("/", {"Host": "LocalHost:8088"}, 200),
        ("/", {"Host": "[::1]:9000"}, 200),  # through an ssh tunnel
        ("/", {"Host": "evil.example"}, 403),
        ("/", {"Host": "evil.example:8088"}, 403),
        ("/", {"Host": "localhost.evil.example"}, 403),
        ("/", {"Host": "127.0.0.1.evil.example:80"}, 403),
        ("/", {"Host": ""}, 403),
        ("/frame.jpg", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("/frame.jpg", {"Sec-Fetch-Site": "same-site"}, 403),
        ("/frame.jpg", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("/frame.jpg?x=1", {}, 200),
        ("/stats.json?id=%zz&&=[;id", {}, 200),
        ("/index.html", {}, 404),
        ("/../server.py", {}, 404),
        ("/%2e%2e/server.py", {}, 404),
        ("//etc/passwd", {}, 404),
    ],
)
def test_who_may_see_what(sink: WebSink, path: str, headers: dict[str, str], status: int) -> None:
    _send(sink, bars())
    assert _get(sink, path, **headers)[0] == status


def test_only_reading_is_served(sink: WebSink) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=20)
    connection.request("POST", "/", body=b"x")
    assert connection.getresponse().status == 501
    connection.close()
    connection.request("HEAD", "/stream.mjpg")
    assert connection.getresponse().status == 200
    connection.close()


def test_garbage_does_not_hurt(sink: WebSink, capfd: pytest.CaptureFixture[str]) -> None:
    for garbage in (b"\0\xff\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", sink.port)) as connection:
            connection.sendall(garbage)
    _send(sink, bars())
    assert _get(sink, "/frame.jpg")[0] == 200
    assert capfd.readouterr().err == ""


def test_it_listens_on_the_loopback_only(sink: WebSink) -> None:
    assert sink._server.server_address[0] == "127.0.0.1"


def test_ports() -> None:
    first = open_sink("web", size=(4, 4), fps=30)
    second = open_sink("web", size=(4, 4), fps=30)
    try:
        assert isinstance(first, WebSink)
        assert isinstance(second, WebSink)
        assert second.port > first.port >= DEFAULT_PORT
        assert second.note == f"open http://127.0.0.1:{second.port}/ to watch"
        with pytest.raises(SinkError, match=f"port {first.port}, got in use by another program"):
            open_sink(f"web:{first.port}", size=(4, 4), fps=30)
    finally:
        first.close()
        second.close()
    again = WebSink(second.port)  # free at once
    again.close()


def test_closing_while_many_come_and_go(sink: WebSink) -> None:
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            try:
                _get(sink, "/stats.json")
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)

    visitors = [threading.Thread(target=visit) for _ in range(3)]
    for visitor in visitors:
        visitor.start()
    time.sleep(0.3)
    sink.close()
    stop.set()
    for visitor in visitors:
        visitor.join(30)
