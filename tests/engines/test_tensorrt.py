"""Running plans on a stand-in for a card: what comes out, what is made once, what is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from live_relight.core.errors import EstimatorError
from live_relight.geometry import cards, cuda, lane, plans, tensorrt
from live_relight.geometry.fallback import FallbackEstimator
from live_relight.geometry.onnx import OnnxEstimator
from tests.engines.fake_card import Status
from tests.engines.stand_in import Place, close_to, make_place, picture  # noqa: F401

MADE = ("cudaMalloc", "cudaHostAlloc")


def test_gives_what_the_cpu_gives_and_keeps_nothing_of_it(place: Place) -> None:
    estimator, plain = place.open(), OnnxEstimator(place.net)
    wide = np.zeros((240, 400, 3), np.uint8)
    wide[:, 40:360] = picture(1)
    first = estimator.estimate(wide[:, 40:360])  # not in one piece in memory
    kept = [array.copy() for array in (first.normal, first.depth, first.alpha, first.guide)]
    for seed in range(2, 8):
        assert close_to(estimator.estimate(picture(seed)), plain.estimate(picture(seed)))
    assert close_to(first, plain.estimate(picture(1)))
    for was, array in zip(kept, (first.normal, first.depth, first.alpha, first.guide), strict=True):
        np.testing.assert_array_equal(was, array)
    assert first.guide.dtype == np.uint8
    estimator.close()
    assert float(first.normal[0, 0, 0]) == float(kept[0][0, 0, 0])  # memory of its own


def test_everything_is_made_once(place: Place) -> None:
    """Share or none; and no Python object per frame holds anything on the card."""
    estimator = place.open()
    one = estimator.estimate(picture(1))
    before, live = dict(place.cuda.calls), len(place.cuda.live)
    for seed in range(20):
        assert estimator.estimate(picture(seed), 0.36).size == one.size
    assert {name: place.cuda.calls[name] for name in MADE} == {name: before[name] for name in MADE}
    assert len(place.cuda.live) == live
    if hasattr(place.api, "CudaGraphStrategy"):
        assert place.cuda.calls["cudaMemcpyAsync"] - before["cudaMemcpyAsync"] == 40
        assert "cudaGraphLaunch" not in place.cuda.calls
    else:
        assert place.cuda.calls["cudaMemcpyAsync"] == before["cudaMemcpyAsync"]
        assert place.cuda.calls["cudaGraphLaunch"] == 21
    estimator.close()


def test_tells_what_the_card_needs_by_its_own_clock(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the processor, which is not charged for waiting: its clock ticks when it is asked, and for an hour
    while it waits."""
    now, waited = [0.0], cuda.wait

    def tick(seconds: float = 0.001) -> float:
        now[0] += seconds
        return now[0]

    def wait(*args: Any) -> None:
        tick(3600.0)
        waited(*args)

    monkeypatch.setattr(lane, "time", SimpleNamespace(perf_counter=tick))
    monkeypatch.setattr(cuda, "wait", wait)
    plain, frame = OnnxEstimator(place.net), picture(3)
    estimator = FallbackEstimator(place.open(), lambda: plain)
    for _ in range(2):
        estimator.estimate(frame)
        runs, copies = place.api.runs, place.cuda.calls["cudaMemcpyAsync"]
        found = estimator.card_ms(frame)
        assert found == {"network": 1.0, "copies": 2.0, "host": pytest.approx(2.0, abs=1e-3)}
        assert place.api.runs - runs == 101  # and one frame before, for a size that is new
        assert place.cuda.calls["cudaMemcpyAsync"] - copies >= 100
        assert close_to(estimator.estimate(frame), plain.estimate(frame))
    place.cuda.query = Status.cudaErrorUnknown
    with pytest.raises(EstimatorError):
        estimator.card_ms(frame)
    estimator.close()
    assert place.cuda.live == {}
    assert estimator.card_ms(frame) == {}


def test_few_sizes_are_kept_and_all_is_given_back(place: Place) -> None:
    estimator, plain = place.open(), OnnxEstimator(place.net)
    counts = []
    for width in (320, 330, 340, 350, 360, 320):
        frame = picture(width, (width, 240))
        assert close_to(estimator.estimate(frame), plain.estimate(frame))
        counts.append(len(place.cuda.live))
    assert counts[2] == counts[3] == counts[5]
    assert len(place.lines) == 2 * 6, "each size and the usual one are compiled once"  # and said to be done
    estimator.close()
    estimator.close()
    assert place.cuda.live == {}
    with pytest.raises(EstimatorError, match="after its end"):
        estimator.estimate(picture(1))


def test_what_cannot_be_captured_runs_step_by_step(place: Place) -> None:
    place.cuda.capturable = False
    place.api.refuses = "graphs"
    estimator = place.open()
    assert close_to(estimator.estimate(picture(1)), OnnxEstimator(place.net).estimate(picture(1)))
    assert "cudaGraphLaunch" not in place.cuda.calls
    if hasattr(place.api, "CudaGraphStrategy"):
        assert place.api.contexts == ["whole", "disabled"]
        estimator.estimate(picture(1, (200, 100)))
        assert place.api.contexts[2:] == ["disabled"], "what did not work is not tried again"
    estimator.close()
    assert place.cuda.live == {}


def test_kernels_are_kept_for_the_next_start(place: Place) -> None:
    for _ in range(2):
        estimator = place.open()
        estimator.estimate(picture(1))
        estimator.close()
    if not hasattr(place.api, "CudaGraphStrategy"):  # nor have kernels
        assert list(plans.cache_folder().glob("*" + plans.KERNELS)) == []
        return
    assert place.api.kernels == [b"kernels"]
    (file,) = plans.cache_folder().glob("*" + plans.KERNELS)
    assert file.with_suffix(".plan").exists()
    file.write_bytes(file.read_bytes()[:-1])
    assert plans.load_kernels(file.with_suffix(".plan")) == b""
    estimator = place.open()
    estimator.estimate(picture(1))
    estimator.close()
    assert place.api.kernels == [b"kernels"]
    assert plans.load_kernels(file.with_suffix(".plan")) == b"kernels", "written anew"


def test_what_lies_on_the_card_is_left_alone_while_another_size_is_prepared(place: Place) -> None:
    estimator, seen = place.open(), list[bool]()
    found = estimator.estimate(picture(1))
    resident = found.resident
    assert resident is not None
    estimator._say = lambda line: seen.append(resident.stands_for(found))
    estimator.estimate(picture(1, (330, 240)))
    assert seen == [False, False]
    assert resident.stands_for(found)
    estimator.close()


def test_cards_and_their_plans() -> None:
    rtx, classical = (SimpleNamespace(name=name) for name in ("tensorrt_rtx", "tensorrt"))
    for capability, target in (((7, 5), "sm75"), ((8, 6), "ampere"), ((12, 0), "ampere"), ((9, 0), "ampere")):
        card = cards.Card("card", capability, 1)
        assert tensorrt.target_for(rtx, card) == target  # type: ignore[arg-type]
        assert tensorrt.target_for(classical, card) == "current"  # type: ignore[arg-type]
    with pytest.raises(EstimatorError, match=r"got sm61.*Turing"):
        tensorrt.target_for(rtx, cards.Card("old", (6, 1), 1))  # type: ignore[arg-type]
