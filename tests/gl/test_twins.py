"""The OpenGL pass and its fast parts agree with the plain NumPy pass."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from live_relight.core import reference
from live_relight.core.errors import ShaderError
from live_relight.core.frames import Geometry, Image
from live_relight.core.look import Light, Look
from live_relight.geometry.analytic import sphere
from live_relight.resize import resized
from live_relight.shade.guided import coefficients
from live_relight.shade.opengl import OpenGLShader, load_source

LOOKS = {
    "studio": Look((Light.of("key", az=60), Light.of("fill"), Light.of("rim")), ambient=0.5),
    "all kinds": Look(
        (
            Light.of("directional", az=-50, kelvin=3000),
            Light.of("point", az=20, el=-30, dist=0.6, color="#4060ff"),
            Light.of("ambient", power=0.3),
        ),
        ambient=0.2,
        background=1.0,
        specular=0.8,
    ),
    "dark": Look(ambient=0.0),
    "one light": Look((Light.of("key", az=-80, power=4.0),), ambient=1.0, fov=90),
    "eight": Look(tuple(Light.of("key", az=45 * i - 180, power=0.4) for i in range(8)), ambient=0.1),
}


@pytest.fixture(scope="module")
def shader() -> Iterator[OpenGLShader]:
    made = OpenGLShader()
    yield made
    made.close()


def picture(size: tuple[int, int], seed: int = 0) -> Image:
    """Soft shapes, hard edges, noise, pure black and white."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(0, 256, (9, 16, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
    image = np.clip(image.astype(int) + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    h, w = image.shape[:2]
    cv2.rectangle(image, (w // 4, h // 4), (w // 2, h * 3 // 4), (255, 255, 255), -1)
    cv2.rectangle(image, (w // 2, h // 3), (w * 3 // 4, h * 2 // 3), (0, 0, 0), -1)
    return image


def seen(image: Image, size: tuple[int, int], seed: int = 0) -> Geometry:
    """A ball with a soft, dented mask and dented normals."""
    rng = np.random.default_rng(seed)
    ball = sphere(size)
    alpha = np.clip(cv2.GaussianBlur(ball.alpha, (0, 0), 1.5) + rng.normal(0, 0.03, ball.alpha.shape), 0, 1)
    normal = ball.normal + rng.normal(0, 0.1, ball.normal.shape)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return Geometry(normal.astype(np.float32), ball.depth, alpha.astype(np.float32), resized(image, size))


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize(
    ("size", "shape"), [((448, 252), (288, 160)), ((333, 251), (160, 128)), ((64, 48), (256, 192))]
)
def test_opengl_agrees_with_numpy(
    shader: OpenGLShader, name: str, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    image = picture(size)
    geometry = seen(image, shape)
    fast = shader.shade(image, geometry, LOOKS[name]).astype(int)
    plain = reference.relight(image, resized(image, shader.light_size(size)), geometry, LOOKS[name])
    assert np.abs(fast - plain).max() <= 2
    assert name == "dark" or np.abs(fast - image).mean() > 0.1  # it did something


def test_light_map_at_full_size_agrees_too() -> None:
    shader = OpenGLShader(light_pixels=10**9)
    try:
        image = picture((320, 240))
        geometry = seen(image, (256, 192))
        fast = shader.shade(image, geometry, LOOKS["studio"]).astype(int)
        plain = reference.relight(image, image, geometry, LOOKS["studio"])
        assert np.abs(fast - plain).max() <= 2
    finally:
        shader.close()


def test_shader_survives_changes_of_size_and_tiny_pictures(shader: OpenGLShader) -> None:
    for size in ((64, 48), (1, 1), (640, 360), (2, 3), (64, 48)):
        image = picture((64, 48))[: size[1], : size[0]].copy() if size[0] < 64 else picture(size)
        geometry = seen(image, (96, 96))
        out = shader.shade(image, geometry, LOOKS["studio"])
        assert out.shape == image.shape
        assert out.dtype == np.uint8


def test_untouched_look_is_the_identity(shader: OpenGLShader) -> None:
    image = picture((160, 120))
    out = shader.shade(image, seen(image, (96, 96)), Look())
    np.testing.assert_array_equal(out, image)
    assert out is not image


def test_what_no_light_reaches_is_the_same_to_the_bit(shader: OpenGLShader) -> None:
    image = picture((640, 360))
    geometry = seen(image, (288, 160))
    nobody = Geometry(geometry.normal, geometry.depth, np.zeros_like(geometry.alpha), geometry.guide)
    out = shader.shade(image, nobody, Look((Light.of("key"),), ambient=1.0))
    np.testing.assert_array_equal(out, image)


def test_coefficients_agree_with_numpy() -> None:
    geometry = seen(picture((320, 240)), (128, 96))
    fast, plain = coefficients(geometry), reference.coefficients(geometry)
    guide = geometry.guide / 255.0
    for i in range(5):
        values = [(c[i][..., :3] * guide).sum(-1) + c[i][..., 3] for c in (fast, plain)]
        np.testing.assert_allclose(values[0], values[1], atol=2e-3)


def test_too_large_a_picture_is_one_line(shader: OpenGLShader) -> None:
    wide = np.zeros((1, shader._max_side + 1, 3), np.uint8)
    with pytest.raises(ShaderError, match="scale it down") as error:
        shader.shade(wide, seen(picture((64, 48)), (96, 96)), LOOKS["studio"])
    assert "\n" not in str(error.value)


def test_includes_are_resolved() -> None:
    text = load_source("composite.frag", {"COUNT": 1})
    assert "#include" not in text
    assert text.splitlines()[:2] == ["#version 330", "#define COUNT 1"]
