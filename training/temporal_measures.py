"""Measures over time: jitter of what stands still, lag of what moves, change against the true change.

Each is taken raw and after the application's smoothing (live_relight.core.temporal with its defaults), at the
size that the network sees. Pictures are [H,W,3] float32 sRGB 0..1, on whole steps of a camera's 8 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from live_relight.core.frames import Geometry
from live_relight.core.temporal import Smoothing, TemporalState, box3, luma, step
from training import metrics
from training.clips import frame_item
from training.data import middle_box
from training.networks import Found, Method, picture_of
from training.synth.shards import Record

F32 = NDArray[np.float32]
Item = dict[str, F32]
NOISE = 4 / 255
"""Standard deviation of the camera's noise, each channel for itself."""
FRAMES, SETTLING = 20, 10
"""Frames of a still subject, and how many of them the smoothing is given to settle."""
SPEEDS = (2, 4, 8)
"""Pixels a frame that the edge moves."""
REST = 3
"""Frames that the person stands before."""
STILL_LUMA = 0.02
"""Change of blurred luma, 0..1, up to which a part of a real clip stands still (as in core.temporal)."""


class Smoother:
    """The application's smoothing of one stream."""

    def __init__(self) -> None:
        self._state: TemporalState | None = None

    def __call__(self, found: Found, image: F32) -> Found:
        if found.normal is None or found.alpha is None:
            raise ValueError("smoothing wants normals and a matte, got a method that gives only some")
        depth = np.ones_like(found.alpha) if found.depth is None else found.depth
        geometry = Geometry(found.normal, depth, found.alpha, picture_of(image))
        self._state, smooth = step(self._state, geometry, Smoothing())
        return Found(smooth.normal, smooth.depth, smooth.alpha)


def raw_and_smoothed(method: Method, images: Iterable[F32]) -> list[tuple[Found, Found]]:
    """(raw, smoothed) for the frames of one stream."""
    follow, smoother, out = method.clip(), Smoother(), []
    for image in images:
        found = follow(image)
        out.append((found, smoother(found, image)))
    return out


def noisy(rng: np.random.Generator, image: F32, noise: float = NOISE) -> F32:
    """With fresh noise, as 8 bits hold it."""
    seen = image + rng.standard_normal(image.shape, np.float32) * np.float32(noise)
    return np.rint(np.clip(seen, 0, 1) * 255) / np.float32(255)


def turned(a: F32, b: F32, on: NDArray[np.bool_]) -> F32:
    """Degrees between the unit normals of two frames where `on` is set, flat."""
    chord = np.linalg.norm((a - b)[on], axis=-1)  # accurate for small angles, where arccos is not
    return np.degrees(2 * np.arcsin(np.clip(chord / 2, 0, 1))).astype(np.float32)


def rms(values: Sequence[F32]) -> float:
    """Root of the mean square over all of them; NaN of none."""
    count = sum(v.size for v in values)
    return (
        float(np.sqrt(sum(float((v.astype(np.float64) ** 2).sum()) for v in values) / count))
        if count
        else np.nan
    )


def jitter(method: Method, items: Sequence[Item]) -> tuple[float, float]:
    """Degrees RMS, raw and smoothed, by which normals inside the true person turn from one frame to the next
    of a picture that is repeated with fresh noise: pixels and pairs of frames alike, the first SETTLING left
    out."""
    raw: list[F32] = []
    smooth: list[F32] = []
    for index, item in enumerate(items):
        rng = np.random.default_rng([index, 1])
        frames = raw_and_smoothed(method, (noisy(rng, item["image"]) for _ in range(FRAMES)))
        on = item["mask"] > 0.5
        for one, two in pairwise(frames[SETTLING - 1 :]):
            raw.append(turned(one[0].normal, two[0].normal, on))
            smooth.append(turned(one[1].normal, two[1].normal, on))
    return rms(raw), rms(smooth)


def flicker(method: Method, clips: Sequence[Sequence[F32]]) -> tuple[float, float, float]:
    """As `jitter` on what stands still in real clips: pixels inside the method's own matte (above 0.9 in both
    frames) with all of the 7 x 7 round them quiet (blurred luma within STILL_LUMA of the frame before).
    And the share 0..1 of the matte that is so."""
    raw: list[F32] = []
    smooth: list[F32] = []
    still = whole = 0
    for images in clips:
        lumas = [box3(box3(luma(picture_of(image)))) for image in images]
        frames = raw_and_smoothed(method, images)
        for k, (one, two) in enumerate(pairwise(frames)):
            quiet = (np.abs(lumas[k + 1] - lumas[k]) < STILL_LUMA).astype(np.uint8)
            person = (one[0].alpha > 0.9) & (two[0].alpha > 0.9)
            on = person & (cv2.erode(quiet, np.ones((7, 7), np.uint8)) > 0)
            still, whole = still + int(on.sum()), whole + int(person.sum())
            if k + 1 >= SETTLING:
                raw.append(turned(one[0].normal, two[0].normal, on))
                smooth.append(turned(one[1].normal, two[1].normal, on))
    return rms(raw), rms(smooth), still / max(whole, 1)


def moved(plane: F32, pixels: int) -> F32:
    """[H,W] or [H,W,C] to the right by whole pixels; the left column is repeated."""
    index = np.clip(np.arange(plane.shape[1]) - pixels, 0, plane.shape[1] - 1)
    return plane[:, index]


def spread(image: F32, weight: F32) -> F32:
    """[H,W,3] where `weight` [H,W] is 1, its surroundings' colours where it is 0: means over ever wider
    neighbourhoods until there is something."""
    total, sure = image * weight[..., None], weight.copy()
    for sigma in (1.5, 4, 12, 36):
        seen = cv2.GaussianBlur(image * weight[..., None], (0, 0), sigma)
        there = cv2.GaussianBlur(weight, (0, 0), sigma)
        fresh = (1 - sure) * np.clip(there * 20, 0, 1)
        total += seen / np.maximum(there, 1e-6)[..., None] * fresh[..., None]
        sure += fresh
    return total / np.maximum(sure, 1e-6)[..., None]


def sliding(item: Item, speed: int, count: int, rng: np.random.Generator) -> tuple[list[F32], list[int]]:
    """Frames of the person, cut out by the true matte, that stands for REST frames and then moves `speed`
    pixels a frame to the right over what is behind; and how far it is in each. What the person hides, and the
    person's colour at its edge, are filled from what is near."""
    alpha = item["alpha"]
    around = cv2.dilate(
        (alpha > 0.02).astype(np.float32), np.ones((9, 9), np.float32)
    )  # a lens spreads edges
    behind = spread(item["image"], 1 - around)
    person = spread(item["image"], (alpha > 0.98).astype(np.float32))
    places = [0] * (REST - 1) + [speed * k for k in range(count + 1)]
    frames = []
    for place in places:
        cover = moved(alpha, place)[..., None]
        frames.append(noisy(rng, moved(person, place) * cover + behind * (1 - cover)))
    return frames, places


def trail_of(mattes: Sequence[F32], alpha: F32, places: Sequence[int], reach: range) -> float:
    """By how many pixels `mattes` trail: the true matte `alpha`, moved to `places` and then back by each s of
    `reach`, is held against every one of them (every second row); s of the least squared difference, to a
    part of a pixel by the parabola through its neighbours."""
    errors = np.zeros(len(reach))
    for matte, place in zip(mattes, places, strict=True):
        for k, back in enumerate(reach):
            difference = matte[::2] - moved(alpha[::2], place - back)
            errors[k] += float((difference * difference).mean())
    k = int(np.clip(errors.argmin(), 1, len(errors) - 2))
    bend = errors[k - 1] - 2 * errors[k] + errors[k + 1]
    part = 0.5 * (errors[k - 1] - errors[k + 1]) / bend if bend > 0 else 0.0
    return reach[k] + float(np.clip(part, -0.5, 0.5))


def lag(method: Method, items: Sequence[Item]) -> dict[int, tuple[float, float]]:
    """Speed in pixels a frame -> frames by which the matte trails, raw and smoothed, mean over the pictures.

    `trail_of` over the moving frames but the first two, less that of the network's matte of the person at
    rest (a matte that is wrong on one side of the person is no late one), over the speed.
    """
    out = {}
    for speed in SPEEDS:
        found: list[tuple[float, ...]] = []
        for index, item in enumerate(items):
            images, places = sliding(item, speed, max(5, 24 // speed), np.random.default_rng([index, 2]))
            frames = raw_and_smoothed(method, images)
            rest = trail_of(
                [raw.alpha for raw, _ in frames[:REST]], item["alpha"], places[:REST], range(-9, 10)
            )
            reach = range(-2 * speed - 2, 5 * speed + 3)
            moving = zip(*frames[REST + 2 :], strict=True)
            late = ([one.alpha for one in way] for way in moving)
            found.append(
                tuple(
                    (trail_of(way, item["alpha"], places[REST + 2 :], reach) - rest) / speed for way in late
                )
            )
        raw, smooth = np.mean(found, 0)
        out[speed] = float(raw), float(smooth)
    return out


@dataclass
class Motion:
    """What is measured on rendered clips; `raw` and `smooth`: degrees of every pixel, flat arrays."""

    raw: list[F32] = field(default_factory=list)
    smooth: list[F32] = field(default_factory=list)
    change_raw: list[F32] = field(default_factory=list)
    change_smooth: list[F32] = field(default_factory=list)
    change_true: list[F32] = field(default_factory=list)
    """The change there is, which a plane that never changes is wrong by."""


def change_error(pred: tuple[F32, F32], truth: tuple[F32, F32], on: NDArray[np.bool_]) -> F32:
    """Degrees (of a chord) between the change of normals from one frame to the next and the true change, at
    pixels of the picture that show a person in both frames, flat.

    It stands in the place of a warping error: with the truth for every frame at hand the true change need not
    be guessed from optical flow. The idea is the temporal change consistency of Zhang et al., "Exploiting
    Temporal Consistency for Real-Time Video Depth Estimation" (ICCV 2019), which compares changes of depth
    with true ones by their structural similarity; here it is their difference, of normals, in degrees.
    """
    chord = np.linalg.norm(((pred[1] - pred[0]) - (truth[1] - truth[0]))[on], axis=-1)
    return np.degrees(chord).astype(np.float32)


def on_clips(method: Method, records: Sequence[Record], size: tuple[int, int]) -> Motion:
    """Angles and changes on clips, of which the largest middle part of the aspect of `size` is seen."""
    out = Motion()
    for record in records:
        items = clip_items(record, size)
        frames = raw_and_smoothed(method, (item["image"] for item in items))
        for (raw, smooth), item in zip(frames, items, strict=True):
            out.raw.append(metrics.angles(raw.normal, item["normal"], item["mask"])[::3])
            out.smooth.append(metrics.angles(smooth.normal, item["normal"], item["mask"])[::3])
        for (one, two), (a, b) in zip(pairwise(frames), pairwise(items), strict=True):
            truth, on = (a["normal"], b["normal"]), (a["mask"] > 0.5) & (b["mask"] > 0.5)
            still = (truth[0], truth[0])
            out.change_raw.append(change_error((one[0].normal, two[0].normal), truth, on)[::3])
            out.change_smooth.append(change_error((one[1].normal, two[1].normal), truth, on)[::3])
            out.change_true.append(change_error(still, truth, on)[::3])
    return out


def clip_items(record: Record, size: tuple[int, int]) -> list[Item]:
    """Every frame of a clip with its labels at `size` (width, height)."""
    count, height, width = record["colour"].shape[:3]
    box = middle_box((width, height), size)
    return [frame_item(record, t, box, size) for t in range(count)]
