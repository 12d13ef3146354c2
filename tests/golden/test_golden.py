"""Every shipped preset on a grey ball, compared with a stored picture, so that a change of look is seen.

`make golden` draws them anew: look at them before they are committed.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from live_relight import presets
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.shade.opengl import OpenGLShader

pytestmark = [pytest.mark.golden, pytest.mark.gl]
PICTURES = Path(__file__).parent / "pictures"
TOLERANCE = 2  # rasterisers round differently


def ball() -> np.ndarray:
    """A painted wall and a ball in front of it, 240 x 180."""
    y, x = np.mgrid[0:180, 0:240]
    wall = np.dstack([120 + 40 * np.sin(x / 17), 110 + 30 * np.cos(y / 13), 100 + 20 * np.sin((x + y) / 29)])
    inside = (x - 119.5) ** 2 + (y - 89.5) ** 2 < 44.6**2  # where AnalyticEstimator sees it
    wall[inside] = (125, 135, 165)
    return np.asarray(wall, np.uint8)


@pytest.mark.parametrize("name", presets.ORDER)
def test_preset_looks_as_it_did(name: str, update_golden: bool, tmp_path: Path) -> None:
    image = ball()
    shader = OpenGLShader()
    try:
        out = shader.shade(image, AnalyticEstimator().estimate(image), presets.load(name).look)
    finally:
        shader.close()
    stored = PICTURES / f"{name}.png"
    if update_golden:
        PICTURES.mkdir(exist_ok=True)
        cv2.imwrite(str(stored), out)
        return
    expected = cv2.imread(str(stored))
    assert expected is not None, f"{stored} is missing: make golden"
    difference = np.abs(out.astype(int) - expected)
    cv2.imwrite(str(tmp_path / "difference.png"), np.clip(difference * 40, 0, 255).astype(np.uint8))
    assert difference.max() <= TOLERANCE, f"see {tmp_path / 'difference.png'} (forty times too bright)"
