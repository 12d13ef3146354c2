"""From a card's memory to OpenGL's: the logic on stand-ins and llvmpipe, the rest on a real card."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
import pytest

from live_relight.core import temporal
from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Frame, Geometry, Image, Resident
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.temporal import Smoothing
from live_relight.geometry import build, cards, cuda, interop, network, race, tensorrt, trt_library
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.geometry.tensorrt import TensorRtEstimator
from live_relight.geometry.trt_library import Library, Log
from live_relight.pipeline import Pipeline
from live_relight.shade import intake, ways
from live_relight.shade.opengl import OpenGLShader
from live_relight.shade.refine import Refiner
from live_relight.shade.ways import CPU, INTEROP, TIMED, UPLOAD, WARM, ToLight, agrees, quickest, settled
from live_relight.sinks import open_sink
from tests.engines.fake_card import FakeApi, FakeCuda
from tests.engines.nets import small_network
from tests.engines.place import needs_wheels

pytestmark = pytest.mark.gl
NO_CARD = pytest.mark.skipif(not cards.find().fault, reason="this machine has a card")
LOOK = Look((Light.of("key", az=50), Light.of("fill")), ambient=0.4)
STEADY = Smoothing()


def frames(count: int, size: tuple[int, int] = (320, 240)) -> list[Image]:
    """A block that moves over noise."""
    rng = np.random.default_rng(4)
    ground = np.kron(rng.integers(60, 200, (6, 8, 3)), np.ones((size[1] // 6, size[0] // 8, 1)))
    made = []
    for k in range(count):
        image = np.zeros((size[1], size[0], 3))
        image[: ground.shape[0], : ground.shape[1]] = ground
        image[60:200, 40 + 10 * k : 160 + 10 * k] = (120, 160, 220)
        made.append(np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8))
    return made


class Place:
    """A fake card that is also what OpenGL runs on, a network on it, and its estimator."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.setattr(build, "compile_plan", lambda library, source, *rest: source.data)
        monkeypatch.setattr(OpenGLShader, "_no_interop", lambda self: "")
        path = folder / "small.onnx"
        path.write_bytes(small_network())
        self.net = network.find_network(str(path))
        self.cuda = FakeCuda()
        api: Any = FakeApi(self.cuda, True)
        library = Library("tensorrt_rtx", "0.0", "a test", api, Log(None, [], []))
        device = cuda.Device(api=self.cuda)
        self.estimator = TensorRtEstimator(self.net, library, device, "ampere", lambda line: None)
        made = intake.Intake.__init__

        def watched(one: intake.Intake, ctx: moderngl.Context, geometry: Geometry) -> None:
            made(one, ctx, geometry)
            self.cuda.textures |= {one.maps.glo: one.maps, one.guide.glo: one.guide}

        monkeypatch.setattr(intake.Intake, "__init__", watched)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = Place(tmp_path, monkeypatch)
    yield made
    made.estimator.close()
    assert made.cuda.live == {}, "all that was made is released, whatever went wrong"


def on_host(geometry: Geometry) -> Geometry:
    return replace(geometry, resident=None)


def hardly(away: np.ndarray, most: int) -> bool:
    """Whether levels of 255 are at most so far apart, and one more at a few edges."""
    return bool(away.max() <= most + 1 and (away > most).mean() < 2e-4)


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


def assert_holds(shader: OpenGLShader, geometry: Geometry) -> None:
    """Bit for bit, and nothing else."""
    assert shader._ways is not None
    assert shader._ways._refiner is not None
    taken = shader._ways._refiner.intake
    planes = [*np.moveaxis(geometry.normal, -1, 0), geometry.depth, geometry.alpha]
    if geometry.shading is not None:
        planes.append(geometry.shading)
    with shader._ctx:
        found = np.frombuffer(taken.maps.read(alignment=1), np.float32)
        guide = np.frombuffer(taken.guide.read(alignment=1), np.uint8)
    np.testing.assert_array_equal(found, np.concatenate(planes).ravel())
    np.testing.assert_array_equal(guide, geometry.guide.ravel())


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


# ---------------------------------------------------------------- which way


def test_numbers_agree_but_for_rounding() -> None:
    host = np.linspace(-3, 3, 6000, dtype=np.float32)
    assert agrees(host + 0.01, host)
    few = host.copy()
    few[:5] += 1
    assert agrees(few, host)
    few[:50] += 1
    assert not agrees(few, host)
    few = host.copy()
    few[7] = np.nan
    assert not agrees(few, host)


def test_a_driver_that_gives_something_else_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card's matte is a constant, as of a driver that draws one layer of five alone."""
    ran = Refiner.run

    def wrong(one: Refiner, smoothing: Smoothing | None) -> None:
        ran(one, smoothing)
        one.textures["planes"].write(np.full((5, *one.intake.size[::-1], 4), 0.1, np.float32))

    monkeypatch.setattr(Refiner, "run", wrong)
    monkeypatch.setattr(ways, "quickest", lambda taken: UPLOAD if UPLOAD in taken else CPU)
    shader, plain = OpenGLShader(False, "measured"), OpenGLShader(False, "cpu")
    try:
        estimator, state = AnalyticEstimator(), None
        for image in frames(WARM + TIMED + 2):
            geometry = estimator.estimate(image)
            state, steady = temporal.step(state, geometry, STEADY)
            out = shader.shade(image, geometry, LOOK, smoothing=STEADY)
            expected = plain.shade(image, steady, LOOK)
        assert shader.to_light.way == CPU
        assert "not the processor's" in shader.to_light.not_used[UPLOAD]
        assert (out == expected).all()
    finally:
        shader.close()
        plain.close()


def test_the_quickest_is_taken() -> None:
    assert quickest({INTEROP: [3.0, 1.0, 1.0], UPLOAD: [2.0, 2.0, 2.0], CPU: [9.0, 0.1, 9.0]}) == INTEROP
    assert quickest({UPLOAD: [2.0], CPU: [1.0]}) == CPU
    assert quickest({UPLOAD: [2.0, 2.0], CPU: [2.0]}) == UPLOAD


def test_it_is_told_in_a_line() -> None:
    assert str(ToLight("")) == "not decided yet"
    told = ToLight(UPLOAD, {UPLOAD: 0.5, CPU: 4.0}, {INTEROP: "there is none"})
    assert str(told) == "upload + GL (0.50 ms; CPU 4.00 ms; no CUDA-GL interop: there is none)"


@pytest.mark.parametrize("fast", [INTEROP, UPLOAD, CPU])
def test_first_frames_measure_and_the_rest_do_not(
    place: Place, fast: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is chosen, every picture is as the CPU's way gives it, to two levels."""
    clock = {"now": 0.0}
    monkeypatch.setattr(time, "perf_counter", lambda: clock["now"])
    shader, plain = OpenGLShader(False, "measured"), OpenGLShader(False, "card")
    plain.steadies = True
    cost = {INTEROP: 2.0, UPLOAD: 2.0, CPU: 3.0, "refine": 0.5} | {fast: 1.0}
    ways = shader._ways
    assert ways is not None
    timed, asked = ways._timed, []

    def slowed(part: str, work: Any) -> Any:
        asked.append(part)

        def longer() -> Any:
            clock["now"] += cost[part]
            return work()

        return timed(part, longer)

    monkeypatch.setattr(ways, "_timed", slowed)
    images = frames(WARM + TIMED + 3)
    for k, image in enumerate(images):
        assert shader.to_light.way == ("" if k < WARM + TIMED else fast)
        geometry = place.estimator.estimate(image)
        given = STEADY if k else None
        one = shader.shade(image, geometry, LOOK, smoothing=given)
        other = plain.shade(image, on_host(geometry), LOOK, smoothing=given)
        assert hardly(np.abs(one.astype(int) - other), 2)
    way = [CPU] if fast == CPU else [fast, "refine"]
    assert asked[-3 * len(way) :] == way * 3
    assert shader.to_light.way == fast
    assert set(shader.to_light.ms) == {INTEROP, UPLOAD, CPU}
    assert shader.to_light.ms[fast] == pytest.approx(1000.0 * (1.0 + (fast != CPU) * 0.5))
    assert shader._ways is not None
    assert len(shader._ways._parts["refine"]) == TIMED
    shader.close()
    plain.close()
    assert place.cuda.mapped == {}


def test_a_head_at_rest_stays_and_one_that_moves_is_followed() -> None:
    rng = np.random.default_rng(0)
    head, places = None, []
    for _ in range(60):
        x, y, z = rng.normal(0, 0.002, 3)
        head = settled(head, (x, y, z - 1.0))
        places.append(head)
    assert np.diff(places[10:], axis=0).std() < 0.002 * np.sqrt(2) / 3
    assert settled((0.0, 0.0, -1.0), (0.1, 0.0, -1.0)) == pytest.approx((0.1, 0.0, -1.0))
    assert settled(None, (0.1, 0.2, -1.0)) == (0.1, 0.2, -1.0)


def test_the_loop_smooths_once(place: Place) -> None:
    """Whoever smooths, pictures come out alike, also after a pause in which nothing was lit."""
    look = {"now": LOOK}
    pictures = []
    for refine in ("card", "cpu"):
        shader = OpenGLShader(False, refine)
        sink = open_sink("null", size=(320, 240), fps=25.0)
        loop = Pipeline(place.estimator, shader, [sink], lambda: look["now"], STEADY)
        assert shader.steadies == (refine == "card")
        made = []
        for k, image in enumerate(frames(8)):
            look["now"] = Look() if k == 4 else LOOK
            made.append(loop.process(Frame(image, k / 25, k), {}).image)
        pictures.append(np.array(made).astype(int))
        shader.close()
    difference = np.abs(pictures[0] - pictures[1])
    # The light that is there is fitted to raw geometry by one and to smoothed geometry by the other.
    assert difference.mean() < 1.0
    assert difference.mean() < np.abs(np.diff(pictures[1], axis=0)).mean()


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


# ---------------------------------------------------------------- a real card


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TensorRtEstimator, OpenGLShader]]:
    """The shipped network and a shader on one card; skipped where there is none or they do not meet."""
    missing, install = tensorrt.fault()
    if missing:
        pytest.skip(f"{missing}; {install}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = trt_library.require()
    target = tensorrt.target_for(found, cards.find().cards[0])
    net = network.find_network()
    estimator = TensorRtEstimator(net, found, cuda.Device(), target, lambda line: None)
    shader = OpenGLShader(False, "card")
    image = portrait((1280, 720))
    shader.shade(image, estimator.estimate(image), LOOK)
    why = shader.to_light.not_used.get(INTEROP)
    if why:
        shader.close()
        estimator.close()
        pytest.skip(why)
    yield estimator, shader
    shader.close()
    estimator.close()


def portrait(size: tuple[int, int], shift: int = 0) -> Image:
    import cv2

    moved = np.roll(race.picture(), shift, axis=1)
    return np.asarray(cv2.resize(moved, size), np.uint8)


@pytest.mark.gpu
@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (701, 523)])
def test_card_textures_hold_what_the_host_got(
    real: tuple[TensorRtEstimator, OpenGLShader], size: tuple[int, int]
) -> None:
    estimator, shader = real
    for k in range(20):
        image = portrait(size, 7 * k)
        geometry = estimator.estimate(image)
        shader.shade(image, geometry, LOOK, smoothing=STEADY)
        assert shader.to_light.way == INTEROP
        assert_holds(shader, geometry)


@pytest.mark.gpu
def test_a_thousand_frames_on_the_card_take_no_more_memory(
    real: tuple[TensorRtEstimator, OpenGLShader],
) -> None:
    estimator, shader = real
    image, device = portrait((1280, 720)), cuda.Device()

    def go(count: int) -> int:
        for _ in range(count):
            shader.shade(image, estimator.estimate(image), LOOK, smoothing=STEADY)
        return device.free_memory()

    before = go(50)
    assert before - go(1000) < 8 << 20
    assert shader.to_light.way == INTEROP
    device.close()


@pytest.mark.gpu
def test_time_of_a_1080p_frame(
    real: tuple[TensorRtEstimator, OpenGLShader], capsys: pytest.CaptureFixture[str]
) -> None:
    """Prints what each way takes and what a frame takes from its bytes to the relit picture's."""
    estimator, _ = real
    shader = OpenGLShader()
    sink = open_sink("null", size=(1920, 1080), fps=30.0)
    loop = Pipeline(estimator, shader, [sink], lambda: LOOK, STEADY)
    images, taken = [portrait((1920, 1080), 2 * k) for k in range(16)], []
    marks: list[dict[str, float]] = []
    for k in range(200):
        marks.append({})
        start = time.perf_counter()
        loop.process(Frame(images[k % 16], k / 30, k), marks[-1])
        taken.append(time.perf_counter() - start)
    p50, p95 = np.percentile(np.array(taken[50:]) * 1e3, [50, 95])
    parts = {name: np.median([m[name] for m in marks[50:]]) * 1e3 for name in marks[-1]}
    with capsys.disabled():
        print(f"\n1080p to 1080p: p50 {p50:.2f} ms, p95 {p95:.2f} ms, by stage {parts}")
        print(f"geometry to light: {shader.to_light}")
    shader.close()
    assert p50 < 33.0


def test_the_stand_ins_are_what_the_protocols_ask_for(place: Place) -> None:
    held: Resident | None = place.estimator.estimate(frames(1)[0]).resident
    assert isinstance(held, interop.Held)
