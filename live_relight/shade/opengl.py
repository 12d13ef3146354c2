"""The light pass in OpenGL. The context belongs to the thread that made the shader."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import cv2
import numpy as np

from ..core import reference, shadow
from ..core.errors import ShaderError
from ..core.frames import Geometry, Image, Map
from ..core.look import Look
from ..core.present import Present
from ..core.projection import head_point
from ..core.stages import Corrector
from ..core.temporal import Smoothing
from ..resize import resized
from . import guided
from .apply import BAND, Applier, behind
from .backdrop import defocused
from .context import create_context
from .edges import NOWHERE, Indices, edge, repaint
from .hearing import Hearing
from .painter import Painter
from .passes import Passes
from .ready import Ready, make_ready
from .targets import Size
from .tiles import BLOCK, Box, across, around, joined, others, read_by, tiles
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

    `light_net` opens what corrects the light map, when it is first wanted; `learned`: how far it is heard
    where a look leaves that open, 0..1.
    """

    def __init__(
        self,
        on_grid: bool | None = None,
        refine: str | None = None,
        learned: float = 0.0,
        light_net: Callable[[], Corrector] | None = None,
    ) -> None:
        self._lit: tuple[list[Box], float] = [], 1.0
        self._stack, self._closed = ExitStack(), False
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
        self._painter = Painter(self._ctx)
        self._passes = Passes(self._ctx, self._painter, self.on_grid)
        self._hearing = Hearing(self._passes, learned, light_net)
        if refine != "cpu" and not self.on_grid:
            own, measured = (lambda name: self._passes.targets[name]), refine == "measured"
            self._ways = Ways(self._ctx, self._write_geometry, own, self._no_interop(), measured)
        self.steadies = self._ways is not None
        self.coarsens = not self.on_grid
        self._max_side = int(self._ctx.info["GL_MAX_TEXTURE_SIZE"])
        self._apply = Applier()
        self._gain = np.empty((0, 0, 3), np.float32)
        self._ready: Ready | None = None
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

    @property
    def halves(self) -> bool:
        """As Shader's."""
        return self._passes.worth

    def ready(self, geometry: Geometry) -> Geometry:
        """As Shader's."""
        return geometry if self.steadies else replace(geometry, ready=make_ready(geometry, self.on_grid))

    def ask_every(self, frames: int) -> None:
        """From now on the light network is asked in one of so many frames: hearing.py."""
        self._hearing.every = frames
        self._hearing.forget()

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
        self._passes.fit(size, geometry.size, fine)
        of_gain, mapped = self._passes.sizes.gain, geometry.shading is not None
        matte: Map | None = None
        if self._ways is None:
            matte, head = self._write_geometry(geometry), head_point(geometry, look.fov, size)
        else:
            geometry = self._ways.write(geometry, smoothing)
            self._passes.refined = self._ways.textures
            head = self._ways.head(geometry, look.fov, size)
        if look.background_blur:
            cover = self._ways.matte() if self._ways is not None and matte is None else matte
            assert cover is not None
            contrast = (
                self._ready.contrast if matte is not None and self._ready else guided.contrast(geometry)
            )
            image = defocused(image, geometry, cover, contrast, look.background_blur)
            geometry = replace(geometry, half=None)  # of the picture before
        small = image if of_gain == size else self._halved(image, geometry, of_gain)
        rows, light = self._boxes(matte, of_gain, look)
        here = joined(rows)
        self._lit = light if here else [], look.ambient
        out = np.empty(image.shape, np.uint8)
        if not here:
            self._hearing.forget()
            behind(image, [(0, 0, *size)], look, out)
            return out
        self._passes.write_picture(small, around(here))

        def draw(some: Look, onto: str = "lit") -> None:
            self._passes.draw_light(light, some, head, steps, present or Present(), mapped, onto)

        self._passes.draw_surface(light)
        if not self._hearing.draw(light, geometry, look, head, size, draw):
            draw(look)
        self._passes.draw_gain(here, look)
        if self.on_grid:
            self._read_gain(here, others(rows, of_gain), look)
            bands = across([self._grown(box, size) for box in rows], BAND)
            self._apply(image, self._gain, bands, out, self._pool)
            behind(image, others(bands, size), look, out)
            self.sharpened = self._sharpen_edges(image, geometry, matte, look, out) if fine else NOWHERE
        else:
            self._passes.read(here, out)
            behind(image, others(rows, size), look, out)
        return out

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._ways is not None:
            with self._ctx:
                self._ways.close()
        self._hearing.close()
        self._passes.forget()
        self._stack.close()

    def light_map(self) -> Map:
        """Of the last picture, h x w x 4: reference.factor_map, and the share of the light that is there;
        where nobody is, that light alone."""
        with self._ctx:
            return self._passes.factors(*self._lit)

    def ready_light_net(self) -> Corrector | None:
        """Opens it, so that no frame waits for it; None where there is none. Raises EstimatorError."""
        return self._hearing.ready()

    def _write_geometry(self, geometry: Geometry) -> Map:
        """Makes it ready, unless it is, and uploads it; returns the matte's plane."""
        made = geometry.ready
        if not isinstance(made, Ready):
            made = make_ready(geometry, self.on_grid, self._pool)
        targets = self._passes.targets
        targets["softened"].write(made.softened)
        targets["occluder"].write(made.occluder)
        targets["contrast"].write(made.contrast)
        if made.present is not None:
            targets["present"].write(made.present)
        if made.shape is None:
            assert made.planes is not None
            targets["planes"].write(made.planes)
        else:
            targets["shape"].write(made.shape)
            targets["guide"].write(made.guide)
            targets["planes"].write(made.matte)
        self._ready = made
        return made.matte

    def _halved(self, image: Image, geometry: Geometry, size: Size) -> Image:
        """The picture at `size`, the gain's: the estimator's where it has it."""
        half = geometry.half
        return half if half is not None and half.shape[1::-1] == size else resized(image, size)

    def _boxes(self, matte: Map | None, size: Size, look: Look) -> tuple[list[Box], list[Box]]:
        """What to draw: boxes of the gain or picture (of `size`) as of `tiles`, and of the light map that
        they read. `matte`: its coefficients; None where the host may not have them."""
        _, _, light_size, grid = self._passes.sizes
        if max(reference.behind(look)) > 1.0 or size[0] < grid[0] or size[1] < grid[1]:
            # Brighter than it was, the shoulder mixes the channels: no one factor does that.
            return [(0, 0, *size)], [(0, 0, *light_size)]
        if matte is None:
            assert self._ways is not None
            hit = self._ways.hit()
        else:
            assert self._ready is not None
            hit = self._ready.hit
        boxes = tiles(hit, size)
        # Off the grid light reads the picture, of which no more than the boxes hold is there.
        return boxes, read_by(boxes, size, light_size, block=BLOCK if self.on_grid else 1)

    def _sharpen_edges(
        self, image: Image, geometry: Geometry, matte: Map | None, look: Look, out: Image
    ) -> Indices:
        """The matte's edge at full size, where the gain is of half the size: edges.edge."""
        height, width = image.shape[:2]
        if self._passes.sizes.gain == (width, height):
            return NOWHERE
        assert matte is not None
        assert self._ready is not None
        places = edge(self._gain, geometry.alpha)
        repaint(image, places, (matte, self._passes.factors(), self._ready.contrast), look, out)
        return places

    def _read_gain(self, boxes: list[Box], free: list[Box], look: Look) -> None:
        """Copies `boxes` into the gain, which is the backdrop's elsewhere (`free`)."""
        w, h = self._passes.sizes.gain
        if self._gain.shape[:2] != (h, w):
            self._gain = np.empty((h, w, 3), np.float32)
        # OpenCV fills ten times as fast as NumPy does where the colour is the innermost side.
        colour = tuple(map(float, reference.behind(look)))
        for x0, y0, x1, y1 in free:
            cv2.rectangle(self._gain, (x0, y0), (x1 - 1, y1 - 1), colour, cv2.FILLED)
        self._passes.read(boxes, self._gain)

    def _grown(self, box: Box, size: Size) -> Box:
        """What of the picture of `size` reads `box` of the gain; at even places where that is half as big."""
        if self._passes.sizes.gain == size:
            return box
        x0, y0, x1, y1 = box
        return max(2 * x0 - 2, 0), max(2 * y0 - 2, 0), min(2 * x1 + 2, size[0]), min(2 * y1 + 2, size[1])
