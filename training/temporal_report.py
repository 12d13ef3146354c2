"""The measures of temporal_measures.py as a section of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.networks import OnnxMethod
from training.stills import Stills
from training.synth.shards import CLIPS, Record, find_shards, read_shard
from training.temporal_measures import FRAMES, NOISE, SETTLING, SPEEDS, Item, Motion, jitter, lag, on_clips

F32 = NDArray[np.float32]
SHARES = (0.06, 0.6)
"""Of the picture that a person fills who is repeated or moved."""

SECTION = """
## Over time

Jitter: {stills} held-out pictures repeated {frames} times with fresh noise of {noise:.0f}/255; degrees RMS
from frame to frame inside the person, after {settling} frames. Lag: the person of {slides} pictures, cut out
by the true matte, moves over what is behind; frames by which the matte trails the true one (the shift of the
least squared difference, less that at rest, over the speed). Each raw / after the application's smoothing.

| method | jitter | {speeds} |
|---|---|{rules}
{rows}
"""
CLIP_SECTION = """
{count} clips of held-out people in motion, {frames} frames: mean angle, and by how much the change of the
normals from frame to frame misses the true change (a plane, which never changes, misses {plane:.2f} degrees).

| method | mean | smoothed | change | smoothed |
|---|---|---|---|---|
{rows}
"""
NO_CLIPS = """
No rendered clips: make some with `python -m training.synth make --clips 24 --held-out` and pass --clips DIR.
"""


def temporal_section(
    methods: Mapping[str, OnnxMethod], data: Path, clips: Path | None, size: tuple[int, int], count: int
) -> tuple[str, dict[str, float]]:
    """Markdown and, of the first of the methods, figures. Clips are those of `clips`, else of `data`, else a
    sentence says that there are none."""
    items = chosen(data, size, count)
    if not items:
        return "\n## Over time\n\nNobody fills enough of a picture.\n", {}
    sliding = items[: max(1, len(items) * 3 // 8)]
    rows, numbers = [], {}
    for name, method in methods.items():
        shakes, trails = jitter(method, items), lag(method, sliding)
        cells = " | ".join(f"{raw:.2f} / {smooth:.2f}" for raw, smooth in trails.values())
        rows.append(f"| {name} | {shakes[0]:.2f}° / {shakes[1]:.2f}° | {cells} |")
        if not numbers:
            numbers = {"jitter_raw_deg": shakes[0], "jitter_smoothed_deg": shakes[1]}
            numbers["lag_smoothed_frames"] = max(smooth for _, smooth in trails.values())
    text = SECTION.format(
        stills=len(items),
        frames=FRAMES,
        noise=NOISE * 255,
        settling=SETTLING,
        slides=len(sliding),
        speeds=" | ".join(f"lag at {speed} px a frame" for speed in SPEEDS),
        rules="---|" * len(SPEEDS),
        rows="\n".join(rows),
    )
    records = clips_of(clips or data, clips is None)
    if records:
        extra, more = clip_section(methods, records, size)
        return text + extra, rounded(numbers | more)
    return text + NO_CLIPS, rounded(numbers)


def rounded(numbers: dict[str, float]) -> dict[str, float]:
    """To hundredths."""
    return {key: round(value, 2) for key, value in numbers.items()}


def clips_of(folder: Path, optional: bool) -> list[Record]:
    """The rendered clips of a folder; none is an error unless they are `optional`."""
    if optional and not list(folder.glob(f"{CLIPS}_*.tar")):
        return []
    return [record for path in find_shards(folder, CLIPS) for record in read_shard(path)]


def chosen(data: Path, size: tuple[int, int], count: int) -> list[Item]:
    """At most `count` pictures, one of every so many views, whose person fills enough and not too much."""
    stills = Stills.open(data, 1_000_000, size)
    views: dict[int, int] = {}
    for place, (record, _) in enumerate(stills.pictures):
        views.setdefault(id(record), place)
    places, items = list(views.values()), []
    for place in places[:: max(1, len(places) // (2 * count))]:
        item = stills.item(place)
        if SHARES[0] < float(item["mask"].mean()) < SHARES[1]:
            items.append(item)
        if len(items) == count:
            break
    return items


def clip_section(
    methods: Mapping[str, OnnxMethod], records: list[Record], size: tuple[int, int]
) -> tuple[str, dict[str, float]]:
    """Markdown and figures of the first of the methods, on clips."""
    rows, first = [], Motion()
    numbers: dict[str, float] = {}
    for name, method in methods.items():
        motion = on_clips(method, records, size)
        means = [mean(m) for m in (motion.raw, motion.smooth, motion.change_raw, motion.change_smooth)]
        rows.append(f"| {name} | {means[0]:.1f}° | {means[1]:.1f}° | {means[2]:.2f}° | {means[3]:.2f}° |")
        if not numbers:
            first, keys = motion, ("mean_raw", "mean_smoothed", "change_raw", "change_smoothed")
            numbers = {f"clips_{key}_deg": value for key, value in zip(keys, means, strict=True)}
    text = CLIP_SECTION.format(
        count=len(records), frames=len(first.raw), plane=mean(first.change_true), rows="\n".join(rows)
    )
    return text, numbers


def mean(values: list[F32]) -> float:
    """Over all pixels; NaN of none."""
    flat = np.concatenate(values) if values else np.zeros(0, np.float32)
    return float(flat.mean()) if flat.size else float("nan")
