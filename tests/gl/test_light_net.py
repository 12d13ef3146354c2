"""The light network in the light pass, with networks made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from live_relight.core import reference, told
from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.projection import head_point
from live_relight.geometry.analytic import sphere
from live_relight.geometry.light_net import LightNet, corrected
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


class Watched:
    """A session, and the (width, height) it was asked at."""

    def __init__(self, session) -> None:
        self.session, self.size = session, (0, 0)

    def run(self, outputs, given):
        self.size = given["features"].shape[:1:-1]
        return self.session.run(outputs, given)


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


def test_the_pass_agrees_with_the_plain_one(shader, tmp_path):
    path = network(tmp_path / "n.onnx", 0.9, 0.3)
    image, geometry = scene()
    head = head_point(geometry, LOOK.fov, SIZE)

    some = told.heard(LOOK)
    assert some is not None
    assert [light.kind for light in some.lights] == ["key", "fill"]

    def correct(whole: np.ndarray, part: np.ndarray) -> np.ndarray:
        better = LightNet(path).correct(part, geometry, some, head, SIZE)
        return told.beside(whole, part, better)

    plain = reference.relight(image, image, geometry, LOOK, correct=(some, correct)).astype(int)
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
    assert (one.shade(image, geometry, LOOK) == one.shade(image, geometry, replace(LOOK, learned=0.0))).all()


def test_it_is_asked_at_a_size_of_its_own(tmp_path):
    net = LightNet(network(tmp_path / "n.onnx", 0.0, 1.0))
    rng = np.random.default_rng(0)
    for grid, frame, expected in (
        ((256, 160), (1280, 720), (256, 144)),
        ((384, 216), (384, 216), (256, 144)),
        ((96, 160), (720, 1280), (144, 256)),
        ((90, 400), (90, 4000), (96, 384)),
    ):
        image = rng.integers(0, 255, (grid[1], grid[0], 3)).astype(np.uint8)
        geometry = replace(sphere(grid), guide=image)
        factors = np.full((grid[1], grid[0], 4), (1.1, 1.1, 1.1, 0.5), np.float32)
        session = Watched(net._session)
        net._session = session
        out = net.correct(factors, geometry, LOOK, (0.0, 0.0, -1.0), frame)
        net._session = session.session
        assert session.size == expected
        assert out.shape == factors.shape
        assert (out[..., :3] > factors[..., :3] + 0.1).all()
        assert (out[..., 3] == 0.5).all()


def test_numbers_that_are_none_stay_where_they_are(tmp_path):
    net = LightNet(network(tmp_path / "n.onnx", 0.0, 1.0))
    factors = np.full((144, 256, 4), (1.1, 1.1, 1.1, 0.5), np.float32)
    whole = net.correct(factors, sphere((256, 144)), LOOK, (0.0, 0.0, -1.0), (1280, 720))
    factors[3, 4, :3] = np.nan
    out = net.correct(factors, sphere((256, 144)), LOOK, (0.0, 0.0, -1.0), (1280, 720))
    there = np.isfinite(out).all(axis=-1)
    assert (~there).sum() <= 1
    np.testing.assert_allclose(out[there], whole[there], atol=1e-5)


def test_the_quick_correction_agrees_with_the_plain_one():
    rng = np.random.default_rng(6)
    factors = (rng.random((9, 11, 4)) * 2).astype(np.float32)
    stops = rng.normal(0, 1.5, (9, 11)).astype(np.float32)
    much = rng.random((9, 11)).astype(np.float32) * 3
    out = corrected(factors, stops, much)
    np.testing.assert_allclose(out[..., :3], told.corrected(factors, stops, much), atol=1e-4)
    assert (out[..., 3] == factors[..., 3]).all()


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


def test_a_file_that_is_no_network_is_told_in_one_line(tmp_path):
    (tmp_path / "n.onnx").write_bytes(b"nothing")
    with pytest.raises(EstimatorError, match=r"n\.onnx"):
        LightNet(tmp_path / "n.onnx")
