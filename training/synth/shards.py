"""Folders of arrays: one shard holds the pictures and labels of a run of geometries.

    shard_00012/colour.npy  [P,H,W,3] uint8   sRGB
                normal.npy  [L,H,W,3] int8    unit normal x 127, camera axes; 0 where nobody is
                depth.npy   [L,H,W]   float16 z-distance in metres; 0 where nobody is
                alpha.npy   [L,H,W]   uint8   coverage x 255
                label.npy   [P]       int32   which label row belongs to which picture
                about.json            one dict per label row

Pictures that share a label row show one geometry and camera in different light and places.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.synth.sample import Shot

ARRAYS = ("colour", "normal", "depth", "alpha", "label")


def write_shard(folder: Path, shots: list[Shot]) -> None:
    """Write beside and rename, so that a shard is whole or absent."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    label = [k for k, shot in enumerate(shots) for _ in shot.pictures]
    np.save(part / "colour.npy", np.stack([p for shot in shots for p in shot.pictures]))
    np.save(part / "normal.npy", np.stack([shot.labels.normal for shot in shots]))
    np.save(part / "depth.npy", np.stack([shot.labels.depth for shot in shots]))
    np.save(part / "alpha.npy", np.stack([shot.labels.alpha for shot in shots]))
    np.save(part / "label.npy", np.asarray(label, np.int32))
    (part / "about.json").write_text(json.dumps([shot.about for shot in shots]))
    part.rename(folder)


@dataclass(frozen=True)
class Shard:
    """Memory-mapped arrays of one shard."""

    colour: NDArray[np.uint8]
    normal: NDArray[np.int8]
    depth: NDArray[np.float16]
    alpha: NDArray[np.uint8]
    label: NDArray[np.int32]
    about: list[dict[str, Any]]


def read_shard(folder: Path) -> Shard:
    """Map the arrays; nothing is read until it is used."""
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    return Shard(**arrays, about=json.loads((folder / "about.json").read_text()))


def find_shards(folder: Path) -> list[Path]:
    """Complete shards in order; an error if there is none."""
    found = sorted(p for p in folder.glob("shard_*") if p.is_dir() and not p.name.endswith(".part"))
    if not found:
        raise FileNotFoundError(
            f"{folder}: no shard_* folders; make some with `python -m training.synth make`"
        )
    return found
