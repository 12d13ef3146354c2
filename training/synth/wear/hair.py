"""Procedural hair: volumes on the cap around the skull with loose strands over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synth.gl import Piece, pack
from training.synth.meshes import F32, cross, unit
from training.synth.noise import smoothstep, waves
from training.synth.solids import ellipsoid, ribbons
from training.synth.wear.posed import Anchors, Bind, Posed, rotate
from training.synth.wear.scalp import MIDDLE, Scalp, trace
from training.synth.wear.styles import Style, flow_of, grain, hairline, thickness


def _curl(rng: np.random.Generator, path: NDArray, out: NDArray, style: Style) -> NDArray:
    """Wind the strands."""
    radius, pitch = style.curl
    if radius <= 0:
        return path
    step = np.linalg.norm(np.diff(path, axis=1, prepend=path[:, :1]), axis=-1).cumsum(1)
    # A turn needs seven points, or curls become zigzags.
    pitch = np.maximum(pitch, 7 * step[:, -1:] / (path.shape[1] - 1))
    turn = 2 * np.pi * (step / pitch + rng.random((len(path), 1)))
    along = unit(np.gradient(path, axis=1))
    side = cross(along, out)
    ramp = np.clip(step / pitch, 0, 1)[..., None] * radius
    return path + ramp * (np.cos(turn)[..., None] * side + np.sin(turn)[..., None] * out)


def strand_piece(
    anchors: Anchors,
    posed: Posed,
    path: NDArray,
    out: NDArray,
    width: NDArray,
    density: float,
    role: str = "hair",
) -> Piece:
    """Ribbons along rest paths [N,M,3] as a hair piece; labels face outward."""
    along = unit(np.gradient(path, axis=1))
    side = unit(cross(along, out))
    n, m = path.shape[:2]
    if np.linalg.norm(path[:, -1] - path[:, 0], axis=1).mean() < 0.08:  # short: each goes with its root
        root = anchors.bind(path[:, 0], 4)
        shift = (root.offset[:, None] + path - path[:, :1]).reshape(-1, 3).astype(np.float32)
        bind = Bind(root.index.repeat(m, 0), root.weight.repeat(m, 0), shift)
    else:
        bind = anchors.bind(path.reshape(-1, 3), 4)
    points, turn = bind.hang(posed)
    if m > 8:
        points = _ease(points.reshape(n, m, 3), turn.reshape(n, m, 3, 3)[:, 0], path * posed.scale)
    flat = ribbons(path, side, out, width)
    twist = np.repeat(turn, 2, 0)
    wide = rotate(twist, flat.points - np.repeat(path.reshape(-1, 3), 2, 0)) * posed.scale
    v = np.repeat(points, 2, 0) + wide
    label = unit(rotate(twist, flat.normals))
    edge = np.tile([-0.35, 0.35], n * m)[:, None] * side.reshape(-1, 3).repeat(2, 0)
    normal = unit(label + rotate(twist, edge))
    aux = np.tile(np.float32([[density, 2.0]]), (len(v), 1))
    return Piece(role, "hair", pack(v, normal, label, flat.uv, flat.points, aux), flat.tri)


def _ease(points: F32, turn: F32, path: NDArray) -> F32:
    """Strands [N,M,3] that go gently from head to shoulders [N*M,3].

    Where a turned head leaves the shoulders behind, neighbouring points follow one or the other.
    turn [N,3,3]: of the roots; path [N,M,3]: at rest. What the strand does beyond turning with its
    root is averaged along it, so that its curls stay.
    """
    local = points[:, :1] + np.einsum("nij,nmj->nmi", turn, path - path[:, :1])
    drift = points - local
    for _ in range(8):
        drift[:, 1:-1] = 0.5 * drift[:, 1:-1] + 0.25 * (drift[:, :-2] + drift[:, 2:])
    return (local + drift).reshape(-1, 3).astype(np.float32)


def volume(
    rng: np.random.Generator, scalp: Scalp, posed: Posed, style: Style
) -> tuple[Piece, F32, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The body of the hair: its piece, its surface at rest [N,3], thickness, height above the hairline, and
    density [N]."""
    height = hairline(scalp, scalp.base, style, rng.uniform(-0.006, 0.008))
    height = height - 0.03 * scalp.beside_ear * (style.kind not in ("long", "bob"))
    thick = thickness(scalp, style, height)
    lump = 1 + style.lumps * (waves(scalp.base, rng, 0.05) + 0.6 * waves(scalp.base, rng, 0.022))
    jag = 0.0015 * waves(scalp.base, rng, 0.012)
    smooth = (scalp.base + scalp.way * (thick + 0.001)[:, None]).astype(np.float32)
    points = (scalp.base + scalp.way * (thick * lump + 0.001)[:, None]).astype(np.float32)
    aux = np.stack([smoothstep(-0.007, 0.010, height + jag), np.ones(len(height))], 1).astype(np.float32)
    uv = grain(style, points)
    piece = scalp.piece(posed, points, smooth, height + 0.007, "hair", "hair", uv, aux)
    return piece, points, thick, height, aux[:, 0]


def dress_hair(
    rng: np.random.Generator, scalp: Scalp, posed: Posed, style: Style
) -> tuple[list[Piece], NDArray[np.float32]]:
    """Volume and strands of a style; [N] how much of the cap is hairless (for the painted scalp)."""
    anchors = scalp.anchors
    body, points, thick, height, density = volume(rng, scalp, posed, style)
    pieces = [body]
    root = np.flatnonzero(height > (0.0 if style.kind != "long" else -0.004))
    pick = rng.choice(root, style.strands)
    spot = points[pick] + rng.normal(0, 0.003, (style.strands, 3)) - scalp.way[pick] * 0.3 * thick[pick, None]
    length = style.length * rng.uniform(0.6, 1.15, style.strands)
    if style.kind in ("long", "bob"):  # all ends at about one height
        length = np.clip(length + (scalp.base[pick, 1] - 0.75) * 0.8, 0.05, 0.6)
    clear = thick[pick] * rng.uniform(0.75, 1.05, style.strands) + style.lift * rng.random(style.strands) ** 3
    steps = (17 if style.curl[0] > 0.001 else 12) if style.length > 0.1 else (12 if style.curl[0] > 0 else 6)
    fall = {"long": (0.15, 1.2), "bob": (0.15, 1.2), "curly": (0.0, 0.5)}.get(style.kind, (0.0, 0.2))
    fall = (0.0, 0.0) if style.flow in ("out", "up", "tie") else fall
    loose = rng.random(style.strands) < 0.05
    still = style.length > 0.1
    stray = np.where(loose, 0.12 if still else 0.28, 0.05 if still else 0.1 + 8 * style.lift)
    cling, part = style.flow not in ("out", "up"), style.part if style.length > 0.1 else None
    path, out = trace(rng, anchors, spot, flow_of(style), length, steps, fall, clear, stray, cling, part)
    wide = style.wide * rng.uniform(0.5, 1.3, style.strands) * np.where(loose, 0.4, 1.0)
    pieces.append(
        strand_piece(anchors, posed, _curl(rng, path, out, style), out, wide, 1.1 if still else 0.85)
    )
    if style.bangs > 0.01:
        pieces.append(_bangs(rng, scalp, posed, style, points, height))
    if style.tie is not None:
        pieces += _tied(rng, scalp, posed, style)
    return pieces, 1 - density


def wisps(
    rng: np.random.Generator, anchors: Anchors, posed: Posed, points: F32, normals: F32, count: int
) -> Piece:
    """Loose strands on a hair mesh given by points [N,3] and outward normals at rest."""
    face = (np.abs(points[:, 0]) < 0.065) & (points[:, 2] > 0.08) & (points[:, 1] < 0.8)
    beside = (points[:, 2] > 0.03) & (points[:, 1] < 0.76)
    pick = rng.choice(np.flatnonzero((points[:, 1] > 0.62) & ~face & ~beside), count)
    n = normals[pick]
    length = rng.uniform(0.015, 0.06, count) * np.where(points[pick, 1] > 0.79, 0.5, 1.0)
    lean = rng.normal(0, 0.16, (count, 3)) + n * rng.uniform(0.0, 0.3, (count, 1)) ** 2
    path = [points[pick] - 0.002 * n]
    for j in range(5):
        down = np.array([0, -0.5 - 0.15 * j, -0.1])
        v = unit(down - n * (n @ down)[:, None] * (1 - 0.12 * j) + lean)
        path.append(path[-1] + v * (length / 5)[:, None])
    line = np.stack(path, 1)
    out = np.repeat(n[:, None], 6, 1)
    return strand_piece(anchors, posed, line, out, rng.uniform(0.0008, 0.0028, count), 0.75)


def _bangs(
    rng: np.random.Generator, scalp: Scalp, posed: Posed, style: Style, points: F32, height: F32
) -> Piece:
    """Strands over the forehead."""
    front = np.flatnonzero((height > 0) & (height < 0.03) & (scalp.base[:, 2] > 0.1))
    pick = rng.choice(front, 150)
    lean = float(np.sign(style.part)) * rng.uniform(0.1, 0.9) if style.part else 0.0

    def flow(p: NDArray) -> NDArray:
        return np.broadcast_to(np.array([-lean, -0.75, 0.65]), p.shape)

    length = style.bangs * rng.uniform(0.75, 1.1, 150) + height[pick]
    clear = rng.uniform(0.003, 0.008, 150)
    path, out = trace(rng, scalp.anchors, points[pick] + 0, flow, length, 6, (0.1, 0.6), clear, 0.15)
    path = _curl(rng, path, out, style)
    return strand_piece(scalp.anchors, posed, path, out, np.full(150, 0.004), 0.8)


def _tied(rng: np.random.Generator, scalp: Scalp, posed: Posed, style: Style) -> list[Piece]:
    """A bun or a tail at the tie."""
    tie, anchors = np.array(style.tie), scalp.anchors
    away = unit(tie - MIDDLE)
    if style.kind == "bun":
        size = rng.uniform(0.024, 0.045)
        ball = ellipsoid(tie + away * size * 0.7, size * np.array([1.1, 1, 0.95]), 12)
        rough = 1 + 0.08 * waves(ball.points, rng, 0.02)
        rest = (tie + (ball.points - tie) * rough[:, None]).astype(np.float32)
        points, turn = anchors.bind(rest).hang(posed)
        n = unit(rotate(turn, ball.normals))
        q = rest - tie
        uv = np.stack([q @ away + 0.03 * np.arctan2(q[:, 0], q[:, 1]), np.arctan2(q[:, 0], q[:, 1])], 1)
        aux = np.ones((len(rest), 2), np.float32)
        pieces = [Piece("hair", "hair", pack(points, n, n, uv, rest, aux), ball.tri)]
        count, length, fall = 60, rng.uniform(0.03, 0.06), 0.0
    else:
        pieces, count, length, fall = [], 170, rng.uniform(0.15, 0.38), 1.3
    spread = rng.normal(0, 1, (count, 3))
    start = tie + 0.012 * spread
    swing = np.array([rng.uniform(-0.25, 0.25), 0, 0])

    def flow(p: NDArray) -> NDArray:
        around = cross(p - tie, away) * (60 if style.kind == "bun" else 0)
        return (
            away
            + swing
            + 0.12 * spread / np.maximum(np.linalg.norm(spread, axis=1, keepdims=True), 1)
            + around
        )

    lengths = length * rng.uniform(0.7, 1.1, count)
    path, out = trace(rng, anchors, start, flow, lengths, 10, (0.2, fall), np.full(count, 0.012), 0.06)
    out = unit(out + unit(path - path.mean(0, keepdims=True)))
    pieces.append(strand_piece(anchors, posed, path, out, np.full(count, 0.005), 0.8))
    return pieces
