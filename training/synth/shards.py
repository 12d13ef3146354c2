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
from typing import Any, BinaryIO

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
    with part.open("wb") as file:
        for sample in samples:
            for name, array in sample.arrays.items():
                array = np.ascontiguousarray(array)
                head = io.BytesIO()
                np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(array))
                _add(file, f"{sample.key}.{name}.npy", head.getvalue(), array.reshape(-1).view(np.uint8).data)
            _add(file, f"{sample.key}.about.json", json.dumps(sample.about, sort_keys=True).encode(), b"")
        file.write(bytes(2 * tarfile.BLOCKSIZE))  # the end, then up to a whole record, as `tarfile` has it
        file.write(bytes(-file.tell() % tarfile.RECORDSIZE))
    part.rename(path)


def _add(file: BinaryIO, name: str, head: bytes, body: bytes | memoryview) -> None:
    """One member, written as it is: `tarfile` would copy it in small pieces."""
    entry = tarfile.TarInfo(name)  # no time, no owner: bytes depend on the content alone
    entry.size = len(head) + len(body)
    file.write(entry.tobuf(tarfile.USTAR_FORMAT))
    file.write(head)
    file.write(body)
    file.write(bytes(-entry.size % tarfile.BLOCKSIZE))


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
