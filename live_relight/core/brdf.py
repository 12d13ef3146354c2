"""How a surface answers light, in plain NumPy; shaders/brdf.glsl is the same.

Everything is relative to a matt white surface that faces the light and the camera: irradiance counts 1
there, so no pi appears, and what is called specular here is pi times the BRDF. Arrays broadcast; cosines are
of unit vectors: nl normal to light, nv normal to viewer, nh normal to the half vector, lv light to viewer, lh
light to half vector.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]

# Fits of the directional and the average albedo of Fujii's Oren-Nayar (Portsmouth, Kutz, Hill 2024: EON).
C1, C2 = 0.5 - 2.0 / (3.0 * np.pi), 2.0 / 3.0 - 28.0 / (15.0 * np.pi)
G = (0.0571085289, 0.491881867, -0.332181442, 0.0714429953)
# How far light spreads under skin, by channel (blue, green, red): share of the softened normal that counts,
# and how far beyond the terminator it reaches, at softness 1. Red goes furthest (Jimenez et al. 2009).
SCATTER = np.array([0.3, 0.5, 1.0])
GLOW = np.array([0.04, 0.07, 0.14])
SURE = 0.5
"""Cosine to the viewer from which on highlights are drawn in full."""


def albedo(cosine: Floats, sigma: float) -> Floats:
    """Share of the light from one direction that a white matt surface of roughness sigma (0..1) sends back
    after one bounce. cosine: of that direction with the normal, 0..1."""
    m = 1.0 - cosine
    poly = m * (G[0] + m * (G[1] + m * (G[2] + m * G[3])))
    return np.asarray((1.0 + sigma * poly) / (1.0 + C1 * sigma))


def oren_nayar(nl: Floats, nv: Floats, lv: Floats, sigma: float) -> Floats:
    """pi times the BRDF of a matt white surface: Fujii's form of Oren-Nayar, and what bounces more than once
    (EON with albedo 1), so that nothing is lost: a white surface in even light from everywhere is white."""
    s = lv - nl * nv
    t = np.where(s > 0.0, np.maximum(np.maximum(nl, nv), 1e-3), 1.0)
    single = (1.0 + sigma * s / t) / (1.0 + C1 * sigma)
    mean = (1.0 + C2 * sigma) / (1.0 + C1 * sigma)
    lost = (1.0 - albedo(nl, sigma)) * (1.0 - albedo(nv, sigma))
    return np.asarray(np.maximum(single + lost / max(1.0 - mean, 1e-4), 0.0))


def horizon(cosine: Floats, spread: Floats | float) -> Floats:
    """Clamped cosine of a source of some size: it sets over `spread` (sine of half its angular size, > 0)
    instead of at once. Equal to the cosine where all of the source is above the horizon."""
    above = np.clip(cosine + spread, 0.0, 2.0 * np.asarray(spread))
    return np.asarray(above * above / (4.0 * np.asarray(spread)) + np.maximum(cosine - spread, 0.0))


def warm(matt: Floats) -> Floats:
    """White light ... x 3 (blue, green, red) that has spread under skin, never colder than it came: where a
    fold is brighter than what is round it red runs off, and what is left would read as a blue, wet spot."""
    return np.asarray(np.maximum.accumulate(matt, axis=-1))


def ggx(nl: Floats, nv: Floats, nh: Floats, lh: Floats, alpha: float, spread: float, f0: float) -> Floats:
    """pi times the specular BRDF times nl: GGX (Walter et al. 2007), height-correlated Smith in Hammon's
    form, Schlick's Fresnel. A source of some size widens the lobe, and so lowers its
    peak (after Karis 2013)."""
    wide = min(alpha + 0.5 * spread, 1.0)
    a2 = wide * wide
    d = nh * nh * (a2 - 1.0) + 1.0
    lobe = a2 / (d * d)
    shade = 0.5 / np.maximum(2.0 * nl * nv * (1.0 - alpha) + (nl + nv) * alpha, 1e-3)
    fresnel = f0 + (1.0 - f0) * (1.0 - np.clip(lh, 0.0, 1.0)) ** 5
    return np.asarray(lobe * shade * fresnel * np.clip(nl, 0.0, 1.0))


def sure(nv: Floats) -> Floats:
    """How much of a highlight is drawn: where the surface is seen edge on, normals are least certain and
    highlights strongest."""
    return np.asarray(np.clip(nv / SURE, 0.0, 1.0))
