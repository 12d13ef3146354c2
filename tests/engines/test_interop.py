"""From a fake card's memory to OpenGL's: the same pictures, whatever fails, and CUDA's real bindings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Image, Resident
from live_relight.geometry import cards, interop
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.shade.opengl import OpenGLShader
from live_relight.shade.ways import INTEROP, UPLOAD, ToLight
from tests.engines.fake_card import FakeCuda
from tests.engines.gl_card import (
    LOOK,
    STEADY,
    Place,
    assert_holds,
    frames,
    hardly,
    make_place,  # noqa: F401
    on_host,
)
from tests.engines.place import needs_wheels

pytestmark = pytest.mark.gl
NO_CARD = pytest.mark.skipif(not cards.find().fault, reason="this machine has a card")


def compare(place: Place, images: list[Image], fails: str = "", at: int = 0, count: int = 0) -> OpenGLShader:
    """Relights with and without what is on the card; both must be the same to the bit. From image `at` on
    CUDA's call `fails` does, after `count` more that do not: then only the lamps may stand a hair apart, as
    one of the two starts afresh. Returns the first shader, closed."""
    short, plain = OpenGLShader(False, "card"), OpenGLShader(False, "card")
    try:
        for k, image in enumerate(images):
            if fails and k == at:
                place.cuda.fails[fails] = count
            geometry = place.estimator.estimate(image)
            given = STEADY if k else None
            one = short.shade(image, geometry, LOOK, smoothing=given)
            if fails and k == at:
                given = None  # what CUDA holds of the textures is not known: they, and smoothing, start anew
            other = plain.shade(image, on_host(geometry), LOOK, smoothing=given)
            away = np.abs(one.astype(int) - other)
            if fails and k >= at:
                assert hardly(away, 1)
            else:
                assert away.max() == 0
    finally:
        short.close()
        plain.close()
    return short


# ---------------------------------------------------------------- what the card has


def test_textures_hold_what_the_host_got(place: Place) -> None:
    shader = OpenGLShader(False, "card")
    for image in frames(3):
        geometry = place.estimator.estimate(image)
        shader.shade(image, geometry, LOOK)
        assert_holds(shader, geometry)
    assert shader.to_light == ToLight(INTEROP)
    assert place.cuda.calls["cudaGraphicsGLRegisterImage"] == 2, "once"
    shader.close()


def test_a_geometry_stands_for_its_own_frame_only(place: Place) -> None:
    one, two, three = frames(3)
    first = place.estimator.estimate(one)
    assert first.resident is not None
    assert first.resident.stands_for(first)
    assert not first.resident.stands_for(replace(first, alpha=first.alpha * 0.5)), "somebody changed it"
    second = place.estimator.estimate(two)
    assert second.resident is not None
    assert not first.resident.stands_for(first)
    assert not second.resident.stands_for(first)
    with pytest.raises(EstimatorError, match="later frame"):
        first.resident.copy(1, 2, None)
    wide = place.estimator.estimate(np.ascontiguousarray(three[:, :300]))
    assert second.resident.stands_for(second), "another size has buffers of its own"
    place.estimator.close()
    assert wide.resident is not None
    assert not wide.resident.stands_for(wide)


def test_an_older_or_changed_geometry_is_uploaded(place: Place) -> None:
    images = frames(2)
    shader, plain = OpenGLShader(False, "card"), OpenGLShader(False, "card")
    first = place.estimator.estimate(images[0])
    second = place.estimator.estimate(images[1])
    for geometry in (first, replace(second, alpha=1.0 - second.alpha), second):
        one = shader.shade(images[0], geometry, LOOK)
        np.testing.assert_array_equal(one, plain.shade(images[0], on_host(geometry), LOOK))
    assert shader.to_light.way == INTEROP, "the last one was on the card"
    shader.close()
    plain.close()


# ---------------------------------------------------------------- what goes wrong


def test_pictures_are_the_same_either_way(place: Place) -> None:
    assert compare(place, frames(5)).to_light.way == INTEROP


@pytest.mark.parametrize(
    ("call", "count"),
    [
        ("cudaGLGetDevices", 0),
        ("cudaGraphicsGLRegisterImage", 0),
        ("cudaGraphicsGLRegisterImage", 1),
        ("cudaGraphicsMapResources", 0),
        ("cudaMemcpy2DToArrayAsync", 0),
        ("cudaMemcpy2DToArrayAsync", 3),
        ("cudaGraphicsUnmapResources", 0),
    ],
)
def test_a_card_that_will_not_costs_no_picture(place: Place, call: str, count: int) -> None:
    found = compare(place, frames(4), call, 0, count).to_light
    assert found.way == UPLOAD
    assert call in found.not_used[INTEROP]
    assert place.cuda.calls[call] == count + 1, "it is not tried again"


@pytest.mark.parametrize(
    "call", ["cudaGraphicsMapResources", "cudaMemcpy2DToArrayAsync", "cudaGraphicsUnmapResources"]
)
def test_nor_does_one_that_fails_later(place: Place, call: str) -> None:
    found = compare(place, frames(6), call, 3).to_light
    assert found.way == UPLOAD
    assert call in found.not_used[INTEROP]


def test_opengl_on_another_card_is_said(place: Place) -> None:
    place.cuda.gl_cards = [1, 2]
    found = compare(place, frames(2)).to_light
    assert found.way == UPLOAD
    assert "got on card 1, 2, expected on card 0" in found.not_used[INTEROP]
    assert "cudaGraphicsGLRegisterImage" not in place.cuda.calls


def test_bindings_without_it_are_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FakeCuda, "cudaGraphicsMapResources")
    found = compare(place, frames(2)).to_light
    assert "no cudaGraphicsMapResources" in found.not_used[INTEROP]


def test_textures_are_let_go_before_they_are_released(place: Place) -> None:
    """The stand-in looks at that itself; here, that it is asked, at every change of size and at the end."""
    shader = OpenGLShader(False, "card")
    for k, width in enumerate((320, 300, 160, 320)):
        image = np.ascontiguousarray(frames(1)[0][:, :width])
        geometry = place.estimator.estimate(image)
        for _ in range(2):
            shader.shade(image, geometry, LOOK)
        assert place.cuda.calls.get("cudaGraphicsUnregisterResource", 0) <= 2 * k
    shader.close()
    calls = place.cuda.calls
    assert calls["cudaGraphicsUnregisterResource"] == calls["cudaGraphicsGLRegisterImage"] >= 6
    assert place.cuda.mapped == {}


def test_an_engine_that_ends_in_mid_stream(place: Place) -> None:
    """As when another takes over for it: geometry comes from the CPU, the link ends when its time comes."""
    shader, slow = OpenGLShader(False, "card"), OnnxEstimator(place.net)
    images = frames(4)
    for image in images[:2]:
        shader.shade(image, place.estimator.estimate(image), LOOK, smoothing=STEADY)
    place.estimator.close()
    for image in images[2:]:
        shader.shade(image, slow.estimate(image), LOOK, smoothing=STEADY)
    assert shader.to_light.way == UPLOAD
    assert "no card" in shader.to_light.not_used[INTEROP]
    shader.close()
    assert place.cuda.live == {}


def test_no_other_vendors_driver_is_asked() -> None:
    shader = OpenGLShader(False, "card")
    assert shader.software
    assert "llvmpipe" in shader.to_light.not_used[INTEROP]
    shader.close()


# ---------------------------------------------------------------- the real bindings


@needs_wheels
def test_every_name_of_cudas_bindings_exists() -> None:
    from cuda.bindings import runtime

    assert [name for name in interop.NAMES if not hasattr(runtime, name)] == []
    assert [name for name in interop.NAMES if not hasattr(FakeCuda, name)] == []
    assert hasattr(runtime.cudaGraphicsRegisterFlags, "cudaGraphicsRegisterFlagsWriteDiscard")
    assert hasattr(runtime.cudaGLDeviceList, "cudaGLDeviceListAll")
    assert hasattr(runtime.cudaMemcpyKind, "cudaMemcpyDeviceToDevice")


@needs_wheels
@NO_CARD
def test_cudas_bindings_take_our_arguments() -> None:
    """As we pass them; without a driver they are looked at and refused by CUDA, (status, values...)."""
    from cuda.bindings import runtime as real

    flags = real.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard
    one, stream, array = real.cudaGraphicsResource_t(7), real.cudaStream_t(), real.cudaArray_t()
    assert int(one) == 7, "a resource is its own address"
    kind = real.cudaMemcpyKind.cudaMemcpyDeviceToDevice
    calls: list[tuple[str, tuple[Any, ...], int]] = [
        ("cudaGLGetDevices", (interop.CARDS, real.cudaGLDeviceList.cudaGLDeviceListAll), 2),
        ("cudaGraphicsGLRegisterImage", (3, interop.TEXTURE_2D, flags), 1),
        ("cudaGraphicsMapResources", (2, 4096, stream), 0),
        ("cudaGraphicsUnmapResources", (2, 4096, stream), 0),
        ("cudaGraphicsSubResourceGetMappedArray", (one, 0, 0), 1),
        ("cudaGraphicsUnregisterResource", (one,), 0),
        ("cudaMemcpy2DToArrayAsync", (array, 0, 6, 4096, 1152, 1152, 160, kind, stream), 0),
    ]
    for name, args, values in calls:
        status, *rest = getattr(real, name)(*args)
        assert isinstance(status, real.cudaError_t), name
        assert len(rest) == values, name
    with pytest.raises(TypeError, match="expected <class 'int"):
        real.cudaGraphicsMapResources(2, [one, one], stream)  # so it takes the address of several


def test_the_stand_ins_are_what_the_protocols_ask_for(place: Place) -> None:
    held: Resident | None = place.estimator.estimate(frames(1)[0]).resident
    assert isinstance(held, interop.Held)
