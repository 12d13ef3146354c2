"""Raw geometry to what the light pass reads, in OpenGL: core/temporal.py and core/planes.py as shaders.

Smoothing over time, carrying the surface beyond the silhouette, guided-filter coefficients: everything stays
in textures, also what was there a frame ago. shade/guided.py is the fast twin for processors.
"""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np
import numpy.typing as npt

from ..core import planes as plain
from ..core.frames import Geometry, Map
from ..core.temporal import Smoothing
from .intake import Intake
from .packing import Defines
from .targets import bilinear, floats, program
from .tiles import SLACK

Textures = dict[str, Any]
OFF = Smoothing(enabled=False)
PLAIN: Defines = {}
COLUMN: Defines = {"COLUMN": 1}


class Pass:
    """A program over the whole of a target, and the textures that it reads by name."""

    def __init__(self, vao: moderngl.VertexArray, target: moderngl.Framebuffer, textures: Textures) -> None:
        self._vao, self._target, self._textures = vao, target, list(textures.values())
        for unit, name in enumerate(textures):
            vao.program[name].value = unit  # type: ignore[union-attr]

    def __call__(self) -> None:
        self._target.use()
        for unit, texture in enumerate(self._textures):
            texture.use(unit)
        self._vao.render(moderngl.TRIANGLE_STRIP, vertices=4)


class Refiner:
    """Works in the context that is current when it is called. After `prepare`, fill `intake`, then `run`.

    What `textures` holds after that: `planes` (five layers, planes.PLANES), `softened`, `occluder`,
    `contrast`, and `present`, which says nothing where the geometry's shading is not known.
    """

    def __init__(self, ctx: moderngl.Context) -> None:
        self._ctx = ctx
        self._vaos: dict[tuple[Any, ...], moderngl.VertexArray] = {}
        self._made: list[Any] = []
        self._all: Textures = {}
        self._targets: dict[str, moderngl.Framebuffer] = {}
        self._turn = 0
        self._known = False
        self._set_to: tuple[Smoothing, bool, bool] | None = None
        self._intake: Intake | None = None
        self.textures: Textures = {}

    @property
    def intake(self) -> Intake:
        assert self._intake is not None, "prepare first"
        return self._intake

    def prepare(self, geometry: Geometry) -> None:
        """Textures for geometry of this size. Another one than before: nothing is remembered."""
        if self._intake is not None and self._intake.fits(geometry):
            return
        self._release()
        self._intake = Intake(self._ctx, geometry)
        self._known = False
        self._build(self._intake)

    def renew(self, geometry: Geometry) -> None:
        """As `prepare`, with other textures than before whatever the size: nothing is remembered."""
        self._release()
        self.prepare(geometry)

    def run(self, smoothing: Smoothing | None) -> None:
        """One frame further (temporal.step). None, as one that is off: what was before does not count."""
        smoothing = smoothing or OFF
        fresh = not (smoothing.enabled and self._known)
        self._turn, self._known = 1 - self._turn, True
        self._set_smoothing(smoothing, fresh)
        change = [] if fresh else self._changes[self._turn]
        for one in (*self._before, *change, *self._chains[self._turn]):
            one()

    def forget(self) -> None:
        self._known = False

    def reach(self) -> npt.NDArray[np.bool_]:
        """h x w: where the guided alpha can come above its lower end, for any colour (tiles.can_reach)."""
        self._reach()
        w, h = self.intake.size
        found = np.empty((h, w), np.uint8)
        self._targets["hits"].read_into(found, components=1, alignment=1)
        return found > 127

    def matte(self) -> Map:
        """h x w x 4 float32: the first of `planes`."""
        w, h = self.intake.size
        found = np.empty((h, w, 4), np.float32)
        self._targets["planes"].read_into(found, components=4, dtype="f4")  # of layers, the first
        return found

    def close(self) -> None:
        self._release()
        for vao in self._vaos.values():
            vao.program.release()
            vao.release()
        self._vaos.clear()
        self._set_to = None

    def _release(self) -> None:
        self.textures = {}
        for thing in (*self._targets.values(), *self._made):
            thing.release()
        self._targets.clear()
        self._made.clear()
        if self._intake is not None:
            self._intake.close()
            self._intake = None

    def _build(self, intake: Intake) -> None:
        """Textures, by name, and passes in the order in which they follow each other."""
        size, half = intake.size, plain.half_of(intake.size)
        full = ("surface", "matte", *(f"{name} {turn}" for name in ("shape", "rest") for turn in (0, 1)))
        spread = ("held", "cover", "near", "far")
        blurred = tuple(f"{name}{turn}" for name in spread for turn in ("", " 1", " 2"))
        coarse = (*blurred, "filled", "soft", "soft 1", "slopes 1", "slopes", "softened", "contrast")
        made: Textures = {name: floats(self._ctx, size, 4) for name in full}
        made |= {name: floats(self._ctx, half, 4) for name in coarse}
        made |= {name: floats(self._ctx, size, 1) for name in ("luma", "seen")}
        made |= {name: floats(self._ctx, (1, size[1]), 1) for name in ("rows", "spread")}
        made["planes"] = bilinear(self._ctx.texture_array((*size, len(plain.PLANES)), 4, dtype="f4"))
        made["occluder"] = floats(self._ctx, size, 2)
        made["present"] = floats(self._ctx, half, 1)
        made["hits"] = self._ctx.texture(size, 1)
        self._made += made.values()
        told = ("planes", "softened", "occluder", "present", "contrast")
        self.textures = {name: made[name] for name in told}
        self._all = made | {"guide": intake.guide, "maps": intake.maps}
        self._before = [
            self._pass("refine_luma.frag", "luma", PLAIN, guide="guide"),
            self._pass("refine_mean.frag", "seen", {"RADIUS": 1}, first="luma"),
        ]
        self._changes = [self._change(turn) for turn in (0, 1)]
        self._chains = [self._chain(turn, intake) for turn in (0, 1)]
        self._reach = self._pass("refine_reach.frag", "hits", PLAIN, planes="planes", contrast="contrast")
        pair = 2 if half != intake.size else 1
        ends = plain.ALPHA_LOW - SLACK, plain.CLEAR_LOW - SLACK
        self._set("refine_reach.frag", {}, ends=ends, pair=pair)

    def _change(self, turn: int) -> list[Pass]:
        """How much the picture's pattern differs from what is remembered: into `spread`, row by row."""
        looked = {"seen": "seen", "old_rest": f"rest {1 - turn}"}
        return [
            self._pass("refine_change.frag", "rows", PLAIN, **looked),
            self._pass("refine_change.frag", "spread", COLUMN, **looked, column="rows"),
        ]

    def _chain(self, turn: int, intake: Intake) -> list[Pass]:
        """From raw maps to the textures that are asked for."""
        steady = {"shape": f"shape {turn}", "rest": f"rest {turn}"}
        old = {"old_shape": f"shape {1 - turn}", "old_rest": f"rest {1 - turn}"}
        wide: Defines = {"RADIUS": plain.FILL_RADIUS, "BOTH": 1}
        near: Defines = {"RADIUS": plain.SHAPE_FILTER[0]}  # plain.SOFT_RADIUS is the same
        fine: Defines = {"RADIUS": plain.ALPHA_FILTER[0]}
        pair = 2 if plain.half_of(intake.size) != intake.size else 1
        self._set("refine_halves.frag", {}, pair=pair)
        self._set("refine_filled.frag", {}, pair=pair)
        known = {"faint": plain.FAINT, "most": plain.MOST, "clear": plain.CLEAR}
        self._set("refine_contrast.frag", {}, pair=pair, **known)
        self._set("refine_slopes.frag", near, eps=plain.SHAPE_FILTER[1])
        self._set("refine_surface.frag", fine, eps=plain.ALPHA_FILTER[1])
        blend, make = self._blend_defines(), self._pass
        return [
            make("refine_blend.frag", " & ".join(steady.values()), blend, maps="maps", seen="seen",
                 column="spread", **old),
            make("refine_halves.frag", "held & cover & near & far", PLAIN, guide="guide", **steady),
            make("refine_mean.frag", "held 1 & cover 1", wide, first="held", second="cover"),
            make("refine_mean.frag", "held 2 & cover 2", wide, first="held 1", second="cover 1"),
            make("refine_mean.frag", "near 1 & far 1", wide, first="near", second="far"),
            make("refine_mean.frag", "near 2 & far 2", wide, first="near 1", second="far 1"),
            make("refine_contrast.frag", "contrast", PLAIN, guide="guide", near="near 2", far="far 2"),
            make("refine_filled.frag", "filled & soft & present", PLAIN, held="held 2",
                 cover="cover 2", **steady),
            make("refine_slopes.frag", "soft 1 & slopes 1", near, filled="filled", cover="cover",
                 soft="soft"),
            make("refine_mean.frag", "softened & slopes", near | {"BOTH": 1}, first="soft 1",
                 second="slopes 1"),
            make("refine_surface.frag", "surface & occluder & matte", fine, guide="guide", filled="filled",
                 **steady),
            make("refine_planes.frag", "planes", fine, guide="guide", matte="matte", surface="surface",
                 slopes="slopes"),
        ]  # fmt: skip

    def _pass(self, fragment: str, outputs: str, defines: Defines, **inputs: str) -> Pass:
        """`outputs`: names of textures, with & between; `inputs`: of those that the shader reads, by what
        it calls them. What a shader has no use for is left out."""
        vao = self._vao(fragment, defines)
        if outputs not in self._targets:
            target = self._ctx.framebuffer([self._all[name] for name in outputs.split(" & ")])
            self._targets[outputs] = target
        read = {name: self._all[texture] for name, texture in inputs.items() if name in vao.program}
        return Pass(vao, self._targets[outputs], read)

    def _vao(self, fragment: str, defines: Defines) -> moderngl.VertexArray:
        key = (fragment, tuple(sorted(defines.items())))
        if key not in self._vaos:
            between = "refine_planes.geom" if fragment == "refine_planes.frag" else None
            made = program(self._ctx, "refine.vert", fragment, defines, between)
            if "luma_weights" in made:
                made["luma_weights"].value = plain.LUMA  # type: ignore[union-attr]
            self._vaos[key] = self._ctx.vertex_array(made, [])
        return self._vaos[key]

    def _set(self, fragment: str, defines: Defines, **uniforms: Any) -> None:
        shader: Any = self._vao(fragment, defines).program
        for name, value in uniforms.items():
            shader[name].value = value

    def _blend_defines(self) -> Defines:
        return COLUMN | {"SHADING": 1} if self.intake.shaded else COLUMN

    def _set_smoothing(self, smoothing: Smoothing, fresh: bool) -> None:
        now = (smoothing, fresh, self.intake.shaded)
        if self._set_to == now:
            return
        self._set_to = now
        self._set(
            "refine_blend.frag",
            self._blend_defines(),
            fresh=fresh,
            least=smoothing.rest,
            still_moving=(smoothing.still, smoothing.moving),
            cut=smoothing.cut,
        )
