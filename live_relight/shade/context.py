"""OpenGL contexts and shader files."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable

import moderngl

from ..assets import folder
from ..core.errors import ShaderError

NEEDED = "sudo apt install libegl1 libgl1-mesa-dri libgl1"


def create_context() -> moderngl.Context:
    """A standalone OpenGL 3.3 context: EGL on Linux (no display needed), the system's own elsewhere."""
    tries: list[dict[str, str]] = [{}]
    if sys.platform.startswith("linux"):
        # The second try does without libGL.so, which is a package of its own.
        tries = [{"backend": "egl"}, {"backend": "egl", "libgl": "libEGL.so.1", "libegl": "libEGL.so.1"}]
    problem = ""
    for options in tries:
        try:
            return moderngl.create_context(standalone=True, require=330, **options)  # type: ignore[arg-type]
        except Exception as error:  # moderngl raises plain Exception for every cause
            problem = problem or str(error)
    todo = NEEDED if sys.platform.startswith("linux") else "update the graphics driver"
    raise ShaderError("no OpenGL 3.3", f"'{problem}'", "EGL with a driver (Mesa's llvmpipe will do)", todo)


def waiter(ctx: moderngl.Context) -> Callable[[], object]:
    """What waits until everything that was drawn is there, and lets other Python threads go on meanwhile;
    with the context current. moderngl keeps the interpreter's lock while it waits: with a software rasteriser
    that is a third of a frame in which no geometry is worked out and no frame is read."""
    try:
        address = int(ctx.mglo._context.load("glFinish"))
    except (AttributeError, TypeError, ValueError):  # another moderngl: it waits all the same
        return ctx.finish
    if not address:
        return ctx.finish
    if sys.platform == "win32":
        return ctypes.WINFUNCTYPE(None)(address)
    return ctypes.CFUNCTYPE(None)(address)


def load_source(name: str, defines: dict[str, int | str] | None = None) -> str:
    """A file of shaders/ with `#include "name"` resolved and `defines` put after its #version line."""

    def include(match: re.Match[str]) -> str:
        return load_source(match.group(1))

    try:
        text = (folder("shaders") / name).read_text(encoding="utf-8")
    except OSError as error:
        raise ShaderError(f"shader {name}", str(error), "a readable file", "install again") from None
    if defines:
        head, _, rest = text.partition("\n")
        text = "\n".join([head, *(f"#define {k} {v}" for k, v in defines.items()), rest])
    return re.sub(r'^#include "([\w.]+)"$', include, text, flags=re.MULTILINE)


def describe() -> str:
    """'llvmpipe (...), OpenGL 4.5': what `doctor` prints. Raises ShaderError."""
    ctx = create_context()
    try:
        version = divmod(ctx.version_code // 10, 10)
        return f"{ctx.info['GL_RENDERER']}, OpenGL {version[0]}.{version[1]}"
    finally:
        ctx.release()
