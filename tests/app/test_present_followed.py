"""The light that is there is looked for now and then, and followed in every frame."""

from __future__ import annotations

import numpy as np

from live_relight.core import present
from live_relight.core.frames import Frame, Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.present import Present
from live_relight.core.temporal import Smoothing
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.pipeline import Pipeline
from live_relight.seeing import LOOK_EVERY

LOOK = Look((Light.of("key"),), ambient=0.5)
FRAMES = 3 * LOOK_EVERY


class Noted:
    """A shader that notes what light it is told of."""

    name, steadies, coarsens, halves = "noted", False, False, True

    def ready(self, geometry):
        return geometry

    def __init__(self) -> None:
        self.told: list[Present | None] = []

    def shade(
        self,
        image: Image,
        geometry: Geometry,
        look: Look,
        steps: int = 6,
        present: Present | None = None,
        smoothing: Smoothing | None = None,
        fine: bool = True,
    ) -> Image:
        self.told.append(present)
        return image

    def close(self) -> None: ...


def test_it_is_looked_for_now_and_then_and_moves_in_every_frame(monkeypatch) -> None:
    calls = []

    def fit(geometry: Geometry) -> Present:
        """The light turns once, from left to right."""
        calls.append(len(shader.told))
        side = -0.5 if len(calls) == 1 else 0.5
        return Present((1.0, side, *[0.0] * 7), confidence=1.0)

    monkeypatch.setattr(present, "fit", fit)
    shader = Noted()
    pipeline = Pipeline(AnalyticEstimator(), shader, [], lambda: LOOK, Smoothing())
    picture = np.full((90, 160, 3), 120, np.uint8)
    for k in range(FRAMES):
        pipeline.process(Frame(picture, k / 30, k), {})
    assert len(calls) == 1 + FRAMES // LOOK_EVERY
    sides = np.array([told.terms[1] for told in shader.told if told is not None])
    assert len(sides) == FRAMES
    turned = calls[1]
    assert (np.diff(sides[: turned - 1]) == 0).all()
    assert (np.diff(sides[turned:]) > 0).all()
    assert np.diff(sides).max() < 0.05  # no step as large as what passed between two looks
