"""The measure of edges: the truth scores best, and each fault moves its own figure."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.edges import LEFT, Layers, counted, measures, photographed, seen


@pytest.fixture(scope="module")
def layers() -> Layers:
    """A dark disc before a bright wall."""
    y, x = np.mgrid[0:96, 0:160]
    cover = (np.hypot(x - 80, y - 48) < 30).astype(np.float32)
    colour, back = (np.full((96, 160, 3), v, np.float32) for v in (0.1, 0.7))
    return seen(colour, back, cover, 1.2)


def dimmed(layers: Layers, cover: np.ndarray) -> np.ndarray:
    """By a matte of one's own."""
    mixed = (layers.person + layers.behind) * (LEFT + (1 - LEFT) * cover[..., None])
    return np.rint(255 * Layers(mixed, np.zeros_like(mixed), cover).together(1)).astype(np.uint8)


def test_the_truth_is_the_best_there_is(layers: Layers) -> None:
    where = counted(layers, layers.cover)
    truth = np.rint(255 * layers.together(LEFT)).astype(np.uint8)
    decibel, *faults = measures(truth, layers, where)
    assert decibel > 50
    assert max(faults) < 0.5
    untouched = np.rint(255 * layers.together(1)).astype(np.uint8)
    assert measures(untouched, layers, where)[0] < 20


@pytest.mark.parametrize(("shift", "worse"), [(6, 1), (-6, 3)])
def test_a_matte_too_wide_glows_and_one_too_narrow_darkens(layers: Layers, shift: int, worse: int) -> None:
    where = counted(layers, layers.cover)
    grow = cv2.dilate if shift > 0 else cv2.erode
    wrong = grow(layers.cover, np.ones((2 * abs(shift) + 1,) * 2))
    good, bad = (measures(dimmed(layers, cover), layers, where) for cover in (layers.cover, wrong))
    assert bad[0] < good[0] - 3
    assert bad[worse] > good[worse] + 3


def test_what_the_network_lost_does_not_count(layers: Layers) -> None:
    half = layers.cover.copy()
    half[:, :80] = 0
    all_, right = counted(layers, layers.cover), counted(layers, half)
    assert right.sum() < 0.75 * all_.sum()
    assert not right[:, :70].any()
    assert not counted(layers, np.zeros_like(half)).any()


def test_the_camera_adds_little(layers: Layers) -> None:
    picture = photographed(layers, np.random.default_rng(0))
    assert picture.dtype == np.uint8
    assert np.abs(picture / 255 - layers.together(1)).mean() < 0.02
