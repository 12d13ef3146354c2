"""The light network in the light pass, with networks made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from live_relight.core import reference, told
from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Geometry, Image
from live_relight.core.lamps import lamps
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.projection import half_tangents, head_point
from live_relight.geometry.analytic import sphere
from live_relight.geometry.light_net import LightNet, features
from live_relight.shade.opengl import OpenGLShader

LOOK = Look((Light.of("key", az=60), Light.of("fill"), Light.of("rim")), ambient=0.5)
SIZE = (96, 64)


def network(path: Path, slope: float, constant: float = 0.0) -> Path:
    """Stops = slope times the x of the normal plus a constant."""
    weights = np.zeros((1, told.CHANNELS, 1, 1), np.float32)
    weights[0, 3] = slope
    given = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.float32([constant]), "b")]

    def value(name: str, channels: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, "height", "width"])

    node = helper.make_node("Conv", ["features", "w", "b"], ["stops"])
    given_planes, said = value("features", told.CHANNELS), value("stops", 1)
    graph = helper.make_graph([node], "light", [given_planes], [said], given)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def scene() -> tuple[Image, Geometry]:
    """A picture of a ball, and its geometry at its size."""
    rng = np.random.default_rng(2)
    image = rng.integers(60, 200, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    return image, replace(sphere(SIZE), guide=image)


@pytest.fixture
def shader() -> Iterator[Callable[[Path, float], OpenGLShader]]:
    """`shader(network, learned)`, on the grid as a software driver is."""
    made: list[OpenGLShader] = []

    def start(path: Path, learned: float = 1.0, on_grid: bool = True) -> OpenGLShader:
        one = OpenGLShader(on_grid=on_grid, learned=learned, light_net=lambda: LightNet(path))
        made.append(one)
        return one

    yield start
    for one in made:
        one.close()


def plainly(net: LightNet, image: Image, geometry: Geometry) -> Image:
    """LOOK in NumPy, light map at the picture's size."""
    size = image.shape[1], image.shape[0]
    some, rest = told.heard(LOOK), told.others(LOOK)
    assert some is not None
    assert rest is not None
    assert [light.kind for light in some.lights] == ["key", "fill"]
    head = head_point(geometry, LOOK.fov, size)

    def correct(part: np.ndarray, other: np.ndarray) -> np.ndarray:
        small = cv2.resize(part.astype(np.float32), net.size(size), interpolation=cv2.INTER_AREA)
        said = cv2.resize(net.stops(small, geometry, some, head, size), size)
        return told.beside(told.corrected(part, said[..., 0], said[..., 1]), other)

    return reference.relight(image, image, geometry, LOOK, correct=((some, rest), correct))


def test_the_pass_agrees_with_the_plain_one(shader, tmp_path):
    path = network(tmp_path / "n.onnx", 0.9, 0.3)
    image, geometry = scene()
    plain = plainly(LightNet(path), image, geometry).astype(int)
    without = reference.relight(image, image, geometry, LOOK).astype(int)
    assert np.abs(plain - without).max() > 20
    for on_grid in (True, False):
        fast = shader(path, 1.0, on_grid).shade(image, geometry, LOOK).astype(int)
        assert np.abs(fast - plain).max() <= 2


def test_nothing_said_changes_nothing(shader, tmp_path):
    image, geometry = scene()
    silent = shader(network(tmp_path / "n.onnx", 0.0)).shade(image, geometry, LOOK).astype(int)
    off = shader(network(tmp_path / "m.onnx", 1.0), 0.0).shade(image, geometry, LOOK).astype(int)
    assert np.abs(silent - off).max() <= 1


def test_a_look_says_how_far_it_is_taken(shader, tmp_path):
    image, geometry = scene()
    one = shader(network(tmp_path / "n.onnx", 0.0, -1.5))
    levels = [one.shade(image, geometry, replace(LOOK, learned=v)).mean() for v in (0.0, 0.5, 1.0)]
    assert levels[0] > levels[1] + 1 > levels[2] + 2
    assert (one.shade(image, geometry, LOOK) == one.shade(image, geometry, replace(LOOK, learned=1.0))).all()


def test_the_light_that_is_there_is_none_of_its_business(shader, tmp_path):
    image, geometry = scene()
    one = shader(network(tmp_path / "n.onnx", 0.0, -3.0))
    bare = replace(LOOK, lights=())
    assert (one.shade(image, geometry, bare) == one.shade(image, geometry, replace(bare, learned=0.0))).all()
    whole = replace(LOOK, ambient=1.0, background=1.0)
    lit, gone = (one.shade(image, geometry, v).astype(int) for v in (replace(whole, learned=0.0), whole))
    assert (gone >= image.astype(int) - 1).all()  # theirs is whole
    person = geometry.alpha > 0.9
    assert (gone - image)[person].mean() < 0.4 * (lit - image)[
        person
    ].mean()  # an eighth of key and fill is left


def test_kinds_that_it_has_not_learnt_are_left_alone(shader, tmp_path):
    image, geometry = scene()
    one = shader(network(tmp_path / "n.onnx", 0.0, -3.0))
    others = tuple(Light.of(kind) for kind in ("env", "rim", "spot", "directional", "ambient"))
    alone = Look(others, 0.3)
    assert (
        one.shade(image, geometry, alone) == one.shade(image, geometry, replace(alone, learned=0.0))
    ).all()
    # With a key beside them it is the key that goes.
    both = one.shade(image, geometry, replace(alone, lights=(*others, Light.of("key")))).astype(int)
    bare = one.shade(image, geometry, alone).astype(int)
    full = one.shade(image, geometry, replace(alone, lights=(*others, Light.of("key")), learned=0.0)).astype(
        int
    )
    assert (both >= bare - 2).all()
    assert (both - bare).mean() < 0.25 * (full - bare).mean()


def test_a_network_that_says_nonsense_is_not_heard(shader, tmp_path):
    image, geometry = scene()
    one = shader(network(tmp_path / "n.onnx", 0.0, float("nan")))
    heard, without = (one.shade(image, geometry, replace(LOOK, learned=v)).astype(int) for v in (1.0, 0.0))
    assert np.abs(heard - without).max() <= 1


def test_it_is_asked_at_a_size_of_its_own(tmp_path):
    net = LightNet(network(tmp_path / "n.onnx", 0.0, 1.0))
    rng = np.random.default_rng(0)
    for grid, frame, expected in (
        ((256, 160), (1280, 720), (256, 144)),
        ((384, 216), (384, 216), (256, 144)),
        ((96, 160), (720, 1280), (144, 256)),
        ((90, 400), (90, 4000), (96, 384)),
    ):
        assert net.size(frame) == expected
        image = rng.integers(0, 255, (grid[1], grid[0], 3)).astype(np.uint8)
        geometry = replace(sphere(grid), guide=image)
        factors = np.full((*expected[::-1], 4), (1.1, 1.1, 1.1, 0.5), np.float32)
        said = net.stops(factors, geometry, LOOK, (0.0, 0.0, -1.0), frame)
        assert said.shape == (*expected[::-1], 2)
        assert (said[..., 0] == 1).all()
        assert (said[..., 1] > 0).all()


def test_a_card_may_say_at_which_size(tmp_path):
    path = network(tmp_path / "n.onnx", 0.0)
    path.with_suffix(".toml").write_text("pixels = 21504\n")
    assert LightNet(path).size((1280, 720)) == (192, 112)


def test_numbers_that_are_none_stay_where_they_are(tmp_path):
    net = LightNet(network(tmp_path / "n.onnx", 0.7, 1.0))
    factors = np.full((144, 256, 4), (1.1, 1.1, 1.1, 0.5), np.float32)
    whole = net.stops(factors, sphere((256, 144)), LOOK, (0.0, 0.0, -1.0), (1280, 720))
    factors[3, 4, :3] = np.nan
    factors[5, 6, :3] = np.inf
    out = net.stops(factors, sphere((256, 144)), LOOK, (0.0, 0.0, -1.0), (1280, 720))
    assert np.isfinite(out).all()
    assert (np.abs(out - whole).max(axis=-1) > 1e-5).sum() <= 2


def test_the_quick_features_agree_with_the_plain_ones():
    rng = np.random.default_rng(6)
    geometry = replace(sphere((60, 40)), guide=rng.integers(0, 255, (40, 60, 3)).astype(np.uint8))
    factors = (rng.random((40, 60, 4)) * 2).astype(np.float32)
    lights = (*LOOK.lights[:2], Light.of("area", az=-30), Light.of("point", az=120))
    found, tangents = lamps(Look(lights), (0.1, 0.0, -1.0)), half_tangents((60, 40), 65)
    out, much = features(factors, geometry, found, tangents)
    depth = np.clip(geometry.depth, 0.2, 5)
    normal = geometry.normal / np.maximum(np.linalg.norm(geometry.normal, axis=-1, keepdims=True), 1e-6)
    toward, free = told.arriving(depth, normal, found, tangents)
    plain = told.features(
        geometry.guide / 255, normal, depth, geometry.alpha, told.lamps_share(factors), factors[..., 3],
        toward, free,
    )  # fmt: skip
    np.testing.assert_allclose(out, plain, atol=1e-5)
    np.testing.assert_allclose(much, np.linalg.norm(toward, axis=-1), atol=1e-5)


@pytest.mark.parametrize("on_grid", [True, False])
@pytest.mark.parametrize("size", [(97, 61), (333, 187)])
def test_odd_sizes(shader, tmp_path, on_grid, size):
    """Light maps that no size of the network divides."""
    path = network(tmp_path / "n.onnx", 0.9, 0.3)
    noise = np.random.default_rng(3).integers(60, 200, (size[1], size[0], 3)).astype(np.uint8)
    image = cv2.GaussianBlur(noise, (5, 5), 0)
    geometry = replace(sphere(size), guide=image)
    made = shader(path, 1.0, on_grid).shade(image, geometry, LOOK).astype(int)
    assert np.abs(made - plainly(LightNet(path), image, geometry)).max() <= 2


@pytest.mark.parametrize("on_grid", [True, False])
def test_light_is_only_asked_of_what_was_drawn(shader, tmp_path, on_grid):
    """What a picture before left in the texture does not matter."""
    image, geometry = scene()
    path = network(tmp_path / "n.onnx", 0.7, 0.2)
    fresh, used = shader(path, 1.0, on_grid), shader(path, 1.0, on_grid)
    used.shade(255 - image, replace(geometry, alpha=np.ones_like(geometry.alpha)), LOOK)
    assert (fresh.shade(image, geometry, LOOK) == used.shade(image, geometry, LOOK)).all()
    nobody = replace(geometry, alpha=np.zeros_like(geometry.alpha))
    used.shade(image, nobody, LOOK)
    np.testing.assert_allclose(used.light_map()[..., 3], LOOK.ambient, atol=1e-3)


@pytest.mark.parametrize("on_grid", [True, False])
def test_a_camera_s_frames_go_by_its_word_in_turns(on_grid, tmp_path, monkeypatch):
    clock = [10.0]
    monkeypatch.setattr("live_relight.shade.hearing.time.monotonic", lambda: clock[0])
    image, geometry = scene()
    net, asked = LightNet(network(tmp_path / "n.onnx", 0.7, 0.2)), []
    real = net.stops

    def stops(*args):
        asked.append(len(asked))
        return real(*args)

    net.stops = stops
    shader = OpenGLShader(on_grid=on_grid, learned=1.0, light_net=lambda: net)
    nobody = replace(geometry, alpha=np.zeros_like(geometry.alpha))
    other = Look((Light.of("key", az=-60), Light.of("point")), ambient=0.5)

    def count(look=LOOK, seen=geometry, picture=image):
        before = len(asked)
        made.append(shader.shade(picture, seen, look))
        return len(asked) - before

    made: list[Image] = []
    try:
        assert [count() for _ in range(4)] == [1, 1, 1, 1]
        shader.ask_every(2)
        assert [count() for _ in range(5)] == [1, 0, 1, 0, 1]
        assert all((one == made[0]).all() for one in made)  # nothing has moved
        assert [count(other), count(other), count()] == [1, 0, 1]  # it knows nothing of other lights
        assert [count(seen=nobody), count(), count()] == [0, 1, 0]
        assert [count(replace(LOOK, learned=0.0)), count(), count()] == [0, 1, 0]
        wide = np.ascontiguousarray(image[:32])
        short = replace(sphere((96, 32)), guide=wide)
        assert [count(seen=short, picture=wide), count()] == [1, 1]  # another picture's size
        clock[0] += 1.0
        assert [count(), count()] == [1, 0]  # its word is an old one
        shader.ask_every(2)
        assert [count(), count()] == [1, 0]
    finally:
        shader.close()


def test_a_file_that_is_no_network_is_told_in_one_line(tmp_path):
    (tmp_path / "n.onnx").write_bytes(b"nothing")
    with pytest.raises(EstimatorError, match=r"n\.onnx"):
        LightNet(tmp_path / "n.onnx")


def test_the_lights_that_cast_shadows_stay_the_same(shader, tmp_path):
    """There are four shadows for all lights together, and however little it is heard nothing jumps."""
    image, geometry = scene()
    keys = tuple(Light.of("key", az=az, power=0.3 + 0.01 * az / 60, shadow=True) for az in (60, -60, 30))
    lights = (*keys, Light.of("rim", shadow=True, power=0.2), Light.of("spot", shadow=True))
    look = Look((*lights, Light.of("directional", shadow=True, power=0.1)), ambient=0.3)
    for on_grid in (True, False):
        one = shader(network(tmp_path / "n.onnx", 0.0, -2.0), 1.0, on_grid)
        off, on = (one.shade(image, geometry, replace(look, learned=v)).astype(int) for v in (0.0, 1e-4))
        assert np.abs(off - on).max() <= 1


def test_nothing_is_left_behind_when_sizes_change(shader, tmp_path):
    one = shader(network(tmp_path / "n.onnx", 0.0, -1.0))
    held = []
    for k in range(6):
        size = (96 + 16 * (k % 3), 64)
        image = np.full((size[1], size[0], 3), 90, np.uint8)
        one.shade(image, replace(sphere(size), guide=image), LOOK)
        held.append(dict(one._passes.targets))
    gone = [thing for targets in held[:-1] for thing in targets.values()]
    assert all(type(thing.mglo).__name__ == "InvalidObject" for thing in gone)
    assert {"small pixels", "out pixels"} <= set(held[-1])
