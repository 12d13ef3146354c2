"""The light pass in OpenGL. The context belongs to the thread that made the shader."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import cv2
import numpy as np

from ..core import planes as plain
from ..core import reference, shadow
from ..core.errors import ShaderError
from ..core.frames import Geometry, Image, Map
from ..core.lamps import Vector, lamps
from ..core.look import Look
from ..core.present import Present
from ..core.projection import half_tangents, head_point
from ..core.temporal import Smoothing
from ..resize import resized
from . import guided
from .apply import Applier, times
from .backdrop import defocused
from .beside import Beside
from .context import create_context
from .edges import NOWHERE, Indices, edge, repaint
from .packing import Defines, lamp_uniforms, light_defines, shadow_defines
from .painter import Painter
from .targets import Size, light_targets
from .tiles import Box, around, can_reach, levels, others, read_by, tiles
from .ways import CPU, INTEROP, UPLOAD, ToLight, Ways

SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "software")
REFINES = ("cpu", "card", "measured")


class OpenGLShader:
    """Shader on ModernGL.

    `on_grid`: as is worth while where every pixel costs, work the light out on the geometry's own grid and
    the gain at half the picture's size, and leave the last multiplication to `apply`. False: everything here,
    at the picture's full size. None: by the driver.

    `refine`, where not `on_grid`: geometry is made ready on the "cpu", on the "card", or as is quicker:
    "measured" in the first frames (ways.py). None: on the CPU with a software driver, else measured.
    """

    def __init__(self, on_grid: bool | None = None, refine: str | None = None) -> None:
        self._stack = ExitStack()
        self._ctx = create_context()
        self._stack.callback(self._ctx.release)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="guided")
        self._stack.callback(self._pool.shutdown)
        self.name = str(self._ctx.info["GL_RENDERER"])
        self.software = any(word in self.name.lower() for word in SOFTWARE)
        self.on_grid = self.software if on_grid is None else on_grid
        refine = refine or ("cpu" if self.software else "measured")
        assert refine in REFINES, refine
        self._ways: Ways | None = None
        if refine != "cpu" and not self.on_grid:
            own, measured = (lambda name: self._targets[name]), refine == "measured"
            self._ways = Ways(self._ctx, self._write_geometry, own, self._no_interop(), measured)
        self.steadies = self._ways is not None
        self.coarsens = not self.on_grid
        self._max_side = int(self._ctx.info["GL_MAX_TEXTURE_SIZE"])
        self._painter = Painter(self._ctx)
        self._beside = Beside(self._ctx)
        self._shaded = False
        self._targets: dict[str, Any] = {}
        self._sizes: tuple[Size, ...] = ()
        self._apply = Applier()
        self._gain = np.empty((0, 0, 3), np.float32)
        self._contrast = np.empty((0, 0, 4), np.float32)
        self.sharpened = NOWHERE
        """Where the last picture's edge was worked out at full size: edges.edge."""

    def shade(
        self,
        image: Image,
        geometry: Geometry,
        look: Look,
        steps: int = shadow.STEPS,
        present: Present | None = None,
        smoothing: Smoothing | None = None,
        fine: bool = True,
    ) -> Image:
        if look.untouched:
            return image.copy()
        size = image.shape[1], image.shape[0]
        if max(size) > self._max_side:
            raise ShaderError(
                "picture", f"{size[0]}x{size[1]}", f"at most {self._max_side} a side", "scale it down first"
            )
        with self._ctx:  # there may be another one in this thread
            return self._shade(image, geometry, look, steps, present, smoothing, fine)

    @property
    def to_light(self) -> ToLight:
        """Which way geometry goes."""
        if self._ways is not None:
            return self._ways.report
        why = "OpenGL runs on the processor" if self.software else "not asked for"
        return ToLight(CPU, {}, {INTEROP: why, UPLOAD: why})

    def _no_interop(self) -> str:
        """Why there can be no CUDA in this context; '' where it is worth trying. Not every other vendor's
        driver takes CUDA's question well."""
        vendor = str(self._ctx.info["GL_VENDOR"])
        return "" if "nvidia" in vendor.lower() else f"OpenGL is {vendor}'s, on {self.name}"

    def _shade(
        self,
        image: Image,
        geometry: Geometry,
        look: Look,
        steps: int,
        present: Present | None,
        smoothing: Smoothing | None,
        fine: bool,
    ) -> Image:
        size = image.shape[1], image.shape[0]
        self._resize(size, geometry.size, fine)
        matte: Map | None = None
        self._shaded = geometry.shading is not None
        if self._ways is None:
            matte, head = self._write_geometry(geometry), head_point(geometry, look.fov, size)
        else:
            geometry = self._ways.write(geometry, smoothing)
            head = self._ways.head(geometry, look.fov, size)
        if look.background_blur:
            cover = self._ways.matte() if self._ways is not None and matte is None else matte
            assert cover is not None
            contrast = self._contrast if matte is not None else guided.contrast(geometry)
            image = defocused(image, geometry, cover, contrast, look.background_blur)
        small = image if self._sizes[1] == size else resized(image, self._sizes[1])
        here, light = self._boxes(matte, self._sizes[1], look)
        out = np.empty(image.shape, np.uint8)
        if not here:
            self._backdrop(image, [(0, 0, *size)], look, out)
            return out
        self._write_picture(small, around(here))
        there = present or Present()
        self._light(light, size, look, head, steps, there)
        self._draw_gain(here, look)
        if self.on_grid:
            self._read_gain(here, look)
            box = self._grown(around(here), size)
            self._apply(image, self._gain, box, out, self._pool)
            self._backdrop(image, others([box], size), look, out)
            self.sharpened = self._sharpen_edges(image, geometry, matte, look, out) if fine else NOWHERE
        else:
            self._read_picture(here, out)
            self._backdrop(image, others(here, size), look, out)
        return out

    def close(self) -> None:
        if self._ways is not None:
            with self._ctx:
                self._ways.close()
        self._targets.clear()
        stack, self._stack = self._stack, ExitStack()
        stack.close()

    def _write_geometry(self, geometry: Geometry) -> Map:
        """Makes it ready and uploads it; returns the matte's plane."""
        filled = guided.fill(geometry)
        self._targets["softened"].write(guided.softened(geometry, filled))
        self._targets["occluder"].write(guided.occluder(geometry, filled))
        self._contrast = guided.contrast(geometry)
        self._targets["contrast"].write(self._contrast)
        if geometry.shading is not None:
            self._targets["present"].write(np.ascontiguousarray(filled[4], np.float32))
        if not self.on_grid:
            planes = guided.coefficients(geometry, self._pool, filled)
            self._targets["planes"].write(planes)
            return np.asarray(planes[0])
        beside = self._pool.submit(guided.matte, geometry)
        self._targets["shape"].write(guided.shape(geometry, filled))
        self._targets["guide"].write(cv2.cvtColor(geometry.guide, cv2.COLOR_BGR2BGRA))
        matte = beside.result()
        self._targets["planes"].write(matte)
        return matte

    def _boxes(self, matte: Map | None, size: Size, look: Look) -> tuple[list[Box], list[Box]]:
        """What to draw: boxes of the gain or picture (of `size`), and of the light map that they read.
        `matte`: its coefficients; None where the host may not have them."""
        _, _, light_size, grid = self._sizes
        if max(reference.behind(look)) > 1.0 or size[0] < grid[0] or size[1] < grid[1]:
            # Brighter than it was, the shoulder mixes the channels: no one factor does that.
            return [(0, 0, *size)], [(0, 0, *light_size)]
        if matte is None:
            assert self._ways is not None
            hit = self._ways.hit()
        else:
            hit = can_reach(matte, levels(self._contrast, grid))
        boxes = tiles(hit, size)
        return boxes, read_by(boxes, size, light_size)

    def _write_picture(self, image: Image, box: Box) -> None:
        x0, y0, x1, y1 = box
        # Four channels: drivers repack three-channel pixels one by one, both ways.
        pixels = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_BGR2BGRA)
        self._targets["picture"].write(pixels, viewport=(x0, y0, x1 - x0, y1 - y0))

    def _backdrop(self, image: Image, boxes: list[Box], look: Look, out: Image) -> None:
        """Fills `boxes` of `out`: where nobody is."""
        factor = reference.behind(look)
        values = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
        table = None if (factor == 1.0).all() else times(values, factor.astype(np.float32))
        for x0, y0, x1, y1 in boxes:
            part = image[y0:y1, x0:x1]
            out[y0:y1, x0:x1] = part if table is None else cv2.LUT(part, table)

    def _light(
        self, boxes: list[Box], size: Size, look: Look, head: Vector, steps: int, there: Present
    ) -> None:
        """Draws `boxes` of the light map, and of what it needs."""
        found = lamps(look, head)
        given = lamp_uniforms(found, half_tangents(size, look.fov))
        lit = self._sizes[2]
        if not self.on_grid:
            self._use("planes", "picture")
            self._painter.draw(
                "surface.frag", self._targets["shaped"], boxes, lit, self._apart(), planes=0, picture=1
            )
        casting = shadow_defines(found)
        if casting:
            size = self._targets["shadows"].size
            self._use("shape", "occluder")
            self._painter.draw(
                "shadow.frag", self._targets["shaded"], read_by(boxes, lit, size, 4), size, casting,
                shape=0, occluder=1, steps=steps, reach=shadow.REACH, thickness=shadow.THICKNESS,
                lift=shadow.LIFT, slack=shadow.SLACK, least_cone=shadow.LEAST_CONE, **given,
            )  # fmt: skip
            self._use("shadows")
            self._painter.draw(
                "settle.frag", self._targets["settling"], read_by(boxes, lit, size, 2), size, shadows=0
            )
        given |= self._beside.use(found, look)
        sure, known = there.confidence, self._apart()
        if self._shaded:
            sure, known = 1.0, known | Defines(PRESENT_MAP=1)
            self._map("present").use(6)
        self._use("shape", "guide" if self.on_grid else "picture", "softened", "settled")
        self._painter.draw(
            "light.frag", self._targets["lit"], boxes, lit, light_defines(found, look) | known,
            shape=0, picture=1, softened=2, shadows=3, ambient=look.ambient, darkest=reference.DARKEST,
            specular=look.specular / 0.25, roughness=look.roughness, softness=look.softness,
            max_falloff=reference.MAX_FALLOFF, sky=reference.SKY,
            present=np.asarray(there.terms, np.float32),
            evened=tuple(v * sure for v in look.evened), present_map=6, **given,
        )  # fmt: skip

    def _apart(self) -> Defines:
        """For what reads the picture and draws at the light map's size, where these are two."""
        return (
            Defines(PICTURE_APART=1) if not self.on_grid and self._sizes[1] != self._sizes[2] else Defines()
        )

    def _use(self, *names: str) -> None:
        """Binds textures to the units 0, 1, ..."""
        for unit, name in enumerate(names):
            self._map(name).use(unit)

    def _map(self, name: str) -> Any:
        """The texture of this name: the refined one where there is one."""
        refined = self._ways.textures if self._ways is not None else {}
        return refined.get(name) or self._targets[name]

    def _draw_gain(self, boxes: list[Box], look: Look) -> None:
        """Draws `boxes` of the gain, or of the relit picture where that is made here."""
        self._use("planes", "picture", "light", "contrast")
        defines = Defines(GAIN_ONLY=1) if self.on_grid else Defines()
        self._painter.draw(
            "composite.frag", self._targets["out"], boxes, self._sizes[1], defines,
            planes=0, picture=1, light_map=2, backdrop=tuple(reference.behind(look)),
            contrast=3,
            alpha_ends=(plain.ALPHA_LOW, plain.ALPHA_HIGH, plain.CLEAR_LOW, plain.CLEAR_HIGH),
        )  # fmt: skip

    def _sharpen_edges(
        self, image: Image, geometry: Geometry, matte: Map | None, look: Look, out: Image
    ) -> Indices:
        """The matte's edge at full size, where the gain is of half the size: edges.edge."""
        height, width = image.shape[:2]
        if self._sizes[1] == (width, height):
            return NOWHERE
        assert matte is not None
        places, light = edge(self._gain, geometry.alpha), self._targets["light"]
        factors = np.frombuffer(light.read(), np.float32).reshape(light.height, light.width, 4)
        repaint(image, places, (matte, factors, self._contrast), look, out)
        return places

    def _read_gain(self, boxes: list[Box], look: Look) -> None:
        """Copies `boxes` into the gain, which is the backdrop's elsewhere."""
        w, h = self._sizes[1]
        if self._gain.shape[:2] != (h, w):
            self._gain = np.empty((h, w, 3), np.float32)
        self._gain[:] = reference.behind(look)
        left, top, _, _ = box = around(boxes)
        drawn = self._painter.read(self._targets["out"], box, np.float32)
        for x0, y0, x1, y1 in boxes:
            part = drawn[y0 - top : y1 - top, x0 - left : x1 - left]
            self._gain[y0:y1, x0:x1] = cv2.cvtColor(part, cv2.COLOR_BGRA2BGR)

    def _read_picture(self, boxes: list[Box], out: Image) -> None:
        """Copies `boxes` into `out`."""
        left, top, _, _ = box = around(boxes)
        drawn = self._painter.read(self._targets["out"], box, np.uint8)
        for x0, y0, x1, y1 in boxes:
            part = drawn[y0 - top : y1 - top, x0 - left : x1 - left]
            out[y0:y1, x0:x1] = cv2.cvtColor(part, cv2.COLOR_BGRA2BGR)

    def _grown(self, box: Box, size: Size) -> Box:
        """What of the picture of `size` reads `box` of the gain; at even places where that is half as big."""
        if self._sizes[1] == size:
            return box
        x0, y0, x1, y1 = box
        return max(2 * x0 - 2, 0), max(2 * y0 - 2, 0), min(2 * x1 + 2, size[0]), min(2 * y1 + 2, size[1])

    def _resize(self, size: Size, shape: Size, fine: bool) -> None:
        half = size[0] // 2, size[1] // 2
        # Not where a side is odd: the edge could not be worked out again at full size.
        worth = half[0] >= shape[0] and half[1] >= shape[1] and not (size[0] % 2 or size[1] % 2)
        if self.on_grid:
            gain, light = half if worth else size, shape
        else:
            gain, light = size, size if fine or not worth else half
        if self._sizes == (size, gain, light, shape):
            return
        for thing in self._targets.values():
            thing.release()
        self._targets = light_targets(self._ctx, gain, light, shape, self.on_grid)
        self._sizes = (size, gain, light, shape)
