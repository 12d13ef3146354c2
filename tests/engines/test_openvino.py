"""OpenVINO says what ONNX Runtime says, also where it computes in bfloat16."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from live_relight.commands import doctor
from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.projection import head_point
from live_relight.geometry import light_net, network, open_estimator, race
from live_relight.geometry.fallback import FallbackEstimator
from live_relight.geometry.light_net import LightNet
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.geometry.openvino import OpenVinoEstimator
from tests.engines.pictures import thirty_two

openvino = pytest.importorskip("openvino")
SHORT = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
LIMITS = {"normal": 1.0, "depth": 0.005, "alpha": 0.005}
"""Means over the person: degrees, share, coverage. As for a card."""


@pytest.mark.parametrize("name", [n.name for n in network.list_networks()])
def test_agrees_with_onnx_runtime(name: str) -> None:
    one, other = (open_estimator(f"{engine}:{name}") for engine in ("onnx", "openvino"))
    found: dict[str, list[float]] = {key: [] for key in LIMITS}
    try:
        assert ("bfloat16" in other.name) == SHORT
        for picture in thirty_two():
            a, b = one.estimate(picture), other.estimate(picture)
            on = a.alpha > 0.5
            cosine = np.clip((a.normal[on] * b.normal[on]).sum(-1), -1, 1)
            found["normal"].append(float(np.degrees(np.arccos(cosine)).mean()))
            found["depth"].append(float(np.abs(b.depth[on] / a.depth[on] - 1).mean()))
            found["alpha"].append(float(np.abs(a.alpha - b.alpha).mean()))
    finally:
        one.close()
        other.close()
    means = {key: float(np.mean(values)) for key, values in found.items()}
    assert all(means[key] <= LIMITS[key] for key in LIMITS), means
    assert (means["normal"] > 0.01) == SHORT, means


def test_the_light_network_agrees_with_onnx_runtime() -> None:
    """On what it is told of real and rendered pictures, in stops."""
    look, nets = Look((Light.of("key", az=50), Light.of("fill")), ambient=0.4), []
    estimator = open_estimator("onnx:fast")
    for on_openvino in (False, True):
        nets.append(LightNet(light_net.shipped(light_net.LIVE), openvino=on_openvino))
    differences, sizes = [], []
    for picture in thirty_two()[::4]:
        geometry, frame = estimator.estimate(picture), (picture.shape[1], picture.shape[0])
        width, height = nets[0].size(frame)
        factors = np.full((height, width, 4), 0.9, np.float32)
        head = head_point(geometry, look.fov, frame)
        one, other = (net.stops(factors, geometry, look, head, frame) for net in nets)
        np.testing.assert_array_equal(one[..., 1], other[..., 1])
        differences.append(np.abs(one - other)[..., 0])
        sizes.append(np.abs(one[..., 0]))
    for net in nets:
        net.close()
    estimator.close()
    most = max(float(d.max()) for d in differences)
    assert np.mean([d.mean() for d in differences]) < 0.01
    assert most < 0.15
    assert (most > 1e-4) == SHORT
    assert np.mean([s.mean() for s in sizes]) > 0.05, "it has something to say"


@pytest.mark.parametrize(
    ("short", "engine", "fails", "wanted"),
    [
        (True, "auto", "", ["_on_openvino"]),
        (True, "openvino:fast", "", ["_on_openvino"]),
        (False, "auto", "", ["_on_onnx"]),
        (True, "onnx", "", ["_on_onnx"]),
        (True, "onnx:fast", "", ["_on_onnx"]),
        (True, "auto", "opening", ["_on_openvino", "_on_onnx"]),
        (True, "auto", "running", ["_on_openvino", "_on_onnx"]),
    ],
)
def test_the_live_light_network_is_on_openvino_where_auto_would_try_that(
    short: bool, engine: str, fails: str, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And on ONNX Runtime where that is not whole: nobody asked for either."""
    used: list[str] = []

    def start(name: str) -> object:
        used.append(name)
        if name == "_on_openvino" and fails == "opening":
            raise EstimatorError("openvino", "a plugin that is missing")

        def run(planes: np.ndarray) -> np.ndarray:
            if name == "_on_openvino" and fails == "running":
                raise RuntimeError("does not compile")
            return planes[:, :1]

        return run

    monkeypatch.setattr("live_relight.geometry.openvino.computes_short", lambda core: short)
    for name in ("_on_onnx", "_on_openvino"):
        monkeypatch.setattr(light_net, name, lambda *_, n=name: start(n))
    net = light_net.live(engine)
    assert used == wanted
    net.warm((640, 480))


def found(monkeypatch: pytest.MonkeyPatch, quick: float, plain: float, live: bool = True) -> str:
    """The name of what `auto` takes where OpenVINO takes `quick` seconds and ONNX Runtime `plain`."""
    monkeypatch.setattr(race, "in_turns", lambda *_: [quick, plain])
    estimator = open_estimator("auto", live=live)
    try:
        assert estimator.estimate(race.picture()).alpha.max() > 0.9
        return estimator.name
    finally:
        estimator.close()


@pytest.mark.skipif(not SHORT, reason="this processor does not compute in bfloat16")
def test_auto_takes_it_live_where_it_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, 0.010, 0.015).startswith("openvino base (")
    assert found(monkeypatch, 0.015, 0.010).startswith("onnx base (")
    assert found(monkeypatch, 0.010, 0.015, live=False).startswith("onnx base (")


def test_auto_leaves_it_where_it_would_win_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live_relight.geometry.openvino.computes_short", lambda core: False)
    assert found(monkeypatch, 0.010, 0.015).startswith("onnx base (")


def test_doctor_says_why_auto_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(core: object) -> bool:
        raise ImportError("a library is missing")

    for stand_in, state, said in (
        (lambda core: True, "ok", "`auto` tries it"),
        (lambda core: False, "ok", "no bfloat16 in this processor"),
        (breaks, "missing", "does not load: a library is missing"),
    ):
        monkeypatch.setattr("live_relight.geometry.openvino.computes_short", stand_in)
        finding = doctor._openvino()
        assert finding.state == state
        assert said in finding.text
    assert found(monkeypatch, 0.010, 0.015).startswith("onnx base (")


def test_one_that_is_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no dead card; and when it fails all the same ONNX Runtime takes over, by name."""
    lines: list[str] = []
    slow = OnnxEstimator(network.find_network())
    candidate = race.on_processor("openvino", lambda: OpenVinoEstimator(network.find_network()))
    monkeypatch.setattr(race, "in_turns", lambda *_: [0.010, 0.015])
    estimator = race.first_that_works([candidate], slow, lines.append, pick=True)
    assert isinstance(estimator, FallbackEstimator)
    estimator.estimate(race.picture())
    estimate = OpenVinoEstimator.estimate

    def late(self: OpenVinoEstimator, image: Image, share: float = 1.0) -> Geometry:
        time.sleep(1.0)
        return estimate(self, image, share)

    monkeypatch.setattr(OpenVinoEstimator, "estimate", late)
    estimator.estimate(race.picture())
    assert estimator.name.startswith("openvino")
    monkeypatch.setattr(OpenVinoEstimator, "estimate", fails)
    estimator.estimate(race.picture())
    assert lines == ["openvino, got nothing; ONNX Runtime takes over"]
    estimator.close()


def fails(*_: object) -> Geometry:
    raise EstimatorError("openvino", "nothing")


def test_it_tells_nobody() -> None:
    """The package brings a telemetry of its own for its tools; a program that sees a camera calls nobody."""
    code = """
import sys
seen = []
sys.addaudithook(lambda event, _: event in ("socket.connect", "socket.getaddrinfo", "socket.sendto",
                                            "subprocess.Popen") and seen.append(event))
import numpy as np
from live_relight.geometry import network
from live_relight.geometry.openvino import OpenVinoEstimator
estimator = OpenVinoEstimator(network.find_network())
estimator.estimate(np.zeros((90, 160, 3), np.uint8))
estimator.close()
print(seen)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
