"""Geometry refined in OpenGL agrees with core/temporal.py and core/planes.py, frame after frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import moderngl
import numpy as np
import pytest

from live_relight.core import planes, temporal
from live_relight.core.frames import Geometry, Image, Map
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.temporal import Smoothing, TemporalState
from live_relight.shade.context import create_context
from live_relight.shade.opengl import OpenGLShader
from live_relight.shade.refine import Refiner
from live_relight.shade.tiles import can_reach, levels
from tests.gl.test_twins import LOOKS, picture, seen
from tests.golden.scenes import SCENES

pytestmark = pytest.mark.gl
SIZES = [(96, 64), (64, 95), (65, 48), (33, 31), (2, 2), (1, 1), (1, 7)]


@pytest.fixture(scope="module")
def ctx() -> Iterator[moderngl.Context]:
    made = create_context()
    yield made
    made.release()


@pytest.fixture
def refiner(ctx: moderngl.Context) -> Iterator[Refiner]:
    with ctx:
        made = Refiner(ctx)
        yield made
        made.close()


def refine(refiner: Refiner, geometry: Geometry, smoothing: Smoothing | None = None) -> None:
    refiner.prepare(geometry)
    refiner.intake.upload(geometry)
    refiner.run(smoothing)


def found(refiner: Refiner, name: str, like: Map) -> Map:
    return np.frombuffer(refiner.textures[name].read(), np.float32).reshape(like.shape)


def assert_agrees(refiner: Refiner, geometry: Geometry) -> None:
    """Textures against what core/planes.py makes of it. Coefficients are compared by what they are for: their
    values in the guide's colours (alpha's come out of a solve in float32), and in others loosely."""
    for name, plain in (
        ("softened", planes.softened(geometry)),
        ("occluder", planes.occluder(geometry)),
        ("contrast", planes.contrast(geometry)),
    ):
        np.testing.assert_allclose(found(refiner, name, plain), plain, atol=3e-6, err_msg=name)
    if geometry.shading is not None:
        plain = planes.shading(geometry)
        np.testing.assert_allclose(found(refiner, "present", plain), plain, atol=1e-5)
    wanted = planes.coefficients(geometry)
    made = found(refiner, "planes", wanted)
    away = (made - wanted).astype(float)
    value = np.abs((away[..., :3] * (geometry.guide / 255.0)).sum(-1) + away[..., 3])
    assert value[0].max() < 1e-5
    assert value[1:].max() < 3e-6
    assert np.abs(away[0]).max() < 5e-4
    assert np.abs(away[1:]).max() < 2e-5
    np.testing.assert_array_equal(refiner.matte(), made[0])
    level = levels(planes.contrast(geometry), geometry.size)
    clear = (
        np.abs(can_reach(made[0], level - 1e-4) ^ can_reach(made[0], level + 1e-4)) == 0
    )  # away from the end
    np.testing.assert_array_equal(refiner.reach()[clear], can_reach(made[0], level)[clear])
    assert clear.mean() > 0.99


def with_shading(geometry: Geometry, seed: int = 0) -> Geometry:
    noise = np.random.default_rng(seed).normal(0, 1, geometry.alpha.shape)
    return replace(geometry, shading=noise.astype(np.float32))


@pytest.mark.parametrize("shading", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_agrees_with_numpy(refiner: Refiner, size: tuple[int, int], shading: bool) -> None:
    geometry = seen(picture((448, 252)), size)
    if shading:
        geometry = with_shading(geometry)
    refine(refiner, geometry)
    assert_agrees(refiner, geometry)


@pytest.mark.parametrize("scene", SCENES)
def test_agrees_on_rendered_people(refiner: Refiner, scene: str) -> None:
    geometry = SCENES[scene]()[1]
    refine(refiner, geometry)
    assert_agrees(refiner, geometry)


def test_noise_agrees_too(refiner: Refiner) -> None:
    """Nothing smooth, nothing in order: normals of any length, alpha of any value."""
    rng = np.random.default_rng(5)
    h, w = 54, 70
    geometry = Geometry(
        rng.normal(0, 1, (h, w, 3)).astype(np.float32),
        rng.uniform(0.05, 3, (h, w)).astype(np.float32),
        rng.random((h, w)).astype(np.float32),
        rng.integers(0, 256, (h, w, 3), dtype=np.uint8),
    )
    refine(refiner, geometry)
    assert_agrees(refiner, geometry)


def moving(size: tuple[int, int], count: int, seed: int = 0) -> Iterator[Geometry]:
    """A shape that drifts over a still, noisy backdrop; maps flicker."""
    rng = np.random.default_rng(seed)
    w, h = size
    still = picture((max(w, 16), max(h, 16)), seed)[:h, :w].astype(int)
    for k in range(count):
        image = still.copy()
        x = (3 * k) % w
        image[h // 3 : 2 * h // 3, x : x + max(w // 4, 1)] = (30, 200, 240)
        guide = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        base = seen(np.ascontiguousarray(guide), size, seed + k)
        yield replace(base, guide=guide)


def steps(refiner: Refiner, frames: list[Geometry], smoothing: Smoothing) -> None:
    """Each of `frames` by both, compared after every one."""
    state: TemporalState | None = None
    for geometry in frames:
        state, steady = temporal.step(state, geometry, smoothing)
        refine(refiner, geometry, smoothing)
        assert_agrees(refiner, steady)


@pytest.mark.parametrize("size", [(96, 64), (65, 48), (17, 23)])
@pytest.mark.parametrize("shading", [False, True])
def test_smoothing_over_time_agrees(refiner: Refiner, size: tuple[int, int], shading: bool) -> None:
    frames = list(moving(size, 6))
    if shading:
        frames = [with_shading(f, k) for k, f in enumerate(frames)]
    steps(refiner, frames, Smoothing())


def test_smoothing_does_something(refiner: Refiner) -> None:
    """Else the tests above would agree on nothing."""
    frames = list(moving((96, 64), 5))
    for geometry in frames:
        refine(refiner, geometry, Smoothing())
    smooth = found(refiner, "occluder", np.empty((64, 96, 2), np.float32))
    raw = planes.occluder(frames[-1])
    assert np.abs(smooth - raw).mean() > 0.005
    with pytest.raises(AssertionError):
        assert_agrees(refiner, frames[-1])


def test_other_strengths_agree(refiner: Refiner) -> None:
    steps(refiner, list(moving((64, 48), 4)), Smoothing(rest=0.6, still=0.0, moving=0.2, cut=0.5))


def test_a_cut_starts_afresh_and_a_change_of_exposure_does_not(refiner: Refiner) -> None:
    before = list(moving((96, 64), 3))
    other: Image = np.ascontiguousarray(255 - before[-1].guide)
    cut = replace(seen(other, (96, 64), 9), guide=other)
    darker: Image = np.asarray(other * 0.5, np.uint8)
    dimmed = replace(seen(darker, (96, 64), 10), guide=darker)
    frames = [*before, cut, dimmed]
    luma = [temporal.box3(temporal.box3(temporal.luma(f.guide))) for f in frames[2:4]]
    change = luma[1] - luma[0]
    assert np.abs(change - change.mean()).mean() > 0.18, "the test's own cut is one"
    steps(refiner, frames, Smoothing())
    refine(refiner, cut, Smoothing())
    steady = Smoothing(cut=0.9)
    steps(refiner, [], steady)
    refiner.forget()
    steps(refiner, frames, steady)


def test_another_size_and_none_start_afresh(refiner: Refiner) -> None:
    small, large = list(moving((64, 48), 2)), list(moving((65, 47), 2))
    steps(refiner, small + large, Smoothing())
    refiner.forget()
    steps(refiner, small, Smoothing())
    refine(refiner, small[0])
    assert_agrees(refiner, small[0])
    # What was taken as it is counts for the next one.
    refiner.forget()
    refine(refiner, small[0])
    refine(refiner, small[1], Smoothing())
    state, _ = temporal.step(None, small[0], Smoothing())
    assert_agrees(refiner, temporal.step(state, small[1], Smoothing())[1])


def test_off_is_as_it_is(refiner: Refiner) -> None:
    steps(refiner, list(moving((64, 48), 3)), Smoothing(enabled=False))


def test_arrays_of_any_layout_are_taken(refiner: Refiner) -> None:
    """A card gives normals as planes; others give views."""
    geometry = seen(picture((320, 240)), (64, 48))
    planar = np.moveaxis(np.ascontiguousarray(np.moveaxis(geometry.normal, -1, 0)), 0, -1)
    wide = np.zeros((48, 70, 3), np.uint8)
    wide[:, 3:67] = geometry.guide
    refine(refiner, replace(geometry, normal=planar, guide=wide[:, 3:67]))
    assert_agrees(refiner, geometry)


def test_everything_is_given_back(ctx: moderngl.Context) -> None:
    with ctx:
        made, kept = Refiner(ctx), []
        for size in ((64, 48), (33, 20)):
            refine(made, seen(picture((128, 96)), size), Smoothing())
            kept += [*made._all.values(), *made._targets.values(), *made._vaos.values()]
        made.close()
        made.close()
    assert len(kept) > 60
    assert all(isinstance(thing.mglo, moderngl.InvalidObject) for thing in kept)


@pytest.mark.parametrize("name", ["areas", "surroundings", "blurred", "bright", "nobody"])
def test_pictures_are_the_same_either_way(name: str) -> None:
    """The light pass on geometry that the card made ready and on the CPU's, for pictures of two sizes."""
    looks = {
        "blurred": Look((Light.of("key"),), 0.5, background=0.6, background_blur=0.7),
        "bright": Look(LOOKS["studio"].lights, ambient=0.5, background=2.5),
        "nobody": LOOKS["studio"],
    } | LOOKS
    card, plain = OpenGLShader(False, "card"), OpenGLShader(False, "cpu")
    assert card.steadies
    assert not plain.steadies
    try:
        for size in ((320, 180), (448, 252)):
            image = picture(size)
            geometry = seen(image, (160, 96))
            if name == "nobody":
                geometry = replace(geometry, alpha=np.zeros_like(geometry.alpha))
            one = card.shade(image, geometry, looks[name]).astype(int)
            other = plain.shade(image, geometry, looks[name]).astype(int)
            assert np.abs(one - other).max() <= 1
            assert (np.abs(one - image).max() > 5) == (name != "nobody" or looks[name].backdrop != 1.0)
    finally:
        card.close()
        plain.close()


@pytest.mark.parametrize("refine", ["cpu", "card"])
def test_a_shader_can_be_closed_twice(refine: str) -> None:
    shader = OpenGLShader(on_grid=False, refine=refine)
    shader.close()
    shader.close()
