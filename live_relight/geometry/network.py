"""What every network has in common: its card, its input size, and arrays in and out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..assets import folder
from ..core.errors import EstimatorError, nearest
from ..core.frames import Geometry, Image
from ..core.paths import kind, reason
from ..core.toml import read_toml, shown

DEFAULT = "base"
STRIDE = 32
"""What a network's sides are multiples of where a card does not say."""
MOST = 16 * STRIDE
"""Longest side of a network's input."""
STEEPEST = 4.0
"""Natural log of light, either way of the mean, at which a network's word ends."""
PIXELS = 256 * 168
"""Area of the input where a card does not say."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network file and its card."""

    name: str
    path: Path
    card: dict[str, Any]

    @property
    def pixels(self) -> int:
        """Area that the network is run at, in pixels."""
        return int(self.card.get("pixels", PIXELS))

    @property
    def stride(self) -> int:
        """What the sides of its input are multiples of."""
        return int(self.card.get("stride", STRIDE))


def list_networks() -> list[Network]:
    """The shipped networks, by name. A card that cannot be read is an EstimatorError."""
    return [_load(path) for path in sorted(folder("engines").glob("*.onnx"))]


def find_network(name: str = DEFAULT) -> Network:
    """A shipped or an imported network by name, or an .onnx file by path."""
    if name.endswith(".onnx"):
        return _load(Path(name))
    known = {n.name: n for n in list_networks()}
    if not known:
        raise EstimatorError(f"network '{name}'", "no networks at all", todo="install live-relight again")
    if name in known:
        return known[name]
    from .imported import find

    own = find()
    if name not in own:
        raise EstimatorError(f"network '{name}'", "no such network", todo=nearest(name, [*known, *own]))
    return _load(own[name])


def verify(network: Network) -> None:
    """Compares the file with the checksum in its card. Raises EstimatorError."""
    wanted = network.card.get("sha256")
    try:
        real = hashlib.sha256(network.path.read_bytes()).hexdigest() if wanted else wanted
    except OSError as error:
        raise EstimatorError(f"network {network.path}", reason(error), "a file that can be read") from error
    if real != wanted:
        todo = "import it again" if isinstance(network.card.get("input"), dict) else "install again"
        raise EstimatorError(f"network {network.path}", "a file that differs from its card", todo=todo)


def _load(path: Path) -> Network:
    try:
        found = kind(path)
    except OSError as error:
        raise EstimatorError(f"network {path}", reason(error), "an ONNX file") from error
    if found != "a file":
        raise EstimatorError(f"network {path}", found or "no such file", "an ONNX file")
    card = path.with_suffix(".toml")
    try:
        data = read_toml(card)[1]
    except FileNotFoundError:
        data = {}  # somebody's own network need not have one
    except (OSError, ValueError) as error:
        raise EstimatorError(f"card {card}", reason(error), "a readable TOML file", "install again") from None
    for key, least, most in (("pixels", STRIDE**2, MOST**2), ("stride", STRIDE, MOST // 4)):
        value = data.get(key, least)
        if type(value) is not int or not least <= value <= most or (key == "stride" and value % STRIDE):
            of = f"multiple of {STRIDE}" if key == "stride" else "whole number"
            raise EstimatorError(
                f"card {card}: {key}", shown(value), f"a {of}, {least} to {most}", "install again"
            )
    return Network(path.stem, path, data)


def card_text(network: Network) -> str:
    """The card as it stands in its file. Raises EstimatorError where there is none."""
    card = network.path.with_suffix(".toml")
    try:
        return read_toml(card)[0]
    except OSError as error:
        raise EstimatorError(f"card {card}", reason(error), "the network's card", "install again") from error


@cache
def input_size(frame: tuple[int, int], pixels: int = PIXELS, stride: int = STRIDE) -> tuple[int, int]:
    """Network input (width, height) for a frame's: sides are multiples of `stride`, area near `pixels` and
    not much above it, aspect as near the frame's as that allows (a squeeze of a tenth at most for
    usual frames)."""
    aspect = min(max(frame[0] / frame[1], 0.25), 4.0)
    best, size = float("inf"), (256, 192)
    for h in range(stride, MOST + 1, stride):
        for w in range(stride, MOST + 1, stride):
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
    shading: npt.NDArray[Any] | None = None,
) -> Geometry:
    """Network outputs (1 x 3|1|1|1 x h x w) to Geometry, checked: finite, unit, positive, 0..1. `shading`:
    natural logs, of any level.

    `small`: the picture as the network saw it; `frame`: (width, height) of the whole one. With s how much
    narrower the network saw it (network aspect / frame aspect), slopes along x came out multiplied by 1 / s;
    multiplying n_x by s and renormalising undoes it.
    """
    squeeze = (small.shape[1] / small.shape[0]) / (frame[0] / frame[1])
    n, d, a = _finite(normal[0], 0.0), _finite(depth[0, 0], 1.0), _finite(alpha[0, 0], 0.0)
    n[0] *= np.float32(squeeze)
    n /= np.maximum(np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), np.float32(1e-6))
    # The channels stay planes in memory: what works on them one by one is several times faster so.
    return Geometry(
        np.moveaxis(n, 0, -1), np.clip(d, 0.05, 20.0), np.clip(a, 0.0, 1.0), small, _stops(shading, a)
    )


def _stops(
    shading: npt.NDArray[Any] | None, alpha: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32] | None:
    """h x w: log2 of the light, 0 where it is the person's mean; nobody there: 0."""
    if shading is None:
        return None
    logs = np.clip(_finite(shading[0, 0], 0.0), -STEEPEST, STEEPEST)
    person = np.clip(alpha * np.float32(2.0) - np.float32(1.0), 0.0, 1.0)
    there = float(person.sum())
    level = math.log(float((np.exp(logs) * person).sum()) / there) if there > 1.0 else 0.0
    return np.asarray((logs - np.float32(level)) * np.float32(1.0 / math.log(2.0)), np.float32)


def _finite(values: npt.NDArray[Any], instead: float) -> npt.NDArray[np.float32]:
    """A float32 copy, not-a-number replaced by `instead`, infinities by values out of every range."""
    copy = np.array(values, np.float32)
    if not np.isfinite(copy).all():
        np.nan_to_num(copy, copy=False, nan=instead, posinf=1e3, neginf=-1e3)
    return copy
