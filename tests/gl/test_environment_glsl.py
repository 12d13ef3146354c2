"""shaders/environment.glsl lights as core/environment.py does."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import moderngl
import numpy as np
import numpy.typing as npt
import pytest

from live_relight.core import environment, surroundings
from live_relight.core.environment import Environment
from live_relight.shade.context import create_context, load_source

SIZE = (96, 64)
VERTEX = """#version 330
void main() {
    gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}
"""
FRAGMENT = """
uniform sampler2D normals;
uniform sampler2D views;
uniform float roughness;
uniform float f0;
layout(location = 0) out vec4 diffuse;
layout(location = 1) out vec4 specular;

void main() {
    vec3 n = texelFetch(normals, ivec2(gl_FragCoord.xy), 0).xyz;
    vec3 view = texelFetch(views, ivec2(gl_FragCoord.xy), 0).xyz;
    diffuse = vec4(env_diffuse(n), 1.0);
    specular = vec4(env_specular(n, view, roughness, f0), 1.0);
}
"""
Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def ctx() -> Iterator[moderngl.Context]:
    made = create_context()
    yield made
    made.release()


@pytest.fixture(scope="module")
def program(ctx: moderngl.Context) -> moderngl.Program:
    return ctx.program(VERTEX, "#version 330\n" + load_source("environment.glsl") + FRAGMENT)


@functools.cache
def built_in(name: str) -> Environment:
    return environment.make(surroundings.BUILT_IN[name](), name)


def texture(ctx: moderngl.Context, values: Floats) -> moderngl.Texture:
    """H x W x 4 as float32: how an environment's atlas goes up."""
    data = np.ascontiguousarray(values, np.float32).tobytes()
    return ctx.texture(values.shape[1::-1], 4, data, dtype="f4")


def surfaces() -> tuple[Floats, Floats]:
    """SIZE normals of every direction, and unit vectors toward a camera near the z axis; poles included."""
    rng = np.random.default_rng(3)
    normals = rng.normal(size=(SIZE[1], SIZE[0], 3))
    normals[0, :12] = np.repeat(np.concatenate([np.eye(3), -np.eye(3)]), 2, axis=0)
    views = rng.normal(size=normals.shape) * 0.2 + [0.0, 0.0, 1.0]
    views[0, :12] = [0.0, 0.0, 1.0]
    return tuple(v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (normals, views))  # type: ignore[return-value]


def drawn(
    ctx: moderngl.Context, program: moderngl.Program, env: Environment, az: float, roughness: float, f0: float
) -> tuple[Floats, Floats]:
    """Matt and glossy light of `surfaces`, by the shader."""
    normals, views = surfaces()
    blank = np.zeros((*normals.shape[:2], 4))
    values = (environment.atlas(env), np.dstack([normals, blank[..., 0]]), np.dstack([views, blank[..., 0]]))
    textures = [texture(ctx, value) for value in values]
    for unit, name in enumerate(("env_map", "normals", "views")):
        textures[unit].use(unit)
        program[name].value = unit  # type: ignore[union-attr]
    given = {**environment.uniforms(env, az), "roughness": roughness, "f0": f0}
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            program[name].write(value.tobytes())  # type: ignore[union-attr]
        else:
            program[name].value = value  # type: ignore[union-attr]
    targets = [ctx.texture(SIZE, 4, dtype="f4") for _ in range(2)]
    frame = ctx.framebuffer(targets)
    frame.use()
    ctx.vertex_array(program, []).render(moderngl.TRIANGLES, vertices=3)
    matt, glossy = (
        np.frombuffer(target.read(), np.float32).reshape(SIZE[1], SIZE[0], 4) for target in targets
    )
    for thing in (*textures, *targets, frame):
        thing.release()
    return matt[..., :3].astype(float), glossy[..., :3].astype(float)


@pytest.mark.parametrize("name", surroundings.BUILT_IN)
@pytest.mark.parametrize(
    ("az", "roughness", "f0"),
    [(0.0, 0.5, 0.04), (90.0, 0.1, 0.04), (-137.0, 0.34, 0.04), (180.0, 1.0, 0.5), (30.0, 0.05, 0.04)],
)
def test_glsl_agrees_with_numpy(
    ctx: moderngl.Context, program: moderngl.Program, name: str, az: float, roughness: float, f0: float
) -> None:
    env = built_in(name)
    matt, glossy = drawn(ctx, program, env, az, roughness, f0)
    normals, views = surfaces()
    np.testing.assert_allclose(matt, environment.irradiance(env, normals, az), atol=2e-3)
    plain = environment.specular(env, normals, views, roughness, f0, az)
    np.testing.assert_allclose(glossy, plain, atol=2e-3)
    assert plain.max() > 0.05


def test_numbers_of_the_levels_are_the_same() -> None:
    text = load_source("environment.glsl")
    assert f"ENV_LEVELS = {len(environment.ROUGHNESS)};" in text
    assert f"ENV_LEAN = {environment.LEAN};" in text
    assert f"ENV_KNEE = {environment.KNEE};" in text


def test_a_texture_too_bright_for_eight_bits_survives(
    ctx: moderngl.Context, program: moderngl.Program
) -> None:
    picture = np.full((64, 128, 3), 0.01)
    picture[20, 64] = 1e4
    env = environment.make(picture)
    _, glossy = drawn(ctx, program, env, 0.0, 0.2, 0.04)
    normals, views = surfaces()
    plain = environment.specular(env, normals, views, 0.2, 0.04)
    assert plain.max() > 2.0
    np.testing.assert_allclose(glossy, plain, atol=2e-3, rtol=2e-3)
