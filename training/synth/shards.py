"""Shards: uncompressed tar files in WebDataset's layout (members of one sample share a key).

    shard_00012.tar   0000480_0.colour.npy  [R,H,W,3] uint8   sRGB, R pictures of one geometry and camera
                      0000480_0.normal.npy  [H,W,3]   int8    unit normal x 127, camera axes, 0: nobody
                      0000480_0.depth.npy   [H,W]     float16 z-distance in metres, 0: nobody
                      0000480_0.alpha.npy   [H,W]     uint8   coverage x 255
                      0000480_0.albedo.npy  [H,W,3]   uint8   square root of linear albedo x 255
                      0000480_0.part.npy    [H,W]     uint8   number in parts.PARTS
                      0000480_0.relit.npy   [H,W,3]   float16 linear, under the light about.json calls `key`
                      0000480_0.about.json            words and numbers: camera, lights, draw

A clip is one sample whose arrays have the frame first: colour [T,H,W,3], normal [T,H,W,3] and so on.
Any WebDataset reader takes the files; `read_shard` maps them into memory and copies nothing.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STILLS, CLIPS = "shard", "clips"


@dataclass(frozen=True)
class Sample:
    """What goes into a shard under one key."""

    key: str
    arrays: dict[str, NDArray[Any]]
    about: dict[str, Any]


def write_shard(path: Path, samples: Iterable[Sample]) -> None:
    """Write beside and rename, so that a shard is whole or absent. Same samples, same bytes."""
    part = path.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            for name, array in sample.arrays.items():
                blob = io.BytesIO()
                np.save(blob, np.ascontiguousarray(array), allow_pickle=False)
                _add(tar, f"{sample.key}.{name}.npy", blob.getvalue())
            _add(tar, f"{sample.key}.about.json", json.dumps(sample.about, sort_keys=True).encode())
    part.rename(path)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)  # no time, no owner: bytes depend on the content alone
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


class Record:
    """One sample of a shard, mapped: `record["depth"]` is an array, `record.about` its description."""

    def __init__(self, key: str, raw: NDArray[np.uint8], places: dict[str, tuple[int, int]]) -> None:
        self.key, self._raw, self._places = key, raw, places

    @property
    def names(self) -> list[str]:
        """The arrays that are there."""
        return [n.removesuffix(".npy") for n in self._places if n.endswith(".npy")]

    @property
    def about(self) -> dict[str, Any]:
        """The sample's about.json."""
        at, size = self._places["about.json"]
        return dict(json.loads(self._raw[at : at + size].tobytes()))

    def __getitem__(self, name: str) -> NDArray[Any]:
        at, size = self._places[f"{name}.npy"]
        head = io.BytesIO(self._raw[at : at + min(size, 1024)].tobytes())
        version = np.lib.format.read_magic(head)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(head)
        body = self._raw[at + head.tell() : at + size]
        return np.frombuffer(body, dtype).reshape(shape)


def read_shard(path: Path) -> list[Record]:
    """Map a shard; its records in order. A ValueError where it is no whole tar file."""
    raw = np.memmap(path, np.uint8, "r")
    found: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for entry in tar:
                key, _, name = entry.name.partition(".")
                found.setdefault(key, {})[name] = (entry.offset_data, entry.size)
    except tarfile.TarError as error:
        raise ValueError(f"{path}: {error}; delete it and make it again") from None
    for key, places in found.items():
        if "about.json" not in places or any(at + size > len(raw) for at, size in places.values()):
            raise ValueError(f"{path}: sample {key} is not whole; delete the file and make it again")
    return [Record(key, raw, places) for key, places in found.items()]


def find_shards(folder: Path, kind: str = STILLS) -> list[Path]:
    """Complete shards of one kind in order; an error if there is none."""
    found = sorted(folder.glob(f"{kind}_*.tar"))
    if not found:
        raise FileNotFoundError(
            f"{folder}: no {kind}_*.tar files; make some with `python -m training.synth make`"
        )
    return found
