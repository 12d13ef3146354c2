"""The webcam: exposure, colour, blur, noise, sharpening, compression. Linear in, 8-bit sRGB out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.light import LUMA, kelvin
from training.synth.meshes import F32


def expose(rng: np.random.Generator, picture: F32, alpha: F32) -> F32:
    """Scale so that the metered area has a plausible brightness (linear)."""
    luma = picture @ LUMA
    weight = 0.25 + 0.75 * alpha if rng.random() < 0.7 else np.ones_like(alpha)
    mean = max(float((luma * weight).sum() / weight.sum()), 1e-5)
    wanted = np.exp(rng.normal(-1.75, 0.45)) if rng.random() < 0.85 else np.exp(rng.uniform(-4.2, -2.2))
    return picture * np.float32(wanted / mean)


def encode(linear: F32) -> F32:
    """Linear -> sRGB, 0..1."""
    c = np.clip(linear, 0, 1)
    return np.where(c <= 0.0031308, 12.92 * c, 1.055 * np.power(np.maximum(c, 1e-8), 1 / 2.4) - 0.055).astype(
        np.float32
    )


def shoot(rng: np.random.Generator, picture: F32) -> NDArray[np.uint8]:
    """One exposed linear picture [H,W,3] through a random camera -> uint8 RGB."""
    height, width = picture.shape[:2]
    image = picture * kelvin(float(np.exp(rng.normal(np.log(6500), 0.16)))) * (1 + rng.normal(0, 0.02, 3))
    image = _optics(rng, image.astype(np.float32))
    image = _noise(rng, image)
    knee = rng.uniform(0, 0.35)  # roll highlights off instead of clipping them
    image = np.where(image > 1 - knee, 1 - knee + knee * np.tanh((image - 1 + knee) / max(knee, 1e-3)), image)
    image = encode(image)
    curve = rng.normal(0, 0.12)
    image = image + curve * (image - 0.5) * (1 - image) * image * 4
    grey = (image @ LUMA)[..., None]
    saturation = 0.0 if rng.random() < 0.05 else float(np.clip(rng.normal(1, 0.18), 0.4, 1.6))
    image = grey + saturation * (image - grey)
    image = np.clip(image + rng.uniform(-0.01, 0.02), 0, 1).astype(np.float32)
    if rng.random() < 0.18:  # low resolution, scaled up
        k = rng.uniform(0.4, 0.85)
        small = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.4:
        blur = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 1.6))
        image = image + rng.uniform(0.2, 1.2) * (image - blur)
    out = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.7:
        quality = int(rng.uniform(35, 96))
        packed = cv2.imencode(".jpg", out[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        out = cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1]
    return np.ascontiguousarray(out)


def _optics(rng: np.random.Generator, image: F32) -> F32:
    """Vignette, a little blur, motion blur, veiling glare."""
    height, width = image.shape[:2]
    if rng.random() < 0.4:
        x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
        image = image * (1 - rng.uniform(0, 0.3) * (x * x + y * y) / 2)[..., None].astype(np.float32)
    if rng.random() < 0.45:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.0))
    if rng.random() < 0.08:
        size = int(rng.integers(3, 9))
        kernel = np.zeros((size, size), np.float32)
        a = rng.uniform(0, np.pi)
        reach = size // 2
        p, q = (
            (reach + np.cos(a) * reach, reach + np.sin(a) * reach),
            (reach - np.cos(a) * reach, reach - np.sin(a) * reach),
        )
        cv2.line(kernel, (round(p[0]), round(p[1])), (round(q[0]), round(q[1])), 1.0, 1)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    if rng.random() < 0.15:
        image = image + rng.uniform(0, 0.05) * image.mean((0, 1))
    return image


def _noise(rng: np.random.Generator, image: F32) -> F32:
    """Photon and read noise: relatively stronger in the dark; sometimes blotchy."""
    gain = np.exp(rng.uniform(-10, -5.2))
    read = np.exp(rng.uniform(-9, -5.0))
    sigma = np.sqrt(np.maximum(image, 0) * gain + read * read)
    grain = rng.standard_normal(image.shape, np.float32)
    if rng.random() < 0.3:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.8) * 1.8
    return (image + sigma * grain).astype(np.float32)
