"""Light from all round: an equirectangular picture of surroundings, made ready for matt and glossy surfaces.

Directions are camera space (x right, y up, z toward the viewer). The picture's centre is (0, 0, 1), the
camera: what is there lights the face from the front. What is right of the centre lights it from the picture's
right (so surroundings are seen as in a mirror, as the person sees the relit picture), the left and right edge
are behind the person, the top row is above. `az` turns it: what is at the centre moves to that azimuth, as a
light's.

Units are the light pass's: in a uniform environment of radiance 1 a matt surface gets 1, without any pi.
Every environment is scaled to a mean luma of 1 over all directions, so that turning one or taking another
keeps the exposure. Matt: spherical harmonics of order 2 (Ramamoorthi and Hanrahan 2001). Glossy: the
environment blurred beforehand with the GGX lobe of each roughness, times how much the surface reflects (split
sum, Karis 2013). shaders/environment.glsl is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UsageError
from .planes import LUMA

Floats = npt.NDArray[Any]

SIZE = (256, 128)
"""(width, height) that pictures are reduced to."""
ROUGHNESS = tuple(0.1 * i for i in range(1, 11))
LEVEL_WIDTHS = (128, 128, 128, 64, 64, 32, 32, 32, 32, 32)
"""Of the blurred environments, one a roughness; the blurrier, the smaller."""
PEAK = 50.0
SPREAD = 50.0
"""Light above PEAK (a sun; the mean is 1) is spread over a lobe exp(SPREAD * cosine), about 8 degrees, so
that no one pixel sparkles in a highlight. No light is lost, and no channel is brighter than about PEAK plus
2 * SPREAD times its mean."""
LEAN = 0.6
"""Share of the way from the mirror direction to the normal that a lobe of roughness 1 turns; found by
comparing with the whole integral. A rough surface's lobe is cut off below the surface."""
KNEE = 0.15
"""Below this share of the mean, harmonics fade to zero softly instead of going negative."""
DARKEST = 1e-6
ASPECT = (1.8, 2.2)
BRIGHTEST = 65504.0
"""Largest half float: what infinity stands for in .exr files."""

# pi times the albedo of brdf.ggx in uniform light is f0 * scale + bias; our own fits over roughness 0.1..1.
# Scale is a polynomial of degree 3 in nv (rows) and roughness (columns), bias (1 - nv) ** 2 times a quotient.
SCALE = np.array(
    [
        [-0.2256, 2.0219, -0.1308, -0.8172],
        [6.4752, -22.5922, 21.0111, -6.2822],
        [-10.4374, 47.8672, -60.0389, 24.1356],
        [5.1439, -26.6621, 37.1961, -16.3829],
    ]
)
# Of the terms 1, nv, roughness, nv ** 2, roughness ** 2, nv * roughness.
BIAS_OVER = (0.9141, -2.0466, -0.2493, 1.61, -0.1169, 0.2261)
BIAS_UNDER = (1.0, -1.7462, 1.9925, 10.8896, 11.5851, -16.2052)

# For the terms of `_basis`: what the clamped cosine leaves of each order, times the term's norm.
_COSINE = np.array([1.0, 2.0, 2.0, 2.0, 3.75, 3.75, 0.3125, 3.75, 0.9375])


@dataclass(frozen=True, slots=True, eq=False)
class Environment:
    """Surroundings that light. Colours are linear BGR."""

    name: str
    sh: Floats
    """9 x 3 float32: irradiance, factors of 1, x, y, z, xy, yz, 3zz - 1, xz, xx - yy of the normal."""
    levels: tuple[Floats, ...]
    """(h + 1) x (w + 1) x 3 float32 for each of ROUGHNESS: blurred radiance at elevations 90..-90 and
    azimuths -180..180 inclusive, so that poles are one value and the last column is the first."""


def make(picture: Floats, name: str = "") -> Environment:
    """From a picture, H x W x 3 linear BGR >= 0 in any unit, any float type, twice as wide as high.

    NaN and negative values count as black, infinity as the largest half float. Raises UsageError (`name` in
    it) for another shape and for a picture without light.
    """
    h, w = picture.shape[:2]
    if not ASPECT[0] * h <= w <= ASPECT[1] * h:
        raise UsageError(
            f"environment {name}",
            f"{w}x{h}",
            f"twice as wide as high ({2 * h}x{h})",
            "take an equirectangular picture of all directions",
        )
    small = reduced(picture, SIZE)
    level = _luma_mean(small)
    if not level > DARKEST:
        raise UsageError(f"environment {name}", "a black picture", "some light")
    small = _tamed(small / level)
    return Environment(name, _harmonics(small), _levels(small))


def irradiance(env: Environment, normals: Floats, az: float = 0.0) -> Floats:
    """Matt light: ... x 3 factor >= 0. normals: ... x 3 unit; az: degrees the environment is turned by."""
    value = np.asarray(_basis(turned(normals, az)) @ env.sh.astype(np.float64))
    knee = np.maximum(KNEE * env.sh[0], DARKEST)
    low = np.clip(value + knee, 0.0, 2.0 * knee)
    return np.asarray(low * low / (4.0 * knee) + np.maximum(value - knee, 0.0))


def radiance(env: Environment, directions: Floats, roughness: float, az: float = 0.0) -> Floats:
    """Light from round a direction, as blurred by a surface of that roughness (0.1..1): ... x 3."""
    t = min(max((roughness - ROUGHNESS[0]) / 0.1, 0.0), len(env.levels) - 1.0)
    i = min(int(t), len(env.levels) - 2)
    uv = _place(turned(directions, az))
    below, above = _sampled(env.levels[i], uv), _sampled(env.levels[i + 1], uv)
    return np.asarray(below + (above - below) * (t - i))


def specular(
    env: Environment, normals: Floats, view: Floats, roughness: float, f0: float, az: float = 0.0
) -> Floats:
    """Glossy light: ... x 3. normals, view (toward the camera): ... x 3 unit; f0: reflectance head-on."""
    nv = np.maximum((normals * view).sum(axis=-1), 0.0)
    mirrored = 2.0 * nv[..., None] * normals - view
    mirrored = mirrored + (normals - mirrored) * (LEAN * roughness**3)
    mirrored = mirrored / np.maximum(np.linalg.norm(mirrored, axis=-1, keepdims=True), 1e-6)
    scale, bias = reflectance(nv, roughness)
    return np.asarray(radiance(env, mirrored, roughness, az) * (f0 * scale + bias)[..., None])


def reflectance(nv: Floats, roughness: float) -> tuple[Floats, Floats]:
    """(scale, bias): in uniform light 1 the surface reflects f0 * scale + bias. nv: cosine to the viewer."""
    r = roughness
    scale = np.polynomial.polynomial.polyval2d(nv, np.full_like(nv, r), SCALE)
    terms = np.stack(np.broadcast_arrays(1.0, nv, r, nv * nv, r * r, nv * r), axis=-1)
    over, under = terms @ np.asarray(BIAS_OVER), terms @ np.asarray(BIAS_UNDER)
    bias = np.maximum((1.0 - nv) ** 2 * over / under, 0.0)
    return np.clip(scale, 0.0, 1.0), np.asarray(bias)


def turned(directions: Floats, az: float) -> Floats:
    """Directions as the environment sees them that is turned by `az` degrees."""
    c, s = math.cos(math.radians(az)), math.sin(math.radians(az))
    x, y, z = directions[..., 0], directions[..., 1], directions[..., 2]
    return np.stack([x * c - z * s, y + np.zeros_like(x), z * c + x * s], axis=-1)


def directions(width: int, height: int) -> Floats:
    """height x width x 3 unit vectors to the middles of an equirectangular picture's pixels."""
    az = ((np.arange(width) + 0.5) / width - 0.5) * (2.0 * np.pi)
    el = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    across = np.cos(el)[:, None]
    up = np.broadcast_to(np.sin(el)[:, None], (height, width))
    return np.stack([np.sin(az) * across, up, np.cos(az) * across], axis=-1)


def atlas(env: Environment) -> Floats:
    """All levels in one float32 picture, H x W x 4 (the last unused): one below the other, at the left."""
    width = max(level.shape[1] for level in env.levels)
    wide = [np.pad(level, ((0, 0), (0, width - level.shape[1]), (0, 1)), "edge") for level in env.levels]
    return np.ascontiguousarray(np.concatenate(wide), np.float32)


def uniforms(env: Environment, az: float) -> dict[str, Any]:
    """What shaders/environment.glsl declares, without the texture of `atlas`."""
    boxes, row = np.zeros((len(env.levels), 4), np.float32), 0
    for box, level in zip(boxes, env.levels, strict=True):
        box[:3] = level.shape[1] - 1, level.shape[0] - 1, row
        row += level.shape[0]
    turn = math.cos(math.radians(az)), math.sin(math.radians(az))
    return {"env_sh": env.sh, "env_levels": boxes, "env_turn": turn}


def reduced(picture: Floats, size: tuple[int, int]) -> Floats:
    """Cleaned and averaged over the solid angle of every pixel of `size` (width, height), float32; a smaller
    picture is enlarged in blocks. Row by row: a large picture is never copied whole."""
    h, w = picture.shape[:2]
    rows = np.empty((size[1], w, 3), np.float32)
    edges = np.sin(np.linspace(np.pi / 2, -np.pi / 2, h + 1))
    buffer = np.empty((h // size[1] + 2, w, 3), np.float32)
    area = _shares(h, size[1], lambda at: np.interp(at, np.arange(h + 1), edges))
    for i, (first, shares) in enumerate(area):
        part = buffer[: len(shares)]  # kept: fresh pages cost more than the sums
        np.copyto(part, picture[first : first + len(shares)], casting="same_kind")
        np.fmax(part, 0.0, out=part)  # NaN too
        rows[i] = np.einsum("h,hwc->wc", shares, np.minimum(part, BRIGHTEST, out=part))
    out = np.empty((size[1], size[0], 3), np.float32)
    for i, (first, shares) in enumerate(_shares(w, size[0], lambda at: at)):
        out[:, i] = np.einsum("w,hwc->hc", shares, rows[:, first : first + len(shares)])
    return out


def _shares(n: int, m: int, measure: Callable[[Floats], Floats]) -> list[tuple[int, Floats]]:
    """For each of m equal parts of n pixels: the first pixel in it, and every pixel's share, sum 1."""
    found = []
    for i in range(m):
        start, end = i * n / m, (i + 1) * n / m
        first, last = int(start), min(math.ceil(end - 1e-9), n)
        sizes = np.abs(np.diff(measure(np.clip(np.arange(first, last + 1.0), start, end))))
        found.append((first, (sizes / sizes.sum()).astype(np.float32)))
    return found


def _luma_mean(picture: Floats) -> float:
    return float(_solid(picture) @ (picture @ np.asarray(LUMA)).mean(axis=1))


def _solid(picture: Floats) -> Floats:
    """Share of all directions that each row of a picture covers, sum 1."""
    h = picture.shape[0]
    return np.asarray(-np.diff(np.sin(np.linspace(np.pi / 2, -np.pi / 2, h + 1))) / 2.0)


def _tamed(picture: Floats) -> Floats:
    """Peaks spread, see PEAK; the mean luma stays 1."""
    kept = picture * (PEAK / np.maximum(picture.max(axis=-1, keepdims=True), PEAK))
    if not (picture > kept).any():
        return picture
    excess = reduced(picture - kept, (64, 32))
    glow = _blurred(excess, 64, lambda cosine: np.exp(SPREAD * (cosine - 1.0)))
    spread = kept + _sampled(glow, _place(directions(*SIZE)))
    return np.asarray(spread / _luma_mean(spread), np.float32)


def _harmonics(picture: Floats) -> Floats:
    basis = _basis(directions(picture.shape[1], picture.shape[0]))
    weights = _solid(picture)[:, None, None] / picture.shape[1]
    basis[..., 1:] -= (basis[..., 1:] * weights).sum(axis=(0, 1))  # so that even light is exactly even
    return np.asarray(np.einsum("hwb,hwc->bc", basis * weights, picture) * _COSINE[:, None], np.float32)


def _basis(d: Floats) -> Floats:
    x, y, z = d[..., 0], d[..., 1], d[..., 2]
    return np.stack(
        [np.ones_like(x), x, y, z, x * y, y * z, 3.0 * z * z - 1.0, x * z, x * x - y * y], axis=-1
    )


def _levels(picture: Floats) -> tuple[Floats, ...]:
    """The environment as a surface of each ROUGHNESS mirrors it that is seen from its normal."""
    found = []
    for roughness, width in zip(ROUGHNESS, LEVEL_WIDTHS, strict=True):
        a2 = roughness**4

        def lobe(cosine: Floats, a2: float = a2) -> Floats:
            # GGX of the half vector, whose squared cosine with the normal is (1 + cosine) / 2.
            return np.asarray(np.maximum(cosine, 0.0) / ((1.0 + cosine) * 0.5 * (a2 - 1.0) + 1.0) ** 2)

        found.append(_blurred(reduced(picture, (2 * width, width)), width, lobe))
    return tuple(found)


def _blurred(picture: Floats, width: int, kernel: Callable[[Floats], Floats]) -> Floats:
    """(width / 2 + 1) x (width + 1) x 3: a level of the picture, whose width is a multiple of `width`; every
    pixel is weighted with `kernel` of the cosine between the two directions, and the weights sum to 1.

    For two rows the weights depend on the difference of azimuth only: a convolution, done with FFTs.
    """
    h, w = picture.shape[:2]
    inside = (0.5 - (np.arange(h, dtype=np.float32) + 0.5) / h) * np.float32(np.pi)
    out = (0.5 - np.arange(width // 2 + 1, dtype=np.float32) / (width // 2)) * np.float32(np.pi)
    across = np.cos((np.arange(w, dtype=np.float32) + 0.5) / w * np.float32(2.0 * np.pi))
    cosine = (np.cos(out)[:, None] * np.cos(inside))[..., None] * across
    cosine += (np.sin(out)[:, None] * np.sin(inside))[..., None]
    weights = kernel(np.minimum(cosine, 1.0)) * _solid(picture).astype(np.float32)[:, None]
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    seen = np.fft.rfft(picture, axis=1).transpose(1, 0, 2)
    product = np.conj(np.fft.rfft(weights, axis=2)).transpose(2, 0, 1) @ seen
    level = np.fft.irfft(product, w, axis=0)[:: w // width].transpose(1, 0, 2)
    level = np.maximum(np.concatenate([level, level[:, :1]], axis=1), 0.0)
    return np.ascontiguousarray(level, np.float32)


def _place(d: Floats) -> tuple[Floats, Floats]:
    """Where in the picture a direction is: u right and v down, both 0..1."""
    across = np.hypot(d[..., 0], d[..., 2])
    return np.arctan2(d[..., 0], d[..., 2]) / (2.0 * np.pi) + 0.5, 0.5 - np.arctan2(d[..., 1], across) / np.pi


def _sampled(level: Floats, uv: tuple[Floats, Floats]) -> Floats:
    h, w = level.shape[0] - 1, level.shape[1] - 1
    x, y = uv[0] * w, uv[1] * h
    column, row = np.clip(x.astype(int), 0, w - 1), np.clip(y.astype(int), 0, h - 1)
    fx, fy = (x - column)[..., None], (y - row)[..., None]
    upper = level[row, column] * (1.0 - fx) + level[row, column + 1] * fx
    lower = level[row + 1, column] * (1.0 - fx) + level[row + 1, column + 1] * fx
    return np.asarray(upper * (1.0 - fy) + lower * fy)
