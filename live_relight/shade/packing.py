"""Lamps as the shaders take them: uniforms, and the calls that fragment shaders are compiled with."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import environment
from ..core.environment import Environment
from ..core.lamps import Lamp
from ..core.look import Look

Defines = dict[str, int | str]


def lamp_uniforms(found: list[Lamp], tangents: tuple[float, float]) -> dict[str, Any]:
    """What shaders/lamps.glsl declares, for these lamps."""
    slots = max(len(found), 1)
    place, colour, axis = np.zeros((3, slots, 4), np.float32)
    beam = np.zeros((slots, 2), np.float32)
    for i, lamp in enumerate(found):
        place[i] = (*lamp.place, lamp.spread)
        colour[i] = (*lamp.bgr, lamp.reference)
        axis[i] = (*lamp.axis, lamp.cone[0])
        beam[i] = (lamp.cone[1], lamp.radius2)
    return {
        "lamp_place": place,
        "lamp_colour": colour,
        "lamp_axis": axis,
        "lamp_beam": beam,
        "half_tangents": tangents,
    }


def area_uniforms(found: list[Lamp]) -> dict[str, Any]:
    """What area.glsl and light.frag declare for area lights, texture aside; empty without."""
    polygons = [lamp for lamp in found if lamp.corners is not None]
    if not polygons:
        return {}
    corners = np.zeros((8 * len(polygons), 3), np.float32)
    for k, lamp in enumerate(polygons):
        assert lamp.corners is not None
        corners[8 * k : 8 * k + len(lamp.corners)] = lamp.corners
    unit = np.array([lamp.unit for lamp in polygons], np.float32)
    return {"area_corners": corners, "area_unit": unit}


def env_uniforms(found: list[Lamp], env: Environment | None) -> dict[str, Any]:
    """What environment.glsl declares, texture aside; empty without."""
    if env is None:
        return {}
    return dict(environment.uniforms(env, next(lamp.az for lamp in found if lamp.mode == "env")))


def light_defines(found: list[Lamp], look: Look) -> Defines:
    """light.frag for these lamps and this look."""
    calls, polygons = [], 0
    for i, lamp in enumerate(found):
        seen = f"shade[{lamp.slot}]" if lamp.slot >= 0 else "1.0"
        more = ""
        if lamp.corners is not None:
            more = f", {polygons}, {len(lamp.corners)}"
            polygons += 1
        if lamp.mode == "rim":
            more = ", 0.0" if lamp.slot >= 0 else ", 1.0"
        calls.append(f"{lamp.mode}_lamp({i}, {seen}{more});")
    defines: Defines = {"SLOTS": max(len(found), 1), "EACH_LAMP": " ".join(calls)}
    if any(lamp.slot >= 0 for lamp in found):
        defines["SHADOWS"] = 1
    if look.diffuse == "oren-nayar":
        defines["OREN_NAYAR"] = 1
    if polygons:
        defines["AREA_LIGHTS"] = polygons
    if any(lamp.mode == "env" for lamp in found):
        defines["ENVIRONMENT"] = 1
    return defines


def shadow_defines(found: list[Lamp]) -> Defines:
    """shadow.frag for these lamps; empty where none casts a shadow."""
    calls = [
        f"seen[{lamp.slot}] = {'far' if lamp.mode == 'directional' else 'near'}_lamp({i}, start, p, offset);"
        for i, lamp in enumerate(found)
        if lamp.slot >= 0
    ]
    return {"SLOTS": len(found), "EACH_SHADOW": " ".join(calls)} if calls else {}
