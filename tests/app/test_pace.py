"""What `run` says where the camera's rate is not kept."""

from __future__ import annotations

import pytest

from live_relight.core.stats import Stats
from live_relight.reports import Pace


def run(
    quality: str, level: str, kept: int, dropped: int, seconds: float = 30.0, least: str = "sparse"
) -> list[str]:
    """What is said in some seconds of so many frames a second out and so many dropped."""
    said: list[str] = []
    pace, stats = Pace(quality, said.append, least), Stats(quality=level)
    for k in range(int(seconds * kept)):
        stats.frames_out = k + 1
        stats.dropped = (k + 1) * dropped // kept
        pace.tick(stats, 100.0 + k / kept)
    return said


@pytest.mark.parametrize(("quality", "level"), [("auto", "sparse"), ("low", "low"), ("high", "high")])
def test_it_is_said_once_with_what_would_help(quality: str, level: str) -> None:
    (line,) = run(quality, level, 23, 7)
    assert "23 of 30" in line
    assert "--fps 20" in line
    assert "--size" in line
    assert ("--quality auto" in line) == (quality != "auto")
    assert "quality " + ("low, the network in every second" if quality == "auto" else level) in line


def test_where_low_is_the_end_it_is_said_there() -> None:
    (line,) = run("auto", "low", 23, 7, least="low")
    assert "quality low;" in line
    assert "--quality auto" not in line


@pytest.mark.parametrize(
    ("quality", "level", "kept", "dropped", "seconds"),
    [
        ("auto", "sparse", 30, 0, 60.0),  # kept
        ("auto", "sparse", 15, 0, 60.0),  # a camera that slows down in the dark
        ("auto", "sparse", 29, 1, 60.0),  # one now and then
        ("auto", "low", 20, 10, 60.0),  # the governor is not done
        ("auto", "sparse", 20, 10, 8.0),  # not for long enough
    ],
)
def test_otherwise_nothing_is(quality: str, level: str, kept: int, dropped: int, seconds: float) -> None:
    assert run(quality, level, kept, dropped, seconds) == []


def test_a_rate_below_all_that_are_usual_is_named_as_it_is() -> None:
    (line,) = run("auto", "sparse", 3, 27)
    assert "--fps 3 " in line
