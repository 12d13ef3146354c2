"""What every sink promises (core/stages.py), over every sink that can run without a device."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from live_relight.core.errors import LiveRelightError
from live_relight.core.frames import Frame
from live_relight.core.stages import Sink
from live_relight.sinks import open_sink
from tests.capture.clips import bars, no_threads_left

SIZE = (96, 54)
OPENERS: dict[str, Callable[[Path], Sink]] = {
    "null": lambda folder: open_sink("null", size=SIZE, fps=30),
    "file": lambda folder: open_sink(f"file:{folder / 'out.mp4'}", size=SIZE, fps=30),
    "web": lambda folder: open_sink("web:0", size=SIZE, fps=30),
}


@pytest.fixture(params=OPENERS)
def opener(request: pytest.FixtureRequest) -> Callable[[Path], Sink]:
    return OPENERS[request.param]


def _frame(index: int) -> Frame:
    return Frame(bars(*SIZE), index / 30, index)


def test_takes_frames_and_leaves_them_alone(opener: Callable[[Path], Sink], tmp_path: Path) -> None:
    with no_threads_left():
        sink = opener(tmp_path)
        assert isinstance(sink, Sink)
        assert sink.name
        for index in range(5):
            frame = _frame(index)
            before = frame.image.copy()
            sink.send(frame)
            assert (frame.image == before).all()
        sink.close()


def test_close_twice_and_without_a_frame(opener: Callable[[Path], Sink], tmp_path: Path) -> None:
    with no_threads_left():
        sink = opener(tmp_path)
        sink.close()
        sink.close()
    assert not list(tmp_path.iterdir())


def test_close_from_another_thread_while_sending(opener: Callable[[Path], Sink], tmp_path: Path) -> None:
    with no_threads_left():
        sink = opener(tmp_path)
        stop, errors = threading.Event(), []

        def send() -> None:
            index = 0
            while not stop.is_set():
                try:
                    sink.send(_frame(index))
                except Exception as error:
                    errors.append(error)
                    return
                index += 1

        sender = threading.Thread(target=send)
        sender.start()
        stop.wait(0.2)
        sink.close()
        stop.set()
        sender.join(10)
        assert not sender.is_alive()
    assert all(isinstance(error, LiveRelightError) for error in errors)


def test_sending_after_close_does_nothing(opener: Callable[[Path], Sink], tmp_path: Path) -> None:
    sink = opener(tmp_path)
    sink.send(_frame(0))
    sink.close()
    left = sorted(tmp_path.iterdir())
    sink.send(_frame(1))
    assert sorted(tmp_path.iterdir()) == left
