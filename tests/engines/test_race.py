"""The race of a card against the CPU: who differs, fails or is slower is passed over, and doctor says why."""

from __future__ import annotations

import re
import threading

import pytest

from live_relight import geometry
from live_relight.commands import doctor
from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Geometry, Image
from live_relight.core.stages import Estimator
from live_relight.geometry import fallback, race
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.geometry.fallback import FallbackEstimator
from live_relight.geometry.network import Network, find_network
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.geometry.race import open_on_card
from tests.engines.twin import TWIN, Slow, make_small, no_thread_is_left  # noqa: F401


def test_one_that_gives_something_else_is_not_used() -> None:
    fault = race.trial(OnnxEstimator(find_network("first-light")), OnnxEstimator(find_network("fast")))
    assert fault.startswith("differs from the CPU by ")


def test_auto_passes_over_one_that_is_no_faster(small: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = race.slower(Slow(0.2), OnnxEstimator(small))
    assert re.fullmatch(r"20\d\.\d ms for a frame's geometry, the CPU needs \d+\.\d", lost)
    assert not race.slower(OnnxEstimator(small), Slow(0.2))
    lines, notes = list[str](), list[str]()
    monkeypatch.setattr(race, "slower", lambda fast, slow, heir: "a snail")
    card = open_on_card(small, [TWIN], say=lines.append, pick=True, note=notes.append)
    assert type(card) is OnnxEstimator
    assert lines == []
    assert notes == [f"--engine {TWIN.name} works and is not used: a snail"]
    estimator = open_on_card(small, [TWIN], say=lines.append)  # asked for by name
    assert isinstance(estimator, FallbackEstimator)
    estimator.close()


class Falls(AnalyticEstimator):
    """Gives what the CPU gives, once; then it fails, or hangs until it is let go."""

    def __init__(self, small: Network, hangs: bool) -> None:
        super().__init__("sphere")
        self.cpu, self.hangs, self.frames = OnnxEstimator(small), hangs, 0
        self.let_go, self.closed = threading.Event(), threading.Event()

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        self.frames += 1
        if self.frames > 1 and self.hangs:
            self.let_go.wait(30.0)
        if self.frames > 1:
            raise EstimatorError("a card", "fallen off the bus", "a card that works")
        return self.cpu.estimate(image, share)

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("hangs", [False, True])
def test_one_that_falls_in_the_race_is_passed_over(
    small: Network, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallback, "RESIZED", 0.3)
    one, two, lines = Falls(small, hangs), Falls(small, False), list[str]()
    candidates = [race.Candidate("one", lambda: one), race.Candidate("two", lambda: two)]
    assert type(open_on_card(small, candidates, say=lines.append, pick=True)) is OnnxEstimator
    said = "no answer in 0.3 s" if hangs else "fallen off the bus"
    assert [line.split(": ")[0] for line in lines] == [f"--engine {n} is not used" for n in ("one", "two")]
    assert said in lines[0]
    one.let_go.set()
    assert one.closed.wait(2.0)
    assert two.closed.wait(2.0)


def test_doctor_tells_a_card_that_failed_from_one_that_is_slower(
    small: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(engine: str, say: fallback.Say, note: fallback.Say, live: bool) -> Estimator:
        assert engine == "auto"
        assert live
        falls = race.Candidate("falls", lambda: Falls(small, False))
        snail = race.Candidate("snail", lambda: Slow(0.0))
        return open_on_card(small, [falls, snail], say=say, pick=True, note=note)

    def raced(fast: Estimator, slow: Estimator, heir: str) -> str:
        return "a snail" if isinstance(fast, Slow) else real(fast, slow, heir)

    real = race.slower
    monkeypatch.setattr(race, "slower", raced)
    monkeypatch.setattr(geometry, "open_estimator", tried)
    monkeypatch.setattr(race, "trial", lambda fast, slow, heir: "")
    about = [f for f in doctor._engines() if f.topic == "engine" and "--engine" in f.text]
    found = {f.text.split(": ")[0]: f.state for f in about}
    assert found == {"--engine falls is not used": "missing", "--engine snail works and is not used": "ok"}
