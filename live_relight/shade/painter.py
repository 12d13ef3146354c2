"""Fragment shaders over boxes of a target, and what they drew back on the host."""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np

from .context import waiter
from .packing import Defines
from .targets import Size, program
from .tiles import Box


class Painter:
    """Keeps every program that it was asked for. It holds what belongs to a context and goes with it."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self._ctx = ctx
        self._programs: dict[tuple[Any, ...], moderngl.VertexArray] = {}
        self._boxes_buffer = ctx.buffer(reserve=16, dynamic=True)
        self._drawn: Any = np.empty(0, np.uint8)
        self.wait = waiter(ctx)

    def draw(
        self,
        fragment: str,
        target: Any,
        boxes: list[Box],
        size: Size,
        defines: Defines | None = None,
        **uniforms: Any,
    ) -> None:
        """Runs a fragment shader over `boxes` of a target of `size`."""
        vao = self._program(fragment, defines or Defines())
        self._boxes_buffer.orphan(16 * len(boxes))
        self._boxes_buffer.write((np.asarray(boxes) / (*size, *size)).astype(np.float32))
        for name, value in uniforms.items():
            # The compiler drops what a variant does not use (no lights: no lamp arrays).
            if name in vao.program:
                member = vao.program[name]
                if isinstance(value, np.ndarray):
                    # Arrays end for the driver at the last member that the shader reads.
                    used = value[: member.array_length]  # type: ignore[union-attr]
                    member.write(used.tobytes())  # type: ignore[union-attr]
                else:
                    member.value = value  # type: ignore[union-attr]
        target.use()
        vao.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=len(boxes))

    def _program(self, fragment: str, defines: Defines) -> moderngl.VertexArray:
        key = (fragment, tuple(sorted(defines.items())))
        if key not in self._programs:
            made = program(self._ctx, "boxes.vert", fragment, defines)
            self._programs[key] = self._ctx.vertex_array(made, [(self._boxes_buffer, "4f /i", "box")])
        return self._programs[key]

    def read(self, target: Any, box: Box, kind: type) -> Any:
        """`box` of a framebuffer, h x w x 4; good until the next call. kind: its numpy type."""
        left, top, right, bottom = box
        count = (bottom - top) * (right - left) * 4
        if self._drawn.dtype != kind or self._drawn.size < count:
            self._drawn = np.empty(count, kind)  # kept: fresh pages cost more than the copy
        drawn = self._drawn[:count].reshape(bottom - top, right - left, 4)
        self.wait()
        target.read_into(
            drawn, (left, top, right - left, bottom - top), components=4, dtype=f"f{drawn.itemsize}"
        )
        return drawn
