"""Waiting for what is drawn: other Python threads go on meanwhile."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import moderngl
import numpy as np
import pytest

from live_relight.shade.context import create_context, waiter

pytestmark = pytest.mark.gl

POINT = """#version 330
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }"""
SLOW = """#version 330
uniform float start;
out vec4 colour;
void main() {
    float sum = start;
    for (int i = 0; i < 3000; i++) sum += sin(sum + gl_FragCoord.x);
    colour = vec4(sum);
}"""


def test_other_threads_go_on_while_a_picture_is_drawn() -> None:
    ctx = create_context()
    if "llvmpipe" not in str(ctx.info["GL_RENDERER"]):
        ctx.release()
        pytest.skip("a card is too quick for it")
    vao = ctx.vertex_array(ctx.program(vertex_shader=POINT, fragment_shader=SLOW), [])
    target = ctx.framebuffer([ctx.renderbuffer((256, 256), 1, dtype="f4")])
    wait, counted, stop = waiter(ctx), [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0.001)

    other = threading.Thread(target=count)
    other.start()
    try:
        target.use()
        vao.program["start"] = 0.5  # type: ignore[assignment]
        vao.render(moderngl.TRIANGLES, vertices=3)
        before, began = counted[0], time.perf_counter()
        wait()
        passed, there = time.perf_counter() - began, counted[0] - before
        drawn = np.frombuffer(target.read(components=1, dtype="f4"), np.float32)
    finally:
        stop.set()
        other.join()
        ctx.release()
    assert np.isfinite(drawn).all()
    assert np.ptp(drawn) > 0
    # A twentieth of what it would count at rest: the cores are busy. With the lock kept it counts once.
    assert there > max(1, passed * 1000 / 20)


def test_another_moderngl_waits_all_the_same() -> None:
    waited = []
    ctx = SimpleNamespace(mglo=object(), finish=lambda: waited.append(1))
    waiter(ctx)()  # type: ignore[arg-type]
    assert waited == [1]
