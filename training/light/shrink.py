"""Shards of `draw` made smaller, for a form that works on smaller pictures: as the application makes
pictures, their geometry and light maps smaller (live_relight/geometry/light_net.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.light.model import STRIDE
from training.synth.shards import Record, Sample, find_shards, read_shard, write_shard

FARTHEST = 5.0
"""Depth above which nothing is told apart (light_net.py)."""


def shrink(data: Path, out: Path, size: tuple[int, int]) -> None:
    """Every shard of `data` at (width, height) into `out`; those that are there are kept. A ValueError where
    the network could not take that size."""
    if size[0] % STRIDE or size[1] % STRIDE:
        raise ValueError(f"--size: got {size[0]}x{size[1]}, expected multiples of {STRIDE}")
    out.mkdir(parents=True, exist_ok=True)
    for path in find_shards(data):
        if not (out / path.name).exists():
            write_shard(out / path.name, [smaller(record, size) for record in read_shard(path)])


def smaller(record: Record, size: tuple[int, int]) -> Sample:
    """One view at (width, height)."""
    arrays = {name: _plane(name, record[name], size) for name in record.names}
    return Sample(record.key, arrays, record.about)


def _plane(name: str, values: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """h x w (x 3), or several of these, by the mean; normals of length 127 again where there are any."""
    several = values.ndim == 4 or (values.ndim == 3 and values.shape[-1] != 3)
    if several:
        return np.stack([_plane(name, one, size) for one in values])
    wide = np.nan_to_num(values.astype(np.float32), posinf=FARTHEST)
    small = cv2.resize(wide, size, interpolation=cv2.INTER_AREA)
    if name.startswith("normal"):
        long = np.linalg.norm(small, axis=-1, keepdims=True)
        small = np.where(long > 1, small * (127 / np.maximum(long, 1)), 0)
    if values.dtype.kind in "iu":
        small = np.rint(small)
    return np.asarray(small, values.dtype)
