"""Held-out stills: what every method scores on them, as a whole, by group, by size, and on faces alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.baselines import constant_depth, flat_normals, sphere_normals
from training.data import load_item
from training.networks import Found, Method, settled
from training.peers import Peers
from training.synth.shards import Record, find_shards, read_shard

F32 = NDArray[np.float32]
OURS, FLAT, SPHERE, MESH = "ours", "flat plane", "sphere fitted to the mask", "MediaPipe face mesh"
ENOUGH = 200
"""Pixels of a person from which a picture has normals to score."""
DARK = 0.2
"""Mean sRGB value of the person, 0..1, below which a picture counts as dark."""
LIGHTS = {
    "environment": "soft, all round", "overcast": "soft, all round", "flat": "soft, all round",
    "sun": "sun or window", "window": "sun or window",
    "ceiling": "lamps in a room", "mixed": "lamps in a room",
    "monitor": "screen or ring light", "ring": "screen or ring light", "back": "from behind", "dark": "dark",
}  # fmt: skip
"""Group of each set-up of synth/places/setups.py."""


@dataclass
class Score:
    """Collected measures of one method. `angles` and `edges` (degrees), `depth_edges` (per cent): flat
    arrays, one a picture that has a person; `place`: which picture that is."""

    angles: list[F32] = field(default_factory=list)
    edges: list[F32] = field(default_factory=list)
    depth: list[float] = field(default_factory=list)
    within: list[float] = field(default_factory=list)
    depth_edges: list[F32] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    """Of pictures that somebody is in: elsewhere one wrong pixel makes it 0."""
    nobody: list[float] = field(default_factory=list)
    """Share 0..1 of an empty picture that is taken for a person."""
    sad: list[float] = field(default_factory=list)
    faces: list[F32] = field(default_factory=list)
    """Degrees inside the faces that MediaPipe finds, the same pixels for all."""
    about: list[dict[str, Any]] = field(default_factory=list)
    place: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Stills:
    """`count` pictures spread evenly over a data set, at `size` (width, height)."""

    pictures: list[tuple[Record, int]]
    size: tuple[int, int]

    @staticmethod
    def open(folder: Path, count: int, size: tuple[int, int]) -> Stills:
        """Map the shards."""
        records = [record for p in find_shards(folder) for record in read_shard(p)]
        every = [(record, k) for record in records for k in range(len(record["colour"]))]
        return Stills(every[:: max(len(every) // count, 1)][:count], size)

    def item(self, place: int) -> dict[str, F32]:
        """One of them with its labels, as data.load_item gives them; its middle where the size is of another
        aspect."""
        record, k = self.pictures[place]
        return load_item(np.random.default_rng([0, place]), record, k, self.size, False, middle=True)

    def about(self, place: int, item: dict[str, F32]) -> dict[str, Any]:
        """What was drawn, and `light`: the group of its light."""
        record, k = self.pictures[place]
        about = record.about
        return about | {"light": light_of(about, k, item)}


def light_of(about: dict[str, Any], k: int, item: dict[str, F32]) -> str:
    """Group of picture k's light; '' where nobody wrote it down. A person whom little light reaches is in the
    dark whatever the lamp, unless it stands behind."""
    lights = about.get("lights", [])
    if k >= len(lights):
        return ""
    on = item["mask"] > 0.5
    group = LIGHTS.get(str(lights[k].get("kind", "")), "")
    dark = on.any() and float(item["image"][on].mean()) < DARK
    return "dark" if dark and group != LIGHTS["back"] else group


def evaluate(methods: dict[str, Method], stills: Stills, peers: Peers | None = None) -> dict[str, Score]:
    """The methods, the mesh where `peers` are given, flat and sphere."""
    names = (*methods, *((MESH,) if peers else ()), FLAT, SPHERE)
    scores = {name: Score() for name in names}
    for place in range(len(stills.pictures)):
        item = stills.item(place)
        image, mask = np.ascontiguousarray(item["image"]), item["mask"]
        truth, found = np.exp(item["log_depth"]), {n: method.still(image) for n, method in methods.items()}
        for name, one in found.items():
            if one.alpha is not None:
                if (item["alpha"] > 0.5).any():
                    scores[name].iou.append(metrics.iou(one.alpha, item["alpha"]))
                else:
                    scores[name].nobody.append(float((one.alpha > 0.5).mean()))
                scores[name].sad.append(metrics.sad(one.alpha, item["alpha"]))
        if mask.sum() < ENOUGH:
            continue
        found = {n: settled(one, truth, mask, item["camera"]) for n, one in found.items()}
        found[FLAT] = Found(flat_normals(mask), constant_depth(mask))
        found[SPHERE] = Found(sphere_normals(mask), constant_depth(mask))
        about = stills.about(place, item)
        for name, one in found.items():
            add(scores[name], one, item, truth)
            scores[name].about.append(about)
            scores[name].place.append(place)
        if peers:
            add_faces(scores, found, item, peers)
    return scores


def add(score: Score, found: Found, item: dict[str, F32], truth: F32) -> None:
    """One picture's figures; what a method does not say has none."""
    mask = item["mask"]
    if found.normal is not None:
        score.angles.append(metrics.angles(found.normal, item["normal"], mask)[::3])
        score.edges.append(metrics.normal_edges(found.normal, item["normal"], mask))
    if found.depth is not None:
        score.depth.append(metrics.depth_error(found.depth, truth, mask))
        score.within.append(metrics.depth_within(found.depth, truth, mask))
        score.depth_edges.append(metrics.depth_edges(found.depth, truth, mask))


def add_faces(scores: dict[str, Score], found: dict[str, Found], item: dict[str, F32], peers: Peers) -> None:
    """Angles of every method inside the faces of one picture."""
    big = peers.enlarged(item["image"])
    for mesh in peers.faces(big):
        normal, inside = peers.normals(mesh / 2, item["mask"].shape, item["camera"])
        on = inside * item["mask"]
        if on.sum() < 50:
            continue
        for name, one in (found | {MESH: Found(normal)}).items():
            if one.normal is not None:
                scores[name].faces.append(metrics.angles(one.normal, item["normal"], on))


def groups_of(about: dict[str, Any]) -> list[str]:
    """The groups that a picture belongs to."""
    tone, yaw = int(about.get("tone", 0)), abs(float(about.get("yaw", 0)))
    out = ["skin: light" if tone < 4 else "skin: medium" if tone < 7 else "skin: dark"]
    out.append(
        "face: frontal" if yaw < 25 else "face: turned 25–60°" if yaw < 60 else "face: profile or back"
    )
    out.append("hair: " + str(about.get("hair", "?")).split(":")[0])
    out.append("glasses: " + ("yes" if "glasses" in str(about.get("extra", "")) else "no"))
    if about.get("light"):
        out.append(f"light: {about['light']}")
    if about.get("people"):
        out.append("people: one" if about["people"] == 1 else "people: two or three, under one scale")
    return out


def by_group(score: Score) -> dict[str, list[int]]:
    """Group -> which entries of the score's lists are in it, by name."""
    found: dict[str, list[int]] = {}
    for k, about in enumerate(score.about):
        for name in groups_of(about):
            found.setdefault(name, []).append(k)
    return dict(sorted(found.items()))


def skin_ratio(score: Score) -> float:
    """Mean angle of the worst of the groups of skin over that of the best; NaN of fewer than two groups."""
    means = [
        metrics.summarise([score.angles[k] for k in rows])["mean"]
        for name, rows in by_group(score).items()
        if name.startswith("skin")
    ]
    return max(means) / min(means) if len(means) > 1 else float("nan")


def table(scores: dict[str, Score]) -> str:
    """Markdown: one row a method; – where it says nothing of a thing."""
    lines = [
        "| method | mean | median | < 11.25° | < 22.5° | < 30° | edges, ° | depth AbsRel | δ < 1.05 |"
        " depth edges, % | matte IoU | SAD, ‰ | nobody, ‰ |",
        "|" + "---|" * 13,
    ]
    for name, score in scores.items():
        if name == MESH:
            continue
        cells = [name, *angle_cells(score.angles), mean_of(score.edges, "{:.1f}")]
        cells += [mean_of(score.depth, "{:.4f}"), mean_of(score.within, "{:.0%}").replace("%", " %")]
        cells += [
            mean_of(score.depth_edges, "{:.1f}"),
            mean_of(score.iou, "{:.3f}"),
            mean_of(score.sad, "{:.1f}"),
            mean_of([1000 * share for share in score.nobody], "{:.1f}"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def angle_cells(angles: list[F32]) -> list[str]:
    """Mean, median and the three shares as texts."""
    s = metrics.summarise(angles)
    if not angles:
        return ["–"] * 5
    return [f"{s['mean']:.1f}°", f"{s['median']:.1f}°"] + [
        f"{100 * s[f'within_{x}']:.0f} %" for x in metrics.LIMITS
    ]


def mean_of(values: list[F32] | list[float], form: str) -> str:
    """The mean over all pixels of arrays, or over numbers, as a text; – of nothing."""
    flat = np.concatenate([np.ravel(v) for v in values]) if values else np.zeros(0)
    return form.format(float(flat.mean())) if flat.size else "–"


def group_table(score: Score) -> str:
    """Markdown: normals and depth of one method by skin tone, head turn, hair, glasses, light, people."""
    lines = ["| group | pictures | mean | median | depth AbsRel |", "|---|---|---|---|---|"]
    for name, rows in by_group(score).items():
        s = metrics.summarise([score.angles[k] for k in rows])
        depth = np.mean([score.depth[k] for k in rows])
        lines.append(f"| {name} | {len(rows)} | {s['mean']:.1f}° | {s['median']:.1f}° | {depth:.4f} |")
    return "\n".join(lines)


def size_table(method: Method, folder: Path, count: int, sizes: tuple[tuple[int, int], ...]) -> str:
    """Markdown: the same measures on crops of other sizes."""
    lines = ["| size | mean | median | depth AbsRel | matte IoU |", "|---|---|---|---|---|"]
    for size in sizes:
        score = evaluate({OURS: method}, Stills.open(folder, count, size))[OURS]
        tail = f"{mean_of(score.depth, '{:.4f}')} | {mean_of(score.iou, '{:.3f}')}"
        mean, median, *_ = angle_cells(score.angles)
        lines.append(f"| {size[0]}x{size[1]} | {mean} | {median} | {tail} |")
    return "\n".join(lines)


def face_table(scores: dict[str, Score]) -> str:
    """Markdown: every method on the pixels of the mesh; a sentence where there are none."""
    faces = scores[MESH].faces if MESH in scores else []
    if not faces:
        return "No figures beside MediaPipe's mesh: no file of it, or no face that it finds."
    lines = ["| method | mean | median | < 11.25° | < 22.5° | < 30° |", "|---|---|---|---|---|---|"]
    for name, score in scores.items():
        if score.faces:
            lines.append("| " + " | ".join([name, *angle_cells(score.faces)]) + " |")
    return "\n".join(lines)
