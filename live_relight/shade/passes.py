"""What OpenGL draws for a picture: shadows, the light map, and the gain or the relit picture."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import moderngl
import numpy as np
import numpy.typing as npt

from ..core import planes as plain
from ..core import reference, shadow, told
from ..core.frames import Image, Map
from ..core.lamps import Lamp, Vector, lamps
from ..core.look import Look
from ..core.present import Present
from ..core.projection import half_tangents
from .beside import Beside
from .packing import Defines, lamp_uniforms, light_defines, shadow_defines
from .painter import Painter
from .refine import Textures
from .targets import LEARNED, Size, learned_targets, light_targets
from .tiles import Box, around, read_by


class Sizes(NamedTuple):
    """(width, height) each."""

    picture: Size
    gain: Size
    """Of the gain, or of the relit picture where that is made here."""
    light: Size
    shape: Size
    """Of the geometry."""


class Passes:
    """Belongs to the painter's context, ends with it, and is used with it current. `fit` comes first.

    `targets`: what it reads and draws on, by name (targets.light_targets); `sizes`: of these; `refined`: what
    is read in place of targets of the same names, set for each picture where there is any.
    """

    def __init__(self, ctx: moderngl.Context, painter: Painter, on_grid: bool) -> None:
        """`on_grid`: see OpenGLShader."""
        self._ctx, self._painter, self._on_grid = ctx, painter, on_grid
        self._beside = Beside(ctx)
        self.targets: dict[str, Any] = {}
        self.refined: Textures = {}
        self.sizes = Sizes((0, 0), (0, 0), (0, 0), (0, 0))
        self.worth = True
        """Whether half of the picture's size is no coarser than the geometry."""

    def fit(self, size: Size, shape: Size, fine: bool) -> None:
        """Makes the targets for a picture of `size` and geometry of `shape`, unless they are there.

        Half as wide and high as the picture, where that is no coarser than the geometry: the gain on the
        grid; else the light map, unless `fine`.
        """
        half = size[0] // 2, size[1] // 2
        # Not where a side is odd: the edge could not be worked out again at full size.
        worth = half[0] >= shape[0] and half[1] >= shape[1] and not (size[0] % 2 or size[1] % 2)
        self.worth = worth
        if self._on_grid:
            sizes = Sizes(size, half if worth else size, shape, shape)
        else:
            sizes = Sizes(size, size, size if fine or not worth else half, shape)
        if self.targets and self.sizes == sizes:
            return
        for thing in self.targets.values():
            thing.release()
        self.targets = light_targets(self._ctx, sizes.gain, sizes.light, shape, self._on_grid)
        self.sizes = sizes

    def forget(self) -> None:
        """Lets go of all textures; releasing them is left to the context's end."""
        self.targets, self.refined = {}, {}

    def write_picture(self, image: Image, box: Box) -> None:
        """`box` of a picture of the gain's size, h x w x 3 uint8."""
        x0, y0, x1, y1 = box
        # Four channels: drivers repack three-channel pixels one by one, both ways.
        pixels = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_BGR2BGRA)
        self.targets["picture"].write(pixels, viewport=(x0, y0, x1 - x0, y1 - y0))

    def draw_surface(self, boxes: list[Box]) -> None:
        """Draws `boxes` of the surface that light falls on, where it is not on the grid already."""
        if not self._on_grid:
            self._use("planes", "picture")
            self._painter.draw(
                "surface.frag", self.targets["shaped"], boxes, self.sizes.light, self._apart(),
                planes=0, picture=1,
            )  # fmt: skip

    def draw_light(
        self, boxes: list[Box], look: Look, head: Vector, steps: int, there: Present, mapped: bool,
        onto: str = "lit",
    ) -> None:  # fmt: skip
        """Draws `boxes` of the light map, and of its shadows. `head`: where lamps are placed round, subject
        distances; `steps`: of a shadow; `mapped`: whether the light that is there is in a texture; `onto`:
        the target, "lit" or of targets.learned_targets."""
        found = lamps(look, head)
        given = lamp_uniforms(found, half_tangents(self.sizes.picture, look.fov))
        self._draw_shadows(boxes, found, given, steps)
        given |= self._beside.use(found, look)
        sure, known = there.confidence, self._apart()
        if mapped:
            sure, known = 1.0, known | Defines(PRESENT_MAP=1)
            self._map("present").use(6)
        self._use("shape", "guide" if self._on_grid else "picture", "softened", "settled")
        self._painter.draw(
            "light.frag", self.targets[onto], boxes, self.sizes.light, light_defines(found, look) | known,
            shape=0, picture=1, softened=2, shadows=3, ambient=look.ambient, darkest=reference.DARKEST,
            specular=look.specular / 0.25, roughness=look.roughness, softness=look.softness,
            sky=reference.SKY,
            present=np.asarray(there.terms, np.float32),
            evened=tuple(v * sure for v in look.evened), present_map=6, **given,
        )  # fmt: skip

    def _draw_shadows(self, boxes: list[Box], found: list[Lamp], given: dict[str, Any], steps: int) -> None:
        """What `boxes` of the light map read of the shadows; nothing where no lamp casts one."""
        casting = shadow_defines(found)
        if not casting:
            return
        lit, size = self.sizes.light, self.targets["shadows"].size
        self._use("shape", "occluder")
        self._painter.draw(
            "shadow.frag", self.targets["shaded"], read_by(boxes, lit, size, 4), size, casting,
            shape=0, occluder=1, steps=steps, reach=shadow.REACH, thickness=shadow.THICKNESS,
            lift=shadow.LIFT, slack=shadow.SLACK, least_cone=shadow.LEAST_CONE, **given,
        )  # fmt: skip
        self._use("shadows")
        self._painter.draw(
            "settle.frag", self.targets["settling"], read_by(boxes, lit, size, 2), size, shadows=0
        )

    def draw_gain(self, boxes: list[Box], look: Look) -> None:
        """Draws `boxes` of the gain, or of the relit picture where that is made here."""
        self._use("planes", "picture", "light", "contrast")
        defines = Defines(GAIN_ONLY=1) if self._on_grid else Defines()
        self._painter.draw(
            "composite.frag", self.targets["out"], boxes, self.sizes.gain, defines,
            planes=0, picture=1, light_map=2, backdrop=tuple(reference.behind(look)),
            contrast=3,
            alpha_ends=(plain.ALPHA_LOW, plain.ALPHA_HIGH, plain.CLEAR_LOW, plain.CLEAR_HIGH),
        )  # fmt: skip

    def read(self, boxes: list[Box], out: npt.NDArray[Any]) -> None:
        """Copies `boxes` of what `draw_gain` drew into `out`, h x w x 3 BGR: the gain, float32, or the relit
        picture, uint8."""
        left, top, _, _ = box = around(boxes)
        drawn = self._painter.read(self.targets["out"], box, out.dtype.type)
        for x0, y0, x1, y1 in boxes:
            part = drawn[y0 - top : y1 - top, x0 - left : x1 - left]
            out[y0:y1, x0:x1] = cv2.cvtColor(part, cv2.COLOR_BGRA2BGR)

    def factors(self, boxes: list[Box] | None = None, ambient: float = 0.0) -> Map:
        """The light map, h x w x 4 float32: factors, and the share of the light that is there. With `boxes`,
        what is outside of them is that light alone, `ambient`."""
        light = self.targets["light"]
        drawn = np.frombuffer(light.read(), light.dtype.replace("f", "<f"))
        drawn = drawn.reshape(light.height, light.width, 4).astype(np.float32, copy=False)
        if boxes is None:
            return drawn
        found = np.empty_like(drawn)
        found[:] = (*[ambient ** (1.0 / reference.GAMMA)] * 3, ambient)
        for x0, y0, x1, y1 in boxes:
            found[y0:y1, x0:x1] = drawn[y0:y1, x0:x1]
        return found

    def fit_learned(self, asked: Size, ambient: float) -> None:
        """Makes what the light network's word needs, unless it is there, and empties it: where nothing is
        drawn there is `ambient` alone. `asked`: its (width, height)."""
        if "said" not in self.targets or self.targets["said"].size != asked:
            for name in LEARNED & set(self.targets):
                self.targets.pop(name).release()
            self.targets |= learned_targets(self._ctx, self.targets["light"], asked)
        alone = ambient ** (1.0 / reference.GAMMA)
        for name in ("hearing", "passing"):
            self.targets[name].clear(alone, alone, alone, ambient)

    def heard(self) -> Map:
        """What was drawn onto "hearing", at the network's size: h x w x 4, as `factors`."""
        small = self.targets["small"]
        width, height = small.size
        taps = max(1, -(-self.sizes.light[0] // width), -(-self.sizes.light[1] // height))
        self._use("heard")
        self._painter.draw(
            "shrink.frag", small, [(0, 0, width, height)], small.size,
            whole=0, taps=taps, cell=(1.0 / (taps * width), 1.0 / (taps * height)),
        )  # fmt: skip
        return np.frombuffer(small.read(components=4, dtype="f4"), "<f4").reshape(height, width, 4)

    def draw_learned(self, boxes: list[Box], said: Map, strength: float, beside: bool) -> None:
        """Draws `boxes` of the light map out of "heard" and what the network said of it, h x w x 2, and
        (`beside`) "others"."""
        self.targets["said"].write(np.ascontiguousarray(said, np.float32))
        self._use("heard", "said", "others")
        self._painter.draw(
            "learned.frag", self.targets["lit"], boxes, self.sizes.light,
            Defines(OTHERS=1) if beside else Defines(),
            heard=0, said=1, others=2, strength=strength, stray=told.STRAY,
        )  # fmt: skip

    def _apart(self) -> Defines:
        """For what reads the picture and draws at the light map's size, where these are two."""
        apart = not self._on_grid and self.sizes.gain != self.sizes.light
        return Defines(PICTURE_APART=1) if apart else Defines()

    def _use(self, *names: str) -> None:
        """Binds textures to the units 0, 1, ..."""
        for unit, name in enumerate(names):
            self._map(name).use(unit)

    def _map(self, name: str) -> Any:
        """The texture of this name: the refined one where there is one."""
        return self.refined.get(name) or self.targets[name]
