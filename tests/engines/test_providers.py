"""Cards through ONNX Runtime's providers: opened by name, absent, broken, as good as the CPU, and listed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from live_relight.commands.engines import backends
from live_relight.core.errors import EstimatorError, UsageError
from live_relight.core.settings import CARDS
from live_relight.geometry import open_estimator, providers, race
from live_relight.geometry.fallback import FallbackEstimator
from live_relight.geometry.network import Network, find_network, list_networks
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.geometry.race import open_on_card
from tests.engines import pictures
from tests.engines.twin import ABSENT, BRIGHT, DARK, TWIN, make_small, no_thread_is_left, same  # noqa: F401


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
