"""Light: environments as spherical harmonics plus a dominant lamp, and random lamps.

Axes are the camera's (x right, y up, z toward the viewer). `sh` [9,3] multiplies, in order,
1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2 and gives irradiance over pi.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.gl import Lamps
from training.synth.meshes import F32

BAND = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5)
NORM = np.array([0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274])
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Environment:
    """picture: [h,w,3] float32 linear equirectangular (up is +y); small: [32,64,3] of the same."""

    name: str
    picture: F32
    small: F32


def read_environment(path: Path) -> Environment:
    """An EXR file, cleaned of NaN and inf, scaled to a mean luminance of 1, at most 512 wide."""
    import OpenEXR

    channels = OpenEXR.File(str(path)).channels()
    key = "RGB" if "RGB" in channels else "RGBA"
    raw = np.asarray(channels[key].pixels, np.float32)[..., :3]
    raw = np.clip(np.nan_to_num(raw, nan=0.0, posinf=1e4, neginf=0.0), 0, 1e4)
    picture = cv2.resize(raw, (512, 256), interpolation=cv2.INTER_AREA)
    picture = picture / max(float((picture @ LUMA).mean()), 1e-6)
    return Environment(
        f"{path.parent.name}/{path.stem}",
        picture,
        cv2.resize(picture, (64, 32), interpolation=cv2.INTER_AREA),
    )


def directions(height: int, width: int) -> tuple[F32, F32]:
    """Unit directions [h,w,3] of an equirectangular picture and solid angles [h,w]."""
    elevation = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    azimuth = ((np.arange(width) + 0.5) / width) * 2 * np.pi
    ce = np.cos(elevation)[:, None]
    d = np.stack(
        [
            ce * np.sin(azimuth)[None],
            np.repeat(np.sin(elevation)[:, None], width, 1),
            ce * np.cos(azimuth)[None],
        ],
        -1,
    )
    area = np.repeat(ce, width, 1) * (np.pi / height) * (2 * np.pi / width)
    return d.astype(np.float32), area.astype(np.float32)


def basis(n: NDArray[np.float32]) -> F32:
    """The nine polynomials of the module's docstring at unit vectors [...,3]."""
    x, y, z = n[..., 0], n[..., 1], n[..., 2]
    rows = (np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y)
    return np.stack(rows, -1).astype(np.float32)


def project(radiance: F32, d: F32, area: F32) -> F32:
    """Irradiance coefficients [9,3] of radiance [h,w,3] seen along d [h,w,3]."""
    moments = np.einsum("hwk,hwc,hw->kc", basis(d), radiance, area)
    return (moments * (BAND * NORM**2)[:, None]).astype(np.float32)


def split_dominant(env: F32, d: F32, area: F32) -> tuple[F32, F32, F32]:
    """What exceeds ten times the mean becomes one lamp: (rest, direction [3], power [3])."""
    luma = env @ LUMA
    keep = np.minimum(1.0, 10.0 * luma.mean() / np.maximum(luma, 1e-6))[..., None]
    excess = env * (1 - keep)
    way = np.einsum("hw,hwc,hw->c", excess @ LUMA, d, area)
    length = float(np.linalg.norm(way))
    if length < 1e-4:
        return env, np.array([0, 0, 1], np.float32), np.zeros(3, np.float32)
    power = np.einsum("hwc,hw->c", excess, area) / np.pi
    return env * keep, (way / length).astype(np.float32), power.astype(np.float32)


def kelvin(temperature: float) -> F32:
    """Linear RGB [3] of a black body, luminance 1 (a fit good to a few per cent, 1800-12000 K)."""
    t = np.log(temperature / 6500.0)
    rgb = np.exp(np.array([-0.62 * t, -0.02 * t, 0.85 * t - 0.35 * t * t * (t < 0)]))
    return (rgb / (rgb @ LUMA)).astype(np.float32)


def draw_lamps(rng: np.random.Generator, env: Environment, turn: F32, distance: float) -> Lamps:
    """Random light for one picture: environment at rotation `turn` [3,3], and up to three lamps.

    `distance` of the person in metres places point lights around the head.
    """
    d, area = directions(32, 64)
    rest, way, power = split_dominant(env.small, d, area)
    around = (d.reshape(-1, 3) @ turn.T).reshape(d.shape)
    sh = project(rest, around, area)
    sh /= max(float(sh[0] @ LUMA), 1e-3)
    grey = rng.uniform(0, 0.7)
    sh = (1 - grey) * sh + grey * (sh @ LUMA)[:, None]
    place, lamp = np.zeros((3, 4), np.float32), np.zeros((3, 3), np.float32)
    used = 0
    if power.any() and rng.random() < 0.7:
        place[0, :3] = turn @ way
        lamp[0] = power / max(float(power @ LUMA), 1e-6) * rng.uniform(0.3, 3.0)
        used = 1
    for k in range(used, int(rng.choice([0, 1, 2, 3], p=[0.25, 0.35, 0.25, 0.15]))):
        place[k], lamp[k] = _lamp(rng, distance)
    hard = rng.random() < 0.2 and lamp.any()
    sh *= rng.uniform(0.08, 0.3) if hard else 1.0
    strength = rng.uniform(0.6, 1.0) if rng.random() < 0.7 else 0.0
    wrap = rng.uniform(0.1, 0.4)
    return Lamps(
        sh, place, lamp, (float(strength), float(rng.uniform(0.3, 6))), (wrap, wrap * 0.45, wrap * 0.3)
    )


def _lamp(rng: np.random.Generator, distance: float) -> tuple[F32, F32]:
    """One directional or point light: place [4], power [3]."""
    azimuth = np.radians(rng.uniform(-180, 180) if rng.random() < 0.35 else rng.normal(0, 55))
    elevation = np.radians(rng.uniform(-25, 75))
    way = np.array(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)],
        np.float32,
    )
    colour = kelvin(rng.uniform(2500, 9000))
    if rng.random() < 0.12:  # screens, neon
        colour = rng.dirichlet([0.8, 0.8, 0.8]).astype(np.float32) * 2
    power = colour * np.float32(np.exp(rng.normal(0.1, 0.7)))
    if rng.random() < 0.5:
        return np.array([*way, 0], np.float32), power.astype(np.float32)
    reach = rng.uniform(0.4, 1.8)
    where = np.array([0, 0, -distance], np.float32) + way * reach
    return np.array([*where, 1], np.float32), (power * reach**2).astype(np.float32)


def shadow_matrix(toward: F32, centre: F32, radius: float = 0.75) -> F32:
    """Orthographic light camera [4,4]: looks along -toward at `centre` (same space as both)."""
    length = float(np.linalg.norm(toward))
    z = toward / length if length > 1e-6 else np.array([0.0, 0.0, 1.0], np.float32)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.95 else [1.0, 0.0, 0.0], z)
    x /= np.linalg.norm(x)
    rot = np.stack([x, np.cross(z, x), z])
    out = np.eye(4, dtype=np.float32)
    out[:3, :3] = rot / radius * np.array([[1], [1], [-0.6]])
    out[:3, 3] = -out[:3, :3] @ centre
    return out
