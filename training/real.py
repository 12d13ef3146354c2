"""A proxy on real people: agreement with MediaPipe inside the face, and of the mattes.

Needs `real/` clips and `peers/mediapipe` under the assets folder; says so if they are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.baselines import flat_normals, sphere_normals

F32 = NDArray[np.float32]
Predictor = Callable[[F32], tuple[F32, F32, F32]]

SECTION = """
## Real people (a proxy: agreement with MediaPipe's networks, not with measured geometry)

{frames} frames of {clips} clips; normals against MediaPipe's face mesh inside the face
({faces} faces), mattes against MediaPipe's selfie segmentation.

| method | mean | median | < 11.25° | < 22.5° | < 30° | matte IoU |
|---|---|---|---|---|---|---|
{rows}
"""


def frames(path: Path, count: int) -> Iterator[F32]:
    """Evenly spread frames [H,W,3] sRGB 0..1 of a clip."""
    import av

    with av.open(str(path)) as clip:
        every = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    for k in np.linspace(0, len(every) - 1, count).round().astype(int):
        yield every[k].astype(np.float32) / 255


def fit(image: F32, size: tuple[int, int]) -> F32:
    """The largest middle part of the wanted aspect, resized to (width, height)."""
    height, width = image.shape[:2]
    aspect = size[0] / size[1]
    w, h = (width, round(width / aspect)) if width / aspect <= height else (round(height * aspect), height)
    x, y = (width - w) // 2, (height - h) // 2
    return cv2.resize(image[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)


def real_section(
    networks: dict[str, Predictor], assets: Path, size: tuple[int, int]
) -> tuple[str, dict[str, float]]:
    """Markdown and, of the first of the networks, figures; an explanation instead of a table if files are
    missing."""
    folder, clips = assets / "peers" / "mediapipe", sorted((assets / "real").glob("*.[gm][ik][fv]"))
    if not folder.is_dir() or not clips:
        return f"\nNo real clips or MediaPipe files under {assets.name}: no figures on real people.\n", {}
    from training.peers import Peers

    peers = Peers(folder)
    names = (*networks, "flat plane", "sphere fitted to the mask")
    angles: dict[str, list[F32]] = {name: [] for name in names}
    overlap: dict[str, list[float]] = {name: [] for name in networks}
    seen = faces = 0
    for clip in clips:
        for whole in frames(clip, 8):
            image = fit(whole, size)
            found = {name: predict(image) for name, predict in networks.items()}
            matte = peers.matte(image)
            for name, (_, _, alpha) in found.items():
                overlap[name].append(metrics.iou(alpha, matte))
            seen += 1
            big = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            for mesh in peers.faces(np.clip(big, 0, 1)):
                truth, inside = peers.normals(mesh / 2, image.shape[:2])
                faces += 1
                normals = (*(n for n, _, _ in found.values()), flat_normals(matte), sphere_normals(matte))
                for name, n in zip(names, normals, strict=True):
                    angles[name].append(metrics.angles(n, truth, inside))
    rows, numbers = [], {}
    for name in names:
        s = metrics.summarise(angles[name])
        mark = f"{np.mean(overlap[name]):.3f}" if name in overlap else "–"
        shares = " | ".join(f"{100 * s[f'within_{x}']:.0f} %" for x in metrics.LIMITS)
        rows.append(f"| {name} | {s['mean']:.1f}° | {s['median']:.1f}° | {shares} | {mark} |")
        if name not in names[1 : len(networks)]:
            numbers[f"real_face_{name.split()[0]}_mean_deg"] = round(s["mean"], 2)
    numbers["real_matte_iou"] = round(float(np.mean(overlap[names[0]])), 4)
    text = SECTION.format(frames=seen, clips=len(clips), faces=faces, rows="\n".join(rows))
    return text, numbers
