"""The webcam: from linear light to the 8-bit picture that an application gets.

The order is a real camera's: lens, sensor (photon and read noise), white balance and colour matrix,
tone curve, smoothing, sharpening, chroma subsampling, codec. Pictures come in as float32 [H,W,3] linear
sRGB of any finite values and go out as uint8 sRGB of the same size.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.camera.codec import U8, h264, mjpeg, subsample
from training.synth.camera.lens import Moment, optics
from training.synth.camera.webcam import Camera, draw_camera, noise_level
from training.synth.meshes import F32
from training.synth.places.light import LUMA, kelvin

STEPS = 2048  # of the tone table, evenly spaced in the root of the light: finer than 8-bit sRGB everywhere
# Light that sRGB's white needs from each channel's filter: red and blue see less, so they are amplified.
GAINS = np.array([1.7, 1.0, 1.9], np.float32)


def exposure(rng: np.random.Generator, picture: F32, alpha: F32) -> float:
    """The gain that gives the metered area a plausible linear brightness; the person seldom burns out."""
    luma = cv2.transform(picture, LUMA[None])
    weight = 0.25 + 0.75 * alpha if rng.random() < 0.7 else np.ones_like(alpha)
    mean = max(float((luma * weight).sum() / weight.sum()), 1e-5)
    wanted = np.exp(rng.normal(-1.6, 0.45)) if rng.random() < 0.85 else np.exp(rng.uniform(-4.2, -2.2))
    limit = np.exp(rng.normal(0.0, 0.35))  # what 95 % of the person stays below; 1 is white
    person = luma[::4, ::4][alpha[::4, ::4] > 0.5]
    bright = float(np.percentile(person, 95)) if len(person) > 20 else 0.0
    return float(min(wanted / mean, limit / max(bright, 1e-5)))


def expose(rng: np.random.Generator, picture: F32, alpha: F32) -> F32:
    """The picture times its `exposure`."""
    return picture * np.float32(exposure(rng, picture, alpha))


def encode(linear: F32) -> F32:
    """Linear -> sRGB, 0..1."""
    c = np.clip(linear, 0, 1)
    return np.where(c <= 0.0031308, 12.92 * c, 1.055 * np.power(np.maximum(c, 1e-8), 1 / 2.4) - 0.055).astype(
        np.float32
    )


def shoot(
    rng: np.random.Generator,
    picture: F32,
    camera: Camera | None = None,
    motion: tuple[float, float] | None = None,
) -> NDArray[np.uint8]:
    """One exposed linear picture [H,W,3] through a camera -> uint8 RGB.

    camera: drawn at random (noisier where the picture is dark) if None. motion: pixels (x right, y down)
    that the whole picture moves while the shutter is open; None: mostly none, sometimes drawn.
    """
    picture = _clean(picture)
    camera = camera or draw_camera(rng, float(np.dot(cv2.mean(picture)[:3], LUMA)))
    if motion is None and rng.random() < 0.04 + 0.1 * camera.dim:
        way, length = rng.uniform(0, 2 * np.pi), rng.uniform(1, 4 + 5 * camera.dim)
        motion = (length * np.cos(way), length * np.sin(way))
    moment = Moment(_balance(picture, camera), 0.0, float(rng.random()))
    frame = _develop(rng, picture, camera, moment, motion)
    return _finish(_compress([frame], camera)[0], picture.shape)


def shoot_clip(
    rng: np.random.Generator,
    pictures: list[F32],
    camera: Camera,
    motions: list[tuple[float, float]] | None = None,
) -> list[NDArray[np.uint8]]:
    """Exposed linear pictures of one clip (all [H,W,3]) through one camera -> uint8 RGB each.

    Noise is fresh in every frame; exposure, focus and white balance wander by as much as the camera
    hunts; smoothing over time and the codec see the whole sequence. motions: as for `shoot`, per frame.
    """
    if not pictures:
        return []
    count = len(pictures)
    exposure_drift, warmth, focus = (_wander(rng, count) * camera.hunting for _ in range(3))
    refocus = camera.hunting if rng.random() < 0.3 else 0.0
    phase, beat = rng.random(), rng.uniform(0.02, 0.3)  # of mains light against the frame rate
    gains = _balance(_clean(pictures[0]), camera)
    frames: list[U8] = []
    last: F32 | None = None
    for k, picture in enumerate(pictures):
        gain = gains * np.float32(np.exp(0.12 * exposure_drift[k]))
        gain = gain * kelvin(6500 * float(np.exp(0.06 * warmth[k])))
        moment = Moment(gain, refocus * abs(float(focus[k])), float(phase + beat * k) % 1)
        motion = motions[k] if motions else None
        frame = _develop(rng, _clean(picture), camera, moment, motion, last)
        last = frame.astype(np.float32)
        frames.append(frame)
    return [_finish(f, pictures[0].shape) for f in _compress(frames, camera)]


def _clean(picture: F32) -> F32:
    """Finite, 0..1e4."""
    picture = np.asarray(picture, np.float32)
    if not np.isfinite(picture.sum()):
        picture = np.nan_to_num(picture, nan=0.0)
    return np.clip(picture, 0, 1e4)


def _wander(rng: np.random.Generator, count: int) -> F32:
    """A smooth random path [count] of about unit size that starts at 0."""
    knots = np.concatenate([[0.0], rng.normal(0, 1, count // 8 + 2)])
    return np.interp(np.arange(count) / 8, np.arange(len(knots)), knots).astype(np.float32)


def _balance(picture: F32, camera: Camera) -> F32:
    """RGB gains [3]: automatic white balance by "shades of grey" (Finlayson and Trezzi, 2004), p = 4."""
    square = np.minimum(picture[::4, ::4], 1.0) ** 2
    mean = np.maximum((square * square).reshape(-1, 3).mean(0), 1e-12) ** 0.25
    gains = np.clip((mean @ LUMA) / mean, 0.5, 2.0) ** camera.balance
    return (gains / (gains @ LUMA) * np.array(camera.white)).astype(np.float32)


def _develop(
    rng: np.random.Generator,
    picture: F32,
    camera: Camera,
    moment: Moment,
    motion: tuple[float, float] | None,
    last: F32 | None = None,
) -> U8:
    """One frame up to the codec: YCrCb, in the sensor's resolution (even sides)."""
    light = optics(picture, camera, moment, motion)
    matrix = np.diag(moment.gains) @ np.array(camera.matrix).reshape(3, 3)
    noise = _grain(rng, light, camera)
    if last is None and camera.trail > 0:  # what smoothing over the frames before has left
        blend = 0.85 * camera.trail  # the mean weight in `_settle`
        noise *= np.float32(np.sqrt((1 - blend) / (1 + blend)))
    signal = cv2.transform(light, matrix.astype(np.float32)) + noise
    root = cv2.sqrt(np.clip(signal, 0, camera.headroom)) * np.float32((STEPS - 1) / np.sqrt(camera.headroom))
    shown = tone_table(camera).take(root.astype(np.uint16), mode="clip")
    frame = np.asarray(cv2.cvtColor(shown, cv2.COLOR_RGB2YCrCb), np.uint8)
    return _process(frame, camera, last)


@lru_cache(maxsize=1)
def normal_table() -> F32:
    """Standard normal numbers [65536], one for each of as many equal shares of chance."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((k + 0.5) / 65536) for k in range(65536)], np.float32)


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> F32:
    """Standard normal numbers (within 4.3 sigma) from 16 random bits each: faster than exact ones."""
    bits = np.frombuffer(rng.bytes(2 * int(np.prod(shape))), "<u2")
    return normal_table().take(bits, mode="clip").reshape(shape)


def _grain(rng: np.random.Generator, light: F32, camera: Camera) -> F32:
    """Photon and read noise [H,W,3] after the colour matrix: relatively stronger in the dark.

    Red and blue are sampled half as densely each way as green on a Bayer sensor, so their noise is
    coarser; the colour matrix then spreads it, which leaves more noise in chroma than in luma.
    """
    height, width = light.shape[:2]
    # A pixel of a finer picture gathers fewer electrons, one of a coarser picture more.
    electrons = camera.electrons / camera.scale**2
    read = GAINS * (camera.read / electrons)
    variance = np.column_stack([np.diag(GAINS / electrons), read * read])
    sigma = cv2.sqrt(cv2.transform(light, variance.astype(np.float32)))
    half = (-(-height // 2), -(-width // 2))
    # Bilinear doubling keeps (3/4)^2 + (1/4)^2 = 5/8 of the variance each way.
    coarse = gaussian(rng, (2, *half)) * np.float32(1.6)
    red, blue = (cv2.resize(c, (2 * half[1], 2 * half[0]))[:height, :width] for c in coarse)
    fine = gaussian(rng, (height, width))
    if camera.grain > 0.3:
        kernel = cv2.getGaussianKernel(5, camera.grain)
        kernel /= np.sqrt((kernel**2).sum())
        fine = cv2.sepFilter2D(fine, -1, kernel, kernel)
    noise = cv2.merge([red, fine, blue]) * sigma
    if camera.rows > 0:
        noise += gaussian(rng, (height, 1, 1)) * (camera.rows * read).astype(np.float32)
    mix = (1 + camera.raw) * np.eye(3) - camera.raw / 3
    return np.asarray(cv2.transform(noise, mix.astype(np.float32)), np.float32)


@lru_cache(maxsize=4)
def tone_table(camera: Camera) -> U8:
    """8-bit value [STEPS] of linear light headroom (k / (STEPS - 1))^2: shoulder, sRGB, contrast, black."""
    x = np.float32(camera.headroom) * np.linspace(0, 1, STEPS, dtype=np.float32) ** 2
    knee = max(camera.knee, 1e-3)  # roll highlights off instead of clipping them
    x = np.where(x > 1 - knee, 1 - knee + knee * np.tanh((x - 1 + knee) / knee), x)
    v = encode(x) ** camera.gamma
    v = v + camera.curve * (v - 0.5) * (1 - v) * v * 4
    v = camera.lift + (1 - camera.lift) * v
    return np.clip(v * 255 + 0.5, 0, 255).astype(np.uint8)


def _process(frame: U8, camera: Camera, last: F32 | None) -> U8:
    """Smoothing, sharpening and colour of a YCrCb frame, as a camera's processor does them."""
    luma, *colour = cv2.split(frame)
    if camera.chroma_smear > 0.5:
        few = (-(-luma.shape[1] // 2), -(-luma.shape[0] // 2))
        thin = [cv2.resize(c, few, interpolation=cv2.INTER_AREA) for c in colour]
        thin = [cv2.GaussianBlur(c, (0, 0), camera.chroma_smear / 2) for c in thin]
        colour = [cv2.resize(c, luma.shape[::-1], interpolation=cv2.INTER_LINEAR) for c in thin]
    if camera.smear > 0.5:
        for _ in range(camera.passes):
            luma = cv2.bilateralFilter(luma, 5, 2.5 * camera.smear, 1.8)
    if camera.sharpen > 0:
        soft = cv2.GaussianBlur(luma, (0, 0), camera.halo)
        luma = cv2.addWeighted(luma, 1 + camera.sharpen, soft, -camera.sharpen, 0)
    if camera.saturation != 1:
        values = np.clip(128.5 + camera.saturation * (np.arange(256) - 128.0), 0, 255).astype(np.uint8)
        colour = [cv2.LUT(c, values) for c in colour]
    out = np.asarray(cv2.merge([luma, *colour]), np.uint8)
    return out if last is None or camera.trail <= 0 else _settle(out, last, camera)


def _settle(frame: U8, last: F32, camera: Camera) -> U8:
    """Smoothing over time: blend with the last frame where the two differ by little more than noise."""
    now = frame.astype(np.float32)
    apart = np.abs(now - last)
    within = 4 + 3 * noise_level(camera.electrons, camera.read)
    close = np.exp(-((apart / np.float32(within)) ** 2))
    return np.asarray(now + (last - now) * (camera.trail * close) + 0.5, np.uint8)


def _compress(frames: list[U8], camera: Camera) -> list[U8]:
    """The codec, or only its chroma subsampling."""
    if camera.codec == "h264":
        return h264(frames, camera.quality)
    if camera.codec == "mjpeg":
        return [mjpeg(f, camera.quality, camera.chroma) for f in frames]
    return [subsample(f, camera.chroma) for f in frames]


def _finish(frame: U8, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """YCrCb in the sensor's resolution -> RGB of the wanted shape."""
    out = np.asarray(cv2.cvtColor(frame, cv2.COLOR_YCrCb2RGB), np.uint8)
    if out.shape[:2] != shape[:2]:
        way = cv2.INTER_AREA if out.shape[1] > shape[1] else cv2.INTER_CUBIC
        out = np.asarray(cv2.resize(out, (shape[1], shape[0]), interpolation=way), np.uint8)
    return out
