"""The capture thread, and the two tools that it is made of."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from live_relight.capture import Grabber
from live_relight.core.errors import SourceError
from live_relight.core.frames import Frame
from live_relight.threads import Latest, Worker
from tests.capture.clips import no_threads_left

IMAGE = np.zeros((4, 4, 3), np.uint8)


class Counting:
    """Gives `count` frames as fast as they are read, then ends, or raises, or blocks."""

    name, live, fps, size = "counting", False, 30.0, (4, 4)

    def __init__(self, count: int, then: str = "end") -> None:
        self.count, self.then = count, then
        self.made = 0
        self.closed = 0
        self.unblock = threading.Event()

    def read(self) -> Frame | None:
        if self.made >= self.count:
            if self.then == "raise":
                raise SourceError("camera lost", todo="plug it in")
            if self.then == "block":
                self.unblock.wait(30)
            return None
        self.made += 1
        return Frame(IMAGE, float(self.made), self.made - 1)

    def close(self) -> None:
        self.closed += 1


def test_in_step_loses_nothing_and_runs_ahead_by_one_at_most() -> None:
    source = Counting(20)
    with no_threads_left():
        grabber = Grabber(source, latest_only=False)
        seen = []
        while not grabber.ended:
            frame = grabber.take(5)
            if frame is not None:
                time.sleep(0.002)
                seen.append(frame.index)
                assert source.made <= frame.index + 3  # this one taken, one waiting, one just read
        grabber.check()
        grabber.close()
    assert seen == list(range(20))
    assert grabber.dropped == 0
    assert source.closed >= 1


def test_live_keeps_the_newest_and_counts_the_rest() -> None:
    source = Counting(100, then="block")
    grabber = Grabber(source, latest_only=True)
    while source.made < 100:
        time.sleep(0.001)
    time.sleep(0.05)
    frame = grabber.take(5)
    assert frame is not None
    assert frame.index == 99
    assert grabber.dropped == 99
    source.unblock.set()
    grabber.close()


def test_the_last_frame_is_handed_out_after_the_end() -> None:
    grabber = Grabber(Counting(1), latest_only=True)
    time.sleep(0.1)
    assert not grabber.ended
    assert grabber.take(1) is not None
    assert grabber.take(1) is None
    assert grabber.ended
    grabber.close()


def test_a_source_that_raises_is_reported_once_where_it_is_asked() -> None:
    source = Counting(1, then="raise")
    with no_threads_left():
        grabber = Grabber(source, latest_only=False)
        assert grabber.take(5) is not None
        assert grabber.take(5) is None
        assert grabber.ended
        with pytest.raises(SourceError, match="camera lost"):
            grabber.check()
        grabber.check()
        grabber.close()
        grabber.close()
    assert source.closed >= 1


def test_the_reason_is_there_as_soon_as_the_end_is() -> None:
    """A camera's driver takes its time to close; the error must not be overlooked meanwhile."""

    class SlowToClose(Counting):
        def close(self) -> None:
            time.sleep(0.2)
            super().close()

    grabber = Grabber(SlowToClose(0, then="raise"), latest_only=True)
    while not grabber.ended:
        assert grabber.take(5) is None
    with pytest.raises(SourceError, match="camera lost"):
        grabber.check()
    grabber.close()


def test_nothing_within_the_time_is_not_the_end() -> None:
    source = Counting(0, then="block")
    grabber = Grabber(source, latest_only=True)
    assert grabber.take(0.01) is None
    assert not grabber.ended
    source.unblock.set()
    grabber.close()


def test_a_read_that_blocks_does_not_hold_up_close_and_is_closed_when_it_returns() -> None:
    source = Counting(0, then="block")
    with no_threads_left():
        grabber = Grabber(source, latest_only=True)
        start = time.monotonic()
        grabber.close()
        assert time.monotonic() - start < 5  # hang guard; the promise is one second
        source.unblock.set()
    assert source.closed >= 1


def test_a_read_that_blocks_does_not_hold_up_the_exit_of_the_program() -> None:
    code = """
import time
from live_relight.capture import Grabber
class Stuck:
    name, live, fps, size = "stuck", True, 30.0, (4, 4)
    def read(self): time.sleep(60)
    def close(self): pass
Grabber(Stuck(), latest_only=True).close()
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0


def test_latest_hands_out_the_newest_once() -> None:
    slot: Latest[int] = Latest()
    for value in (1, 2, 3):
        slot.put(value)
    assert slot.take(0) == 3
    assert slot.dropped == 2
    assert slot.take(0) is None
    slot.put(4)
    slot.close()
    assert slot.take() == 4  # closing loses nothing
    assert slot.take() is None  # and wakes who waits without a time limit


def test_worker_stops_when_asked_and_reports_what_it_died_of() -> None:
    worker = Worker("idle", lambda stopping: stopping.wait(30) and None).start()
    assert worker.alive
    assert worker.join(10)
    worker.check()

    def fail(_: threading.Event) -> None:
        raise ZeroDivisionError

    broken = Worker("broken", fail).start()
    assert broken.join(10)
    with pytest.raises(ZeroDivisionError):
        broken.check()
