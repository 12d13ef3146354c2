"""Light: environments as spherical harmonics plus a dominant lamp, set-ups of lamps, a known lamp.

Axes are the camera's (x right, y up, z toward the viewer). `sh` [9,3] multiplies, in order,
1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2 and gives irradiance over pi.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.gl import Lamps
from training.synth.meshes import F32
from training.synth.places.setups import LUMA, ODDS, SETUPS, Setup, around_head, kelvin

BAND = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5)
NORM = np.array([0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274])
# Where a face's surface looks: toward the camera, and half to either side.
FACE = np.array([[0, 0, 1], [0.7, 0.14, 0.7], [-0.7, 0.14, 0.7]], np.float32)


@dataclass(frozen=True)
class Environment:
    """picture: [h,w,3] float32 linear equirectangular (up is +y); small: [32,64,3] of the same."""

    name: str
    picture: F32
    small: F32

    @cached_property
    def parts(self) -> tuple[F32, F32, F32]:
        """`split_dominant` of `small`."""
        return split_dominant(self.small, *_grid())


def read_environment(path: Path) -> Environment:
    """An EXR file, cleaned of NaN and inf, scaled to a mean luminance of 1, at most 1024 wide."""
    import OpenEXR

    channels = OpenEXR.File(str(path)).channels()
    key = "RGB" if "RGB" in channels else "RGBA"
    raw = np.asarray(channels[key].pixels, np.float32)[..., :3]
    raw = np.clip(np.nan_to_num(raw, nan=0.0, posinf=1e4, neginf=0.0), 0, 1e4)
    width = min(1024, raw.shape[1])
    picture = cv2.resize(raw, (width, width // 2), interpolation=cv2.INTER_AREA)
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
    x, y, z = (np.ascontiguousarray(n[..., k], np.float32) for k in range(3))
    rows = np.empty((9, *x.shape), np.float32)
    for k, row in enumerate((1, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y)):
        rows[k] = row
    return np.moveaxis(rows, 0, -1)


def project(radiance: F32, d: F32, area: F32) -> F32:
    """Irradiance coefficients [9,3] of radiance [h,w,3] seen along d [h,w,3]."""
    moments = (basis(d) * area[..., None]).reshape(-1, 9).T @ radiance.reshape(-1, 3)
    return (moments * (BAND * NORM**2)[:, None]).astype(np.float32)


def split_dominant(env: F32, d: F32, area: F32) -> tuple[F32, F32, F32]:
    """What exceeds ten times the mean becomes one lamp: (rest, direction [3], power [3])."""
    luma = env @ LUMA
    keep = np.minimum(1.0, 10.0 * luma.mean() / np.maximum(luma, 1e-6))[..., None]
    excess = env * (1 - keep)
    way = ((excess @ LUMA) * area).reshape(-1) @ d.reshape(-1, 3)
    length = float(np.linalg.norm(way))
    if length < 1e-4:
        return env, np.array([0, 0, 1], np.float32), np.zeros(3, np.float32)
    power = area.reshape(-1) @ excess.reshape(-1, 3) / np.pi
    return env * keep, (way / length).astype(np.float32), power.astype(np.float32)


def irradiance(lamps: Lamps, normal: F32, place: F32, size: float = 0.0) -> F32:
    """What a matt surface of albedo 1 sends back: [...,3] for normals [...,3] at places that broadcast.

    The diffuse part of light.frag without shadows; camera axes, metres. `size`: radius of the lamps,
    which takes the edge off their nearness.
    """
    out = np.maximum(basis(normal) @ lamps.sh, 0)
    for where, power in zip(lamps.place, lamps.power, strict=True):
        if power.any():
            way = where[:3] - where[3] * place
            square = np.maximum(np.einsum("...i,...i->...", way, way), 1e-6)
            fall = 1 / np.maximum(square + size * size, 0.02) if where[3] > 0.5 else 1.0
            cosine = np.maximum(np.einsum("...i,...i->...", normal, way), 0) / np.sqrt(square)
            out = out + (cosine * fall)[..., None] * power
    return out.astype(np.float32)


def draw_lamps(rng: np.random.Generator, env: Environment, turn: F32, distance: float) -> Lamps:
    """The lamps of `draw_light`."""
    return draw_light(rng, env, turn, distance)[0]


def draw_light(rng: np.random.Generator, env: Environment, turn: F32, distance: float) -> tuple[Lamps, str]:
    """Random light for one picture and the name of its set-up (a key of `setups.ODDS`).

    Environment at rotation `turn` [3,3]; point lights stand around a head `distance` metres away.
    Colours are those after the camera's white balance, levels relative (the exposure comes later).
    """
    kind = str(rng.choice(list(ODDS), p=list(ODDS.values())))
    d, area = _grid()
    rest, way, power = env.parts
    around = (d.reshape(-1, 3) @ turn.T).reshape(d.shape)
    sky = project(rest, around, area)
    sky /= max(float(sky[0] @ LUMA), 1e-3)
    sun = power / max(float(power @ LUMA), 1e-6)
    setup = SETUPS[kind](rng, distance, (turn @ way, sun))
    sh = _ambient(rng, setup, sky)
    place, lamp = np.zeros((3, 4), np.float32), np.zeros((3, 3), np.float32)
    for k, one in enumerate(setup.lamps[:3]):
        place[k], lamp[k] = one
    head = np.array([0, 0, -distance], np.float32)
    raw = Lamps(sh, place, lamp, (setup.shadow, setup.softness))
    seen = irradiance(raw, FACE, head).mean(0) + 0.5 * sh[0]
    gain = (float(seen @ LUMA) / np.maximum(seen, 0.02 * seen.max())) ** setup.balance
    gain = (gain / max(float(gain @ LUMA), 1e-6)).astype(np.float32)
    wrap = rng.uniform(0.1, 0.4)
    below = (wrap, wrap * 0.45, wrap * 0.3)
    return Lamps(sh * gain, place, lamp * gain, raw.shadow, below), kind


def draw_key(rng: np.random.Generator, distance: float) -> Lamps:
    """One known lamp and no environment, for the same picture under a second light.

    In front of the person or beside it, directional or a point 0.5-2 m from the head, irradiance
    over pi of luminance 1 at the head, mostly white; hard full shadow. Its numbers are `place[0]`
    and `power[0]`.
    """
    azimuth, elevation = rng.uniform(-100, 100), rng.uniform(-20, 70)
    reach = rng.uniform(0.5, 2.0) if rng.random() < 0.5 else None
    colour = np.ones(3, np.float32) if rng.random() < 0.7 else kelvin(rng.uniform(2800, 9000))
    place, strength = np.zeros((3, 4), np.float32), np.zeros((3, 3), np.float32)
    place[0], strength[0] = around_head(azimuth, elevation, 1.0, colour, distance, reach)
    return Lamps(np.zeros((9, 3), np.float32), place, strength, (1.0, 1.0))


def _ambient(rng: np.random.Generator, setup: Setup, sky: F32) -> F32:
    """Spherical harmonics [9,3] of the light that comes from everywhere."""
    if setup.shape == "environment":
        grey = rng.uniform(0, 0.5)
        sh = (1 - grey) * sky + grey * (sky @ LUMA)[:, None]
    else:
        up = rng.uniform(0.35, 0.75) if setup.shape == "sky" else rng.uniform(-0.15, 0.35)
        bend = np.array([1, up, *rng.normal(0, 0.2, 2), *rng.normal(0, 0.04, 5)])
        blend = rng.uniform(0, 0.5) if setup.shape == "sky" else rng.uniform(0, 0.25)
        sh = (1 - blend) * bend[:, None] * setup.tint + blend * sky
    return (sh * setup.ambient).astype(np.float32)


@cache
def _grid() -> tuple[F32, F32]:
    """`directions` of the small environments."""
    return directions(32, 64)


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
