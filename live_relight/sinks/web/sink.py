"""The sink in front of the preview server."""

from __future__ import annotations

import errno

from live_relight.core.errors import SinkError
from live_relight.core.frames import Frame
from live_relight.threads import Worker

from .board import Board
from .server import PreviewServer

DEFAULT_PORT = 8088


class WebSink:
    """A page on 127.0.0.1 that shows the stream; `send` only swaps a reference, whoever watches.

    `port` None: 8088, or the next free one. A given port is taken or refused; 0 takes any free one. Keeps the
    newest frame's array until the next one: do not write into a frame that was sent.
    Raises SinkError when no port can be had.
    """

    live = True

    def __init__(self, port: int | None = None) -> None:
        self.note = ""
        self._board = Board()
        self._server = self._listen(port)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.name = f"web preview {self.url}"
        self._worker = Worker("web preview", lambda _: self._server.serve_forever(0.05)).start()
        self._closed = False

    @property
    def viewers(self) -> int:
        """Open streams now."""
        return self._server.viewers

    @property
    def encoded(self) -> int:
        """JPEGs made so far: none while nobody watches."""
        return self._board.encoded

    def send(self, frame: Frame) -> None:
        self._worker.check()
        self._server.size = (frame.image.shape[1], frame.image.shape[0])
        self._board.post(frame)

    def close(self) -> None:
        """Ends all connections; returns within a second."""
        if self._closed:
            return
        self._closed = True
        self._board.close()
        self._server.shutdown()
        self._worker.join(0.5)
        self._server.server_close()

    def _listen(self, port: int | None) -> PreviewServer:
        ports = range(DEFAULT_PORT, DEFAULT_PORT + 20) if port is None else (port,)
        for candidate in ports:
            try:
                return PreviewServer(candidate, self._board)
            except OSError as error:
                if error.errno == errno.EADDRINUSE and port is None:
                    continue
                reason = (
                    "in use by another program" if error.errno == errno.EADDRINUSE else str(error.strerror)
                )
                raise SinkError(f"cannot serve on port {candidate}", reason, todo="try --sink web") from error
        raise SinkError(
            "no port for the web preview", f"{ports[0]} to {ports[-1]} in use", todo="--sink web:PORT"
        )
