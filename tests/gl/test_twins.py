"""The OpenGL pass and its fast parts agree with the plain NumPy pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core import backdrop, reference
from live_relight.core import planes as twin
from live_relight.core.errors import ShaderError
from live_relight.core.frames import Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.present import Present
from live_relight.geometry.analytic import sphere
from live_relight.resize import resized, with_half
from live_relight.shade import backdrop as fast_backdrop
from live_relight.shade import guided
from live_relight.shade.context import load_source
from live_relight.shade.guided import coefficients
from live_relight.shade.opengl import OpenGLShader
from live_relight.shelf import FileShelf

LOOKS = {
    "studio": Look((Light.of("key", az=60), Light.of("fill"), Light.of("rim")), ambient=0.5),
    "all kinds": Look(
        (
            Light.of("directional", az=-50, kelvin=3000),
            Light.of("point", az=20, el=-30, dist=0.6, color="#4060ff"),
            Light.of("ambient", power=0.3),
            Light.of("spot", az=-20, el=60, shadow=True),
        ),
        ambient=0.2,
        background=1.0,
        specular=0.8,
        diffuse="oren-nayar",
    ),
    "areas": Look(
        (Light.of("area"), Light.of("area", az=-70, el=-10, shape="disk", size=0.4, aspect=0.5)), 0.3
    ),
    "surroundings": Look((Light.of("env", file="window", az=40), Light.of("key", az=20, power=0.5)), 0.2),
    "tinted": Look((Light.of("key"),), 0.6, background=0.2, background_tint="#3050ff"),
    "dark": Look(ambient=0.0),
    "one light": Look((Light.of("key", az=-80, power=4.0),), ambient=1.0, fov=90),
    "eight": Look(tuple(Light.of("key", az=45 * i - 180, power=0.4) for i in range(8)), ambient=0.1),
}


@pytest.fixture(scope="module")
def shader() -> Iterator[OpenGLShader]:
    made = OpenGLShader(on_grid=True)
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


def gain_guide(image: Image, shape: tuple[int, int]) -> Image:
    """The picture as the gain is worked out on it where pixels cost: half as large, where that is enough and
    both sides are even."""
    half = image.shape[1] // 2, image.shape[0] // 2
    odd = image.shape[0] % 2 or image.shape[1] % 2
    return image if odd or half[0] < shape[0] or half[1] < shape[1] else resized(image, half)


def sharpened(shader: OpenGLShader, image: Image) -> npt.NDArray[np.bool_]:
    """H x W: where the shader worked the last picture's edge out at full size."""
    mask = np.zeros((image.shape[0] // 2, image.shape[1] // 2), bool)
    mask.reshape(-1)[shader.sharpened] = True
    full = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)
    return full if full.shape == image.shape[:2] else np.zeros(image.shape[:2], bool)


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((448, 252), (288, 160)),
        ((640, 360), (288, 160)),
        ((333, 251), (160, 128)),
        ((333, 251), (160, 96)),
        ((64, 48), (256, 192)),
    ],
)
def test_opengl_agrees_with_numpy(
    shader: OpenGLShader, name: str, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    image = picture(size)
    geometry = seen(image, shape)
    fast = shader.shade(image, geometry, LOOKS[name]).astype(int)
    guide, sharp = gain_guide(image, shape), sharpened(shader, image)
    plain = reference.relight(
        image, geometry.guide, geometry, LOOKS[name], guide, shelf=FileShelf(), sharp=sharp
    )
    assert np.abs(fast - plain).max() <= 2
    assert name == "dark" or np.abs(fast - image).mean() > 0.1  # it did something


@pytest.mark.parametrize("delight", [None, 0.0, 0.4, 1.0])
def test_evening_out_agrees_with_numpy(shader: OpenGLShader, delight: float | None) -> None:
    image = picture((448, 252))
    geometry = seen(image, (288, 160))
    look = Look((Light.of("key", az=60), Light.of("fill")), ambient=0.5, delight=delight)
    there = Present((0.8, 0.5, 0.2, 0.3, 0.1, -0.2, 0.05, 0.2, -0.1), confidence=0.8)
    fast = shader.shade(image, geometry, look, present=there).astype(int)
    half = gain_guide(image, (288, 160))
    plain = reference.relight(image, geometry.guide, geometry, look, half, found=there)
    assert np.abs(fast - plain).max() <= 2
    without = shader.shade(image, geometry, look).astype(int)
    assert np.abs(fast - without).max() > 5
    bare = replace(look, corrected=0.0)
    alike = np.array_equal(shader.shade(image, geometry, bare, present=there), without)
    assert alike == (not delight)


def test_evening_out_starts_from_nothing(shader: OpenGLShader) -> None:
    image = picture((448, 252))
    geometry = seen(image, (288, 160))
    there = Present((0.8, 0.5, 0.2, 0.3, 0.1, -0.2, 0.05, 0.2, -0.1), confidence=0.8)
    look = Look((Light.of("key", az=60),), ambient=0.5)
    made = [
        shader.shade(image, geometry, replace(look, delight=d), present=there).astype(int)
        for d in (None, 0.0, 0.02)
    ]
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[2] - made[1]).max() <= 4


@pytest.mark.parametrize("delight", [None, 0.0, 1.0])
def test_a_networks_word_on_the_light_that_is_there_agrees_with_numpy(
    shader: OpenGLShader, delight: float | None
) -> None:
    image = picture((448, 252))
    geometry = seen(image, (288, 160))
    slope = np.linspace(-1.5, 1.5, 288, dtype=np.float32)
    lit = replace(geometry, shading=np.repeat(slope[None], 160, axis=0))
    look = Look((Light.of("key", az=60), Light.of("fill")), ambient=0.5, delight=delight)
    fast = shader.shade(image, lit, look).astype(int)
    plain = reference.relight(image, lit.guide, lit, look, gain_guide(image, (288, 160)))
    assert np.abs(fast - plain).max() <= 2
    change = fast - shader.shade(image, geometry, look).astype(int)
    on = reference.sample(geometry.alpha, (448, 252)) > 0.95
    bright = on & (reference.sample(lit.shading, (448, 252)) > 0.4)
    dark = on & (reference.sample(lit.shading, (448, 252)) < -0.4)
    assert change[bright].mean() < 0 < change[dark].mean()  # what was bright is lit less
    assert np.abs(change).max() > 5


def test_light_map_at_full_size_agrees_too() -> None:
    shader = OpenGLShader(on_grid=False)
    try:
        image = picture((320, 240))
        geometry = seen(image, (256, 192))
        fast = shader.shade(image, geometry, LOOKS["studio"]).astype(int)
        plain = reference.relight(image, image, geometry, LOOKS["studio"])
        assert np.abs(fast - plain).max() <= 2
        lit = replace(geometry, shading=np.full(geometry.alpha.shape, 0.8, np.float32))
        fast = shader.shade(image, lit, LOOKS["studio"]).astype(int)
        assert np.abs(fast - reference.relight(image, image, lit, LOOKS["studio"])).max() <= 2
    finally:
        shader.close()


@pytest.mark.parametrize("on_grid", [True, False])
@pytest.mark.parametrize("blur", [0.0, 0.5])
def test_what_is_made_ready_before_changes_nothing(on_grid: bool, blur: float) -> None:
    shader = OpenGLShader(on_grid)
    try:
        image = picture((640, 360))
        geometry = seen(image, (160, 96))
        geometry = replace(geometry, shading=np.full(geometry.alpha.shape, 0.4, np.float32))
        look = replace(LOOKS["studio"], background_blur=blur)
        made = shader.ready(geometry)
        assert made.ready is not None
        assert made.alpha is geometry.alpha
        assert (shader.shade(image, made, look) == shader.shade(image, geometry, look)).all()
    finally:
        shader.close()


@pytest.mark.parametrize("name", ["studio", "all kinds", "areas"])
def test_a_coarse_light_map_agrees_too_and_is_left_again(name: str) -> None:
    shader = OpenGLShader(on_grid=False)
    try:
        assert shader.coarsens
        image = picture((640, 480))
        geometry = seen(image, (256, 192))
        whole = shader.shade(image, geometry, LOOKS[name]).astype(int)
        coarse = shader.shade(image, geometry, LOOKS[name], fine=False).astype(int)
        half = resized(image, (320, 240))
        plain = reference.relight(image, half, geometry, LOOKS[name], shelf=FileShelf())
        assert np.abs(coarse - plain).max() <= 2
        assert 0 < np.abs(coarse - whole).mean() < 2
        assert (shader.shade(image, geometry, LOOKS[name]) == whole).all()
        small = picture((320, 240))  # half of it would be less than the geometry has
        ways = [shader.shade(small, seen(small, (256, 192)), LOOKS[name], fine=f) for f in (True, False)]
        assert (ways[0] == ways[1]).all()
    finally:
        shader.close()


def test_on_the_geometrys_grid_only_the_edge_is_coarser(shader: OpenGLShader) -> None:
    assert not shader.coarsens
    image = picture((640, 480))
    geometry = seen(image, (256, 192))
    coarse = shader.shade(image, geometry, LOOKS["studio"], fine=False)
    assert not len(shader.sharpened)
    fine = shader.shade(image, geometry, LOOKS["studio"])
    edge = sharpened(shader, image)
    assert 0.01 < edge.mean() < 0.3
    assert (fine != coarse)[edge].any()
    assert (fine == coarse)[~edge].all()


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


def test_nothing_inside_the_person_is_smoothed() -> None:
    geometry = seen(picture((320, 240)), (128, 96))
    inside = geometry.alpha > 0.95
    found = guided.shape(geometry)
    np.testing.assert_allclose(found[inside][:, 1:], geometry.normal[inside], atol=2e-2)
    np.testing.assert_allclose(found[inside][:, 0], geometry.depth[inside], atol=2e-2)
    assert (
        np.degrees(np.arccos((found[inside][:, 1:] * geometry.normal[inside]).sum(-1).clip(-1, 1))).mean()
        < 0.2
    )


def test_coefficients_agree_with_numpy() -> None:
    geometry = seen(picture((320, 240)), (128, 96))
    fast, plain = coefficients(geometry), twin.coefficients(geometry)
    guide = geometry.guide / 255.0
    for i in range(5):
        values = [(c[i][..., :3] * guide).sum(-1) + c[i][..., 3] for c in (fast, plain)]
        np.testing.assert_allclose(values[0], values[1], atol=2e-3)

    shape = guided.shape(geometry)
    np.testing.assert_array_equal(guided.matte(geometry), fast[0])
    value = np.stack([(fast[i][..., :3] * guide).sum(-1) + fast[i][..., 3] for i in (1, 2, 3, 4)], axis=-1)
    value[..., 1:] /= np.linalg.norm(value[..., 1:], axis=-1, keepdims=True)
    np.testing.assert_allclose(shape, value, atol=1e-4)


@pytest.mark.parametrize("background", [1.0, 0.4])
@pytest.mark.parametrize("on_grid", [True, False])
@pytest.mark.parametrize("size", [(640, 360), (533, 401), (641, 479)])
def test_leaving_out_what_no_light_reaches_changes_nothing(
    size: tuple[int, int], on_grid: bool, background: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    shader = OpenGLShader(on_grid)
    try:
        image = picture(size)
        geometry = seen(image, (160, 128))
        geometry = replace(geometry, alpha=np.where(geometry.alpha < 0.12, 0, geometry.alpha))
        look = Look(LOOKS["studio"].lights, ambient=0.5, background=background)
        fast = shader.shade(image, geometry, look)
        grid = [(0, 0, 160, 128)] if on_grid else [(0, 0, *size)]
        matte = coefficients(geometry)[0]
        gain = shader._passes.sizes.gain
        drawn = np.zeros(image.shape[:2], bool)
        for box in shader._boxes(matte, gain, look)[0]:
            x0, y0, x1, y1 = shader._grown(box, size)
            drawn[y0:y1, x0:x1] = True
        assert 0.1 < drawn.mean() < 0.9
        monkeypatch.setattr(shader, "_boxes", lambda *_: ([(0, 0, *gain)], grid))
        difference = np.abs(shader.shade(image, geometry, look).astype(int) - fast)
        assert not difference[~drawn].any()
        assert difference.max() <= 1  # texture coordinates are interpolated over other triangles
        assert difference.mean() < 1e-3
    finally:
        shader.close()


def test_background_made_brighter_agrees_with_numpy(shader: OpenGLShader) -> None:
    image = picture((320, 240))
    geometry = seen(image, (128, 96))
    look = Look(LOOKS["studio"].lights, ambient=0.5, background=2.5)
    fast = shader.shade(image, geometry, look).astype(int)
    guide, sharp = gain_guide(image, (128, 96)), sharpened(shader, image)
    plain = reference.relight(image, geometry.guide, geometry, look, guide, sharp=sharp)
    assert np.abs(fast - plain).max() <= 2


@given(st.integers(8, 90), st.integers(8, 90), st.integers(8, 90), st.integers(8, 90))
def test_half_a_picture_is_found_on_the_way_and_changes_nothing(w: int, h: int, to: int, high: int) -> None:
    image = np.random.default_rng(w).integers(0, 256, (h, w, 3), dtype=np.uint8)
    half, small = with_half(image, (to, high))
    np.testing.assert_array_equal(small, resized(image, (to, high)))
    if half is not None:
        exact = image.reshape(h // 2, 2, w // 2, 2, 3).mean((1, 3))
        assert np.abs(half - exact).max() <= 0.5
    assert (half is not None) == (
        not (w % 2 or h % 2) and w >= 2 * to and h >= 2 * high and (w, h) != (2 * to, 2 * high)
    )


def test_the_estimators_half_of_a_picture_is_the_one_that_is_lit(shader: OpenGLShader) -> None:
    image = picture((320, 240))
    geometry, look = seen(image, (96, 64)), LOOKS["studio"]
    own = shader.shade(image, geometry, look)
    given_it = replace(geometry, half=resized(image, (160, 120)))
    np.testing.assert_array_equal(shader.shade(image, given_it, look), own)
    # Of another size, or of a picture that is blurred since, it is none.
    for half, changed in (((80, 60), look), ((160, 120), replace(look, background_blur=0.7))):
        other = replace(geometry, half=np.zeros((half[1], half[0], 3), np.uint8))
        np.testing.assert_array_equal(
            shader.shade(image, other, changed), shader.shade(image, geometry, changed)
        )


def test_too_large_a_picture_is_one_line(shader: OpenGLShader) -> None:
    wide = np.zeros((1, shader._max_side + 1, 3), np.uint8)
    with pytest.raises(ShaderError, match="scale it down") as error:
        shader.shade(wide, seen(picture((64, 48)), (96, 96)), LOOKS["studio"])
    assert "\n" not in str(error.value)


def test_two_shaders_in_one_thread_do_not_disturb_each_other(shader: OpenGLShader) -> None:
    image = picture((160, 120))
    geometry = seen(image, (96, 96))
    expected = shader.shade(image, geometry, LOOKS["studio"])
    other = OpenGLShader()
    np.testing.assert_array_equal(shader.shade(image, geometry, LOOKS["studio"]), expected)
    other.close()
    np.testing.assert_array_equal(shader.shade(image, geometry, LOOKS["studio"]), expected)


def test_includes_are_resolved() -> None:
    text = load_source("composite.frag", {"COUNT": 1})
    assert "#include" not in text
    assert text.splitlines()[:2] == ["#version 330", "#define COUNT 1"]


@pytest.mark.parametrize(("size", "shape"), [((448, 252), (288, 160)), ((333, 251), (160, 96))])
@pytest.mark.parametrize("strength", [0.02, 0.3, 1.0])
def test_defocused_backdrop_agrees_with_numpy(
    size: tuple[int, int], shape: tuple[int, int], strength: float
) -> None:
    image = picture(size)
    geometry = seen(image, shape)
    maps = twin.coefficients(geometry)[0], twin.contrast(geometry)
    fast = fast_backdrop.defocused(image, geometry, *maps, strength).astype(int)
    plain = backdrop.defocused(image, geometry, *maps, strength).astype(int)
    # The fast one works alpha out at half size: a few levels along hard edges, none to speak of elsewhere.
    difference = np.abs(fast - plain)
    assert np.mean(difference) < 1.0
    assert np.mean(difference > 12) < 0.02
    assert np.abs(fast - image).mean() > min(strength, backdrop.START) / backdrop.START


def test_defocus_takes_no_colour_from_the_person() -> None:
    """A red person before a grey wall: the wall stays grey right up to them."""
    ball = sphere((320, 180))
    image = np.full((180, 320, 3), 120, np.uint8)
    image[ball.alpha > 0.02] = (0, 0, 255)
    geometry = Geometry(ball.normal, ball.depth, (ball.alpha > 0.5).astype(np.float32), image)
    maps = twin.coefficients(geometry)[0], twin.contrast(geometry)
    out = fast_backdrop.defocused(image, geometry, *maps, 1.0)
    outside = cv2.dilate((ball.alpha > 0.02).astype(np.uint8), np.ones((9, 9))) == 0
    assert np.abs(out[outside].astype(int) - 120).max() <= 12
