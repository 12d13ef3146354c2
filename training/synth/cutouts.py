"""Shadow maps that know the holes of cloth and hair: a card of hair is not a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import moderngl
import numpy as np

from training.synth.gl import SHADERS, Actor, Renderer, set_value
from training.synth.meshes import F32
from training.synth.things import LAYOUT, Drawable

HOLED = ("cloth", "hair", "plain")  # materials whose shaders discard


class Cutouts:
    """Programs that draw the depth of materials with holes. Goes with the renderer's context."""

    def __init__(self, renderer: Renderer) -> None:
        self.renderer = renderer
        version, _, common = (SHADERS / "common.glsl").read_text().partition("\n")
        head = f"{version}\n#define CUTOUT 1\n{common}"
        self.programs = {
            material: renderer.gl.program(
                vertex_shader=(SHADERS / "mesh.vert").read_text(),
                fragment_shader=head + (SHADERS / f"{material}.frag").read_text(),
            )
            for material in HOLED
        }

    def of(self, actors: Sequence[Actor]) -> Casters:
        """What these actors cast; release it before they are."""
        holed = []
        for actor in actors:
            for thing in actor.things:
                if thing.casts and thing.piece.material in HOLED:
                    holed.append((actor, thing, self._array(thing)))
        return Casters(self.renderer, actors, holed)

    def _array(self, thing: Drawable) -> moderngl.VertexArray:
        program = self.programs[thing.piece.material]
        form = " ".join(f"{n}f" if name in program else f"{4 * n}x" for name, n in LAYOUT)
        names = [name for name, _ in LAYOUT if name in program]
        return self.renderer.gl.vertex_array(program, [(thing.vertices, form, *names)], thing.indices)


@dataclass
class Casters:
    """Actors ready for many shadow maps."""

    renderer: Renderer
    actors: Sequence[Actor]
    holed: list[tuple[Actor, Drawable, moderngl.VertexArray]]

    def cast(self, matrix: F32) -> None:
        """Into the bound depth buffer; `matrix` [4,4] from the scene to clip space."""
        gl, program = self.renderer.gl, self.renderer.shadow_program
        for actor in self.actors:
            program["light"].write(np.ascontiguousarray((matrix @ actor.place).T, np.float32).tobytes())
            for thing in actor.things:
                if thing.casts and thing.piece.material not in HOLED:
                    gl.enable_only(moderngl.DEPTH_TEST | (moderngl.CULL_FACE if thing.piece.closed else 0))
                    thing.cast()
        gl.enable_only(moderngl.DEPTH_TEST)
        for actor, thing, array in self.holed:
            self._cut(actor, thing, array, matrix)

    def _cut(self, actor: Actor, thing: Drawable, array: moderngl.VertexArray, matrix: F32) -> None:
        """One piece with holes, seen from both sides."""
        program, skin = array.program, actor.looks[thing.piece.role]
        # Straight onto the map: the material's own camera stands still and all the rest is projection.
        program["view"].write(np.ascontiguousarray(actor.place.T, np.float32).tobytes())
        program["projection"].write(np.ascontiguousarray(matrix.T, np.float32).tobytes())
        set_value(program, "lens", 0.0)
        if "noise_map" in program:
            self.renderer.noise.use(7)
            set_value(program, "noise_map", 7)
        for k, (name, path) in enumerate(sorted(skin.textures.items())):
            if name in program:
                self.renderer.texture(path).use(k)
                set_value(program, name, k)
        for name, value in skin.values.items():
            set_value(program, name, value)
        array.render(moderngl.TRIANGLES)

    def release(self) -> None:
        """Free what `of` made."""
        for _, _, array in self.holed:
            array.release()
        self.holed = []
