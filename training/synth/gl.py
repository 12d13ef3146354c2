"""The renderer: a G-buffer pass per material, a shadow map, a deferred light pass.

Geometry is drawn at twice the wanted size and averaged 2x2 before it is lit. Works on any OpenGL 3.3
through EGL, llvmpipe included (one program per material: a software rasteriser runs both sides
of every branch).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import moderngl
import numpy as np
from numpy.typing import NDArray

from training.synth.meshes import F32, I32
from training.synth.parts import OTHER, part_of

SHADERS = Path(__file__).parent / "shaders"
LAYOUT = (("in_position", 3), ("in_normal", 3), ("in_label", 3), ("in_uv", 2), ("in_rest", 3), ("in_aux", 2))
STRIDE = sum(n for _, n in LAYOUT) * 4
MATERIALS = ("skin", "eye", "plain", "brow", "hair", "cloth")
SHADOW_SIZE = 320
BOTH = ((True,) * 4, (True,) * 4, (True,) * 4, (True,) * 4)
COLOUR_ONLY = ((True,) * 4, (True,) * 4, (False,) * 4, (True,) * 4)
MAPS = ("albedo_map", "normal_map", "label_map", "part_map")


@dataclass(frozen=True)
class Piece:
    """Triangles of one material.

    vertices: [N,16] float32 = position, normal, label normal, uv, rest position, two masks;
    tri: [F,3] int32; labelled: False for what stands before the person without being shape
    (glasses): it shows in the colour picture only.
    """

    role: str
    material: str
    vertices: F32
    tri: I32
    labelled: bool = True


@dataclass(frozen=True)
class Skin:
    """How a piece looks: uniform values and texture files by uniform name."""

    values: dict[str, Any] = field(default_factory=dict)
    textures: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """A camera: view [4,4] float32 person -> camera space; tan_half (x, y) of the undistorted picture.

    lens: radial distortion k of Brown's model, x_d = x (1 + k r^2) with x = X / Z; below 0 is a barrel.
    """

    view: F32
    tan_half: tuple[float, float]
    lens: float = 0.0

    @property
    def projection(self) -> F32:
        """OpenGL projection, near 0.05 m, far 20 m."""
        near, far = 0.05, 20.0
        out = np.zeros((4, 4), np.float32)
        out[0, 0], out[1, 1] = 1 / self.tan_half[0], 1 / self.tan_half[1]
        out[2, 2], out[2, 3], out[3, 2] = -(far + near) / (far - near), -2 * far * near / (far - near), -1
        return out


@dataclass(frozen=True)
class Lamps:
    """Light in camera axes: sh [9,3] (see light.py), place [3,4], power [3,3]; shadow: strength, softness."""

    sh: F32
    place: F32
    power: F32
    shadow: tuple[float, float]
    subsurface: tuple[float, float, float] = (0.25, 0.1, 0.06)


def pack(position: F32, normal: F32, label: F32, uv: F32, rest: F32, aux: F32) -> F32:
    """Interleave the attributes of `LAYOUT` into [N,16] float32."""
    return np.concatenate([position, normal, label, uv, rest, aux], 1).astype(np.float32)


class Renderer:
    """Owns a context and its buffers for one picture size; `close` releases them."""

    def __init__(self, width: int, height: int) -> None:
        self.out = (width, height)
        self.size = (2 * width, 2 * height)
        self.gl = moderngl.create_context(standalone=True, require=330, backend="egl")
        self.name = str(self.gl.info["GL_RENDERER"])
        common = (SHADERS / "common.glsl").read_text()
        vertex = (SHADERS / "mesh.vert").read_text()
        self.programs = {
            m: self.gl.program(
                vertex_shader=vertex, fragment_shader=common + (SHADERS / f"{m}.frag").read_text()
            )
            for m in MATERIALS
        }
        self.shadow_program = self._program("shadow.vert", "shadow.frag")
        self.light_program = self._program("screen.vert", "light.frag")
        self.screen = self.gl.vertex_array(self.light_program, [])
        self.maps = [
            self.gl.texture(self.size, n, dtype=d) for n, d in ((4, "f1"), (4, "f2"), (4, "f4"), (1, "f1"))
        ]
        for tex in self.maps:
            tex.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.depth = self.gl.depth_renderbuffer(self.size)
        self.gbuffer = self.gl.framebuffer(self.maps, self.depth)
        self.shadow_map = self.gl.depth_texture((SHADOW_SIZE, SHADOW_SIZE))
        self.shadow_map.compare_func = ""
        self.shadow_map.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.shadow_fbo = self.gl.framebuffer(depth_attachment=self.shadow_map)
        self.resolve_program = self._program("screen.vert", "resolve.frag")
        self.resolve_screen = self.gl.vertex_array(self.resolve_program, [])
        kinds = ((4, "f1"), (4, "f2"), (4, "f4"), (4, "f1"))
        self.resolved = [self.gl.texture((width, height), n, dtype=d) for n, d in kinds]
        for tex in self.resolved:
            tex.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.resolve_fbo = self.gl.framebuffer(self.resolved)
        self.target = self.gl.framebuffer([self.gl.texture((width, height), 4, dtype="f2")])
        lattice = np.random.default_rng(5).integers(0, 256, (32, 32, 32, 4), np.uint8)
        self.noise = self.gl.texture3d((32, 32, 32), 4, lattice.tobytes())
        self.textures: dict[Path, moderngl.Texture] = {}

    def _program(self, vertex: str, fragment: str) -> moderngl.Program:
        return self.gl.program(
            vertex_shader=(SHADERS / vertex).read_text(), fragment_shader=(SHADERS / fragment).read_text()
        )

    def texture(self, path: Path) -> moderngl.Texture:
        """A picture file as a mip-mapped texture, at most 512 wide, kept for later."""
        if path not in self.textures:
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if image is None:
                raise ValueError(f"{path}: not a picture that OpenCV can read")
            if image.ndim == 2:
                image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGRA)
            code = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGBA
            image = cv2.flip(cv2.cvtColor(image, code), 0)
            scale = min(1.0, 512 / image.shape[1])
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            tex = self.gl.texture((image.shape[1], image.shape[0]), 4, np.ascontiguousarray(image).tobytes())
            tex.build_mipmaps()
            tex.filter = (moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR)
            self.textures[path] = tex
        return self.textures[path]

    def upload(self, pieces: list[Piece]) -> list[Drawable]:
        """Move geometry to the GPU once, for several views."""
        return [Drawable(self, piece) for piece in pieces]

    def draw(
        self, things: list[Drawable], looks: dict[str, Skin], view: View
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`draw_scene` with one actor where it was made."""
        return self.draw_scene([Actor(things, looks)], view)

    def draw_scene(
        self, actors: Sequence[Actor], view: View
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Fill the G-buffer; returns labels [H,W,4] (unit normal, z-distance in metres) and the people's
        coverage [H,W] 0..1. `more` has the rest."""
        self.gl.enable_only(moderngl.DEPTH_TEST)
        self.gbuffer.use()
        self.gbuffer.color_mask = BOTH
        self.gbuffer.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        jobs = [(thing, actor) for actor in actors for thing in actor.things]
        for thing, actor in sorted(jobs, key=lambda job: not job[0].piece.labelled):
            self.gbuffer.color_mask = BOTH if thing.piece.labelled else COLOUR_ONLY
            thing.draw(actor.looks[thing.piece.role], replace(view, view=view.view @ actor.place))
        self.gbuffer.color_mask = BOTH
        return self._resolve()

    def _resolve(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Average the G-buffer 2x2 and read the labels back."""
        self.gl.enable_only(moderngl.NOTHING)
        self.resolve_fbo.use()
        for k, name in enumerate(MAPS):
            self.maps[k].use(k)
            set_value(self.resolve_program, name, k)
        set_value(self.resolve_program, "other", OTHER / 255)
        self.resolve_screen.render(moderngl.TRIANGLES, vertices=3)
        width, height = self.out
        label = np.frombuffer(self.resolved[2].read(), np.float32).reshape(height, width, 4)[::-1].copy()
        self.covers = np.frombuffer(self.resolved[3].read(), np.uint8).reshape(height, width, 4)[::-1]
        return label, self.covers[..., 1].astype(np.float32) / 255

    def more(self) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
        """Of the last `draw`: coverage by anything at all [H,W] 0..1, part [H,W] (parts.PARTS), and the
        square root of linear albedo [H,W,3] x 255."""
        width, height = self.out
        albedo = np.frombuffer(self.resolved[0].read(), np.uint8).reshape(height, width, 4)[::-1, :, :3]
        return self.covers[..., 0].astype(np.float32) / 255, self.covers[..., 2].copy(), albedo.copy()

    def cast(self, things: Sequence[Drawable | Actor], light_from_scene: F32) -> None:
        """Render the shadow map of the first lamp."""
        self.gl.enable_only(moderngl.DEPTH_TEST)
        self.shadow_fbo.use()
        self.shadow_fbo.clear(depth=1.0)
        for thing in things:
            matrix = light_from_scene @ thing.place if isinstance(thing, Actor) else light_from_scene
            self.shadow_program["light"].write(np.ascontiguousarray(matrix.T, np.float32).tobytes())
            for piece in thing.things if isinstance(thing, Actor) else [thing]:
                piece.cast()

    def light(self, lamps: Lamps, view: View, shadow_from_camera: F32) -> NDArray[np.float32]:
        """Shade the G-buffer; linear RGB (not premultiplied) and 1 where lit, [H,W,4] float16."""
        self.gl.enable_only(moderngl.NOTHING)
        self.target.use()
        for k, name in enumerate(MAPS[:3]):
            self.resolved[k].use(k)
            set_value(self.light_program, name, k)
        self.shadow_map.use(3)
        set_value(self.light_program, "shadow_map", 3)
        for name, value in (("sh", lamps.sh), ("place", lamps.place), ("power", lamps.power)):
            self.light_program[name].write(np.ascontiguousarray(value, np.float32).tobytes())
        self.light_program["shadow_from_camera"].write(np.ascontiguousarray(shadow_from_camera.T).tobytes())
        set_value(self.light_program, "shadow", lamps.shadow)
        set_value(self.light_program, "tan_half", view.tan_half)
        set_value(self.light_program, "lens", view.lens)
        set_value(self.light_program, "subsurface", lamps.subsurface)
        self.screen.render(moderngl.TRIANGLES, vertices=3)
        raw = np.frombuffer(self.target.color_attachments[0].read(), np.float16)
        return raw.reshape(self.out[1], self.out[0], 4)[::-1]

    def close(self) -> None:
        """Release the context; harmless twice."""
        self.gl.release()


def set_value(program: moderngl.Program, name: str, value: Any) -> None:
    """Set a uniform that the compiler may have dropped."""
    if name in program:
        program[name].value = value


@dataclass(frozen=True)
class Actor:
    """Somebody on the stage: uploaded pieces, their looks by role, and place [4,4]: own space -> scene."""

    things: list[Drawable]
    looks: dict[str, Skin]
    place: F32 = field(default_factory=lambda: np.eye(4, dtype=np.float32))


class Drawable:
    """One piece on the GPU."""

    def __init__(self, renderer: Renderer, piece: Piece) -> None:
        self.renderer, self.piece = renderer, piece
        gl = renderer.gl
        self.vertices = gl.buffer(np.ascontiguousarray(piece.vertices).tobytes())
        self.indices = gl.buffer(np.ascontiguousarray(piece.tri, np.int32).tobytes())
        program = renderer.programs[piece.material]
        used = [(f"{n}f" if name in program else f"{4 * n}x", name) for name, n in LAYOUT]
        # ModernGL refuses attributes that the compiler dropped: the format skips their bytes.
        form = " ".join(f for f, _ in used)
        names = [name for f, name in used if f.endswith("f")]
        self.array = gl.vertex_array(program, [(self.vertices, form, *names)], self.indices)
        rest = f"3f {STRIDE - 12}x"
        self.caster = gl.vertex_array(
            renderer.shadow_program, [(self.vertices, rest, "in_position")], self.indices
        )

    def draw(self, skin: Skin, view: View) -> None:
        """Into the bound G-buffer."""
        program = self.array.program
        program["view"].write(np.ascontiguousarray(view.view.T).tobytes())
        program["projection"].write(np.ascontiguousarray(view.projection.T).tobytes())
        set_value(program, "lens", view.lens)
        set_value(program, "part", part_of(self.piece.role) / 255)
        self.renderer.noise.use(7)
        set_value(program, "noise_map", 7)
        for k, (name, path) in enumerate(sorted(skin.textures.items())):
            self.renderer.texture(path).use(k)
            set_value(program, name, k)
        for name, value in skin.values.items():
            set_value(program, name, value)
        self.array.render(moderngl.TRIANGLES)

    def cast(self) -> None:
        """Into the bound shadow map."""
        self.caster.render(moderngl.TRIANGLES)

    def release(self) -> None:
        """Free the buffers."""
        for thing in (self.array, self.caster, self.vertices, self.indices):
            thing.release()
