"""Cards through ONNX Runtime's providers, and what happens where they are not, or end half-way."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from live_relight import geometry
from live_relight.commands import doctor
from live_relight.commands.engines import backends
from live_relight.core.errors import EstimatorError, UsageError
from live_relight.core.frames import Geometry, Image
from live_relight.core.settings import CARDS
from live_relight.core.stages import Estimator
from live_relight.geometry import fallback, open_estimator, providers, race
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.geometry.fallback import FallbackEstimator
from live_relight.geometry.network import Network, find_network, list_networks
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.geometry.race import open_on_card
from tests.engines import pictures
from tests.engines.nets import small_network

ABSENT = [provider for provider in providers.ORDER if provider not in providers.available()]
TWIN = providers.Provider("twin", providers.CPU, "Twin", "nothing", "nothing")
"""The CPU's provider in the place of a card's: everything is real but the card."""
DARK, BRIGHT = np.full((90, 160, 3), 20, np.uint8), np.full((90, 160, 3), 230, np.uint8)


@pytest.fixture
def small(tmp_path: Path) -> Network:
    path = tmp_path / "small.onnx"
    path.write_bytes(small_network())
    return Network("small", path, {"pixels": 96 * 64})


@pytest.fixture
def fragile(tmp_path: Path) -> Network:
    """Runs on dark pictures; on bright ones ONNX Runtime stops: it looks up entry 1 of a table of one."""
    model = onnx.load_from_string(small_network())
    make, table = onnx.helper.make_node, onnx.numpy_helper.from_array(np.zeros(1, np.float32), "table")
    for node in model.graph.node:
        node.output[:] = ["alpha0" if name == "alpha" else name for name in node.output]
    model.graph.initializer.extend([table, onnx.numpy_helper.from_array(np.float32(1.6), "gain")])
    model.graph.node.extend([
        make("ReduceMean", ["image"], ["mean"], keepdims=0),
        make("Mul", ["mean", "gain"], ["level"]),
        make("Cast", ["level"], ["index"], to=onnx.TensorProto.INT64),
        make("Gather", ["table", "index"], ["zero"]),
        make("Add", ["alpha0", "zero"], ["alpha"]),
    ])  # fmt: skip
    path = tmp_path / "fragile.onnx"
    path.write_bytes(model.SerializeToString())
    return Network("fragile", path, {"pixels": 96 * 64})


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 2
    while (names := [t.name for t in threading.enumerate()]).count(
        "estimate"
    ) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "estimate" not in names


def same(one: Geometry, other: Geometry) -> bool:
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in ("normal", "depth", "alpha"))


def test_the_order_is_the_one_that_is_stated() -> None:
    assert ("gpu", *providers.NAMES) == CARDS
    known = {*ort.get_all_providers(), "ROCMExecutionProvider"}  # which newer ones have no more
    assert {provider.key for provider in providers.ORDER} <= known


def test_a_list_of_names_does_not_load_onnxruntime() -> None:
    code = "import sys, live_relight.geometry as g; print(g.ENGINES[-6], 'onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cuda", "False"]


@pytest.mark.skipif(not ABSENT, reason="this ONNX Runtime has every provider")
def test_an_absent_provider_is_an_error_that_names_its_package() -> None:
    with pytest.raises(EstimatorError, match="pip install") as error:
        open_estimator(ABSENT[0].name)
    assert ABSENT[0].title in str(error.value)


@pytest.mark.skipif(bool(providers.available()), reason="this ONNX Runtime has a card's provider")
def test_without_any_auto_is_the_cpu_and_gpu_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    estimator = open_estimator("auto")
    assert type(estimator) is OnnxEstimator
    assert estimator.name.endswith("CPU)")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(EstimatorError, match="for the CPU alone"):
        open_estimator("gpu")


def test_a_wrong_name_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'directml'"):
        open_estimator("directm")


@pytest.mark.skipif(not ABSENT, reason="this ONNX Runtime has every provider")
def test_a_provider_that_does_not_start_is_told_from_its_session(
    small: Network, capfd: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime itself goes on on the CPU here, with a warning."""
    lines: list[str] = []
    estimator = open_on_card(small, ABSENT[:1], say=lines.append)
    assert type(estimator) is OnnxEstimator
    assert estimator.name.endswith("CPU)")
    (line,) = lines
    assert line.startswith(f"--engine {ABSENT[0].name} is not used: {ABSENT[0].title}, got ")
    assert ABSENT[0].needs in line
    assert capfd.readouterr() == ("", "")


def test_a_network_that_a_provider_cannot_load_is_one_line(
    small: Network, capfd: pytest.CaptureFixture[str]
) -> None:
    """The way a session fails where the provider is there."""
    small.path.write_bytes(b"no network")
    with pytest.raises(EstimatorError, match=r"^Twin with network .*small\.onnx, got ") as error:
        OnnxEstimator(small, provider=TWIN)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fixed", [False, True])
def test_one_that_works_gives_what_the_cpu_gives(small: Network, fixed: bool) -> None:
    lines: list[str] = []
    estimator = open_on_card(small, [*ABSENT[:1], replace(TWIN, fixed=fixed)], say=lines.append)
    assert isinstance(estimator, FallbackEstimator)
    assert estimator.name == f"twin small (ONNX Runtime {ort.__version__}, Twin)"
    assert len(lines) == len(ABSENT[:1])
    cpu = OnnxEstimator(small)
    for picture in (DARK, BRIGHT, np.full((160, 90, 3), 99, np.uint8)):
        assert same(estimator.estimate(picture), cpu.estimate(picture))
    estimator.close()
    estimator.close()


def test_compiled_for_a_size_it_keeps_the_size_whatever_the_share(small: Network) -> None:
    fixed, free = (OnnxEstimator(small, provider=replace(TWIN, fixed=f)) for f in (True, False))
    assert fixed.estimate(DARK, 0.5).depth.shape == fixed.estimate(DARK).depth.shape
    assert free.estimate(DARK, 0.5).depth.size < free.estimate(DARK).depth.size
    fixed.estimate(np.zeros((160, 90, 3), np.uint8))
    assert len(fixed._sessions) == 2
    for session in fixed._sessions.values():
        assert session._enable_fallback is False  # else a card that fails is replaced on stdout alone
        assert all(isinstance(side, int) for side in session.get_inputs()[0].shape)


def test_one_that_gives_something_else_is_not_used() -> None:
    fault = race.trial(OnnxEstimator(find_network("first-light")), OnnxEstimator(find_network("fast")))
    assert fault.startswith("differs from the CPU by ")


def test_auto_passes_over_one_that_is_no_faster(small: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = race.slower(Slow(0.2), OnnxEstimator(small))
    assert re.fullmatch(r"20\d\.\d ms for a frame's geometry, the CPU needs \d+\.\d", lost)
    assert not race.slower(OnnxEstimator(small), Slow(0.2))
    lines, notes = list[str](), list[str]()
    monkeypatch.setattr(race, "slower", lambda fast, slow: "a snail")
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


class Slow(AnalyticEstimator):
    """Takes `seconds` from its `start`-th frame on, or until it is let go."""

    def __init__(self, seconds: float, start: int = 0) -> None:
        super().__init__("sphere")
        self.seconds, self.start, self.frames = seconds, start, 0
        self.let_go = threading.Event()

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        self.frames += 1
        if self.frames > self.start:
            self.let_go.wait(self.seconds)
        return super().estimate(image, share)


def timed(work: Callable[[], Geometry]) -> tuple[Geometry, float]:
    start = time.monotonic()
    result = work()
    return result, time.monotonic() - start


def test_a_failure_in_mid_stream_is_one_line_and_no_frame_is_lost(small: Network, fragile: Network) -> None:
    lines: list[str] = []
    made: list[Estimator] = []

    def cpu() -> Estimator:
        made.append(OnnxEstimator(small))
        return made[-1]

    fast = OnnxEstimator(fragile, provider=TWIN)
    estimator = FallbackEstimator(fast, cpu, lines.append)
    plain = OnnxEstimator(small)
    for _ in range(3):
        assert same(estimator.estimate(DARK), plain.estimate(DARK))
    assert (lines, made) == ([], [])
    result, seconds = timed(lambda: estimator.estimate(BRIGHT))
    assert same(result, plain.estimate(BRIGHT))
    assert seconds < 1.0
    assert estimator.name == plain.name
    assert estimator.provider is None
    for picture in (BRIGHT, DARK):
        estimator.estimate(picture)
    (line,) = lines
    assert line.startswith("twin fragile ")
    assert line.endswith("; the CPU takes over")
    assert "\n" not in line
    assert len(made) == 1
    assert fast._sessions == {}  # what the card held is free
    estimator.close()


def test_one_that_hangs_is_left_behind_within_a_second(small: Network) -> None:
    lines: list[str] = []
    fast = Slow(30.0, start=2)
    estimator = FallbackEstimator(fast, lambda: OnnxEstimator(small), lines.append)
    for _ in range(2):
        estimator.estimate(DARK)
    result, seconds = timed(lambda: estimator.estimate(DARK))
    assert same(result, OnnxEstimator(small).estimate(DARK))
    assert seconds < 1.0
    assert "no answer in 0.6 s" in lines[0]
    _, seconds = timed(lambda: estimator.estimate(DARK))
    assert seconds < 0.3
    assert len(lines) == 1
    estimator.close()
    fast.let_go.set()


def test_the_first_frame_of_a_size_may_take_longer(small: Network) -> None:
    lines: list[str] = []
    estimator = FallbackEstimator(Slow(0.8), lambda: OnnxEstimator(small), lines.append)
    estimator.estimate(DARK)
    estimator.estimate(DARK, 0.5)
    assert lines == []
    estimator.estimate(DARK)
    assert len(lines) == 1
    estimator.close()


class Compiles(AnalyticEstimator):
    """Takes `seconds` for every size's first frame, or until it is let go."""

    def __init__(self, seconds: float) -> None:
        super().__init__("sphere")
        self.seconds, self.sizes = seconds, set[tuple[int, int]]()
        self.let_go = threading.Event()

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        size = image.shape[0], image.shape[1]
        if self.sizes and size not in self.sizes:
            self.let_go.wait(self.seconds)
        self.sizes.add(size)
        return super().estimate(image, share)


def test_while_another_size_is_prepared_the_cpu_gives_the_frames(small: Network) -> None:
    lines: list[str] = []
    fast, cpu = Compiles(30.0), OnnxEstimator(small)
    estimator = FallbackEstimator(fast, lambda: OnnxEstimator(small), lines.append)
    card = estimator.estimate(DARK)
    upright = np.full((160, 90, 3), 99, np.uint8)
    for picture in (upright, upright, DARK):
        found, seconds = timed(lambda picture=picture: estimator.estimate(picture))
        assert seconds < 1.0
        assert same(found, cpu.estimate(picture))
    assert estimator.name == fast.name
    fast.let_go.set()
    end = time.monotonic() + 5.0
    while not same(estimator.estimate(DARK), card):
        assert time.monotonic() < end
    assert same(estimator.estimate(upright), fast.estimate(upright))
    assert lines == []
    estimator.close()


def test_another_size_that_hangs_is_one_line_and_no_frame_waits(small: Network) -> None:
    lines: list[str] = []
    fast, cpu = Compiles(30.0), OnnxEstimator(small)
    estimator = FallbackEstimator(fast, lambda: OnnxEstimator(small), lines.append, first=1.0)
    estimator.estimate(DARK)
    upright, end = np.full((160, 90, 3), 99, np.uint8), time.monotonic() + 5.0
    while not lines and time.monotonic() < end:
        found, seconds = timed(lambda: estimator.estimate(upright))
        assert seconds < 0.5
        assert same(found, cpu.estimate(upright))
    (line,) = lines
    assert line.endswith("no answer in 1 s, expected one frame's geometry; the CPU takes over")
    assert estimator.name == cpu.name
    estimator.close()
    fast.let_go.set()


def test_one_that_works_gets_the_time_to_end(small: Network) -> None:
    ended = threading.Event()

    class Ends(AnalyticEstimator):
        def close(self) -> None:
            time.sleep(0.5)
            ended.set()

    FallbackEstimator(Ends("sphere"), lambda: OnnxEstimator(small)).close()
    assert ended.is_set()


def test_closed_while_a_frame_runs_nothing_takes_over(small: Network) -> None:
    lines, made, found = list[str](), list[Estimator](), list[object]()
    fast = Slow(30.0, start=1)
    estimator = FallbackEstimator(fast, lambda: made.append(OnnxEstimator(small)) or made[0], lines.append)
    estimator.estimate(DARK)

    def frame() -> None:
        try:
            found.append(estimator.estimate(DARK))
        except EstimatorError as error:
            found.append(error)

    thread = threading.Thread(target=frame)
    thread.start()
    while fast.frames < 2:
        time.sleep(0.01)
    estimator.close()
    thread.join()
    assert isinstance(found[0], EstimatorError)
    with pytest.raises(EstimatorError, match="after its end"):
        estimator.estimate(DARK)
    assert (lines, made) == ([], [])
    fast.let_go.set()


def test_an_answer_that_nobody_waited_for_is_not_the_next_ones(small: Network) -> None:
    helper = fallback.Helper(Slow(0.2))
    with pytest.raises(EstimatorError, match=r"no answer in 0\.05 s"):
        helper.estimate(DARK, 1.0, 0.05)
    assert helper.estimate(BRIGHT, 1.0, 5.0).guide[0, 0, 0] == BRIGHT[0, 0, 0]
    helper.end()


def test_what_is_no_failure_of_the_card_is_raised(small: Network) -> None:
    estimator = FallbackEstimator(OnnxEstimator(small, provider=TWIN), lambda: OnnxEstimator(small))
    with pytest.raises(AttributeError):
        estimator.estimate("no picture")  # type: ignore[arg-type]
    assert estimator.provider is TWIN
    estimator.close()


def test_the_log_has_the_line(fragile: Network, small: Network, caplog: pytest.LogCaptureFixture) -> None:
    estimator = FallbackEstimator(OnnxEstimator(fragile, provider=TWIN), lambda: OnnxEstimator(small))
    with caplog.at_level(logging.WARNING):
        estimator.estimate(BRIGHT)
    (record,) = caplog.records
    assert record.getMessage().startswith("live-relight: twin fragile ")
    estimator.close()


def test_list_says_what_runs_a_network_here(small: Network, tmp_path: Path) -> None:
    ways = dict(backends(small))
    assert ways["onnx"] == ""
    assert ways["openvino"] == ""
    assert not {p.name for p in ABSENT} & ways.keys()
    small.path.write_bytes(b"no network")
    assert all("small.onnx" in fault for fault in dict(backends(small)).values())
    done = subprocess.run(
        [sys.executable, "-m", "live_relight", "engines", "list"], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("runs here with: onnx, openvino") == len(list_networks())
    order = ", ".join(("tensorrt", *providers.NAMES))
    assert f"the first of {order} that works, else onnx;\nlive, on a processor" in done.stdout


@pytest.mark.skipif(not ABSENT, reason="this ONNX Runtime has every provider")
def test_list_says_which_card_is_there_and_fails(
    small: Network, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One whose library is listed and does not start; one that starts and gives something else."""
    twin = replace(TWIN, name=next(name for name in providers.NAMES if name != ABSENT[0].name))
    monkeypatch.setattr(providers, "ORDER", [ABSENT[0], twin])
    monkeypatch.setattr(providers, "available", lambda: [ABSENT[0], twin])
    ways = dict(backends(small))
    assert ways["onnx"] == ways[twin.name] == ""
    assert ways[ABSENT[0].name].startswith(f"{ABSENT[0].title}, got a provider that is installed but does")
    monkeypatch.setattr(race, "_difference", lambda one, other, heir: "differs from the CPU by a lot")
    assert dict(backends(small))[twin.name] == "differs from the CPU by a lot"
    assert capfd.readouterr() == ("", "")


@pytest.mark.gpu
def test_the_first_that_starts_agrees_with_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    net, card, why = find_network(), None, ["this ONNX Runtime is for the CPU alone"]
    for provider in providers.available():
        try:
            card = OnnxEstimator(net, provider=provider)
            break
        except EstimatorError as error:
            why.append(str(error))
    if card is None:
        pytest.skip("; ".join(why[1:] or why))
    plain, apart = OnnxEstimator(net), list[float]()
    for frame in pictures.thirty_two():
        found, slow = card.estimate(frame), plain.estimate(frame)
        cosine = np.clip((found.normal.astype(float) * slow.normal).sum(-1), -1, 1)
        apart.append(float(np.degrees(np.arccos(cosine)).mean()))
    card.close()
    with capsys.disabled():
        print(f"\n{card.name}, normals: mean {np.mean(apart):.3f} degrees, worst {max(apart):.3f}")
    assert max(apart) < 1.0


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
