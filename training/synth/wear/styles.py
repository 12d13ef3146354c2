"""Styles of procedural hair: how thick it is where, which way it lies, how long its strands are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synth.meshes import F32, unit
from training.synth.noise import smoothstep
from training.synth.wear.scalp import MIDDLE, Scalp

STYLES = ("crop", "side", "quiff", "slick", "caesar", "curly", "afro", "long", "bob", "bun", "pony", "fringe")
WOMEN = (0.03, 0.06, 0.03, 0.04, 0.02, 0.11, 0.10, 0.25, 0.1, 0.11, 0.13, 0.02)
MEN = (0.19, 0.17, 0.13, 0.08, 0.1, 0.09, 0.08, 0.05, 0.01, 0.02, 0.01, 0.07)


@dataclass(frozen=True)
class Style:
    """Metres unless said otherwise.

    sides, top, front: thickness there; flow: how strands lie; strands, length: of the loose ones;
    lift: how far their tips stand off; wide: half their width; curl: radius and pitch; bangs: length
    of hair over the forehead; temples: how far the hairline recedes; tie: where the hair is gathered;
    crown: height at rest above which there is none (bald, or under a hat).
    """

    kind: str
    flow: str
    sides: float
    top: float
    front: float
    strands: int
    length: float
    lift: float
    wide: float
    curl: tuple[float, float] = (0.0, 1.0)
    bangs: float = 0.0
    temples: float = 0.0
    tie: tuple[float, float, float] | None = None
    part: float = 0.0
    lumps: float = 0.08
    crown: float | None = None


def draw_style(rng: np.random.Generator, male: bool) -> Style:
    """A random style."""
    kind = str(rng.choice(STYLES, p=MEN if male else WOMEN))
    u = rng.uniform
    part, temples = float(rng.choice([-1, 1]) * u(0.0, 0.04)), u(0, 0.018) if male else 0.0
    short = u(0.003, 0.012)
    if kind == "crop":
        return Style(
            kind, "whorl", short, u(0.008, 0.02), u(0, 0.006), 260, 0.022, 0.006, 0.0022, temples=temples
        )
    if kind == "side":
        top, bangs = u(0.015, 0.03), u(0, 0.04)
        return Style(
            kind, "part", short, top, u(0.002, 0.012), 320, 0.055, 0.005, 0.003, bangs=bangs, part=part
        )
    if kind == "quiff":
        flow, top, front = ("back", "up")[int(u() > 0.6)], u(0.012, 0.028), u(0.012, 0.035)
        return Style(kind, flow, u(0.002, 0.008), top, front, 320, 0.04, 0.007, 0.003, temples=temples)
    if kind == "slick":
        return Style(
            kind, "back", u(0.004, 0.009), u(0.006, 0.014), 0.0, 240, 0.06, 0.003, 0.003, temples=temples
        )
    if kind == "caesar":
        return Style(
            kind, "forward", short, u(0.008, 0.018), 0.004, 300, 0.03, 0.005, 0.0025, bangs=u(0.015, 0.04)
        )
    if kind == "curly":
        size, curl = u(0.014, 0.04), (u(0.003, 0.007), u(0.012, 0.03))
        return Style(
            kind,
            "whorl",
            size,
            size * u(1, 1.5),
            u(0, 0.01),
            520,
            0.05,
            0.012,
            0.0032,
            curl,
            u(0, 0.03),
            lumps=0.2,
        )
    if kind == "afro":
        size, curl = u(0.02, 0.09), (u(0.002, 0.004), u(0.008, 0.014))
        return Style(
            kind, "out", size * u(0.8, 1), size, u(0, 0.008), 560, 0.02, 0.01, 0.0024, curl, lumps=0.13
        )
    if kind in ("long", "bob"):
        length = u(0.24, 0.45) if kind == "long" else u(0.11, 0.19)
        curl = (u(0.002, 0.008), u(0.04, 0.12)) if u() < 0.5 else (0.001, 0.1)
        bangs = u(0.04, 0.065) if u() < 0.3 else 0.0
        return Style(
            kind,
            "part",
            u(0.012, 0.022),
            u(0.012, 0.022),
            0.004,
            480,
            length,
            0.006,
            0.0085,
            curl,
            bangs,
            part=part,
        )
    if kind in ("bun", "pony"):
        angle, bangs = u(-0.5, 1.2), u(0.03, 0.06) if u() < 0.25 else 0.0
        tie = (0.0, MIDDLE[1] + 0.115 * np.sin(angle), MIDDLE[2] - 0.1 * np.cos(angle) - 0.012)
        return Style(
            kind, "tie", u(0.005, 0.01), u(0.006, 0.014), 0.0, 240, 0.05, 0.006, 0.0025, bangs=bangs, tie=tie
        )
    return Style("fringe", "down", u(0.003, 0.012), 0.0, 0.0, 160, 0.02, 0.006, 0.0022, crown=u(0.765, 0.785))


def hairline(scalp: Scalp, points: F32, style: Style, shift: float) -> NDArray[np.float32]:
    """Signed height above the hairline [N] of points of the skull at rest, metres."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    height = (y - 0.795) - 0.94 * (z - 0.144) + shift
    height = height - style.temples * np.exp(-(((x - 0.045) / 0.018) ** 2)) * smoothstep(0.06, 0.1, z)
    if style.crown is not None:
        crown = style.crown + 0.35 * np.minimum(0.03 - z, 0.0) + 0.008 * np.sin(40 * x)
        height = np.minimum(height, 0.4 * (crown - y))
    return np.where(y > 0.63, height, -0.02).astype(np.float32)


def thickness(scalp: Scalp, style: Style, height: F32) -> NDArray[np.float32]:
    """How far the hair's surface is from the skull [N], without lumps."""
    y, z = scalp.base[:, 1], scalp.base[:, 2]
    top = smoothstep(0.765, 0.825, y)
    size = style.sides * (1 - top) + style.top * top
    size += style.front * smoothstep(0.06, 0.13, z) * smoothstep(0.77, 0.81, y)
    size *= 1 - 0.8 * scalp.beside_ear * (style.kind not in ("long", "bob"))
    if style.kind == "fringe":
        size = np.full_like(y, style.sides)
    if style.flow == "part":
        size *= 1 - 0.45 * np.exp(-(((scalp.base[:, 0] - style.part) / 0.008) ** 2)) * top
    return (size * smoothstep(-0.004, 0.008 + 0.55 * style.top, height)).astype(np.float32)


def flow_of(style: Style) -> Callable[[NDArray], NDArray]:
    """Direction of the strands at points of the head (not of unit length, not yet tangential)."""

    def flow(p: NDArray) -> NDArray:
        top = smoothstep(0.75, 0.82, p[:, 1].astype(np.float32))[:, None]
        down = np.array([0, -1.0, 0.1])
        if style.flow == "part":
            side = np.tanh((p[:, :1] - style.part) / 0.01)
            return top * np.concatenate([side, -0.2 + 0 * side, -0.25 + 0 * side], 1) + (1 - top) * down
        if style.flow == "back":
            return np.array([0, 0.0, -1.0]) * (0.4 + top) + (1 - top) * down
        if style.flow == "forward":
            return np.array([0, -0.1, 1.0]) * top + (1 - top) * down
        if style.flow == "up":
            return unit(p - MIDDLE) + np.array([0, 0.4, -0.5])
        if style.flow == "out":
            return unit(p - MIDDLE)
        if style.flow == "tie" and style.tie is not None:
            return unit(np.array(style.tie) - p)
        if style.flow == "down":
            return np.broadcast_to(down, p.shape)
        return unit(p - np.array([0.015, 0.86, 0.0])) * [1, 0.5, 1] + (1 - top) * down * 0.7

    return flow


def grain(style: Style, p: NDArray) -> F32:
    """Metres across and along the strands for the shader's pattern on the volume [N,2]."""
    x, y, z = p[:, 0], p[:, 1], p[:, 2]
    if style.flow == "part":
        return np.stack([z + 0.5 * (0.8 - y), np.abs(x - style.part)], 1).astype(np.float32)
    if style.flow in ("back", "forward", "up"):
        beside = np.sign(x) * smoothstep(0.045, 0.07, np.abs(x).astype(np.float32)) * (0.8 - y)
        return np.stack([x + beside, z], 1).astype(np.float32)
    if style.flow == "out":  # curls: no direction
        return np.stack([x + 0.6 * y, 40 * (z + 0.6 * y)], 1).astype(np.float32)
    pole = np.array(style.tie if style.tie is not None else (0.015, 0.84, 0.0))
    if style.tie is not None:
        q = p - pole
        return np.stack([0.09 * np.arctan2(q[:, 0], q[:, 1]), np.linalg.norm(q, axis=1)], 1).astype(
            np.float32
        )
    return np.stack([0.09 * np.arctan2(x - pole[0], z - pole[2] + 0.02), y], 1).astype(np.float32)
