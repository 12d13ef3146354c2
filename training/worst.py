"""The worst pictures of a network, to be looked at: picture, true normals, its own, and where it is wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.networks import Method
from training.stills import Score, Stills
from training.synth.sheet import paint_normals

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
LEAST_SHARE = 0.04
"""Share of the picture that a person has to fill to be shown."""
RED = 45.0
"""Degrees that are painted in the map's last colour."""
STRIP = 14
"""Pixels of text over each row of cells."""


def ranking(score: Score, stills: Stills, count: int) -> list[int]:
    """Entries of the score's lists, worst mean angle first; people who fill too little are left out."""
    least = LEAST_SHARE * stills.size[0] * stills.size[1] / 3  # `angles` holds every third pixel
    big = [k for k, angles in enumerate(score.angles) if len(angles) >= least]
    return sorted(big, key=lambda k: -float(score.angles[k].mean()))[:count]


def paint_errors(angles: F32, mask: F32) -> U8:
    """Degrees [H,W] -> RGB, dark blue for 0 to dark red for RED and more; black where nobody is."""
    level = np.clip(angles / RED * 255, 0, 255).astype(np.uint8)
    return cv2.applyColorMap(level, cv2.COLORMAP_TURBO)[..., ::-1] * (mask[..., None] > 0.5)


def row(score: Score, entry: int, rank: int, stills: Stills, method: Method) -> U8:
    """One picture: text over four cells [STRIP + H, 4 W, 3] RGB."""
    place = score.place[entry]
    item = stills.item(place)
    found = method.still(np.ascontiguousarray(item["image"]))
    assert found.normal is not None
    chord = np.linalg.norm(found.normal - item["normal"], axis=-1)
    errors = np.degrees(2 * np.arcsin(np.clip(chord / 2, 0, 1))).astype(np.float32)
    alpha = item["alpha"] if found.alpha is None else found.alpha
    cells = np.hstack(
        [
            np.clip(item["image"] * 255, 0, 255).astype(np.uint8),
            paint_normals(item["normal"], item["alpha"]),
            paint_normals(found.normal, alpha),
            paint_errors(errors, item["mask"]),
        ]
    )
    strip = np.full((STRIP, cells.shape[1], 3), 24, np.uint8)
    words = f"{rank}. {caption(score, entry)}, IoU {metrics.iou(alpha, item['alpha']):.2f}"
    cv2.putText(strip, words, (3, STRIP - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.34, (235, 235, 235), 1, cv2.LINE_AA)
    return np.vstack([strip, cells])


def caption(score: Score, entry: int) -> str:
    """Figures and what was drawn, in few words of ASCII."""
    angles, about = score.angles[entry], score.about[entry]
    words = [f"mean {angles.mean():.0f}, median {np.median(angles):.0f} deg"]
    words.append(f"depth {100 * score.depth[entry]:.1f} %")
    for key in ("hair", "cloth", "extra"):
        word = str(about.get(key, "none"))
        if word != "none":
            words.append(word.split("+")[0])
    if "yaw" in about:
        words.append(f"yaw {float(about['yaw']):.0f}")
    if about.get("light"):
        words.append(str(about["light"]))
    return ", ".join(words)


def write_worst(path: Path, score: Score, stills: Stills, method: Method, count: int = 20) -> None:
    """The sheet, in two columns; .jpg or .png, written beside and renamed."""
    chosen = ranking(score, stills, count)
    if not chosen:
        raise ValueError("no picture with enough of a person for a sheet of the worst")
    rows = [row(score, entry, k + 1, stills, method) for k, entry in enumerate(chosen)]
    rows += [np.zeros_like(rows[0])] * (len(rows) % 2)
    half = len(rows) // 2  # ranks run down the first column, then down the second
    gap = np.zeros((half * rows[0].shape[0], 6, 3), np.uint8)
    sheet = np.hstack([np.vstack(rows[:half]), gap, np.vstack(rows[half:])])
    save_picture(path, sheet)


def save_picture(path: Path, picture: U8, quality: int = 80) -> None:
    """RGB [H,W,3] to .jpg or .png; an OSError where it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    options = [] if path.suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
    if not cv2.imwrite(str(part), np.ascontiguousarray(picture[..., ::-1]), options):
        raise OSError(f"{path}: could not write the picture")
    part.rename(path)
