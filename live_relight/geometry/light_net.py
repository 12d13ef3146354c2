"""The light network through ONNX Runtime: a light map in, a better one out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..assets import folder
from ..core import told
from ..core.frames import Geometry
from ..core.lamps import Vector, lamps
from ..core.look import Look
from ..core.projection import half_tangents
from ..core.reference import GAMMA
from ..resize import resized
from .network import Network, find_network, input_size, verify

Floats = npt.NDArray[Any]

PIXELS, STRIDE = 256 * 144, 16
"""Area of its input, and what its sides are multiples of."""
MOST = 1e3
"""Factor on encoded values at which light ends."""


NAME = "light"


def shipped() -> Path:
    """The light network that comes with the program."""
    return folder("engines") / NAME / f"{NAME}.onnx"


def check(path: Path | None = None) -> Network:
    """The file and its card, compared. Raises EstimatorError: so that nobody hears of it in mid-stream."""
    found = find_network(str(path or shipped()))
    verify(found)
    return found


class LightNet:
    """Corrects light maps. `path`: None = the shipped one; `threads`: 0 = one a core, at most 4. Raises
    EstimatorError where the file does not load."""

    def __init__(self, path: Path | None = None, threads: int = 0) -> None:
        from .providers import open_session  # loads ONNX Runtime, which not everybody needs

        found = check(path)
        self._session: Any = open_session(found.path, f"network {found.path}", threads)

    def close(self) -> None:
        """Frees it. For good."""
        self._session = None

    def correct(
        self,
        factors: Floats,
        geometry: Geometry,
        look: Look,
        head: Vector,
        frame: tuple[int, int],
        strength: float = 1.0,
    ) -> Floats:
        """h x w x 4 float32, as `factors` (told.lamps_share), with our lamps' share as the network
        says. `head`: where lamps are placed round; `frame`: (width, height) of the picture;
        `strength`: how far its word is taken, 0..1.

        `look` has lights of told.HEARD alone."""
        found = lamps(look, head)
        size = input_size(frame, PIXELS, STRIDE)
        normal, depth, alpha = (_at(v, size) for v in (geometry.normal, geometry.depth, geometry.alpha))
        normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        seen = resized(geometry.guide, size).astype(np.float32) / 255
        # A number that is none would reach the whole picture by way of the network's mean.
        small = np.nan_to_num(_at(factors, size), posinf=MOST)
        light, ambient = told.lamps_share(small), small[..., 3]
        tangents = half_tangents(frame, look.fov)
        toward, free = told.arriving(np.clip(depth, 0.2, 5.0), normal, found, tangents)
        planes = told.features(seen, normal, depth, alpha, light, ambient, toward, free)
        stops = self._session.run(None, {"features": planes[None]})[0][0, 0]
        if not np.isfinite(stops).all():
            return factors
        whole = factors.shape[1], factors.shape[0]
        much = np.sqrt(np.einsum("hwc,hwc->hw", toward, toward))
        return corrected(factors, _at(stops, whole) * np.float32(strength), _at(much, whole))


def corrected(factors: Floats, stops: Floats, much: Floats) -> Floats:
    """told.corrected, and the fourth plane as it was; on a card the light map is as large as the picture."""
    out = np.array(factors, np.float32)
    there, stray = out[..., 3:], (np.float32(told.STRAY) * much)[..., None]
    light = cv2.pow(np.maximum(out[..., :3], np.float32(0.0)), GAMMA)
    light = np.maximum(light - there, np.float32(0.0)) + stray
    light *= cv2.exp(stops * np.float32(math.log(2.0)))[..., None]
    light -= stray
    np.maximum(light, np.float32(0.0), out=light)
    light += there
    out[..., :3] = cv2.pow(light, 1.0 / GAMMA)
    return out


def _at(values: Floats, size: tuple[int, int]) -> Floats:
    """h x w (x 3) sampled at (width, height), without aliasing."""
    h, w = values.shape[:2]
    if (w, h) == size:
        return np.asarray(values, np.float32)
    way = cv2.INTER_AREA if w > size[0] or h > size[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(values, np.float32), size, interpolation=way))
