"""What is sewn to clothes or laid around the neck: collars, hoods, ties, lapels, scarves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synth.gl import Piece, pack
from training.synth.meshes import unit
from training.synth.noise import smoothstep, waves
from training.synth.solids import Solid, loft, merge, tube
from training.synth.wear.posed import Anchors, Posed, under_jaw
from training.synth.wear.scalp import hang
from training.synth.wear.shells import NECK, Cut, neckline

RING = 56  # points around the neck
KINDS = ("none", "rib", "shirt", "polo", "turtle", "stand", "hood", "shirt+tie")


def trim_piece(
    anchors: Anchors, posed: Posed, solid: Solid, role: str, fabric: int, smooth: bool = True
) -> Piece:
    """A solid made at rest as cloth of a role, fixed to the skin near it."""
    v, n = hang(anchors, posed, solid)
    aux = np.tile(np.float32([[1.0, fabric]]), (len(v), 1))
    return Piece(role, "cloth", pack(v, n, n, solid.uv, solid.points, aux), solid.tri)


def contour(anchors: Anchors, field: NDArray[np.float32]) -> NDArray:
    """Where a field [V] of the skin at rest crosses 0 around the neck: a smooth loop [RING,3].

    Row k lies at the angle 2 pi k / RING from the front, anticlockwise seen from above.
    """
    rest = anchors.figure.template
    a, b = anchors.neck_edges
    near = field[a] * field[b] < 0
    a, b = a[near], b[near]
    t = (field[a] / (field[a] - field[b]))[:, None]
    p = rest[a] * (1 - t) + rest[b] * t
    angle = np.arctan2(p[:, 0], p[:, 2] - NECK[1])
    wanted = np.arange(RING) * 2 * np.pi / RING
    gap = np.angle(np.exp(1j * (angle[None] - wanted[:, None])))
    weight = np.exp(-0.5 * (gap / 0.09) ** 2) + 1e-9
    return (weight / weight.sum(1, keepdims=True)) @ p


def around(loop: NDArray, out: NDArray, up: NDArray, closed: bool = True) -> Solid:
    """A surface around the neck: `loop` [R,3] moved outward and upward by out, up [R,C] metres.

    Its outer side faces outward and up: a profile that goes up inside and falls outside, clockwise round its
    lower inner corner when outward is right, is taken backward.
    """
    across, high = (v.mean(0) for v in np.broadcast_arrays(out, up))
    across, high = across - across.min(), high - high.min()
    if (across[:-1] * high[1:] - across[1:] * high[:-1]).sum() < 0:
        out, up = out[:, ::-1], up[:, ::-1]
    way = unit((loop - [0, 0, NECK[1]]) * [1, 0, 1])
    points = loop[:, None] + way[:, None] * out[..., None] + np.array([0, 1.0, 0]) * up[..., None]
    return loft(points, closed)


def neck_trim(
    rng: np.random.Generator, anchors: Anchors, posed: Posed, cut: Cut, kind: str, role: str, extras: bool
) -> list[Piece]:
    """What finishes a top at the neck; `extras`: with a tie or cords in colours of their own."""
    loop = contour(anchors, neckline(cut, anchors.figure.template))
    base = cut.thick + 0.003
    lift = 0.001 * waves(loop.astype(np.float32), rng, 0.06)[:, None]
    front = np.cos(np.arange(RING) * 2 * np.pi / RING)[:, None]
    if kind == "rib":
        solid = around(
            loop,
            base + 0.002 + 0.0022 * np.cos([[0, 1.2, 2.4, 3.8, 5.2, 6.28]]),
            0.004 + 0.006 * np.sin([[0, 1.2, 2.4, 3.8, 5.2, 6.28]]) + lift,
        )
        return [trim_piece(anchors, posed, solid, role, 3)]
    if kind in ("shirt", "polo", "shirt+tie"):
        pieces = [trim_piece(anchors, posed, _shirt_collar(rng, loop, base, kind == "polo"), role, 0)]
        if kind == "shirt+tie":
            pieces.append(_tie(rng, anchors, posed, base))
        return pieces
    if kind == "turtle":
        high = rng.uniform(0.03, 0.05)
        t = np.linspace(0, 1, 8)[None]
        lean = -0.012 * t * (1 + 0.3 * front) + base + 0.004 * np.sin(t * 9) * rng.uniform(0, 1)
        fold = np.concatenate([lean, lean[:, ::-1] + 0.005], 1)
        rise = np.concatenate(
            [t * high + 0 * front, t[:, ::-1] * high * rng.choice([1.0, 0.45]) + (1 - 1) + 0 * front], 1
        )
        return [trim_piece(anchors, posed, around(loop, fold, rise + lift), role, 3)]
    if kind == "stand":
        high = rng.uniform(0.02, 0.045)
        t = np.linspace(0, 1, 4)[None]
        out = base - 0.012 * t + 0.008 * (front > 0.5) * t
        skip = np.flatnonzero(np.abs(np.angle(np.exp(1j * np.arange(RING) * 2 * np.pi / RING))) > 0.28)
        order = skip[np.argsort((skip - 3) % RING)]
        both = np.concatenate([out, out[:, ::-1] + 0.004], 1)
        rise = np.concatenate([t, t[:, ::-1]], 1) * high + 0 * front
        return [trim_piece(anchors, posed, around(loop[order], both[order], rise[order], False), role, 3)]
    if kind == "hood":
        return _hood_down(rng, anchors, posed, loop, base, role, extras)
    return []


def _shirt_collar(rng: np.random.Generator, loop: NDArray, base: float, soft: bool) -> Solid:
    """A stand and a fall, open in front; its points hang lower."""
    angle = np.angle(np.exp(1j * np.arange(RING) * 2 * np.pi / RING))
    order = np.argsort(np.where(angle < 0, angle + 2 * np.pi, angle))
    order = order[(np.abs(angle[order]) > rng.uniform(0.1, 0.35))]
    gap = np.abs(angle[order])[:, None]
    tip = np.exp(-(((gap - gap.min()) / 0.45) ** 2))
    high, fall = rng.uniform(0.022, 0.032), rng.uniform(0.032, 0.042)
    spread = rng.uniform(0.006, 0.016)
    flare = np.array([[0.0, -0.005, -0.009, -0.005, 0.003, 0.010]]) + spread * tip * [[0, 0, 0, 0, 0.5, 1]]
    out = base + flare
    drop = fall + rng.uniform(0.012, 0.035) * tip
    up = np.concatenate(
        [
            -0.004 + 0 * gap,
            0.6 * high + 0 * gap,
            high + 0 * gap,
            high + 0 * gap - 0.001,
            high - 0.5 * drop,
            high - drop,
        ],
        1,
    )
    if soft:
        up *= 0.8
    return around(loop[order], out, up, False)


def _strip(anchors: Anchors, line: NDArray, wide: NDArray, out: NDArray, across: NDArray) -> Solid:
    """A strip on the chest along line [N,2] (x, y), half widths [N], `out` [N] metres before the skin."""
    rows = []
    for s, bulge in ((-1, -0.003), (-0.6, 0.0), (0.6, 0.0), (1, -0.003)):
        xy = line + s * wide[:, None] * across
        rows.append(np.concatenate([xy, (anchors.front(line) + out + bulge)[:, None]], 1))
    return loft(np.stack(rows, 1), False)


def _tie(rng: np.random.Generator, anchors: Anchors, posed: Posed, base: float) -> Piece:
    """A long tie with its knot."""
    y = np.linspace(0.565, 0.18, 14)
    line = np.stack([0.002 * np.sin(9 * y), y], 1)
    wide = np.interp(y, [0.18, 0.25, 0.53, 0.545, 0.565], [0.001, 0.036, 0.016, 0.011, 0.018]) * rng.uniform(
        0.7, 1.1
    )
    out = np.full(14, base + 0.008)
    out[:3] += [0.012, 0.014, 0.007]
    return trim_piece(anchors, posed, _strip(anchors, line, wide, out, np.array([1.0, 0])), "tie", 0)


def lapels(rng: np.random.Generator, anchors: Anchors, posed: Posed, cut: Cut, role: str) -> list[Piece]:
    """The turned edges of an open jacket, from the collar to the waist."""
    y = np.linspace(0.56, 0.2, 12)
    size = rng.uniform(0.018, 0.038) * np.interp(y, [0.2, 0.3, 0.5, 0.56], [0.1, 0.35, 1.0, 0.8])
    parts = []
    for side in (-1, 1):
        x = cut.gap + cut.flare * np.maximum(y - 0.28, 0) + size
        solid = _strip(
            anchors,
            np.stack([side * x, y], 1),
            size,
            np.full(12, cut.thick + 0.007),
            np.array([1.0, 0.15 * side]),
        )
        parts.append(solid)
    pieces = [trim_piece(anchors, posed, merge(parts), role, cut.fabric)]
    loop = contour(anchors, neckline(cut, anchors.figure.template))
    angle = np.arange(RING) * 2 * np.pi / RING
    order = np.flatnonzero((angle > 0.75) & (angle < 2 * np.pi - 0.75))
    t = np.array([[-0.006, 0.012, 0.022, 0.02, 0.004, -0.012]]) * rng.uniform(0.7, 1.3)
    out = cut.thick + 0.004 + np.array([[0, 0.0, 0.003, 0.007, 0.012, 0.016]])
    rest = np.ones((len(order), 1))
    return [
        *pieces,
        trim_piece(anchors, posed, around(loop[order], out * rest, t * rest, False), role, cut.fabric),
    ]


def _hood_down(
    rng: np.random.Generator,
    anchors: Anchors,
    posed: Posed,
    loop: NDArray,
    base: float,
    role: str,
    extras: bool,
) -> list[Piece]:
    """A hood lying on the back, with strings."""
    angle = np.angle(np.exp(1j * np.arange(RING) * 2 * np.pi / RING))
    back = smoothstep(0.3, 2.6, np.abs(angle).astype(np.float32))[:, None]
    turn = np.linspace(-0.4, 5.0, 10)[None]
    size = 0.007 + rng.uniform(0.02, 0.034) * back
    crease = 1 + 0.12 * waves((loop * [1, 1, 1]).astype(np.float32), rng, 0.05)[:, None] * np.sin(turn)
    out = base + 0.002 + size * crease * (1 - np.cos(turn)) * 0.8
    up = size * np.sin(turn) * 0.9 + 0.004 + 0.012 * back
    pieces = [trim_piece(anchors, posed, around(loop, out, up), role, int(rng.choice([0, 1, 6])))]
    if rng.random() < 0.7 and extras:
        strings = []
        for side in (-1, 1):
            y = np.linspace(loop[0, 1] - 0.005, loop[0, 1] - rng.uniform(0.07, 0.13), 7)
            xy = np.stack([side * (0.022 + 0.004 * np.sin(40 * y)), y], 1)
            path = np.concatenate([xy, (anchors.front(xy) + base + 0.009)[:, None]], 1)
            strings.append(tube(path, 0.0022, False, 5))
        pieces.append(trim_piece(anchors, posed, merge(strings), "cord", 0))
    return pieces


def scarf(rng: np.random.Generator, anchors: Anchors, posed: Posed, base: float, drape: bool) -> list[Piece]:
    """A scarf wound around the neck; `drape`: the lower part of a headscarf, from chin to shoulders."""
    rest = anchors.figure.template
    away = np.hypot(rest[:, 0], rest[:, 2] - NECK[1])
    field = 0.612 + 0.5 * np.maximum(away - 0.062, 0) - 0.35 * np.clip(rest[:, 2], -0.03, 0.06) - rest[:, 1]
    field = (field - 0.2 * under_jaw(rest)).astype(np.float32)
    loop = contour(anchors, field)
    noise = waves(loop.astype(np.float32), rng, 0.05)[:, None]
    front = np.clip(np.cos(np.arange(RING) * 2 * np.pi / RING), 0, 1)[:, None]
    if drape:
        t = np.linspace(0, 1, 12)[None]
        out = (
            base
            + 0.012
            + 0.05 * t**1.5 * (1 + 0.3 * front)
            + 0.004 * noise * np.sin(18 * t + 2 * noise)
            - 0.012 * (1 - t)
        )
        up = 0.055 - (0.12 - 0.01 * front) * t + 0.006 * noise * t
        return [trim_piece(anchors, posed, around(loop, out, up), "hat", 1)]
    pieces = []
    for k in range(int(rng.integers(1, 3))):
        turn = np.linspace(0, 2 * np.pi, 13)[None]
        wide, deep = rng.uniform(0.02, 0.032), rng.uniform(0.012, 0.02)
        crease = 1 + 0.16 * np.sin(3 * turn + 3 * noise + k) + 0.1 * noise
        out = base + 0.012 + deep * (1 - np.cos(turn)) * crease * 0.8 - 0.01 * k
        up = wide * np.sin(turn) * crease + 0.008 + 0.03 * k + 0.015 * noise * front - 0.012 * front
        pieces.append(trim_piece(anchors, posed, around(loop, out, up), "scarf", int(rng.choice([1, 2, 6]))))
    if rng.random() < 0.6:
        side = float(rng.choice([-1, 1]))
        y = np.linspace(0.57, rng.uniform(0.2, 0.35), 10)
        line = np.stack([side * (0.02 + 0.03 * (0.57 - y)), y], 1)
        wide = np.full(10, rng.uniform(0.035, 0.06))
        end = _strip(anchors, line, wide, np.full(10, base + 0.014), np.array([1.0, 0]))
        pieces.append(trim_piece(anchors, posed, end, "scarf", 1))
    return pieces
