"""Our own web preview read back as a network stream: both ends of MJPEG over HTTP."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from live_relight.capture import Grabber, open_source
from live_relight.core.errors import SourceError
from live_relight.core.frames import Frame
from live_relight.sinks.web import WebSink
from tests.capture.clips import bars, far_from_edges, no_threads_left


class _Player:
    """Sends a picture 30 times a second until told to stop."""

    def __init__(self, sink: WebSink) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._send, args=(sink,))
        self.thread.start()

    def _send(self, sink: WebSink) -> None:
        index = 0
        while not self.stop.wait(1 / 30):
            sink.send(Frame(bars(), index / 30, index))
            index += 1

    def end(self) -> None:
        self.stop.set()
        self.thread.join()


def test_pictures_arrive_live_and_the_end_is_the_end() -> None:
    with no_threads_left():
        sink = WebSink(0)
        player = _Player(sink)
        source = open_source(f"{sink.url}stream.mjpg", pace=False)
        assert source.live  # whatever was asked: a stream without an end cannot be read faster than it comes
        assert source.size == (320, 180)
        frames = [source.read() for _ in range(10)]
        last = frames[-1]
        assert last is not None
        assert abs(last.time - time.monotonic()) < 5
        off = np.abs(last.image.astype(int) - bars())[far_from_edges(block=16)]
        assert np.percentile(off, 90) <= 3
        player.end()
        sink.close()
        # What was on its way may still come; then the stream is lost, as a camera would be.
        with pytest.raises(SourceError, match="stopped"):
            list(iter(source.read, None))
        source.close()


def test_leaving_a_stream_that_stands_still() -> None:
    with no_threads_left():
        sink = WebSink(0)
        player = _Player(sink)
        grabber = Grabber(open_source(f"{sink.url}stream.mjpg"), latest_only=True)
        assert grabber.take(20) is not None
        player.end()
        start = time.monotonic()
        grabber.close()
        assert time.monotonic() - start < 5  # hang guard; the promise is one second
        sink.close()
