"""What every source promises (core/stages.py), over every source that can run without a camera."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from live_relight.capture.demo import open_demo
from live_relight.capture.fit import Fit
from live_relight.capture.picture import StillSource, write_picture
from live_relight.capture.video import VideoSource
from live_relight.core.stages import Source
from tests.capture.clips import bars, no_threads_left, write_clip

Opener = Callable[[Path, Fit], Source]


def _clip(folder: Path) -> Path:
    path = folder / "clip.mp4"
    return path if path.exists() else write_clip(path, [bars(64, 48)] * 6, fps=50)


def _still(folder: Path, fit: Fit, pace: bool) -> Source:
    write_picture(folder / "still.png", bars(64, 48))
    return StillSource(folder / "still.png", fit, fps=50, pace=pace)


OPENERS: dict[str, tuple[Opener, bool]] = {  # name: (opener, ends by itself)
    "video": (lambda folder, fit: VideoSource(_clip(folder), fit, pace=False), True),
    "video paced": (lambda folder, fit: VideoSource(_clip(folder), fit, pace=True), True),
    "still": (lambda folder, fit: _still(folder, fit, pace=False), False),
    "still paced": (lambda folder, fit: _still(folder, fit, pace=True), False),
    "demo": (lambda folder, fit: open_demo(fit, pace=False, clip=_clip(folder)), False),
    "demo paced": (lambda folder, fit: open_demo(fit, pace=True, clip=_clip(folder)), False),
}


@pytest.fixture(params=OPENERS)
def opener(request: pytest.FixtureRequest) -> tuple[Opener, bool]:
    return OPENERS[request.param]


def test_is_a_source_with_a_name_and_a_rate(opener: tuple[Opener, bool], tmp_path: Path) -> None:
    source = opener[0](tmp_path, Fit())
    assert isinstance(source, Source)
    assert source.name
    assert source.fps == pytest.approx(50)
    assert source.size == (64, 48)
    source.close()


@pytest.mark.parametrize("fit", [Fit(), Fit((32, 32)), Fit((101, 77), mirror=True)])
def test_frames_have_the_promised_size_and_count_up(
    opener: tuple[Opener, bool], fit: Fit, tmp_path: Path
) -> None:
    source = opener[0](tmp_path, fit)
    assert source.size == (fit.size or (64, 48))
    before = -1.0
    for index in range(4):
        frame = source.read()
        assert frame is not None
        assert frame.image.shape == (source.size[1], source.size[0], 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert frame.index == index
        assert frame.time > before
        before = frame.time
    source.close()


def test_ends_with_none_for_good_or_goes_on(opener: tuple[Opener, bool], tmp_path: Path) -> None:
    open_, ends = opener
    source = open_(tmp_path, Fit())
    frames = [source.read() for _ in range(15)]  # the clip has 6
    assert sum(f is not None for f in frames) == (6 if ends else 15)
    assert (frames[-1] is None) == ends
    source.close()


def test_live_times_are_on_the_monotonic_clock(opener: tuple[Opener, bool], tmp_path: Path) -> None:
    source = opener[0](tmp_path, Fit())
    frames = [source.read() for _ in range(3)]
    first, last = frames[0], frames[-1]
    assert first is not None
    assert last is not None
    if source.live:
        assert abs(last.time - time.monotonic()) < 2
    else:
        assert first.time == pytest.approx(0, abs=1e-6)
    assert last.time - first.time == pytest.approx(0.04, abs=0.005)
    source.close()


def test_close_is_idempotent_and_ends_reading(opener: tuple[Opener, bool], tmp_path: Path) -> None:
    source = opener[0](tmp_path, Fit())
    source.close()
    source.close()
    assert source.read() is None


def test_close_from_another_thread_while_reading(opener: tuple[Opener, bool], tmp_path: Path) -> None:
    source = opener[0](tmp_path, Fit())
    with no_threads_left():
        reader = threading.Thread(target=lambda: all(iter(lambda: source.read() is not None, False)))
        reader.start()
        time.sleep(0.03)
        source.close()
        reader.join(10)
        assert not reader.is_alive()
    source.close()
