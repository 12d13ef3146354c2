"""The validator: are the labels of a data set sound?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.synth.parts import OTHER, PARTS
from training.synth.shards import CLIPS, STILLS, Record, find_shards, read_shard
from training.synth.truth import disagreement, points_of

NEAREST = 0.1  # metres: closer than any webcam shows
ACROSS = 75.0
"""Degrees between a normal and the depth's own from which on it is another side's."""
MOST_ACROSS = 0.25
"""Share of a part in a view: thin things seen edge on and the inner sides of hoods stay below."""


@dataclass
class Report:
    """What was looked at and what was wrong, by kind and in words."""

    pictures: int = 0
    labels: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    slopes: dict[str, list[float]] = field(default_factory=lambda: {"skin": [], "cloth": []})
    """Median degrees between normals and depth of each still, by part."""
    across: dict[str, list[int]] = field(default_factory=lambda: {"skin": [0, 0], "cloth": [0, 0]})
    """Pixels, well inside a part, whose normal is ACROSS and more from the depth's own; and all of them. A
    median does not see a collar that is inside out."""
    lines: list[str] = field(default_factory=list)

    def add(self, where: str, problems: Iterator[tuple[str, str]]) -> None:
        """Count and note what a check found."""
        for kind, text in problems:
            self.counts[kind] += 1
            self.lines.append(f"{where}: {text}")


def check(folder: Path) -> Report:
    """Looks at every picture and label of a data set, stills and clips."""
    report = Report()
    kinds = [k for k in (STILLS, CLIPS) if any(folder.glob(f"{k}_*.tar"))] or [STILLS]
    for kind in kinds:
        for path in find_shards(folder, kind):
            for record in read_shard(path):
                frames = range(len(record["colour"])) if kind == CLIPS else [None]
                for frame in frames:
                    where = f"{path.name} {record.key}" + ("" if frame is None else f" frame {frame}")
                    report.add(where, check_labels(record, frame))
                    report.labels += 1
                if kind == STILLS:
                    report.add(f"{path.name} {record.key}", compare(record, report))
                for k, picture in enumerate(record["colour"]):
                    report.add(f"{path.name} {record.key} picture {k}", check_picture(picture))
                    report.pictures += 1
    return report


def compare(record: Record, report: Report) -> Iterator[tuple[str, str]]:
    """Adds the angle between normals and depth to `report`, where enough of a part is seen. A part of whose
    pixels more than MOST_ACROSS are another side's is a problem."""
    camera = record.about["camera"]
    normal, depth = record["normal"].astype(np.float32) / 127, record["depth"].astype(np.float32)
    if not np.isfinite(depth).all():
        return
    for part, found in report.slopes.items():
        inside = (record["part"] == PARTS.index(part)) & (record["alpha"] == 255)
        angles = disagreement(normal, depth, inside, camera)
        if len(angles) > 100:
            found.append(float(np.median(angles)))
        across = int((angles > ACROSS).sum())
        report.across[part][0] += across
        report.across[part][1] += len(angles)
        if len(angles) > 300 and across > MOST_ACROSS * len(angles):
            yield (
                "inside out",
                f"{100 * across / len(angles):.0f} % of {part} faces another way than its depth",
            )


def check_labels(record: Record, frame: int | None) -> Iterator[tuple[str, str]]:
    """Problems of one label as (kind, text). `frame`: of a clip; None for a still."""

    def get(name: str) -> NDArray:
        return record[name] if frame is None else record[name][frame]

    alpha, depth = get("alpha"), get("depth").astype(np.float32)
    normal, part = get("normal").astype(np.float32) / 127, get("part")
    solid = alpha > 127
    if not np.isfinite(depth).all():
        yield "depth", "depth is not finite"
    if (depth[solid] <= 0).any():
        yield "depth", f"{int((depth[solid] <= 0).sum())} covered pixels have no depth"
    if (depth[alpha > 5] < NEAREST).any():
        yield "clipped", f"something is nearer than {NEAREST} m"
    if solid.any():
        length = np.linalg.norm(normal[solid], axis=-1)
        if (np.abs(length - 1) > 0.02).mean() > 0.001:
            yield "normal", "normals are not unit vectors"
        # Along each pixel's own ray: at the corners of a wide picture a grazing surface's z is far below 0.
        ray = points_of(np.ones_like(depth), record.about["camera"])[solid]
        if ((normal[solid] * ray).sum(-1) > 0.15 * np.linalg.norm(ray, axis=-1)).mean() > 0.005:
            yield "inside out", "normals point away from the camera"
    if part.max() >= len(PARTS):
        yield "part", f"part {part.max()}, expected 0..{len(PARTS) - 1}"
    elif solid.any() and ((part[solid] == 0) | (part[solid] == OTHER)).mean() > 0.02:
        yield "part", "covered pixels belong to nobody"
    people = record.about.get("people", 1)
    if people and not solid.any():
        yield "empty", f"{people} people and not a covered pixel"
    if not people and alpha.any():
        yield "empty", "nobody, but covered pixels"
    if "relit" in record.names and not np.isfinite(record["relit"]).all():
        yield "relit", "the relit picture is not finite"


def check_picture(picture: NDArray[np.uint8]) -> Iterator[tuple[str, str]]:
    """Problems of one picture [H,W,3] uint8."""
    if (picture > 252).all(-1).mean() > 0.9:
        yield "white", "nearly all white"
    elif picture.max() < 4 or picture.std() < 0.5:
        yield "black", "black or empty"
