"""Which camera: everything about a webcam that stays the same from frame to frame, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from training.synth.camera.codec import Chroma
from training.synth.places.light import LUMA, kelvin

KINDS = {"webcam": 0.56, "phone": 0.16, "call": 0.18, "mirrorless": 0.10}
CODECS: dict[str, dict[str, float]] = {
    "webcam": {"none": 0.2, "mjpeg": 0.55, "h264": 0.25},
    "phone": {"none": 0.35, "mjpeg": 0.15, "h264": 0.5},
    "call": {"mjpeg": 0.15, "h264": 0.85},
    "mirrorless": {"none": 0.5, "mjpeg": 0.2, "h264": 0.3},
}
MEAN_LEVEL = 0.2  # linear; what exposure aims at, see sensor.exposure


@dataclass(frozen=True)
class Camera:
    """One camera in one room. Lengths are in pixels of the finished picture unless said otherwise.

    kind, dim: words for statistics; dim 0 (plenty of light) .. 1 (dark, all gain used).
    white: linear RGB gains left after balancing (wrong estimate, filters of the sensor), luminance 1.
    balance: share (0..1) of the picture's own cast that automatic white balance removes.
    matrix: row-major 3x3 colour error, rows sum to 1 (white stays white).
    electrons: photo-electrons in a pixel that is 1.0 linear; read: read noise in electrons.
    raw: how far the colour matrix spreads noise between channels (0 none, 1 strong).
    grain: sigma of the noise's blotches, 0 fine; rows: share of the read noise that is per row.
    smear, passes: bilateral smoothing of luma, sigma in 8-bit levels (0 none), how often.
    chroma_smear: Gaussian sigma on chroma; trail: weight 0..1 of the last frame where nothing moves.
    sharpen, halo: unsharp mask's amount and sigma.
    headroom: linear value at which the sensor clips; knee: 0..1, width of the shoulder below white.
    gamma, curve, lift: tone exponent over sRGB's, S-curve, black level; saturation: 1 true, 0 grey.
    vignette: share of light lost in the corners; shading: the same for R and B relative to G.
    blur: lens and focus, sigma; glare: share of light spread over the picture.
    flicker: amplitude of bands by mains light; period: their height as a share of the picture's.
    hunting: 0..1, how nervously exposure, focus and white balance move in a clip.
    scale: pixels of the sensor's picture per pixel of the finished one (< 1: low resolution, scaled up).
    codec, quality: "mjpeg" with JPEG quality 1..100, "h264" with crf 0..51, or "none"; chroma: sampling.
    """

    kind: str = "mirrorless"
    dim: float = 0.0
    white: tuple[float, float, float] = (1.0, 1.0, 1.0)
    balance: float = 0.0
    matrix: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    electrons: float = 1e6
    read: float = 2.0
    raw: float = 0.0
    grain: float = 0.0
    rows: float = 0.0
    smear: float = 0.0
    passes: int = 1
    chroma_smear: float = 0.0
    trail: float = 0.0
    sharpen: float = 0.0
    halo: float = 1.0
    headroom: float = 1.0
    knee: float = 0.0
    gamma: float = 1.0
    curve: float = 0.0
    lift: float = 0.0
    saturation: float = 1.0
    vignette: float = 0.0
    shading: tuple[float, float] = (0.0, 0.0)
    blur: float = 0.0
    glare: float = 0.0
    flicker: float = 0.0
    period: float = 0.5
    hunting: float = 0.0
    scale: float = 1.0
    codec: Literal["none", "mjpeg", "h264"] = "none"
    quality: int = 90
    chroma: Chroma = "444"


def draw_camera(rng: np.random.Generator, level: float | None = None) -> Camera:
    """A random camera; `level`, the exposed picture's mean linear luminance, makes dark scenes noisier.

    One number, `dim`, ties what goes together in real cameras: little light means few electrons,
    hence gain, noise, heavy smoothing, longer exposures, poor white balance and pale colours.
    """
    kind = _pick(rng, KINDS)
    darker = (
        0.0 if level is None else float(np.clip(0.13 * np.log2(MEAN_LEVEL / max(level, 1e-4)), -0.1, 0.4))
    )
    dim = float(np.clip(rng.beta(1.4, 2.8) + darker, 0, 1))
    cheap = {"webcam": 0.7, "phone": 0.3, "call": 0.6, "mirrorless": 0.0}[kind]
    cheap = float(np.clip(cheap + rng.normal(0, 0.18), 0, 1))
    return Camera(
        kind=kind,
        dim=dim,
        **_colour(rng, dim, cheap),
        **_noise(rng, dim, cheap, min(0.18, MEAN_LEVEL if level is None else max(level, 0.01))),
        **_tone(rng, dim, kind),
        **_lens(rng, dim, cheap),
        **_stream(rng, kind),
    )


def _colour(rng: np.random.Generator, dim: float, cheap: float) -> dict:
    """What white balance leaves, and the sensor's filters."""
    warm = rng.normal(-0.06 * dim, 0.07 + 0.10 * cheap)  # log temperature: dim rooms stay warm
    green = rng.normal(0.012 * cheap + 0.015 * dim, 0.01 + 0.015 * cheap)
    white = kelvin(6500 * float(np.exp(warm))) * np.exp([-green, green, -green])
    white = white / (white @ LUMA)
    spread = rng.normal(0, 0.02 + 0.035 * cheap, (3, 3))
    spread -= np.diag(spread.sum(1))
    return {
        "white": tuple(float(v) for v in white),
        "balance": float(rng.uniform(0.05, 0.8)),
        "matrix": tuple(float(v) for v in (np.eye(3) + spread).ravel()),
        "raw": float(rng.uniform(0.1, 0.9)),
    }


def _noise(rng: np.random.Generator, dim: float, cheap: float, level: float) -> dict:
    """Gain and what the processor does against its noise at the linear light `level`.

    A full-scale pixel of the finished 256-wide picture gathers several of the sensor's, so it holds
    tens of thousands of electrons in good light and a few hundred at a small sensor's highest gain.
    """
    dark = 0.75 * dim + 0.25 * cheap
    electrons = float(np.exp(np.log(4e4) + dark * np.log(180 / 4e4) + rng.normal(0, 0.5)))
    electrons = max(electrons, 220.0)
    read = float(np.exp(rng.uniform(0, 1.5)))
    noise = noise_level(electrons, read, level)
    # No product shows strong noise as it is, least of all its colours.
    smooths = rng.random() < max(0.3 + 0.6 * dark, 0.22 * noise)
    cleans = rng.random() < max(0.25 + 0.6 * dark, 0.35 * noise)
    # Cheap processors do not know how much noise there is: they smooth away skin texture as well.
    smear = noise * rng.uniform(1.0, 4.0) + rng.exponential(3 + 7 * cheap) if smooths else 0.0
    return {
        "electrons": electrons,
        "read": read,
        "grain": float(rng.uniform(0.4, 0.9)) if rng.random() < 0.35 else 0.0,
        "rows": float(rng.uniform(0, 0.35)) if rng.random() < 0.3 * cheap else 0.0,
        "smear": float(min(smear, 50.0)),
        "passes": 2 if rng.random() < 0.35 * dark else 1,
        "chroma_smear": float(rng.uniform(0.6, 1.0) + rng.uniform(0.1, 0.5) * min(noise, 12))
        if cleans
        else 0.0,
        "trail": float(rng.uniform(0.3, 0.75)) if rng.random() < 0.1 + 0.5 * dark else 0.0,
    }


def _tone(rng: np.random.Generator, dim: float, kind: str) -> dict:
    """Dynamic range, contrast, colourfulness."""
    wide = {"webcam": 1.5, "phone": 3.0, "call": 1.7, "mirrorless": 2.5}[kind]
    return {
        "headroom": float(rng.uniform(1.0, wide)),
        "knee": float(rng.uniform(0.05, 0.4)),
        "gamma": float(np.exp(rng.normal(0, 0.09))),
        "curve": float(rng.normal(0.08, 0.14)),
        "lift": float(rng.uniform(-0.02, 0.08)),
        "saturation": 0.0
        if rng.random() < 0.04
        else float(np.clip(rng.normal(1 - 0.15 * dim, 0.17), 0.4, 1.6)),
    }


def _lens(rng: np.random.Generator, dim: float, cheap: float) -> dict:
    """Vignette, sharpness, dirt, mains flicker; the sharpening that hides a poor lens."""
    falls = rng.random() < 0.5
    soft = rng.random() < 0.35 + 0.35 * cheap
    blur = rng.uniform(0.3, 0.6 + 0.5 * cheap) if soft else 0.0
    if rng.random() < 0.03:  # focused on the wall
        blur = rng.uniform(1.0, 2.2)
    sharp = rng.random() < 0.3 + 0.4 * cheap
    return {
        "vignette": float(rng.uniform(0, 0.3 if cheap > 0.3 else 0.2)) if falls else 0.0,
        "shading": tuple(float(v) for v in rng.normal(0, 0.05 * cheap, 2)) if falls else (0.0, 0.0),
        "blur": float(blur),
        "glare": float(rng.exponential(0.03)) if rng.random() < 0.2 + 0.3 * cheap else 0.0,
        "sharpen": float(rng.gamma(2.0, 0.25 + 0.2 * cheap)) if sharp else 0.0,
        "halo": float(rng.uniform(0.6, 1.5)),
        "flicker": float(rng.uniform(0.005, 0.05)) if rng.random() < 0.06 else 0.0,
        "period": float(rng.uniform(0.2, 0.9)),
        "hunting": float(rng.beta(1.2, 3) * (0.4 + 0.6 * dim)),
    }


def _stream(rng: np.random.Generator, kind: str) -> dict:
    """Resolution, codec and its quality."""
    codec = _pick(rng, CODECS[kind])
    quality = {
        "none": 100,
        "mjpeg": int(rng.uniform(45, 97)),
        "h264": int(np.clip(rng.normal(26, 4), 16, 40)),
    }
    if kind == "call":
        quality = {**quality, "mjpeg": int(rng.uniform(30, 80)), "h264": int(rng.uniform(24, 38))}
    small, large = {"webcam": (0.12, 0.08), "phone": (0.05, 0.08), "call": (0.5, 0.0)}.get(kind, (0.0, 0.12))
    draw = rng.random()
    scale = rng.uniform(0.4, 0.9) if draw < small else rng.uniform(1.25, 1.6) if draw > 1 - large else 1.0
    chroma: Chroma = "420"
    if codec != "h264":
        chroma = _pick(rng, {"444": 0.25, "422": 0.4, "420": 0.35})
    return {"codec": codec, "quality": quality[codec], "scale": float(scale), "chroma": chroma}


def _pick(rng: np.random.Generator, shares: dict[str, float]) -> Any:
    """A key, as often as its share (the shares sum to 1) says."""
    point = rng.random()
    for key, share in shares.items():
        point -= share
        if point < 0:
            return key
    return key


def noise_level(electrons: float, read: float, light: float = 0.18) -> float:
    """Noise of an unprocessed grey (`light` is linear; 0.18 is middle grey) in 8-bit sRGB levels."""
    slope = 1.055 / 2.4 * max(light, 0.0031308) ** (1 / 2.4 - 1)  # derivative of sRGB's curve
    return float(255 * slope * np.sqrt(light / electrons + (read / electrons) ** 2))
