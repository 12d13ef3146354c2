"""How steady the relit picture is where a real clip stands still: what the light adds to the camera's unrest.

The application itself relights the clip frame after frame (Relighter.follow). Where nothing moves, light
has no reason to: what it makes of a pixel there is to change as little as the pixel does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from live_relight.core.errors import LiveRelightError
from live_relight.core.settings import Settings
from live_relight.core.temporal import box3, luma
from live_relight.relighter import Relighter
from training.real import RUN, decoded
from training.temporal_measures import SETTLING, STILL_LUMA, rms

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
RING = 6
"""Pixels on either side of the matte's 0.5 that count as its edge."""
FLOOR = 4 / 255
"""Added to lumas before they are divided, so that black pixels have no say."""
RATE = 30.0
"""Frames a second at which a clip is followed."""
PRESETS = ("studio", "window", "auto")

SECTION = """
## The relit picture

The application relights {frames} frames of each clip, one after another, as it does live. Where a clip
stands still ({share:.0f} % of it): RMS change of the person's luma from frame to frame in steps of 8 bits,
before and after, and of the light's gain (relit over original, both blurred over five pixels, so without the
noise) in per cent: on the person, within {ring} pixels of its edge, and behind it.

| preset | luma before | luma after | gain: person | edge | behind |
|---|---|---|---|---|---|
{rows}
"""


@dataclass
class Unrest:
    """Changes from frame to frame on what stands still, flat arrays, one a pair of frames."""

    before: list[F32] = field(default_factory=list)
    after: list[F32] = field(default_factory=list)
    person: list[F32] = field(default_factory=list)
    edge: list[F32] = field(default_factory=list)
    behind: list[F32] = field(default_factory=list)
    still: int = 0
    whole: int = 0

    def take(self, originals: Sequence[U8], relit: Sequence[U8], mattes: Sequence[F32]) -> None:
        """One clip: frames [H,W,3] BGR and mattes [H,W] 0..1. The first SETTLING frames are left out."""
        dim = [luma(frame) for frame in originals]
        lit = [luma(frame) for frame in relit]
        quiet_dim = [box3(box3(plane)) for plane in dim]
        gains = [
            np.log((box3(box3(after)) + FLOOR) / (before + FLOOR))
            for before, after in zip(quiet_dim, lit, strict=True)
        ]
        for k, (one, two) in enumerate(pairwise(range(len(dim)))):
            if k + 1 < SETTLING:
                continue
            quiet = (np.abs(quiet_dim[two] - quiet_dim[one]) < STILL_LUMA).astype(np.uint8)
            on = cv2.erode(quiet, np.ones((7, 7), np.uint8)) > 0
            self.still, self.whole = self.still + int(on.sum()), self.whole + on.size
            inside = (mattes[one] > 0.5) & (mattes[two] > 0.5)
            border = _border(mattes[two] > 0.5)
            change = 100 * (gains[two] - gains[one])
            self.before.append(255 * (dim[two] - dim[one])[on & inside])
            self.after.append(255 * (lit[two] - lit[one])[on & inside])
            self.person.append(change[on & inside & ~border])
            self.edge.append(change[on & border])
            self.behind.append(change[on & ~inside & ~border])

    def row(self) -> list[float]:
        """RMS of before, after (steps of 8 bits), person, edge and behind (per cent)."""
        return [rms(values) for values in (self.before, self.after, self.person, self.edge, self.behind)]


def _border(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Within RING pixels of where `inside` changes."""
    kernel = np.ones((2 * RING + 1, 2 * RING + 1), np.uint8)
    plane = inside.astype(np.uint8)
    return np.asarray(cv2.dilate(plane, kernel) > cv2.erode(plane, kernel))


def relight_clip(relighter: Relighter, frames: Sequence[U8]) -> tuple[list[U8], list[F32]]:
    """A clip's frames relit one after another, and the mattes at the frames' size."""
    relighter.restart()
    relit, mattes = [], []
    for k, frame in enumerate(frames):
        lit, geometry = relighter.follow(frame, k / RATE)
        relit.append(lit)
        mattes.append(cv2.resize(geometry.alpha, (frame.shape[1], frame.shape[0])))
    return relit, mattes


def steadiness_section(network: Path, assets: Path) -> tuple[str, dict[str, float]]:
    """Markdown and figures of an .onnx file on the real clips under `assets`; nothing without any."""
    clips = [middle_frames(path) for path in sorted((assets / "real").glob("*.[gm][ik][fv]"))]
    if not clips:
        return "", {}
    try:
        return steadiness(f"onnx:{network}", clips)
    except LiveRelightError as error:  # a network with a memory, no OpenGL: the rest of the report is good
        return f"\nThe relit picture: no figures ({error}).\n", {}


def middle_frames(path: Path) -> list[U8]:
    """RUN frames [H,W,3] BGR one after another from the middle of a clip."""
    every = decoded(path)
    first = max(0, (len(every) - RUN) // 2)
    return [np.ascontiguousarray(frame[..., ::-1]) for frame in every[first : first + RUN]]


def steadiness(engine: str, clips: Sequence[Sequence[U8]]) -> tuple[str, dict[str, float]]:
    """Markdown and figures: clips of BGR frames relit with each of PRESETS by the network `engine`."""
    rows, share, numbers = [], 0.0, {}
    for preset in PRESETS:
        unrest = Unrest()
        with Relighter(Settings(engine=engine, preset=preset)) as relighter:
            for frames in clips:
                unrest.take(frames, *relight_clip(relighter, frames))
        before, after, *gains = unrest.row()
        numbers[f"relit_flicker_{preset}_percent"] = round(gains[0], 2)
        share = 100 * unrest.still / max(unrest.whole, 1)
        told = " | ".join(f"{gain:.2f} %" for gain in gains)
        rows.append(f"| {preset} | {before:.2f} | {after:.2f} | {told} |")
    count = max((len(frames) for frames in clips), default=0)
    return SECTION.format(frames=count, share=share, ring=RING, rows="\n".join(rows)), numbers
