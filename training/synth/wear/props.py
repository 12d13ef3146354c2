"""Things worn on the head, in template coordinates: glasses, lenses, headphones, earbuds, a cap's visor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.synth.meshes import F32, unit
from training.synth.solids import Solid, ellipsoid, lathe, loft, merge, tube
from training.synth.wear.posed import Posed

Place = Callable[[NDArray], NDArray]  # points [N,2] of a lens' plane -> the template's space [N,3]
EYE_MIDDLE = np.array([0.0, 0.728, 0.131], np.float32)
PUPIL = 0.0325  # of the middle of a lens, metres from the middle
AROUND = 28  # points of a rim
FRAMES = ("free", "round", "square", "aviator", "cat", "rimless", "half", "thick")
FRAME_ODDS = (0.22, 0.14, 0.16, 0.1, 0.1, 0.08, 0.08, 0.12)
EAR = np.array([0.083, 0.738, 0.045])
SKULL = (
    np.radians([-9, 3, 18, 31, 43, 53, 67, 90]),
    [0.092, 0.09, 0.0875, 0.09, 0.097, 0.106, 0.1137, 0.114],
)
"""Angle above the ears and distance from the middle at y 0.735 of a band that touches the skull."""


def _outline(rng: np.random.Generator, kind: str) -> tuple[NDArray, float]:
    """One rim [28,2] about its middle, +x away from the nose, and the radius of its tube."""
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    half = np.array([rng.uniform(0.0225, 0.0285), rng.uniform(0.016, 0.0225)])
    power, thick = rng.uniform(2.2, 4.5), rng.uniform(0.0008, 0.0026)
    if kind == "round":
        half, power = np.full(2, rng.uniform(0.021, 0.0255)), 2.0
    if kind == "square":
        half[1], power = rng.uniform(0.016, 0.021), rng.uniform(4, 7)
    if kind == "thick":
        thick = rng.uniform(0.0028, 0.004)
    if kind in ("aviator", "rimless", "half"):
        thick = rng.uniform(0.0006, 0.0011)
    shape = np.stack([np.cos(angle), np.sin(angle)], 1)
    shape = shape / (np.abs(shape) ** power).sum(1, keepdims=True) ** (1 / power) * half
    if kind == "aviator":  # a drop that leans outward below
        low = np.clip(-shape[:, 1] / half[1], 0, 1)
        shape = shape * [1.06, 1.22] + np.stack([0.004 * low * (1 - low) * 4, -0.002 * low], 1)
    if kind == "cat":  # the outer upper corner drawn up
        corner = np.clip(shape / half, 0, 1).prod(1)
        shape = shape + corner[:, None] * np.array([0.006, 0.010]) * rng.uniform(0.6, 1.4)
    return shape, thick


def glasses(rng: np.random.Generator, tint: float = 0.0) -> tuple[Solid, Solid]:
    """Frame and lenses as worn on the template's head.

    tint 0: the lenses are only a reflection or two (windows seen in the glass); above: share of
    the light that they stop (their aux.x). Lens pieces carry aux.y = 1 and uv in -1..1.
    """
    kind = str(rng.choice(FRAMES, p=FRAME_ODDS))
    shape, thick = _outline(rng, kind)
    drop, ahead = rng.uniform(-0.003, 0.005), rng.uniform(0.153, 0.159)
    tilt, bow = rng.uniform(0.03, 0.14), rng.uniform(2.0, 4.5)
    windows = [_window(rng) for _ in range(int(rng.integers(0, 3)))]
    parts, lens = [], []
    for side in (-1, 1):
        middle = np.array([side * PUPIL, EYE_MIDDLE[1] - 0.002 - drop])

        def place(q: NDArray, side: int = side, middle: NDArray = middle) -> NDArray:
            x, y = side * q[:, 0] + middle[0], q[:, 1] + middle[1]
            z = ahead - bow * np.maximum(np.abs(x) - 0.02, 0) ** 2 + tilt * q[:, 1]
            return np.stack([x, y, z], 1)

        rim = place(shape)
        if kind == "half":
            parts.append(tube(place(shape[:15]), 2 * thick, False))
        elif kind == "rimless":
            parts.append(tube(rim, 0.0005, True, 4))
        else:
            parts.append(tube(rim, thick, True, flat=1.0 if thick < 0.0015 else 0.8))
        hinge = place(np.array([[np.abs(shape[:, 0]).max(), 0.45 * shape[:, 1].max()]]))[0]
        bend = EAR * [side, 1, 1]
        arm = np.concatenate([np.linspace(hinge, bend, 6), [bend - np.array([0.0, 0.018, 0.016])]])
        arm[1:5, 0] += side * 0.003
        parts.append(tube(arm, max(thick * rng.uniform(0.8, 1.2), 0.0009), False, 5))
        parts.append(ellipsoid(hinge, np.array([0.0015, 0.003, 0.002]) + thick, 4))
        if thick < 0.0015:  # nose pads
            pad = np.array([side * 0.011, middle[1] - 0.006, ahead - 0.009])
            parts.append(ellipsoid(pad, np.array([0.0018, 0.005, 0.003]), 4))
        if tint > 0:
            lens.append(_lens(place, shape, tint))
        lens += [_pane(place, w * np.abs(shape).max(0) * [side, 1]) for w in windows]
    inner = PUPIL - np.abs(shape[:, 0]).max()
    high = EYE_MIDDLE[1] - 0.002 - drop + 0.35 * shape[:, 1].max() * rng.uniform(0.3, 1.4)
    arch = np.linspace(-1, 1, 7)[:, None]
    bridge = np.array([0, high, ahead]) + arch * [inner, 0, 0] + (1 - arch**2) * [0, 0.004, 0.003]
    parts.append(tube(bridge, thick, False, 5))
    if kind == "aviator":
        parts.append(tube(bridge + np.array([0, 0.009, 0]), thick, False, 5))
    if not lens:  # nothing to see: a quadrilateral without area
        lens.append(_pane(lambda q: np.tile(bridge[3] - [0, 0, 0.004], (len(q), 1)), np.zeros((4, 2))))
    return merge(parts), merge(lens)


def _lens(place: Place, shape: NDArray, tint: float) -> Solid:
    """A filled, gently curved lens."""
    rings = np.stack([0.02 * shape, 0.5 * shape, shape], 1)
    flat = rings.reshape(-1, 2)
    solid = loft(place(flat).reshape(AROUND, 3, 3), True)
    uv = (flat / np.abs(shape).max(0)).astype(np.float32)
    normal = unit(np.concatenate([flat * 6.0, np.ones((len(flat), 1))], 1))
    return replace(solid, normals=normal, uv=uv, aux=np.tile(np.float32([[tint, 1]]), (len(flat), 1)))


def _window(rng: np.random.Generator) -> NDArray:
    """Corners [4,2] of a bright pane, as shares of the lens' half sizes."""
    low = np.array([rng.uniform(-0.65, 0.35), rng.uniform(-0.5, 0.4)])
    size = np.array([rng.uniform(0.12, 0.45), rng.uniform(0.15, 0.5)])
    corner = np.clip(low + size * [[0, 0], [1, 0], [1, 1], [0, 1]], -0.68, 0.68)
    return corner + rng.uniform(-0.3, 0.3) * corner[:, 1:] * [1, 0]


def _pane(place: Place, corner: NDArray) -> Solid:
    """The reflection of a window: a quadrilateral just before the lens; aux.x = -1 makes it bright."""
    points = (place(corner) + np.array([0, 0, 0.0004])).astype(np.float32)
    tri = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    normal = np.tile(unit(np.array([[0, 0.3, 0.954]])), (4, 1))
    aux = np.tile(np.float32([[-1, 1]]), (4, 1))
    return Solid(points, normal, tri, np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]), aux)


def headphones(rng: np.random.Generator, hair: float = 0.0) -> Solid:
    """A band over the head and two cups on the ears, sometimes with a microphone on a boom.

    hair: thickness in metres of what lies between the band and the skull.
    """
    angle = np.linspace(-0.15, np.pi + 0.15, 24)
    depth, lean = rng.uniform(0.035, 0.05), rng.uniform(-0.02, 0.02)
    band = rng.uniform(0.003, 0.007)
    lift = np.sin(angle).clip(0)
    reach = np.interp(np.arcsin(np.sin(angle)), SKULL[0], SKULL[1]) + band + 0.002 + hair * lift**0.5
    arc = np.stack([reach * np.cos(angle), 0.735 + reach * np.sin(angle), depth + lean * lift], 1)
    large = rng.random() < 0.65
    size = rng.uniform(0.034, 0.044) if large else rng.uniform(0.022, 0.03)
    deep = rng.uniform(0.016, 0.026) if large else rng.uniform(0.009, 0.014)
    parts = [tube(arc, band, False, 8)]
    parts.append(tube(arc[6:-6] + np.array([0, 0.001, 0]), band * rng.uniform(1.0, 1.9), False, 8))
    profile = np.array(
        [[0, 1], [0.55, 1], [0.86, 0.9], [1, 0.62], [1.0, 0.3], [0.93, 0.24], [1.02, 0.1], [0.98, -0.1]]
    )
    cup = lathe(profile * [size, deep])
    for side in (-1, 1):
        # The lathe's axis (y) turned outward; cups are taller than wide.
        turn = np.array([[0, side, 0], [1.15, 0, 0], [0, 0, 0.92]], np.float64)
        parts.append(cup.moved(turn, np.array([side * (0.076 + 0.3 * hair), 0.708, depth - 0.002])))
    if rng.random() < 0.35:
        side = rng.choice([-1, 1])
        start, end = (
            np.array([side * 0.097, 0.69, depth + 0.01]),
            np.array([side * rng.uniform(0.02, 0.045), 0.645, 0.175]),
        )
        t = np.linspace(0, 1, 9)[:, None]
        path = start * (1 - t) + end * t + t * (1 - t) * np.array([side * 0.05, -0.05, 0.03])
        parts += [tube(path, 0.0022, False, 5), ellipsoid(end, np.array([0.008, 0.005, 0.006]), 6)]
    return merge(parts)


def earbuds(rng: np.random.Generator) -> Solid:
    """Two plugs in the ears, with stems or with wires that hang down."""
    wired = rng.random() < 0.35
    parts = []
    for side in (-1, 1):
        ear = np.array([side * 0.081, 0.706, 0.055])
        parts.append(ellipsoid(ear, np.array([0.006, 0.008, 0.008]), 6))
        stem = ear + np.array([side * 0.003, 0, 0.003]) + np.linspace(0, 1, 4)[:, None] * [0, -0.026, 0.008]
        parts.append(tube(stem, 0.0022 if wired else 0.003, False, 6))
        if wired:
            t = np.linspace(0, 1, 12)[:, None]
            bend = np.array([side * 0.012, -0.03, 0.03])
            path = stem[-1] * (1 - t) + np.array([0.0, 0.47, 0.16]) * t + t * (1 - t) * 2 * bend
            parts.append(tube(path, 0.0014, False, 4))
    return merge(parts)


def visor(rng: np.random.Generator, out: float) -> Solid:
    """The peak of a cap whose crown stands `out` metres off the skull."""
    angle = np.linspace(-1.05, 1.05, 17)
    length = rng.uniform(0.05, 0.075)
    base = np.stack(
        [(0.072 + out) * np.sin(angle), np.full(17, 0.79), 0.06 + (0.092 + out) * np.cos(angle)], 1
    )
    rows = []
    for t in np.linspace(0, 1, 5):
        reach = length * t * np.cos(angle * 0.85) ** 0.7
        drop = -0.35 * reach - 0.012 * (np.sin(angle) ** 2) * (0.4 + t)
        rows.append(base + np.stack([0.25 * reach * np.sin(angle), drop, reach], 1))
    rows += [r - [0, 0.0035, 0] for r in rows[::-1]]
    return loft(np.stack(rows, 1), False)


def wear(points: F32, posed: Posed, ahead: float = 0.0) -> F32:
    """Template coordinates [N,3] -> the posed head, stretched to its width, height and depth.

    ahead: metres farther from the face, fading toward the ears.
    """
    local = (points - EYE_MIDDLE) * posed.fit
    local[:, 2] += ahead * np.clip((points[:, 2] - EAR[2]) / 0.1, 0, 1)
    return (posed.eyes + local @ posed.head_turn.T).astype(np.float32)


def clearance(rest: F32, posed: Posed, rim: F32) -> float:
    """How far glasses must move ahead (metres) so that brows and cheeks stay behind them.

    rest: [V,3] the body's template; rim: [N,3] the frame in template coordinates.
    """
    front = rim[rim[:, 2] > 0.14]
    low, high = front[:, 1].min(), front[:, 1].max()
    near = (rest[:, 2] > 0.11) & (np.abs(rest[:, 0]) < 0.058) & (rest[:, 1] > low) & (rest[:, 1] < high)
    near &= np.abs(rest[:, 0]) > 0.014  # the nose goes between the lenses
    face = (posed.vertices[near] - posed.eyes) @ posed.head_turn
    gap = ((front - EYE_MIDDLE) * posed.fit)[:, 2]
    x = ((front - EYE_MIDDLE) * posed.fit)[:, 0]
    plane = np.interp(np.abs(face[:, 0]), *_profile(np.abs(x), gap))
    return float(np.clip(np.quantile(face[:, 2] - plane, 0.97) + 0.001, -0.003, 0.017))


def _profile(x: F32, z: F32) -> tuple[NDArray, NDArray]:
    """Rim depth over |x| as sorted samples for interpolation."""
    order = np.argsort(x)
    return x[order], np.minimum.accumulate(z[order])
