"""What shaders draw on and read from: textures, and compiled programs."""

from __future__ import annotations

from typing import Any

import moderngl

from ..core import planes as plain
from ..core.errors import ShaderError
from .context import load_source
from .packing import Defines

Size = tuple[int, int]


def floats(ctx: moderngl.Context, size: Size, channels: int) -> Any:
    """A texture of float32, (width, height), sampled bilinearly, edges repeated."""
    return bilinear(ctx.texture(size, channels, dtype="f4"))


def bilinear(texture: Any) -> Any:
    """The texture or array, to be sampled bilinearly, edges repeated."""
    texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
    texture.repeat_x = texture.repeat_y = False
    return texture


def program(
    ctx: moderngl.Context, vertex: str, fragment: str, defines: Defines, geometry: str | None = None
) -> moderngl.Program:
    """Compiles files of shaders/ with `defines`. Raises ShaderError."""
    between = load_source(geometry) if geometry else None
    try:
        return ctx.program(
            load_source(vertex, defines), load_source(fragment, defines), geometry_shader=between
        )
    except moderngl.Error as error:
        raise ShaderError(f"shader {fragment}", str(error), "GLSL 3.30") from None


def light_targets(
    ctx: moderngl.Context, gain: Size, light: Size, shape: Size, on_grid: bool
) -> dict[str, Any]:
    """What the light pass works with, by name: textures of the picture and the geometry, what it draws on.

    `gain`, `light`, `shape`: (width, height) of the gain or the relit picture, of the light map and of the
    geometry. `on_grid`: see OpenGLShader.
    """
    planes = bilinear(ctx.texture_array((*shape, 1 if on_grid else len(plain.PLANES)), 4, dtype="f4"))
    # Half as much to fetch on a card; a software rasteriser would have to decode it.
    light_map = bilinear(ctx.texture(light, 4, dtype="f4" if on_grid else "f2"))
    made = {
        "planes": planes,
        "light": light_map,
        "picture": bilinear(ctx.texture(gain, 4)),
        "softened": floats(ctx, plain.half_of(shape), 4),
        "occluder": floats(ctx, shape, 2),
        "present": floats(ctx, plain.half_of(shape), 1),
        "contrast": floats(ctx, plain.half_of(shape), 4),
        "shape": floats(ctx, light, 4),
        "shadows": floats(ctx, plain.half_of(light), 4),
        "settled": floats(ctx, plain.half_of(light), 4),
        "lit": ctx.framebuffer([light_map]),
        "out pixels": ctx.renderbuffer(gain, 4, dtype="f4" if on_grid else "f1"),
    }
    made["out"] = ctx.framebuffer([made["out pixels"]])
    made["shaped"] = ctx.framebuffer([made["shape"]])
    made["shaded"] = ctx.framebuffer([made["shadows"]])
    made["settling"] = ctx.framebuffer([made["settled"]])
    if on_grid:
        made["guide"] = ctx.texture(shape, 4)
    return made


LEARNED = {"heard", "others", "hearing", "passing", "small", "small pixels", "said"}
"""Names of `learned_targets`."""


def learned_targets(ctx: moderngl.Context, light_map: Any, asked: Size) -> dict[str, Any]:
    """What the light network's word needs, by name: light maps of the lamps that it corrects and of the
    others, like `light_map`; the first at the network's size, `asked`; and what it says of it."""
    made = {
        name: bilinear(ctx.texture(light_map.size, 4, dtype=light_map.dtype)) for name in ("heard", "others")
    }
    pixels = ctx.renderbuffer(asked, 4, dtype="f4")
    return made | {
        "hearing": ctx.framebuffer([made["heard"]]),
        "passing": ctx.framebuffer([made["others"]]),
        "small pixels": pixels,
        "small": ctx.framebuffer([pixels]),
        "said": floats(ctx, asked, 2),
    }
