"""Marched shadows on a rendered head against casting rays through its true depth."""

from __future__ import annotations

import numpy as np
import pytest

from live_relight.core import planes, shadow
from live_relight.core.lamps import lamps
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.projection import half_tangents, head_point
from tests.golden.scenes import SIZE, head

TANGENTS = half_tangents(SIZE, 65.0)
RAYS, STEPS, PLACES = 32, 300, 1500


def places(depth: np.ndarray) -> np.ndarray:
    """h x w x 3, camera space."""
    h, w = depth.shape
    x = ((np.arange(w) + 0.5) / w * 2 - 1)[None] * TANGENTS[0]
    y = (1 - (np.arange(h) + 0.5) / h * 2)[:, None] * TANGENTS[1]
    return np.stack(np.broadcast_arrays(x, y, -1.0), axis=-1) * depth[..., None]


def cast(starts: np.ndarray, at: np.ndarray, size: float, depth: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """What each start (n x 3) sees of a ball of light: RAYS straight ways in STEPS even steps, each blocked
    where it is between the person's front and `shadow.THICKNESS` behind it."""
    rng = np.random.default_rng(0)
    h, w = depth.shape
    free = np.zeros(len(starts))
    for spot in rng.normal(size=(RAYS, 3)):
        to = at + 0.5 * size * spot / np.linalg.norm(spot) * rng.random() ** (1 / 3) - starts
        share = np.minimum(shadow.REACH / np.linalg.norm(to, axis=1), 0.9)
        blocked = np.zeros(len(starts), bool)
        for k in range(1, STEPS + 1):
            p = starts + to * (share * k / STEPS)[:, None]
            u = (p[:, 0] / (-p[:, 2] * TANGENTS[0]) * 0.5 + 0.5) * w
            v = (0.5 - p[:, 1] / (-p[:, 2] * TANGENTS[1]) * 0.5) * h
            inside = (u >= 0) & (u < w) & (v >= 0) & (v < h)
            row, column = np.clip(v, 0, h - 1).astype(int), np.clip(u, 0, w - 1).astype(int)
            behind = -p[:, 2] - depth[row, column]
            hit = (behind > 0.004) & (behind < shadow.THICKNESS) & (alpha[row, column] > 0.5)
            blocked |= inside & hit
        free += ~blocked
    return free / RAYS


@pytest.mark.parametrize(("az", "el"), [(60, 25), (-60, 25), (-45, 40), (20, 60), (75, 5)])
@pytest.mark.parametrize("steps", [shadow.STEPS, shadow.MOST_STEPS])
def test_what_the_nose_and_the_chin_shade_is_where_rays_say(az: float, el: float, steps: int) -> None:
    _, geometry = head()
    where = head_point(geometry, 65.0, SIZE)
    source = lamps(Look((Light.of("key", az=az, el=el, size=0.35),)), where)[0]
    depth, normal = geometry.depth.astype(float), geometry.normal.astype(float)
    found = shadow.visibility(depth, normal, planes.occluder(geometry), source, TANGENTS, steps)
    found = shadow.settled(found[..., None])[..., 0]
    point = places(depth)
    to = np.asarray(source.place) - point
    lit = (normal * to).sum(-1) / np.linalg.norm(to, axis=-1) > 0.15  # elsewhere there is no light to block
    rows, columns = np.nonzero(lit & (geometry.alpha > 0.98))
    some = np.random.default_rng(1).choice(len(rows), min(PLACES, len(rows)), replace=False)
    rows, columns = rows[some], columns[some]
    starts = point[rows, columns] + normal[rows, columns] * 0.006
    truth = cast(starts, np.asarray(source.place), 0.35, depth, geometry.alpha)
    ours = found[rows, columns]
    assert np.mean(truth < 0.3) > 0.03  # there is a shadow to find
    assert np.abs(ours - truth).mean() < 0.05
    assert np.mean(ours[truth > 0.95]) > 0.96
    assert np.mean(ours[truth < 0.05]) < 0.55  # small ones are hardly wider than `settled` blurs
    assert np.corrcoef(ours, truth)[0, 1] > 0.75
