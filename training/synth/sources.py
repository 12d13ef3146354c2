"""Sources of light that have a size: the mean of many points, each with its own shadow map.

The surface's shading is the generator's (light.frag); nothing here is fast. Places are in camera axes (x
right, y up, z toward the viewer) and metres.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from training.synth.cutouts import Cutouts
from training.synth.gl import SHADERS, SHADOW_PROBES, Actor, Renderer, View, set_value
from training.synth.meshes import F32
from training.synth.tiles import TILE, disc

MAP_SIZE = 1024  # texels across what the camera sees: about a millimetre each
PROBES = 8  # in four pixels, of each shadow map
UNDER_SKIN = (0.004, 0.0015)  # metres that light spreads under skin: red, the others
NEAREST = 0.02  # metres from the source to what casts a shadow
GOLDEN = np.pi * (3 - np.sqrt(5))


@dataclass(frozen=True)
class Source:
    """One source. centre [3]; target [3]: where `power` was measured.

    power [3]: irradiance over pi, linear RGB, on a surface at `target` that faces the centre where nothing
    hides the source. width, height: metres; round: a disk, else a rectangle; both face the target. flat: it
    shines by the cosine as a panel does, else every way alike.
    """

    centre: F32
    target: F32
    power: F32
    width: float = 0.0
    height: float = 0.0
    round: bool = True
    flat: bool = False

    @property
    def axes(self) -> tuple[F32, F32, F32]:
        """Unit vectors: to the source's right and up as seen from the target, and its facing."""
        facing = self.target - self.centre
        facing = facing / max(float(np.linalg.norm(facing)), 1e-6)
        side = np.cross([0.0, 1.0, 0.0] if abs(facing[1]) < 0.99 else [0.0, 0.0, 1.0], -facing)
        side = side / np.linalg.norm(side)
        return side.astype(np.float32), np.cross(-facing, side).astype(np.float32), facing.astype(np.float32)

    def points(self, count: int) -> F32:
        """Places [count,3] spread evenly over it; all the same where it has no size."""
        at = disc(count) if self.round else tiled(count)
        side, up, _ = self.axes
        at = at * np.array([self.width / 2, self.height / 2])
        return (self.centre + at[:, :1] * side + at[:, 1:] * up).astype(np.float32)

    def strength(self, points: F32) -> F32:
        """What each of `points` [N,3] has to send, [3] at one metre, so that together they give `power`."""
        way = points - self.target
        square = np.maximum((way * way).sum(1), 0.02)  # as light.frag's fall
        unit = way / np.sqrt(square)[:, None]
        back = -self.axes[2]
        cosine = np.maximum(unit @ back, 0)
        arrives = (cosine * (cosine if self.flat else 1.0) / square).sum()
        return (self.power / max(float(arrives), 1e-9)).astype(np.float32)


def tiled(count: int) -> F32:
    """Places [count,2] in the square -1..1, evenly (a rank-1 lattice by the golden ratio)."""
    k = np.arange(count)
    x, y = (k + 0.5) / count, (k * 0.6180339887 + 0.5) % 1
    return np.stack([2 * x - 1, 2 * y - 1], 1).astype(np.float32)


def map_matrix(eye: F32, places: F32) -> F32:
    """Perspective [4,4] from a point `eye` [3] that holds every one of `places` [N,3] within 70 degrees of
    their middle, and not much else. All in one space."""
    way = places - eye
    length = np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    z = -(way / length).mean(0)
    z = z / max(float(np.linalg.norm(z)), 1e-6)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.95 else [1.0, 0.0, 0.0], z)
    x /= np.linalg.norm(x)
    turn = np.stack([x, np.cross(z, x), z])
    local = way @ turn.T
    ahead = local[:, 2] < -NEAREST
    slope = local[ahead, :2] / -local[ahead, 2:] if ahead.any() else np.zeros((1, 2))
    low, high = slope.min(0), slope.max(0)
    margin = 0.02 + 0.03 * (high - low)
    low, high = np.clip(low - margin, -2.8, 2.7), np.clip(high + margin, -2.7, 2.8)
    far = float(length.max()) + 0.5
    project = np.zeros((4, 4))
    project[0, 0], project[1, 1] = 2 / (high - low)
    project[:2, 2] = (high + low) / (high - low)
    project[2, 2], project[2, 3] = -(far + NEAREST) / (far - NEAREST), -2 * far * NEAREST / (far - NEAREST)
    project[3, 2] = -1
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = turn, -turn @ eye
    return (project @ view).astype(np.float32)


class Sources:
    """Lights what `renderer` drew last with sources that have a size. Goes with the renderer's context."""

    def __init__(self, renderer: Renderer) -> None:
        self.renderer, gl = renderer, renderer.gl
        self.map = gl.depth_texture((MAP_SIZE, MAP_SIZE))
        self.map.compare_func = ""
        self.map.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.map_fbo = gl.framebuffer(depth_attachment=self.map)
        self.programs = {
            plaster: self._program(["SOURCE", *(["PLASTER"] if plaster else [])], PROBES)
            for plaster in (False, True)
        }
        self.cutouts = Cutouts(renderer)
        self.plain = self._program(["PLASTER"], SHADOW_PROBES)
        self.tiles = {
            program: gl.vertex_array(program, [(renderer.tiles, "2f", "middle")])
            for program in (*self.programs.values(), self.plain)
        }
        self.targets = [gl.framebuffer([gl.texture(renderer.out, 4, dtype="f4")]) for _ in self.programs]

    def _program(self, defines: Sequence[str], probes: int) -> moderngl.Program:
        head = f"#version 330\n#define PROBES {probes}\n" + "".join(f"#define {d} 1\n" for d in defines)
        parts = ["screen.glsl", *(["source.glsl"] if "SOURCE" in defines else []), "light.frag"]
        program = self.renderer.gl.program(
            vertex_shader=(SHADERS / "tile.vert").read_text(),
            fragment_shader=head + "".join((SHADERS / part).read_text() for part in parts),
        )
        program["probes"].write(disc(probes).tobytes())
        program["side"].value = float(TILE)
        return program

    @contextmanager
    def plaster(self) -> Iterator[None]:
        """Within it the renderer lights everything as if it were white and did not shine: irradiance."""
        renderer = self.renderer
        kept = renderer.light_program, renderer.light_tiles
        renderer.light_program, renderer.light_tiles = self.plain, self.tiles[self.plain]
        try:
            yield
        finally:
            renderer.light_program, renderer.light_tiles = kept

    def light(
        self,
        sources: Sequence[Source],
        actors: Sequence[Actor],
        view: View,
        places: F32,
        subsurface: tuple[float, float, float],
        samples: int,
    ) -> tuple[F32, F32]:
        """Linear RGB [H,W,3] that the sources add, and their irradiance over pi (white, no shine).

        places [N,3]: what the camera sees, in the scene (`stage.seen_places`); samples: points a source.
        """
        for target in self.targets:
            target.clear()
        to_scene = np.linalg.inv(view.view)
        if not (self.renderer.tile_count and len(places)):
            sources = ()
        cutouts = self.cutouts.of(actors)
        for source in sources:
            points = source.points(samples)
            strength, size = source.strength(points), max(source.width, source.height)
            facing = source.axes[2] if source.flat else np.zeros(3, np.float32)
            for k, point in enumerate(points):
                if k == 0 or size:
                    matrix = map_matrix((to_scene @ [*point, 1])[:3], places)
                    self.map_fbo.use()
                    self.map_fbo.clear(depth=1.0)
                    cutouts.cast(matrix)
                lamp = (point, strength, facing, GOLDEN * k, subsurface)
                self._add(view, (matrix @ to_scene).astype(np.float32), lamp)
        cutouts.release()
        first, second = (self._read(target, samples * len(sources)) for target in self.targets)
        return first, second

    def _add(
        self,
        view: View,
        map_from_camera: F32,
        lamp: tuple[F32, F32, F32, float, tuple[float, float, float]],
    ) -> None:
        """One point's light, added to both targets."""
        renderer = self.renderer
        point, strength, facing, turn, subsurface = lamp
        place, power = np.zeros((3, 4), np.float32), np.zeros((3, 3), np.float32)
        place[0], power[0] = (*point, 1), strength
        maps = {
            "albedo_map": renderer.resolved[0], "normal_map": renderer.resolved[1],
            "open_map": renderer.sky, "shadow_map": self.map,
        }  # fmt: skip
        for program, target in zip(self.programs.values(), self.targets, strict=True):
            renderer._to_tiles(program, target, view)
            for k, (name, texture) in enumerate(maps.items(), 1):
                texture.use(k)
                set_value(program, name, k)
            program["sh"].write(bytes(9 * 3 * 4))
            program["place"].write(place.tobytes())
            program["power"].write(power.tobytes())
            program["shadow_from_camera"].write(np.ascontiguousarray(map_from_camera.T).tobytes())
            for name, value in (("facing", tuple(facing)), ("under", UNDER_SKIN), ("turn", turn)):
                set_value(program, name, value)
            set_value(program, "lamps", 1)
            set_value(program, "subsurface", subsurface)
            renderer.gl.enable(moderngl.BLEND)
            renderer.gl.blend_func = moderngl.ONE, moderngl.ONE
            self.tiles[program].render(moderngl.POINTS, vertices=renderer.tile_count)

    def _read(self, target: moderngl.Framebuffer, passes: int) -> NDArray[np.float32]:
        """A target [H,W,3]. Its alpha counts passes: tiles at the picture's ends overlap."""
        width, height = self.renderer.out
        raw = np.frombuffer(target.color_attachments[0].read(), np.float32).reshape(height, width, 4)[::-1]
        return np.asarray(raw[..., :3] * (passes / np.maximum(raw[..., 3:], 1)), np.float32)
