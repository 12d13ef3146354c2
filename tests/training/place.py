"""A public place on this machine: an HTTP server that resumes, breaks off and lies as a test wants it."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Place:
    """Files over HTTP. `cuts`: where each of the next replies breaks off; `asked`: (path, first byte)."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.resumes = True
        self.busy: list[str] = []  # Retry-After of the next replies, which say 429
        self.asked: list[tuple[str, int]] = []
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place.reply(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def reply(self, to: http.server.BaseHTTPRequestHandler) -> None:
        path, ask = to.path[1:], re.match(r"bytes=(\d+)-$", to.headers.get("Range", ""))
        first = int(ask[1]) if ask else 0
        self.asked.append((path, first))
        data = self.files.get(path)
        if self.busy:
            to.send_response(429)
            to.send_header("Retry-After", self.busy.pop(0))
            return to.end_headers()
        if data is None or first >= len(data):
            return to.send_error(404 if data is None else 416)
        first = first if self.resumes else 0
        to.send_response(206 if first else 200)
        if first:
            to.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        to.send_header("Content-Length", str(len(data) - first))
        to.end_headers()
        end = first + self.cuts.pop(0) if self.cuts else len(data)
        to.wfile.write(data[first:end])


@contextmanager
def serving(patch) -> Iterator[Place]:
    """A server without proxies in between, gone at the end; `patch` is pytest's monkeypatch."""
    patch.setenv("no_proxy", "*")
    place = Place()
    try:
        yield place
    finally:
        place.server.shutdown()
        place.server.server_close()
