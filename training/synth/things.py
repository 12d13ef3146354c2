"""What the renderer draws: pieces on the GPU, and somebody made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import moderngl
import numpy as np

from training.synth.meshes import F32
from training.synth.parts import part_of
from training.synth.visible import may_show, near_first

if TYPE_CHECKING:
    from training.synth.gl import Piece, Renderer, Skin, View

LAYOUT = (("in_position", 3), ("in_normal", 3), ("in_label", 3), ("in_uv", 2), ("in_rest", 3), ("in_aux", 2))
STRIDE = sum(n for _, n in LAYOUT) * 4
SHADOWLESS = ("inside", "teeth", "brow", "lash")  # roles behind the skin, or on it


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
        self.casts = piece.role not in SHADOWLESS
        gl = renderer.gl
        self.vertices = gl.buffer(np.ascontiguousarray(piece.vertices).tobytes())
        program = renderer.programs[piece.material]
        used = [(f"{n}f" if name in program else f"{4 * n}x", name) for name, n in LAYOUT]
        # ModernGL refuses attributes that the compiler dropped: the format skips their bytes.
        form = " ".join(f for f, _ in used)
        names = [name for f, name in used if f.endswith("f")]
        self.points = np.ascontiguousarray(piece.vertices[:, :3])
        self.tri = np.ascontiguousarray(piece.tri, np.int32)
        # In the caster's order, and in that of the view it was drawn for last.
        self.indices, self.order = (gl.buffer(self.tri.tobytes()) for _ in range(2))
        columns = np.ascontiguousarray(self.points.T)
        ends = np.stack([columns.min(1), columns.max(1)])
        self.corners = np.stack(np.meshgrid(*ends.T), -1).reshape(8, 3)
        self.one_sided = piece.closed and piece.material != "cloth"  # nobody looks inside
        self.sorts = not self.one_sided and len(self.tri) > 500  # or it would cost more than it saves
        self.array = gl.vertex_array(program, [(self.vertices, form, *names)], self.order)
        rest = f"3f {STRIDE - 12}x"
        self.caster = gl.vertex_array(
            renderer.shadow_program, [(self.vertices, rest, "in_position")], self.indices
        )

    def draw(self, skin: Skin, view: View) -> None:
        """Into the bound G-buffer."""
        if not may_show(self.corners, view):
            return
        tri = near_first(self.points, self.tri, view) if self.sorts else self.tri
        if not len(tri):
            return
        self.renderer.gl.enable_only(moderngl.DEPTH_TEST | (moderngl.CULL_FACE if self.one_sided else 0))
        if tri is not self.tri:
            self.order.write(tri.tobytes())
        program = self.array.program
        program["view"].write(np.ascontiguousarray(view.view.T).tobytes())
        program["projection"].write(np.ascontiguousarray(view.projection.T).tobytes())
        set_value(program, "lens", view.lens)
        set_value(program, "part", float(part_of(self.piece.role)))
        self.renderer.noise.use(7)
        set_value(program, "noise_map", 7)
        for k, (name, path) in enumerate(sorted(skin.textures.items())):
            self.renderer.texture(path).use(k)
            set_value(program, name, k)
        for name, value in skin.values.items():
            set_value(program, name, value)
        self.array.render(moderngl.TRIANGLES, vertices=tri.size)

    def reaches(self, matrix: F32, part: tuple[float, float, float, float]) -> bool:
        """Whether `matrix` [4,4] takes any of it into a rectangle (left, low, right, high)."""
        at = self.corners @ matrix[:2, :3].T + matrix[:2, 3]
        (x0, y0), (x1, y1) = at.min(0), at.max(0)
        return bool(x0 <= part[2] and x1 >= part[0] and y0 <= part[3] and y1 >= part[1])

    def cast(self) -> None:
        """Into the bound shadow map."""
        self.caster.render(moderngl.TRIANGLES)

    def release(self) -> None:
        """Free the buffers."""
        for thing in (self.array, self.caster, self.vertices, self.indices, self.order):
            thing.release()
