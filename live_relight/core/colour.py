"""sRGB transfer curve and light colours. Arrays are float32 or float64, any shape, range 0..1."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]

REC709_LUMA = (0.2126, 0.7152, 0.0722)


def srgb_to_linear(value: Floats) -> Floats:
    """IEC 61966-2-1 decoding."""
    return np.where(value <= 0.04045, value / 12.92, ((np.maximum(value, 0.0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(value: Floats) -> Floats:
    """IEC 61966-2-1 encoding; input is clipped to 0..1."""
    v = np.clip(value, 0.0, 1.0)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * np.maximum(v, 0.0031308) ** (1 / 2.4) - 0.055)


@lru_cache(maxsize=64)  # asked for every light in every frame
def kelvin_to_rgb(kelvin: float) -> tuple[float, float, float]:
    """Linear Rec. 709 colour of a black body of that temperature, scaled to luma 1.

    The Planckian locus (fit of Kim et al. 2002), seen by a camera balanced for 5600 K (von Kries scaling in
    linear RGB), so that 5600 K is white light. 1667 to 25000 K; beyond, the nearer end.
    """
    rgb = _xy_to_rgb(*_kelvin_to_xy(kelvin)) / _xy_to_rgb(*_kelvin_to_xy(5600.0))
    rgb = np.maximum(rgb, 0.0)
    rgb /= float(rgb @ np.asarray(REC709_LUMA))
    return float(rgb[0]), float(rgb[1]), float(rgb[2])


@lru_cache(maxsize=64)
def hex_to_rgb(text: str) -> tuple[float, float, float]:
    """'#ff8800' (sRGB) to linear Rec. 709. Raises ValueError for anything else."""
    if not re.fullmatch("#?[0-9a-fA-F]{6}", text):  # int() alone would take signs, blanks and other scripts
        raise ValueError(text)
    digits = text.removeprefix("#")
    encoded = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255.0
    r, g, b = srgb_to_linear(encoded)
    return float(r), float(g), float(b)


def _kelvin_to_xy(kelvin: float) -> tuple[float, float]:
    """CIE 1931 chromaticity."""
    t = 1000.0 / min(max(kelvin, 1667.0), 25000.0)
    if kelvin >= 4000.0:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
        return x, 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    if kelvin >= 2222.0:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    return x, y


def _xy_to_rgb(x: float, y: float) -> Floats:
    """Chromaticity to linear Rec. 709 at Y = 1 (IEC 61966-2-1 matrix, D65 white)."""
    xyz = np.array([x / y, 1.0, (1.0 - x - y) / y])
    matrix = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    return np.asarray(matrix @ xyz)
