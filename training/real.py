"""A proxy on real people: agreement with MediaPipe inside the face, and of the mattes; flicker at rest.

Needs `real/` clips and `peers/mediapipe` under the assets folder; says so if they are missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from live_relight.capture.demo import CLIP
from training import metrics
from training.baselines import flat_normals, sphere_normals
from training.networks import Found, Method, OnnxMethod, settled
from training.peers import Peers, open_peers
from training.stills import FLAT, SPHERE, angle_cells, mean_of
from training.temporal_measures import flicker

F32 = NDArray[np.float32]
RUN = 28
"""Frames one after another from the middle of each clip for flicker."""
DEMO = 10
"""Frames of the bundled clip."""
SHARED = 0.2
"""Of a part of a matte, from which the other matte has it too."""
FOV = 65.0
"""Degrees across the longer side of a frame, as the application takes where nobody says."""

SECTION = """
## Real people (a proxy: agreement with MediaPipe's networks, not with measured geometry)

{frames} frames of {clips} clips; normals against MediaPipe's face mesh inside the face
({faces} faces), mattes against MediaPipe's selfie segmentation: all of a matte, and those of its parts in
which MediaPipe sees somebody as well. In three clips of signs (book, milk, walk) somebody in a dark suit sits
at the right edge, cut off by it, whom MediaPipe leaves out: his shoulder moves. A depth without scale and
shift has those that fit the first network's best. The mesh is as of a camera that looks straight at the face:
it is turned by the way to the face, in a frame {fov:.0f}° across, which nobody measured. On rendered faces,
whose cameras are known, that brings it nearer to the truth.

| method | mean | median | < 11.25° | < 22.5° | < 30° | matte IoU | of parts that both see |
|---|---|---|---|---|---|---|---|
{rows}

Clip by clip, mean angle over its faces and IoU of the parts that both see. Few people say little in the
mean: a network that is better for all of them and one that is better for some are told apart here.

{by_clip}

Flicker: degrees RMS from frame to frame on what stands still ({share:.0f} % of the person in {run} frames of
each clip), raw and after the application's smoothing.

| method | raw | smoothed |
|---|---|---|
{flicker}
"""
STRAY = """
The bundled demo clip shows one person, a flag and a model rocket. Per mille of {frames} of its frames that
are taken for somebody besides the largest part of the matte: {told}.
"""


def decoded(path: Path) -> list[NDArray[np.uint8]]:
    """Every frame [H,W,3] RGB of a clip."""
    import av

    with av.open(str(path)) as clip:
        return [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]


def frames(path: Path, count: int) -> Iterator[F32]:
    """Evenly spread frames [H,W,3] sRGB 0..1 of a clip."""
    every = decoded(path)
    for k in np.linspace(0, len(every) - 1, count).round().astype(int):
        yield every[k].astype(np.float32) / 255


def middle(path: Path, count: int, size: tuple[int, int]) -> list[F32]:
    """`count` frames one after another from the middle of a clip, as `fit` makes them."""
    every = decoded(path)
    first = max(0, (len(every) - count) // 2)
    return [np.ascontiguousarray(fit(f.astype(np.float32) / 255, size)) for f in every[first : first + count]]


def fit(image: F32, size: tuple[int, int]) -> F32:
    """The largest middle part of the wanted aspect, resized to (width, height)."""
    height, width = image.shape[:2]
    aspect = size[0] / size[1]
    w, h = (width, round(width / aspect)) if width / aspect <= height else (round(height * aspect), height)
    x, y = (width - w) // 2, (height - h) // 2
    return cv2.resize(image[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)


def camera_of(size: tuple[int, int], aspect: float) -> F32:
    """(f, cx, cy) in pixels of a camera that nobody measured, in what `fit` makes of its frames of an aspect
    (width over height): FOV is across the longer side of the whole frame."""
    scale = max(1.0, aspect * size[1] / size[0])  # `fit` cuts the sides of wider frames, else top and bottom
    longer = size[0] * scale * max(1.0, 1 / aspect)
    focal = longer / 2 / np.tan(np.radians(FOV) / 2)
    return np.array([focal, size[0] / 2 - 0.5, size[1] / 2 - 0.5], np.float32)


def real_section(
    methods: dict[str, Method], assets: Path, size: tuple[int, int]
) -> tuple[str, dict[str, float]]:
    """Markdown and, of the first of the methods, figures; an explanation instead of a table if files are
    missing."""
    peers, clips = open_peers(assets), sorted((assets / "real").glob("*.[gm][ik][fv]"))
    if peers is None or not clips:
        why = f"No real clips, or no MediaPipe files or `ai-edge-litert`, under {assets.name}"
        return f"\n{why}: no figures on real people.\n", {}
    seen, by_clip = Seen(list(methods)), {}
    for clip in clips:
        before = seen.counts()
        for whole in frames(clip, 8):
            seen.take(fit(whole, size), methods, peers, camera_of(size, whole.shape[1] / whole.shape[0]))
        by_clip[clip.stem] = seen.since(before)
    flickers, share = flicker_rows(methods, [middle(clip, RUN, size) for clip in clips])
    rows, numbers = [], {}
    for name, angles in seen.angles.items():
        cells = [name, *angle_cells(angles)]
        cells += [mean_of(found.get(name, []), "{:.3f}") for found in (seen.overlap, seen.shared)]
        rows.append("| " + " | ".join(cells) + " |")
    ours = next(iter(methods))
    for name in (ours, FLAT, SPHERE):
        mean = metrics.summarise(seen.angles[name])["mean"]
        numbers[f"real_face_{name.split()[0]}_mean_deg"] = round(mean, 2)
    numbers["real_matte_iou"] = round(float(np.mean(seen.overlap[ours])), 4)
    numbers["real_matte_shared_iou"] = round(float(np.mean(seen.shared[ours])), 4)
    text = SECTION.format(
        frames=seen.frames,
        fov=FOV,
        clips=len(clips),
        faces=seen.faces,
        rows="\n".join(rows),
        by_clip=clip_table(list(methods), by_clip),
        share=100 * share,
        run=RUN,
        flicker="\n".join(f"| {name} | {raw:.2f}° | {smooth:.2f}° |" for name, raw, smooth in flickers),
    )
    strays = {name: stray(method, size) for name, method in methods.items()}
    told = ", ".join(f"{name} {share:.1f}" for name, share in strays.items() if not np.isnan(share))
    text += STRAY.format(frames=DEMO, told=told)
    numbers["demo_stray_permille"] = round(strays[ours], 2)
    if flickers:
        numbers |= {"real_flicker_raw_deg": round(flickers[0][1], 2)}
        numbers |= {"real_flicker_smoothed_deg": round(flickers[0][2], 2)}
    return text, numbers


def clip_table(names: list[str], by_clip: dict[str, dict[str, tuple[float, float]]]) -> str:
    """Markdown: a row for each clip, and for each of the methods `names` what `Seen.since` gives."""
    lines = ["| clip | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for clip, found in by_clip.items():
        pairs = [(found[name], "{:.1f}°", "{:.3f}") for name in names]
        cells = [
            ", ".join(how.format(v) for v, how in zip(both, hows, strict=True) if not np.isnan(v)) or "–"
            for both, *hows in pairs
        ]
        lines.append(f"| {clip} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def stray(method: Method, size: tuple[int, int]) -> float:
    """Per mille of the bundled clip's frames, DEMO of them over its length, that a matte has for somebody
    outside its largest part; NaN of a method without a matte."""
    found = []
    for image in frames(CLIP, DEMO):
        alpha = method.still(fit(image, size)).alpha
        if alpha is None:
            return float("nan")
        on = (alpha > 0.5).astype(np.uint8)
        _, _, about, _ = cv2.connectedComponentsWithStats(on)
        largest = int(about[1:, cv2.CC_STAT_AREA].max()) if len(about) > 1 else 0
        found.append(1000 * (int(on.sum()) - largest) / on.size)
    return float(np.mean(found))


def shared_parts(alpha: F32, other: F32) -> F32:
    """A matte [H,W] without those of its connected parts (above one half) of which another matte has less
    than SHARED. Two people who touch are one part."""
    count, labels = cv2.connectedComponents((alpha > 0.5).astype(np.uint8))
    kept = np.ones(count, bool)
    for k in range(1, count):
        kept[k] = float((other[labels == k] > 0.5).mean()) >= SHARED
    return np.asarray(alpha * kept[labels], np.float32)


class Seen:
    """Agreement with MediaPipe, collected frame by frame."""

    def __init__(self, names: list[str]) -> None:
        self.angles: dict[str, list[F32]] = {name: [] for name in (*names, FLAT, SPHERE)}
        self.overlap: dict[str, list[float]] = {name: [] for name in names}
        self.shared: dict[str, list[float]] = {name: [] for name in names}
        self.frames = self.faces = 0

    def counts(self) -> dict[str, tuple[int, int]]:
        """How many faces' angles and mattes' overlaps there are of each method."""
        return {name: (len(self.angles[name]), len(found)) for name, found in self.shared.items()}

    def since(self, before: dict[str, tuple[int, int]]) -> dict[str, tuple[float, float]]:
        """Mean angle over faces and mean overlap of shared parts since `counts` gave `before`; NaN: none."""

        def mean(values: list[float]) -> float:
            return float(np.mean(values)) if values else float("nan")

        return {
            name: (
                mean([float(np.mean(a)) for a in self.angles[name][faces:]]),
                mean(self.shared[name][mattes:]),
            )
            for name, (faces, mattes) in before.items()
        }

    def take(self, image: F32, methods: dict[str, Method], peers: Peers, camera: F32) -> None:
        """One more frame, taken by a camera (f, cx, cy)."""
        found = {name: method.still(image) for name, method in methods.items()}
        matte = peers.matte(image)
        self.frames += 1
        for name, one in found.items():
            if one.alpha is not None:
                self.overlap[name].append(metrics.iou(one.alpha, matte))
                self.shared[name].append(metrics.iou(shared_parts(one.alpha, matte), matte))
        guide = next(iter(found.values())).depth
        if guide is not None:
            found = {n: settled(one, guide, matte, camera) for n, one in found.items()}
        found |= {FLAT: Found(flat_normals(matte)), SPHERE: Found(sphere_normals(matte))}
        for mesh in peers.faces(peers.enlarged(image)):
            truth, inside = peers.normals(mesh / 2, image.shape[:2], camera)
            self.faces += 1
            for name, one in found.items():
                if one.normal is not None:
                    self.angles[name].append(metrics.angles(one.normal, truth, inside))


def flicker_rows(
    methods: dict[str, Method], clips: list[list[F32]]
) -> tuple[list[tuple[str, float, float]], float]:
    """(name, raw, smoothed) of .onnx files, and the first one's share of the person that is still."""
    rows, share = [], float("nan")
    for name, method in methods.items():
        if isinstance(method, OnnxMethod):
            raw, smooth, still = flicker(method, clips)
            share = share if rows else still
            rows.append((name, raw, smooth))
    return rows, share
