"""Still pixels settle, moving ones do not trail, a cut starts afresh, and nothing is remembered in secret."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from live_relight.core.frames import Geometry, Map
from live_relight.core.temporal import Smoothing, TemporalState, step

H, W = 48, 64


def geometry(alpha: Map, grey: Map, noise: float, rng: np.random.Generator) -> Geometry:
    """What a nervous network sees in a grey picture: noise on every map, sensor noise in the guide."""

    def shaken(values: Map) -> Map:
        return np.asarray(values + rng.normal(0, noise, values.shape), np.float32)

    normal = shaken(np.broadcast_to(np.float32([0, 0, 1]), (H, W, 3)))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    guide = np.clip(grey * 255 + rng.normal(0, 3, grey.shape), 0, 255).astype(np.uint8)
    return Geometry(
        normal, shaken(np.ones((H, W), np.float32)), np.clip(shaken(alpha), 0, 1), np.dstack([guide] * 3)
    )


def run(frames: list[Geometry], smoothing: Smoothing) -> list[Geometry]:
    state, out = None, []
    for frame in frames:
        state, smooth = step(state, frame, smoothing)
        out.append(smooth)
    return out


def flicker(frames: list[Geometry], name: str) -> float:
    """RMS change from frame to frame, once settled."""
    maps = np.stack([getattr(f, name) for f in frames[12:]])
    return float(np.sqrt((np.diff(maps, axis=0) ** 2).mean()))


def box_at(x: int) -> tuple[Map, Map]:
    """(alpha, grey) of a bright block whose left edge is at x, on a dark wall."""
    alpha = np.zeros((H, W), np.float32)
    alpha[8:, x : x + 24] = 1.0
    return alpha, np.asarray(0.25 + 0.5 * alpha, np.float32)


@pytest.mark.parametrize("name", ["alpha", "depth", "normal"])
def test_still_noisy_clip_flickers_at_least_three_times_less(name: str) -> None:
    rng = np.random.default_rng(0)
    alpha, grey = box_at(20)
    frames = [geometry(alpha * 0.6 + 0.2, grey, 0.05, rng) for _ in range(60)]
    assert flicker(frames, name) > 3.0 * flicker(run(frames, Smoothing()), name)


def test_moving_edge_lags_at_most_one_frame() -> None:
    rng = np.random.default_rng(1)
    places = [10] * 10 + list(range(10, 40, 2))
    frames = [geometry(*box_at(x), 0.0, rng) for x in places]
    smooth = run(frames, Smoothing())
    for i in range(11, len(places)):
        row = smooth[i].alpha[30]
        edge = int(np.argmax(row > 0.5))
        assert places[i - 1] <= edge <= places[i], (i, places[i], edge)
        # nothing trails where the block has been
        assert row[: places[i - 1]].max() < 0.1


def test_cut_starts_afresh() -> None:
    rng = np.random.default_rng(2)
    first = [geometry(*box_at(5), 0.02, rng) for _ in range(10)]
    after = geometry(*box_at(35), 0.02, rng)
    smooth = run([*first, after], Smoothing())[-1]
    np.testing.assert_array_equal(smooth.alpha, after.alpha)
    np.testing.assert_array_equal(smooth.normal, after.normal)


def test_change_of_exposure_is_no_cut() -> None:
    rng = np.random.default_rng(3)
    alpha, grey = box_at(20)
    frames = [geometry(alpha, grey, 0.05, rng) for _ in range(10)]
    state: TemporalState | None = None
    for frame in frames:
        state, _ = step(state, frame, Smoothing())
    brighter = geometry(alpha, grey + 0.015, 0.05, rng)
    _, smooth = step(state, brighter, Smoothing())
    assert np.abs(smooth.depth - brighter.depth).mean() > 0.01  # still the running mean


def test_change_of_size_starts_afresh() -> None:
    rng = np.random.default_rng(4)
    frame = geometry(*box_at(5), 0.02, rng)
    state, _ = step(None, frame, Smoothing())
    small = Geometry(
        frame.normal[:20, :20], frame.depth[:20, :20], frame.alpha[:20, :20], frame.guide[:20, :20]
    )
    _, smooth = step(state, small, Smoothing())
    assert smooth is small


def test_step_is_pure() -> None:
    rng = np.random.default_rng(5)
    frames = [geometry(*box_at(20), 0.05, rng) for _ in range(5)]
    copies = [f.alpha.copy() for f in frames]
    once, twice = run(frames, Smoothing()), run(frames, Smoothing())
    for a, b, frame, copy in zip(once, twice, frames, copies, strict=True):
        np.testing.assert_array_equal(a.normal, b.normal)
        np.testing.assert_array_equal(frame.alpha, copy)


def test_disabled_changes_nothing() -> None:
    rng = np.random.default_rng(6)
    frames = [geometry(*box_at(20), 0.05, rng) for _ in range(3)]
    assert all(a is b for a, b in zip(run(frames, Smoothing(enabled=False)), frames, strict=True))


def test_the_light_that_is_there_is_smoothed_with_the_rest() -> None:
    rng = np.random.default_rng(4)
    even = np.full((H, W), 0.5, np.float32)
    frames = [
        replace(geometry(even * 2, even, 0.02, rng), shading=rng.normal(0, 0.2, (H, W)).astype(np.float32))
        for _ in range(40)
    ]
    steady = run(frames, Smoothing())
    assert flicker(steady, "shading") < 0.3 * flicker(frames, "shading")
    unknown = run([frames[0], replace(frames[1], shading=None)], Smoothing())[1]
    assert unknown.shading is None
