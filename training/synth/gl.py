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
from training.synth.parts import OTHER
from training.synth.things import Actor, Drawable, set_value
from training.synth.tiles import TILE, disc, middles

SHADERS = Path(__file__).parent / "shaders"
MATERIALS = ("skin", "eye", "plain", "brow", "hair", "cloth")
SHADOW_SIZE = 320
SKY_PROBES, SHADOW_PROBES = 20, 16  # in four pixels: of the depth for occlusion, of the shadow map
BOTH = ((True,) * 4, (True,) * 4, (True,) * 4)
COLOUR_ONLY = ((True,) * 4, (True,) * 4, (False,) * 4)
MAPS = ("albedo_map", "normal_map", "label_map")


@dataclass(frozen=True)
class Piece:
    """Triangles of one material.

    vertices: [N,16] float32 = position, normal, label normal, uv, rest position, two masks;
    tri: [F,3] int32; labelled: False for what stands before the person without being shape
    (glasses): it shows in the colour picture only. closed: the triangles face outward and what is
    behind them is hidden, so that only those toward a lamp need to cast its shadow.
    """

    role: str
    material: str
    vertices: F32
    tri: I32
    labelled: bool = True
    closed: bool = False


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
    """Interleave the attributes of `things.LAYOUT` into [N,16] float32."""
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
        self.open_program = self._tiled("open.frag", SKY_PROBES)
        self.light_program = self._tiled("light.frag", SHADOW_PROBES)
        columns, rows = -(-width // TILE), -(-height // TILE)
        self.tiles = self.gl.buffer(reserve=8 * columns * rows)
        self.open_tiles, self.light_tiles = (
            self.gl.vertex_array(program, [(self.tiles, "2f", "middle")])
            for program in (self.open_program, self.light_program)
        )
        self.maps = [self.gl.texture(self.size, 4, dtype=kind) for kind in ("f1", "f2", "f4")]
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
        self.resolved = [self.gl.texture((width, height), 4, dtype=kind) for kind in ("f1", "f2", "f4", "f1")]
        for tex in self.resolved:
            tex.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.resolve_fbo = self.gl.framebuffer(self.resolved)
        self.sky = self.gl.texture((width, height), 1, dtype="f4")
        self.sky.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.sky_fbo = self.gl.framebuffer([self.sky])
        self.target = self.gl.framebuffer([self.gl.texture((width, height), 4, dtype="f4")])
        lattice = np.random.default_rng(5).integers(0, 256, (32, 32, 32, 4), np.uint8)
        self.noise = self.gl.texture3d((32, 32, 32), 4, lattice.tobytes())
        self.textures: dict[Path, moderngl.Texture] = {}

    def _program(self, vertex: str, fragment: str) -> moderngl.Program:
        return self.gl.program(
            vertex_shader=(SHADERS / vertex).read_text(), fragment_shader=(SHADERS / fragment).read_text()
        )

    def _tiled(self, fragment: str, probes: int) -> moderngl.Program:
        """A program over tiles of the finished G-buffer; its four pixels look at `probes` places."""
        common = f"#version 330\n#define PROBES {probes}\n" + (SHADERS / "screen.glsl").read_text()
        program = self.gl.program(
            vertex_shader=(SHADERS / "tile.vert").read_text(),
            fragment_shader=common + (SHADERS / fragment).read_text(),
        )
        program["probes"].write(disc(probes).tobytes())
        program["side"].value = float(TILE)
        return program

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
        return self._resolve(view)

    def _resolve(self, view: View) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Average the G-buffer 2x2 and read the labels back."""
        self.gl.enable_only(moderngl.NOTHING)
        self.resolve_fbo.use()
        for k, name in enumerate(MAPS):
            self.maps[k].use(k)
            set_value(self.resolve_program, name, k)
        set_value(self.resolve_program, "other", float(OTHER))
        self.resolve_screen.render(moderngl.TRIANGLES, vertices=3)
        width, height = self.out
        label = cv2.flip(np.frombuffer(self.resolved[2].read(), np.float32).reshape(height, width, 4), 0)
        self.covers = np.frombuffer(self.resolved[3].read(), np.uint8).reshape(height, width, 4)[::-1]
        self._open(view)
        return label, self.covers[..., 1].astype(np.float32) / 255

    def more(self) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
        """Of the last `draw`: coverage by anything at all [H,W] 0..1, part [H,W] (parts.PARTS), and the
        square root of linear albedo [H,W,3] x 255."""
        width, height = self.out
        albedo = np.frombuffer(self.resolved[0].read(), np.uint8).reshape(height, width, 4)[::-1, :, :3]
        return self.covers[..., 0].astype(np.float32) / 255, self.covers[..., 2].copy(), albedo.copy()

    def cast(
        self,
        things: Sequence[Drawable | Actor],
        light_from_scene: F32,
        part: tuple[float, float, float, float] = (-1.0, -1.0, 1.0, 1.0),
    ) -> None:
        """Render the shadow map of the first lamp; only `part` (left, low, right, high, -1..1) counts."""
        self.shadow_fbo.use()
        self.shadow_fbo.scissor = None
        self.shadow_fbo.clear(depth=1.0)
        left, low, right, high = (round((v + 1) / 2 * SHADOW_SIZE) for v in part)
        self.shadow_fbo.scissor = (left, low, max(right - left, 1), max(high - low, 1))
        for thing in things:
            matrix = light_from_scene @ thing.place if isinstance(thing, Actor) else light_from_scene
            self.shadow_program["light"].write(np.ascontiguousarray(matrix.T, np.float32).tobytes())
            pieces = thing.things if isinstance(thing, Actor) else [thing]
            pieces = [p for p in pieces if p.casts and p.reaches(matrix, part)]
            for closed, sides in ((True, moderngl.CULL_FACE), (False, moderngl.NOTHING)):
                self.gl.enable_only(moderngl.DEPTH_TEST | sides)
                for piece in pieces:
                    if piece.piece.closed == closed:
                        piece.cast()

    def _open(self, view: View) -> None:
        """Find the tiles that hold anything, and how much of the sky is seen there."""
        found = middles(self.covers[::-1, :, 0])
        self.tile_count = len(found)
        if not self.tile_count:
            return
        self.tiles.write(found.tobytes())
        self._to_tiles(self.open_program, self.sky_fbo, view)
        self.open_tiles.render(moderngl.POINTS, vertices=self.tile_count)

    def _to_tiles(self, program: moderngl.Program, target: moderngl.Framebuffer, view: View) -> None:
        """Make `target` and what every program over tiles reads current."""
        self.gl.enable_only(moderngl.PROGRAM_POINT_SIZE)
        target.use()
        self.resolved[2].use(0)
        set_value(program, "label_map", 0)
        set_value(program, "tan_half", view.tan_half)
        set_value(program, "lens", view.lens)

    def light(self, lamps: Lamps, view: View, shadow_from_camera: F32) -> F32:
        """Shade the G-buffer; linear RGB [H,W,3], not premultiplied, 0 where nothing is."""
        program = self.light_program
        width, height = self.out
        self._to_tiles(program, self.target, view)
        self.target.clear()
        maps = {"albedo_map": self.resolved[0], "normal_map": self.resolved[1]}
        maps |= {"open_map": self.sky, "shadow_map": self.shadow_map}
        for k, (name, texture) in enumerate(maps.items(), 1):
            texture.use(k)
            set_value(program, name, k)
        for name, value in (("sh", lamps.sh), ("place", lamps.place), ("power", lamps.power)):
            program[name].write(np.ascontiguousarray(value, np.float32).tobytes())
        program["shadow_from_camera"].write(np.ascontiguousarray(shadow_from_camera.T).tobytes())
        lit = np.flatnonzero(lamps.power.any(1))
        set_value(program, "lamps", int(lit[-1]) + 1 if len(lit) else 1)
        set_value(program, "shadow", lamps.shadow)
        set_value(program, "subsurface", lamps.subsurface)
        if self.tile_count:
            self.light_tiles.render(moderngl.POINTS, vertices=self.tile_count)
        raw = np.frombuffer(self.target.color_attachments[0].read(), np.float32).reshape(height, width, 4)
        return np.asarray(cv2.flip(cv2.cvtColor(raw, cv2.COLOR_RGBA2RGB), 0), np.float32)

    def close(self) -> None:
        """Release the context; harmless twice."""
        self.gl.release()
