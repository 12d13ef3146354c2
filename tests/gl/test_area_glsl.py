"""shaders/area.glsl agrees with core/area.py."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest

from live_relight.core import area
from live_relight.shade.context import create_context, load_source

pytestmark = pytest.mark.gl

SIZE = (64, 48)
VERTEX = """#version 330
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }"""
FRAGMENT = """
uniform sampler2D points;
uniform sampler2D normals;
uniform int first;
uniform int count;
out vec4 gathered;
void main() {
    vec3 p = texelFetch(points, ivec2(gl_FragCoord.xy), 0).xyz;
    vec3 n = texelFetch(normals, ivec2(gl_FragCoord.xy), 0).xyz;
    vec3 view = normalize(-p);
    gathered = vec4(area_light(p, n, view, first, count), area_diffuse(p, n, first, count),
                    area_specular(p, n, view, first, count));
}"""


@pytest.fixture(scope="module")
def context():
    with create_context() as ctx:
        yield ctx
    ctx.release()


@pytest.fixture(scope="module")
def program(context):
    text = "#version 330\n#define AREA_LIGHTS 2\n" + load_source("area.glsl") + FRAGMENT
    return context.program(vertex_shader=VERTEX, fragment_shader=text)


def texture(context, values):
    made = context.texture(values.shape[1::-1], values.shape[2], values.astype("f4").tobytes(), dtype="f4")
    made.repeat_x = made.repeat_y = False
    return made


def drawn(context, program, points, normals, polygons, which, row):
    """h x w x 4: diffuse and specular at once, diffuse, specular."""
    padded = np.zeros((2, area.MAX_CORNERS, 3), "f4")
    for place, polygon in zip(padded, polygons, strict=True):
        place[: len(polygon)] = polygon
    program["area_corners"].write(padded.tobytes())
    program["first"], program["count"] = which * area.MAX_CORNERS, len(polygons[which])
    textures = {"points": points, "normals": normals, "area_row": row[None]}
    held = [texture(context, values) for values in textures.values()]
    held[2].filter = (moderngl.LINEAR, moderngl.LINEAR)
    for unit, (name, one) in enumerate(zip(textures, held, strict=True)):
        program[name] = unit
        one.use(unit)
    target = context.framebuffer([context.texture(SIZE, 4, dtype="f4")])
    target.use()
    context.vertex_array(program, []).render(moderngl.TRIANGLES, vertices=3)
    return np.frombuffer(target.read(components=4, dtype="f4"), "f4").reshape(SIZE[1], SIZE[0], 4)


def surface(rng):
    """points and normals, h x w x 3: on a head, turned anyhow, some straight to the camera, some edge on."""
    points = np.array([0.0, 0.0, -1.0]) + rng.normal(0.0, 0.15, (SIZE[1], SIZE[0], 3))
    normals = rng.normal(0.0, 1.0, points.shape)
    normals[:4] = -points[:4]
    normals[4:8] = np.cross(points[4:8], normals[4:8])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return points.astype("f4"), normals.astype("f4")


@pytest.mark.parametrize("seed", range(12))
def test_shader_equals_numpy(context, program, root, seed):
    rng = np.random.default_rng(seed)
    head = np.array([0.0, 0.0, -1.0])
    ways = rng.normal(0.0, 1.0, (2, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    polygons = [
        area.corners(shape, *rng.uniform(0.0, 2.0, 2), head + way * rng.uniform(0.3, 2), head)
        for shape, way in zip(("rect", "disk"), ways, strict=True)
    ]
    table = np.load(root / "shaders" / "ltc.npy")
    points, normals = surface(rng)
    view = -points / np.linalg.norm(points, axis=-1, keepdims=True)
    roughness, f0 = rng.uniform(0.1, 1.0), rng.uniform(0.0, 0.16)
    for which, polygon in enumerate(polygons):
        got = drawn(context, program, points, normals, polygons, which, area.row_of(table, roughness, f0))
        diffuse = area.polygon_irradiance(points, normals, polygon)
        shine = area.polygon_specular(points, normals, view, polygon, roughness, f0, table)
        assert np.isfinite(got).all()
        assert diffuse.max() > 1e-5
        # as the caller uses them: 1 where a surface at the head faces the light
        scale = max(area.facing(polygon, head), 1e-3)
        for layer, expected in enumerate((diffuse, shine, diffuse, shine)):
            assert np.abs(got[..., layer] - expected).max() < 1e-3 * max(scale, expected.max())
