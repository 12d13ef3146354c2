"""Fits the table of linearly transformed cosines that area lights' highlights are drawn with.

    python -m training.ltc --out shaders/ltc.npy

The idea is Heitz, Dupuy, Hill and Neubelt's (2016): what a glossy surface gathers from a polygon has no
closed form, but what a cosine lobe gathers has, and a linear transform of space that turns the cosine lobe
into something close to the surface's own lobe turns the polygon into another polygon. Here the transform is a
shear and a scale that keep the surface's plane where it is,

    (x, y, z)  ->  (a x + s b z,  y,  d z),      s = sine of the angle between the normal and the viewer,

with z along the normal and x toward the viewer: three numbers a place of the table. The usual form has a
fourth and comes closer by one or two hundredths of the lobe, but lets light from below the horizon through;
and here the polygon is clipped once for matt and glossy surfaces.

The lobe is GGX with height-correlated Smith shadowing in Hammon's form and Schlick's Fresnel term, as in
live_relight/core/brdf.py, times the cosine. What is fitted is a power of it below one, by least squares:
the tails count, which large lights make visible.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from training.told import in_one_line

Floats = NDArray[np.float64]

ROUGHNESS = (0.1, 1.0)
"""Of the table's first and last row; alpha is its square. The application's own range."""
COSINES = (0.005, 0.999)
"""What the first and last column's cosines, 0 and 1, are taken as: the mirrored direction must not lie in the
surface, and straight on b has no meaning."""
F0S = (0.02, 0.04, 0.08, 0.16, 1.0)
"""Of the table's layers: where little is mirrored straight on, Schlick's term bends the lobe."""
ROWS = 0.75
"""Rows to a column: along roughness the numbers change less."""
POWER = 0.35
"""Of the lobe, when it is compared. 0.25, and 0.5 to 1, leave larger errors of the light from polygons."""
NODES = (64, 24)
"""Directions that a lobe is known at: tilts and turns of the half vector."""
WIDER = 1.3
"""How much wider than the lobe they are spread, as a factor on alpha: its tails are sampled better for it."""


def lobe(light: Floats, view: Floats, alpha: float, f0: float) -> Floats:
    """GGX times the cosine, n, per steradian. light: n x 3 and view: 3 unit vectors, z along the normal."""
    half = light + view
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    nl, nv = np.maximum(light[:, 2], 0.0), view[2]
    d = half[:, 2] ** 2 * (alpha**2 - 1.0) + 1.0
    shade = 0.5 / (2.0 * nl * nv * (1.0 - alpha) + (nl + nv) * alpha)
    schlick = (1.0 - np.clip(half @ view, 0.0, 1.0)) ** 5
    return np.asarray(alpha**2 / (np.pi * d * d) * shade * nl * (f0 + (1.0 - f0) * schlick))


def directions(view: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Mirror images of the view in half vectors drawn evenly from a GGX lobe: n x 3 unit vectors, some below
    the surface, and the solid angle that each stands for. One side of the plane of view is enough: n x 3 has
    y > 0 only, and the weights count both."""
    tilts, turns = NODES
    wide = alpha * WIDER
    u, turn = (np.arange(tilts) + 0.5) / tilts, (np.arange(turns) + 0.5) / turns * np.pi
    tangent = wide * np.sqrt(u / (1.0 - u))[:, None]
    cosine = 1.0 / np.sqrt(1.0 + tangent**2)
    sine = tangent * cosine
    half = np.stack([sine * np.cos(turn), sine * np.sin(turn), cosine + 0.0 * turn], axis=-1).reshape(-1, 3)
    along = half @ view
    half, along = half[along > 1e-6], along[along > 1e-6]
    d = half[:, 2] ** 2 * (wide**2 - 1.0) + 1.0
    density = wide**2 / (np.pi * d * d) * half[:, 2] / (4.0 * along)
    return 2.0 * along[:, None] * half - view, 1.0 / (tilts * turns * density)


def transformed_cosine(light: Floats, a: float, sb: float, d: float) -> Floats:
    """Density of the cosine lobe after the transform: n, per steradian; 1 over all directions."""
    z = d * light[:, 2]
    square = (a * light[:, 0] + sb * light[:, 2]) ** 2 + light[:, 1] ** 2 + z * z
    return np.asarray(np.maximum(z, 0.0) * a * d / (np.pi * square**2))


def fit(alpha: float, cosine: float, f0: float, start: Floats) -> tuple[Floats, Floats]:
    """The table's four numbers at one place, a, b, d and albedo, and the solution to start the next from.

    The unknowns are relative to what a mirror-like lobe has, a = cos^2, b = cos, d = 2 alpha, so that they
    change slowly from one place to the next."""
    sine = np.sqrt(1.0 - cosine * cosine)
    view = np.array([sine, 0.0, cosine])
    light, weight = directions(view, alpha)
    value = lobe(light, view, alpha, f0)
    albedo = float(weight @ value)
    root, target = np.sqrt(weight), (value / albedo) ** POWER

    def numbers(x: Floats) -> tuple[float, float, float]:
        a = float(np.exp(x[0])) * cosine * cosine
        return a, float(x[1]) * a / cosine, float(np.exp(x[2])) * 2.0 * alpha

    def misfit(x: Floats) -> Floats:
        a, b, d = numbers(x)
        return np.asarray(root * (transformed_cosine(light, a, sine * b, d) ** POWER - target))

    found = least_squares(misfit, start, method="lm").x
    return np.array([*numbers(found), albedo]), found


def table(size: int) -> NDArray[np.float32]:
    """layers x rows x size x 4: layers by F0 as in F0S; rows by roughness, ROUGHNESS evenly; columns by the
    cosine of normal and view, 0..1 evenly."""
    if size < 2:
        raise ValueError(f"a table's size is at least 2, got {size}")
    made = np.zeros((len(F0S), max(round(size * ROWS), 2), size, 4))
    for layer, f0 in zip(made, F0S, strict=True):
        for row, roughness in zip(layer, np.linspace(*ROUGHNESS, len(layer)), strict=True):
            start = np.array([0.0, 1.0, 0.0])
            for column in reversed(range(size)):  # from straight on, where the answer is near, to grazing
                cosine = float(np.clip(column / (size - 1), *COSINES))
                row[column], start = fit(roughness**2, cosine, f0, start)
    return made.astype(np.float32)


@in_one_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the table, a .npy file")
    parser.add_argument("--size", type=int, default=32, help="rows and columns")
    args = parser.parse_args(argv)
    made = table(args.size)
    part = args.out.with_name(f".{args.out.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.save(file, made)
        part.replace(args.out)
    finally:
        part.unlink(missing_ok=True)
    print(f"{args.out}: {' x '.join(map(str, made.shape))}")


if __name__ == "__main__":
    sys.exit(main())
