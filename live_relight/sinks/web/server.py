"""The HTTP side: four paths, loopback only, nothing written and nothing read from disk but the page itself.

Other web sites must not see the camera through the visitor's own browser. So the Host header has to be a
loopback name (a site cannot point its own name at us: DNS rebinding), requests that another site started are
refused, and answers may not be embedded elsewhere.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

from .board import Board

BOUNDARY = "live-relight-frame"
SEND_BUFFER = 256 * 1024
"""Bytes in flight to one viewer: about two frames, so that a slow one sees few pictures, not old ones."""
STALL = 10.0
"""Seconds after which a viewer that takes nothing is let go."""
_NAMES = ("127.0.0.1", "localhost", "[::1]")


class PreviewServer(http.server.ThreadingHTTPServer):
    """Serves a Board. `server_close` ends every connection and waits for their threads."""

    daemon_threads = True  # a stuck one must not keep the program alive; we join them ourselves
    # Elsewhere it lets a restarted server have its port at once; on Windows it lets two share one.
    allow_reuse_address = os.name == "posix"
    request_queue_size = 128  # a page that is opened many times at once: nobody is turned away

    def __init__(self, port: int, board: Board) -> None:
        self.board = board
        self.size = (0, 0)
        self.instance = secrets.token_hex(8)
        self.page = resources.files(__package__).joinpath("index.html").read_bytes()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._watching: dict[int, str] = {}  # thread: what its viewer calls the stream, "" if nothing
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="web viewer", daemon=True
        )
        with self._lock:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Viewers that vanish are everyday; nothing about them belongs on stderr."""

    @contextlib.contextmanager
    def watching(self, stream: str) -> Any:
        me = threading.get_ident()
        with self._lock:
            self._watching[me] = stream
        try:
            yield
        finally:
            with self._lock:
                self._watching.pop(me, None)

    @property
    def viewers(self) -> int:
        return len(self._watching)

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            connections = dict(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits to send
        end = time.monotonic() + 0.7  # for all together
        for thread in connections.values():
            thread.join(max(0.0, end - time.monotonic()))

    def stats(self, stream: str) -> dict[str, object]:
        """Given a stream's id, also whether that is open: browsers do not tell their pages when it ends."""
        stats: dict[str, object] = {
            "instance": self.instance,
            "size": list(self.size),
            "fps": round(self.board.fps(), 1),
            "frames": self.board.frames,
            "viewers": self.viewers,
        }
        if stream:
            with self._lock:
                stats["open"] = stream in self._watching.values()
        return stats


class _Handler(http.server.BaseHTTPRequestHandler):
    server: PreviewServer
    server_version = "live-relight"
    sys_version = ""
    timeout = STALL

    def setup(self) -> None:
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):  # the viewer went away
            self._answer(self.command == "HEAD")

    do_HEAD = do_GET

    def _answer(self, head: bool) -> None:
        host = self.headers.get("Host", "").lower()
        if host.removesuffix(":" + host.rpartition(":")[2]) not in _NAMES and host not in _NAMES:
            return self._send(403, "text/plain", b"only for 127.0.0.1 and localhost\n", head)
        path, _, query = self.path.partition("?")
        self.stream = parse_qs(query).get("id", [""])[0]
        site = self.headers.get("Sec-Fetch-Site", "none")
        if path != "/" and site not in ("none", "same-origin"):
            return self._send(403, "text/plain", b"not for other web sites\n", head)
        paths: dict[str, Callable[[bool], None]] = {
            "/": self._page,
            "/stream.mjpg": self._stream,
            "/frame.jpg": self._frame,
            "/stats.json": self._stats,
        }
        if path not in paths:
            return self._send(404, "text/plain", b"nothing here; the preview is at /\n", head)
        paths[path](head)

    def _page(self, head: bool) -> None:
        self._send(200, "text/html; charset=utf-8", self.server.page, head)

    def _stats(self, head: bool) -> None:
        self._send(200, "application/json", json.dumps(self.server.stats(self.stream)).encode(), head)

    def _frame(self, head: bool) -> None:
        _, data = self.server.board.jpeg()
        if data:
            self._send(200, "image/jpeg", data, head)
        else:
            self._send(503, "text/plain", b"no frame yet\n", head)

    def _stream(self, head: bool) -> None:
        if head:
            return self._begin()
        board, seen = self.server.board, 0
        with self.server.watching(self.stream):  # before it is told: who has an answer may ask about it
            self._begin()
            self.wfile.write(f"--{BOUNDARY}\r\n".encode())
            while True:
                serial = board.wait(seen, 1.0)
                if serial < 0:
                    return
                if serial == seen == 0:
                    continue  # nothing to show yet
                # With nothing new the last frame goes out again: so we notice a viewer that has left.
                seen, data = board.jpeg()
                part = f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n".encode()
                # The next boundary goes along: browsers draw a part only when they have seen its end.
                self.wfile.write(part + data + f"\r\n--{BOUNDARY}\r\n".encode())

    def _begin(self) -> None:
        self.send_response(200)
        self._headers(f"multipart/x-mixed-replace; boundary={BOUNDARY}")

    def _send(self, status: int, kind: str, body: bytes, head: bool) -> None:
        self.send_response(status)
        self._headers(kind, len(body))
        if not head:
            self.wfile.write(body)

    def _headers(self, kind: str, length: int | None = None) -> None:
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        inline = "'unsafe-inline'"
        self.send_header(
            "Content-Security-Policy",
            f"default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src {inline}; "
            f"script-src {inline}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        )
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal belongs to the status line."""
