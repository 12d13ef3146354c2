"""Geometry between the frames that the network looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.capture import open_source
from live_relight.carry import LEAST, Carrier
from live_relight.core.frames import Frame, Geometry, Image
from live_relight.core.governor import SHARES
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.temporal import Smoothing
from live_relight.geometry import open_estimator
from live_relight.pipeline import Pipeline
from live_relight.resize import resized
from tests.app.test_ahead import Plain

SIZE = 160, 96
LOOK = Look((Light.of("key"),), ambient=0.5)


def textured(shift: tuple[float, float] = (0, 0), size: tuple[int, int] = (640, 384)) -> Image:
    """A scene of soft blobs, moved by so many of its pixels."""
    noise = np.random.default_rng(3).integers(0, 256, (24, 40), dtype=np.uint8)
    wide = cv2.resize(noise, (size[0] + 80, size[1] + 80), interpolation=cv2.INTER_CUBIC)
    moved = cv2.warpAffine(wide, np.array([[1, 0, shift[0] - 40], [0, 1, shift[1] - 40]], np.float32), size)
    return np.repeat(moved[..., None], 3, 2)


def seen_in(image: Image, shift: tuple[float, float] = (0, 0)) -> Geometry:
    """A ball before nothing, moved likewise."""
    w, h = SIZE
    y, x = np.mgrid[:h, :w].astype(np.float32)
    dx, dy = (x - 80 - shift[0] / 4) / 30, (y - 48 - shift[1] / 4) / 30
    z = np.sqrt(np.clip(1 - dx * dx - dy * dy, 0, 1))
    normal = np.stack([dx * (z > 0), -dy * (z > 0), np.where(z > 0, z, 1)])
    normal /= np.sqrt((normal * normal).sum(0))
    alpha = np.clip((1 - np.sqrt(dx * dx + dy * dy)) * 15 + 0.5, 0, 1).astype(np.float32)
    shading = (0.3 * dx * alpha).astype(np.float32)
    depth = (1.0 - 0.2 * z).astype(np.float32)
    return Geometry(
        np.moveaxis(normal, 0, -1).astype(np.float32), depth, alpha, resized(image, SIZE), shading
    )


@given(st.floats(-24, 24), st.floats(-24, 24))
def test_what_moves_takes_its_geometry_along(x: float, y: float) -> None:
    before, image = seen_in(textured()), textured((x, y))
    copies = [a.copy() for a in (before.normal, before.depth, before.alpha, before.guide)]
    after, want = Carrier().carry(before, image), seen_in(image, (x, y))
    assert after is not None
    assert np.abs(after.alpha - want.alpha).mean() < 0.01
    assert ((after.alpha > 0.5) != (want.alpha > 0.5)).mean() < 0.005
    inside = want.alpha > 0.99
    assert np.abs(after.depth - want.depth)[inside].mean() < 0.01
    assert after.shading is not None
    assert want.shading is not None
    assert np.abs(after.shading - want.shading)[inside].mean() < 0.02
    np.testing.assert_allclose((after.normal**2).sum(-1), 1, atol=1e-5)
    assert np.degrees(np.arccos(np.clip((after.normal * want.normal).sum(-1), -1, 1)))[inside].mean() < 3
    np.testing.assert_array_equal(after.guide, resized(image, SIZE))
    assert after.half is not None
    assert after.half.shape == (192, 320, 3)
    for kept, now in zip(copies, (before.normal, before.depth, before.alpha, before.guide), strict=True):
        np.testing.assert_array_equal(kept, now)


def test_where_nothing_moves_nothing_changes() -> None:
    before = seen_in(textured())
    after = Carrier().carry(before, textured())
    assert after is not None
    np.testing.assert_allclose(after.alpha, before.alpha, atol=0.02)
    np.testing.assert_allclose(after.depth, before.depth, atol=0.005)


def test_a_cut_is_not_carried_over() -> None:
    assert Carrier().carry(seen_in(textured()), textured()[::-1, ::-1].copy()) is None
    assert Carrier().carry(seen_in(textured()), np.zeros_like(textured())) is None


@pytest.mark.parametrize("size", [(1, 1), (40, 12), (LEAST - 1, 160), (LEAST, LEAST), (320, LEAST)])
def test_small_geometry_is_asked_for_anew(size: tuple[int, int]) -> None:
    w, h = size
    normal = np.zeros((h, w, 3), np.float32)
    normal[..., 2] = 1
    flat = np.ones((h, w), np.float32)
    image = textured()
    after = Carrier().carry(Geometry(normal, flat, flat, resized(image, size)), image)
    assert (after is None) == (min(size) < LEAST)


def clip(count: int) -> Iterator[Frame]:
    source = open_source("demo", size=(1280, 720), pace=False)
    for _ in range(count):
        frame = source.read()
        assert frame is not None
        yield frame
    source.close()


def test_the_matte_is_nearer_to_the_networks_than_the_last_one_is() -> None:
    carrier, network = Carrier(), open_estimator("onnx")
    held, carried, wrong, last = [], [], [], None
    for frame in clip(24):
        geometry = network.estimate(frame.image, SHARES["sparse"])
        if last is not None:
            moved = carrier.carry(last, frame.image)
            assert moved is not None
            held.append(np.abs(last.alpha - geometry.alpha).mean())
            carried.append(np.abs(moved.alpha - geometry.alpha).mean())
            wrong.append(((moved.alpha > 0.5) != (geometry.alpha > 0.5)).mean())
            assert wrong[-1] < 0.002
        last = geometry
    network.close()
    assert np.mean(carried) < 0.95 * np.mean(held)
    assert np.mean(wrong) < 0.001


@pytest.mark.parametrize(("quality", "asked"), [("low", 9), ("sparse", 5)])
@pytest.mark.parametrize("ahead", [True, False])
def test_the_network_is_asked_in_every_second_frame_and_after_a_cut(
    quality: str, asked: int, ahead: bool
) -> None:
    images = [textured((k, 0)) for k in range(5)] + [textured((k, 9))[::-1, ::-1].copy() for k in range(4)]

    class Counting:
        name = "counting"
        count = 0

        def estimate(self, image: Image, share: float = 1.0) -> Geometry:
            self.count += 1
            return seen_in(image)

        def close(self) -> None: ...

    network, shader = Counting(), Plain()
    line = Pipeline(network, shader, [], lambda: LOOK, Smoothing(), quality, ahead=ahead)
    for k, image in enumerate(images):
        line.process(Frame(image, k / 30, k), {})
    assert shader.count == 9
    assert network.count == asked


@pytest.mark.parametrize("change", [lambda a: a * 0.8, lambda a: a * 0.8 + 40])
def test_another_exposure_is_no_cut(change: Callable[[np.ndarray], np.ndarray]) -> None:
    picture = (textured() * 0.8).astype(np.uint8)
    assert Carrier().carry(seen_in(picture), np.clip(change(picture), 0, 255).astype(np.uint8)) is not None


def test_after_a_while_the_network_is_asked_in_any_case() -> None:
    asked: list[float] = []

    class Asked:
        name = "asked"

        def estimate(self, image: Image, share: float = 1.0) -> Geometry:
            asked.append(share)
            return seen_in(image)

        def close(self) -> None: ...

    line = Pipeline(Asked(), Plain(), [], lambda: LOOK, Smoothing(), "sparse", ahead=False)
    for k in range(6):
        line.process(Frame(textured(), k * 0.2, k), {})
    assert len(asked) == 6
