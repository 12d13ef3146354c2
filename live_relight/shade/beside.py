"""Textures beside the picture: what area lights and surroundings need, written anew only when it changes."""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np

from ..core import area, environment, reference
from ..core.environment import Environment
from ..core.frames import Map
from ..core.lamps import Lamp
from ..core.look import Look
from ..shelf import FileShelf
from .packing import area_uniforms, env_uniforms
from .targets import floats

ROW, ENV = 4, 5
"""Units that the textures are bound to."""


class Beside:
    """Belongs to its context and ends with it."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self._ctx = ctx
        self._shelf = FileShelf()
        self._textures: dict[str, Any] = {}
        self._row_of = -1.0
        self._env: Environment | None = None

    def use(self, found: list[Lamp], look: Look) -> dict[str, Any]:
        """Binds textures for the area and env lights among `found`. Returns their uniforms."""
        given = area_uniforms(found)
        if given:
            if self._row_of != look.roughness:
                row = area.row_of(self._shelf.table, look.roughness, reference.F0)
                self._write("row", row[None])
                self._row_of = look.roughness
            self._textures["row"].use(ROW)
            given["area_row"] = ROW
        name = next((lamp.file for lamp in found if lamp.mode == "env"), None)
        if name is not None:
            env = self._shelf.environment(name)
            if env is not self._env:
                self._write("env", environment.atlas(env))
                self._env = env
            self._textures["env"].use(ENV)
            given |= {"env_map": ENV, **env_uniforms(found, env)}
        return given

    def _write(self, name: str, values: Map) -> None:
        """A texture of rows x columns x 4 float32."""
        if name in self._textures:
            self._textures[name].release()
        self._textures[name] = floats(self._ctx, (values.shape[1], values.shape[0]), 4)
        self._textures[name].write(np.ascontiguousarray(values, np.float32))
