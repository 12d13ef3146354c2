"""What every network has in common: its card, its input size, and arrays in and out."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..assets import folder
from ..core.errors import EstimatorError, nearest
from ..core.frames import Geometry, Image

DEFAULT = "first-light"
STRIDE = 32


@dataclass(frozen=True, slots=True)
class Network:
    """A network file and its card."""

    name: str
    path: Path
    card: dict[str, Any]

    @property
    def pixels(self) -> int:
        """Area that the network is run at, in pixels."""
        return int(self.card.get("pixels", 256 * 192))


def list_networks() -> list[Network]:
    """The shipped networks, by name. A card that cannot be read is an EstimatorError."""
    return [_load(path) for path in sorted(folder("engines").glob("*.onnx"))]


def find_network(name: str = DEFAULT) -> Network:
    """A shipped network by name, or an .onnx file by path."""
    if name.endswith(".onnx"):
        path = Path(name)
        if not path.is_file():
            raise EstimatorError(f"network {name}", "no such file", "an ONNX file")
        return _load(path)
    known = {n.name: n for n in list_networks()}
    if name not in known:
        raise EstimatorError(f"network '{name}'", "no such network", todo=nearest(name, known))
    return known[name]


def verify(network: Network) -> None:
    """Compares the file with the checksum in its card. Raises EstimatorError."""
    wanted = network.card.get("sha256")
    if wanted and hashlib.sha256(network.path.read_bytes()).hexdigest() != wanted:
        raise EstimatorError(
            f"network {network.path}", "a file that differs from its card", todo="install again"
        )


def _load(path: Path) -> Network:
    card = path.with_suffix(".toml")
    try:
        data = tomllib.loads(card.read_text(encoding="utf-8")) if card.is_file() else {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EstimatorError(f"card {card}", str(error), "a readable TOML file", "install again") from None
    return Network(path.stem, path, data)


def input_size(frame: tuple[int, int], pixels: int = 256 * 192) -> tuple[int, int]:
    """Network input (width, height) for a frame's: sides are multiples of 32, area near `pixels` and not
    much above it, aspect as near the frame's as that allows (never a squeeze of more than a few percent
    for usual frames)."""
    aspect = min(max(frame[0] / frame[1], 0.25), 4.0)
    best, size = float("inf"), (256, 192)
    for h in range(STRIDE, 16 * STRIDE + 1, STRIDE):
        for w in range(STRIDE, 16 * STRIDE + 1, STRIDE):
            if not 0.7 * pixels <= w * h <= 1.05 * pixels:
                continue
            cost = abs(np.log(w / h / aspect)) + 0.15 * abs(np.log(w * h / pixels))
            if cost < best:
                best, size = float(cost), (w, h)
    return size


def to_input(small: Image) -> npt.NDArray[np.float32]:
    """h x w x 3 uint8 BGR to 1 x 3 x h x w float32 RGB in 0..1 (sRGB-encoded)."""
    return np.asarray(cv2.dnn.blobFromImage(small, scalefactor=1 / 255, swapRB=True), np.float32)


def to_geometry(
    small: Image,
    normal: npt.NDArray[Any],
    depth: npt.NDArray[Any],
    alpha: npt.NDArray[Any],
    frame: tuple[int, int],
) -> Geometry:
    """Network outputs (1 x 3|1|1 x h x w) to Geometry, checked: finite, unit, positive, 0..1.

    `small`: the picture as the network saw it; `frame`: (width, height) of the whole one. With s how much
    narrower the network saw it (network aspect / frame aspect), slopes along x came out multiplied by 1 / s;
    multiplying n_x by s and renormalising undoes it.
    """
    squeeze = (small.shape[1] / small.shape[0]) / (frame[0] / frame[1])
    n = np.nan_to_num(np.ascontiguousarray(np.moveaxis(normal[0], 0, -1), np.float32))
    if squeeze != 1.0:
        n[..., 0] *= np.float32(squeeze)
    length = np.sqrt((n * n).sum(axis=-1, keepdims=True))
    n /= np.maximum(length, np.float32(1e-6))
    d = np.nan_to_num(np.asarray(depth[0, 0], np.float32), nan=1.0, posinf=10.0)
    a = np.nan_to_num(np.asarray(alpha[0, 0], np.float32))
    return Geometry(n, np.clip(d, 0.05, 20.0), np.clip(a, 0.0, 1.0), small)
