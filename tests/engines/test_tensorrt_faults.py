"""What goes wrong on a stand-in for a card: it is said, everything is given back, the CPU takes over."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from live_relight.commands.engines import backends
from live_relight.core.errors import EstimatorError
from live_relight.geometry import build, cards, cuda, fuse, lane, network, plans, tensorrt, trt_library
from live_relight.geometry.fallback import FallbackEstimator
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.geometry.race import Candidate, open_on_card
from live_relight.geometry.tensorrt import TensorRtEstimator
from live_relight.geometry.trt_library import Library, Log
from tests.engines.fake_card import Status
from tests.engines.stand_in import Place, close_to, make_place, picture  # noqa: F401


class SpeakingLog(Log):
    """Has always something to say."""

    def clear(self) -> None:
        self.errors[:] = ["the library's own words"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("engine", "the library's own words, expected a plan that runs on this card"),
        ("run", "the library's own words, expected a plan that runs"),
        ("memory", "CUDA's cudaMalloc, got cudaErrorMemoryAllocation (as the test asked)"),
        ("crash", "CUDA's stream, got cudaErrorIllegalAddress (as the test asked)"),
    ],
)
def test_a_start_that_fails_says_why_and_gives_everything_back(place: Place, fault: str, said: str) -> None:
    estimator = place.open()
    place.api.refuses = fault
    if fault == "memory":
        place.cuda.memory = 100
    if fault == "crash":
        place.cuda.query = Status.cudaErrorIllegalAddress
    words = place.library.log.errors
    # The log is cleared at each start; the library speaks again after.
    real = place.log.clear
    place.library = Library("tensorrt_rtx", "0.0", "a test", place.api, SpeakingLog(None, words, []))
    estimator._lanes.library = place.library
    real()
    for _ in range(2):  # and again without a try
        with pytest.raises(EstimatorError, match=re.escape(said)):
            estimator.estimate(picture(1))
    assert {thing for thing in place.cuda.live.values() if isinstance(thing, str)} == {"stream"}
    assert len(place.cuda.live) == 1
    estimator.close()
    assert place.cuda.live == {}


def test_a_plan_that_the_library_refuses_is_made_again_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the cache holds for whole."""
    compiled: list[int] = []

    def compile_plan(library: object, source: build.Source, *rest: object) -> bytes:
        compiled.append(len(compiled))
        return source.data

    monkeypatch.setattr(build, "compile_plan", compile_plan)
    estimator = place.open()
    estimator.estimate(picture(1))
    estimator.close()
    (path,) = plans.cache_folder().glob("*320x240*.plan")
    place.api.refused = [path.read_bytes()]
    before, lines = len(compiled), len(place.lines)
    estimator = place.open()
    plain = OnnxEstimator(place.net)
    assert close_to(estimator.estimate(picture(2)), plain.estimate(picture(2)))
    estimator.close()
    assert place.api.refused == []
    assert len(compiled) == before + 1, "it was tried without graphs as well"
    said = place.lines[lines:]
    assert said[0].startswith(f"plan {path.name}, got ")
    assert said[0].endswith("; compiling it again")
    assert ["compiling it again" in line for line in said] == [True, *[False] * (len(said) - 1)]
    assert path.exists()

    place.api.refused = [path.read_bytes()] * 2
    estimator = place.open()
    for _ in range(2):
        with pytest.raises(EstimatorError, match="expected a plan that runs on this card"):
            estimator.estimate(picture(3))
    assert len(compiled) == before + 2
    estimator.close()
    assert place.cuda.live == {}


def test_a_plan_that_another_program_removes_before_it_is_read_is_made_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator, obtain, removed = place.open(), plans.obtain, list[Path]()

    def obtained(*args: Any, **more: Any) -> Path:
        path = obtain(*args, **more)
        if not removed:
            path.unlink()
            removed.append(path)
        return path

    monkeypatch.setattr(plans, "obtain", obtained)
    assert close_to(estimator.estimate(picture(1)), OnnxEstimator(place.net).estimate(picture(1)))
    assert removed[0].exists()
    assert len([line for line in place.lines if "compiling it again" in line]) == 1
    estimator.close()


@pytest.mark.parametrize("fault", [Status.cudaErrorNotReady, Status.cudaErrorIllegalAddress])
def test_in_mid_stream_the_cpu_takes_over_within_a_second_in_one_line(place: Place, fault: Status) -> None:
    plain, lines = OnnxEstimator(place.net), list[str]()
    estimator = FallbackEstimator(place.open(), lambda: plain, lines.append)
    for seed in range(3):
        estimator.estimate(picture(seed))
    assert lines == []
    place.cuda.query = fault
    start = time.monotonic()
    found = estimator.estimate(picture(9))
    assert time.monotonic() - start < 1.0
    assert close_to(found, plain.estimate(picture(9)))
    estimator.estimate(picture(10))
    (line,) = lines
    assert line.endswith("; the CPU takes over")
    assert ("no answer in 0.5 s" if fault is Status.cudaErrorNotReady else fault.name) in line
    estimator.close()
    assert place.cuda.live == {}


def test_a_new_size_that_hangs_freezes_no_picture_and_is_not_tried_twice(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "FIRST", 1.0)
    plain, lines = OnnxEstimator(place.net), list[str]()
    estimator = FallbackEstimator(place.open(), lambda: plain, lines.append)
    estimator.estimate(picture(1))
    contexts = len(place.api.contexts)
    place.cuda.query = Status.cudaErrorNotReady
    wide, end = picture(3, (330, 240)), time.monotonic() + 5.0
    while not lines and time.monotonic() < end:
        start = time.monotonic()
        assert close_to(estimator.estimate(wide), plain.estimate(wide))
        assert time.monotonic() - start < 0.5
    (line,) = lines
    assert "no answer in 1 s" in line
    assert len(place.api.contexts) == contexts + 1
    estimator.close()
    assert place.cuda.live == {}


def test_is_opened_behind_the_trial(place: Place) -> None:
    lines: list[str] = []
    for refuses in ("", "engine"):
        place.api.refuses = refuses
        estimator = open_on_card(place.net, [Candidate("tensorrt", place.open)], say=lines.append)
        assert isinstance(estimator, FallbackEstimator) == (not refuses)
        estimator.estimate(picture(1))
        estimator.close()
    (line,) = lines
    assert line.startswith("--engine tensorrt is not used: ")
    assert "\n" not in line
    assert place.cuda.live == {}


def test_list_says_which_plan_a_card_refuses(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A frame is tried; what is said about compiling goes to stderr."""

    def opened(item: network.Network, say: fuse.Say) -> TensorRtEstimator:
        return TensorRtEstimator(item, place.library, cuda.Device(api=place.cuda), "ampere", say)

    monkeypatch.setattr(trt_library, "look", lambda: (place.library, ()))
    monkeypatch.setattr(tensorrt, "check", lambda item: None)
    monkeypatch.setattr(tensorrt, "open_tensorrt", opened)
    for refuses in ("", "engine"):
        place.api.refuses = refuses
        fault = dict(backends(place.net))["tensorrt"]
        assert ("expected a plan that runs on this card" in fault) == bool(refuses)
        assert bool(fault) == bool(refuses)
    out, err = capsys.readouterr()
    assert not out
    assert "live-relight: compiling small for frames of 1280x720" in err
    assert place.cuda.live == {}


def test_cache_that_cannot_be_written_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = place.net.path.parent / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.raises(EstimatorError, match="file"):
        place.open()
    assert place.cuda.live == {}


@pytest.mark.parametrize(
    ("driver", "bindings", "said"),
    [
        (cards.Driver("13.0", (cards.Card("RTX 4070", (8, 9), 1),), ""), "13.5.0", ""),
        (
            cards.Driver("12.4", (cards.Card("RTX 4070", (8, 9), 1),), ""),
            "13.5.0",
            "CUDA 12.4, expected 13.0",
        ),
        (cards.Driver("13.0", (cards.Card("GTX 1080", (6, 1), 1),), ""), "13.5.0", "GTX 1080, got sm61"),
        (cards.Driver("13.0", (cards.Card("RTX 4070", (8, 9), 1),), ""), "", "no package cuda-bindings"),
        (cards.Driver("", (), "no NVIDIA driver"), "", "no NVIDIA driver"),
    ],
)
def test_what_is_missing_is_said(
    driver: cards.Driver, bindings: str, said: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "find", lambda: driver)
    monkeypatch.setattr(cuda, "version", lambda: bindings)
    monkeypatch.setattr(trt_library, "look", lambda: (place.library, ()))
    missing, install = tensorrt.fault()
    assert (said in missing) if said else not missing
    assert bool(install) == (said.startswith("no package"))
    monkeypatch.setattr(trt_library, "look", lambda: (None, ("tensorrt: not installed",)))
    both, install = tensorrt.fault(everything=True)
    assert "no TensorRT that loads (tensorrt: not installed)" in both
    assert install == trt_library.how_to_install()
