"""OpenVINO says what ONNX Runtime says, also where it computes in bfloat16."""

from __future__ import annotations

import numpy as np
import pytest

from live_relight.geometry import network, open_estimator
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
