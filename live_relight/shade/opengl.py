"""The light pass in OpenGL. The context belongs to the thread that made the shader."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import cv2
import moderngl
import numpy as np

from ..assets import folder
from ..core import reference
from ..core.errors import ShaderError
from ..core.frames import Geometry, Image
from ..core.look import Look
from ..core.projection import half_tangents, head_point
from ..resize import resized
from .guided import coefficients

# A software rasteriser lights about 60 Mpixel/s in all, so light is worked out on a small map there and
# brought up; the matte and the picture are full size in any case.
SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "software")
SOFTWARE_LIGHT_PIXELS = 320 * 180
NEEDED = "sudo apt install libegl1 libgl1-mesa-dri libgl1"


def create_context() -> moderngl.Context:
    """A standalone OpenGL 3.3 context: EGL on Linux (no display needed), the system's own elsewhere."""
    tries: list[dict[str, str]] = [{}]
    if sys.platform.startswith("linux"):
        # The second try does without libGL.so, which is a package of its own.
        tries = [{"backend": "egl"}, {"backend": "egl", "libgl": "libEGL.so.1", "libegl": "libEGL.so.1"}]
    problem = ""
    for options in tries:
        try:
            return moderngl.create_context(standalone=True, require=330, **options)  # type: ignore[arg-type]
        except Exception as error:  # moderngl raises plain Exception for every cause
            problem = problem or str(error)
    todo = NEEDED if sys.platform.startswith("linux") else "update the graphics driver"
    raise ShaderError("no OpenGL 3.3", f"'{problem}'", "EGL with a driver (Mesa's llvmpipe will do)", todo)


def load_source(name: str, defines: dict[str, int] | None = None) -> str:
    """A file of shaders/ with `#include "name"` resolved and `defines` put after its #version line."""

    def include(match: re.Match[str]) -> str:
        return load_source(match.group(1))

    try:
        text = (folder("shaders") / name).read_text(encoding="utf-8")
    except OSError as error:
        raise ShaderError(f"shader {name}", str(error), "a readable file", "install again") from None
    if defines:
        head, _, rest = text.partition("\n")
        text = "\n".join([head, *(f"#define {k} {v}" for k, v in defines.items()), rest])
    return re.sub(r'^#include "([\w.]+)"$', include, text, flags=re.MULTILINE)


class OpenGLShader:
    """Shader on ModernGL. `light_pixels`: most pixels of the light map; None = the frame's own size on a
    GPU, `SOFTWARE_LIGHT_PIXELS` on a software rasteriser."""

    def __init__(self, light_pixels: int | None = None) -> None:
        self._stack = ExitStack()
        self._ctx = create_context()
        self._stack.callback(self._ctx.release)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="guided")
        self._stack.callback(self._pool.shutdown)
        self.name = str(self._ctx.info["GL_RENDERER"])
        self.software = any(word in self.name.lower() for word in SOFTWARE)
        self._light_pixels = light_pixels or (SOFTWARE_LIGHT_PIXELS if self.software else 0)
        self._max_side = int(self._ctx.info["GL_MAX_TEXTURE_SIZE"])
        self._programs: dict[tuple[str, int], moderngl.VertexArray] = {}
        self._targets: dict[str, Any] = {}
        self._sizes: tuple[tuple[int, int], ...] = ()

    def light_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The light map's (width, height) for a frame of `size`."""
        w, h = size
        if not self._light_pixels or w * h <= self._light_pixels:
            return size
        scale = (self._light_pixels / (w * h)) ** 0.5
        return max(1, round(w * scale)), max(1, round(h * scale))

    def shade(self, image: Image, geometry: Geometry, look: Look) -> Image:
        if look.untouched:
            return image.copy()
        h, w = image.shape[:2]
        if max(w, h) > self._max_side:
            raise ShaderError(
                "picture", f"{w}x{h}", f"at most {self._max_side} a side", "scale it down first"
            )
        self._resize((w, h), geometry.size)
        head = head_point(geometry, look.fov)
        self._targets["planes"].write(coefficients(geometry, self._pool))
        # Four channels: drivers repack three-channel pixels one by one, both ways.
        self._targets["picture"].write(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA))
        self._light(image, look, head)
        return self._composite((w, h), look)

    def close(self) -> None:
        self._targets.clear()
        self._programs.clear()
        stack, self._stack = self._stack, ExitStack()
        stack.close()

    def _light(self, image: Image, look: Look, head: tuple[float, float, float]) -> None:
        size = self.light_size((image.shape[1], image.shape[0]))
        guide = self._targets["picture"]
        if self._targets["guide"] is not None:
            guide = self._targets["guide"]
            guide.write(np.ascontiguousarray(resized(image, size)))
        lamps = reference.lamps(look, head)
        vao = self._program("light.frag", len(lamps))
        slots = max(len(lamps), 1)
        place, colour = np.zeros((2, slots, 4), np.float32)
        distance = np.ones(slots, np.float32)
        for i, lamp in enumerate(lamps):
            place[i] = (*lamp.position, lamp.mode)
            colour[i] = (*lamp.bgr, lamp.wrap)
            distance[i] = lamp.reference
        strength = 0.16 * look.specular * (reference.SHININESS + 8.0) / 8.0
        self._set(vao, planes=0, guide=1, lamp_place=place, lamp_colour=colour, lamp_reference=distance)
        self._set(vao, half_tangents=half_tangents(size, look.fov), specular=strength)
        self._set(vao, shininess=reference.SHININESS, max_falloff=reference.MAX_FALLOFF)
        self._targets["planes"].use(0)
        guide.use(1)
        self._targets["lit"].use()
        vao.render(moderngl.TRIANGLES, vertices=3)

    def _composite(self, size: tuple[int, int], look: Look) -> Image:
        vao = self._program("composite.frag", 0)
        self._set(vao, planes=0, picture=1, light_map=2)
        self._set(vao, ambient=look.ambient, backdrop=look.backdrop)
        self._set(vao, alpha_ends=(reference.ALPHA_LOW, reference.ALPHA_HIGH))
        for unit, name in enumerate(("planes", "picture", "light")):
            self._targets[name].use(unit)
        self._targets["out"].use()
        vao.render(moderngl.TRIANGLES, vertices=3)
        out = np.empty((size[1], size[0], 4), np.uint8)
        self._targets["out"].read_into(out, components=4)
        return np.asarray(cv2.cvtColor(out, cv2.COLOR_BGRA2BGR), np.uint8)

    def _program(self, fragment: str, lights: int) -> moderngl.VertexArray:
        key = (fragment, lights)
        if key not in self._programs:
            defines = {"COUNT": lights, "SLOTS": max(lights, 1)}
            try:
                program = self._ctx.program(load_source("fullscreen.vert"), load_source(fragment, defines))
            except moderngl.Error as error:
                raise ShaderError(f"shader {fragment}", str(error), "GLSL 3.30") from None
            self._programs[key] = self._ctx.vertex_array(program, [])
        return self._programs[key]

    @staticmethod
    def _set(vao: moderngl.VertexArray, **uniforms: Any) -> None:
        for name, value in uniforms.items():
            # The compiler drops what a variant does not use (no lights: no lamp arrays).
            if name in vao.program:
                member = vao.program[name]
                if isinstance(value, np.ndarray):
                    member.write(value.tobytes())  # type: ignore[union-attr]
                else:
                    member.value = value  # type: ignore[union-attr]

    def _resize(self, size: tuple[int, int], shape: tuple[int, int]) -> None:
        light = self.light_size(size)
        if self._sizes == (size, shape, light):
            return
        for thing in self._targets.values():
            if thing is not None:
                thing.release()
        ctx = self._ctx
        planes = ctx.texture_array((*shape, len(reference.PLANES)), 4, dtype="f4")
        light_map = ctx.texture(light, 4, dtype="f2")
        for texture in (planes, light_map):
            texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
            texture.repeat_x = texture.repeat_y = False
        self._targets = {
            "planes": planes,
            "light": light_map,
            "picture": ctx.texture(size, 4),
            "guide": ctx.texture(light, 3, alignment=1) if light != size else None,
            "lit": ctx.framebuffer([light_map]),
            "out": ctx.framebuffer([ctx.renderbuffer(size, 4)]),
        }
        self._sizes = (size, shape, light)


def describe() -> str:
    """'llvmpipe (...), OpenGL 4.5': what `doctor` prints. Raises ShaderError."""
    ctx = create_context()
    try:
        version = divmod(ctx.version_code // 10, 10)
        return f"{ctx.info['GL_RENDERER']}, OpenGL {version[0]}.{version[1]}"
    finally:
        ctx.release()
