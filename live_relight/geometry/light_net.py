"""The light network on the processor: a light map in, a better one's difference out."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..assets import folder
from ..core import told
from ..core.errors import EstimatorError
from ..core.frames import Geometry
from ..core.lamps import Lamp, Vector, lamps
from ..core.look import Look
from ..core.planes import LUMA
from ..core.projection import half_tangents
from ..core.reference import GAMMA
from ..resize import resized
from .network import Network, find_network, input_size, verify

Floats = npt.NDArray[Any]
Size = tuple[int, int]
Run = Callable[[Floats], Floats]
"""Planes 1 x CHANNELS x h x w to stops, 1 x 1 x h x w."""

PIXELS, STRIDE = 256 * 144, 16
"""Area of its input where the card does not say, and what its sides are multiples of."""
MOST = 1e3
"""Factor on encoded values at which light ends."""


NAME, LIVE = "light", "light-live"
"""For single pictures and clips, and the smaller one that keeps up with a camera."""


EVERY = 2
"""Frames of a camera to one in which it is asked."""


def shipped(name: str = NAME) -> Path:
    """A light network that comes with the program."""
    return folder("engines") / "light" / f"{name}.onnx"


def check(path: Path | None = None) -> Network:
    """The file and its card, compared. Raises EstimatorError: so that nobody hears of it in mid-stream."""
    found = find_network(str(path or shipped()))
    verify(found)
    return found


def live(engine: str = "auto", frame: Size = (1280, 720)) -> LightNet:
    """The one that keeps up with a camera. On OpenVINO where `--engine auto` would try that for the geometry,
    unless `engine` asks for ONNX Runtime: it takes half of the time there and says the same to 0.02 stops.
    Made ready for pictures of `frame`'s aspect."""
    if engine.partition(":")[0] != "onnx":
        from .openvino import fault

        if not fault():
            net = None
            try:
                net = LightNet(shipped(LIVE), openvino=True)
                net.warm(frame)
            except EstimatorError:  # an installation that is not whole: the other one does as well
                if net is not None:
                    net.close()
            else:
                return net
    return LightNet(shipped(LIVE))


class LightNet:
    """Corrects light maps. `path`: None = the shipped one; `threads`: 0 = one a core, at most 4; `openvino`:
    on that instead of ONNX Runtime. Raises EstimatorError where the file does not load."""

    def __init__(self, path: Path | None = None, threads: int = 0, openvino: bool = False) -> None:
        found = check(path)
        self._pixels = int(found.card.get("pixels", PIXELS))
        self._run: Run | None = (_on_openvino if openvino else _on_onnx)(found.path, threads)

    def close(self) -> None:
        """Frees it. For good."""
        self._run = None

    def warm(self, frame: Size) -> None:
        """Runs once, so that what compiles does so now. Raises EstimatorError."""
        width, height = self.size(frame)
        self._said(np.zeros((told.CHANNELS, height, width), np.float32))

    def size(self, frame: Size) -> Size:
        """(width, height) that it works at for a picture of (width, height)."""
        return input_size(frame, self._pixels, STRIDE)

    def stops(self, factors: Floats, geometry: Geometry, look: Look, head: Vector, frame: Size) -> Floats:
        """stages.Corrector.stops. Where the network says what is no number it is not heard. Raises
        EstimatorError where it does not run."""
        planes, much = features(factors, geometry, lamps(look, head), half_tangents(frame, look.fov))
        said = self._said(planes)
        if not np.isfinite(said).all():
            said = np.zeros_like(much)
        return np.stack([said, much], axis=-1)

    def _said(self, planes: Floats) -> Floats:
        assert self._run is not None
        try:
            return np.asarray(self._run(planes[None])[0, 0])
        except Exception as error:  # neither library has a common base for its errors
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise EstimatorError("the light network", reason, "one that runs") from None


def _on_onnx(path: Path, threads: int) -> Run:
    from .providers import open_session  # loads ONNX Runtime, which not everybody needs

    session = open_session(path, f"network {path}", threads)
    return lambda planes: np.asarray(session.run(None, {"features": planes})[0])


def _on_openvino(path: Path, threads: int) -> Run:
    from .openvino import OnCpu

    run = OnCpu(path, threads)
    return lambda planes: np.asarray(run(planes)[0])


def features(
    factors: Floats, geometry: Geometry, found: list[Lamp], tangents: tuple[float, float]
) -> tuple[Floats, Floats]:
    """told.features (CHANNELS x h x w) and the length of told.arriving (h x w), float32, at the size of
    `factors` (h x w x 4), of lamps that stand near; plane after plane, in a third of the time."""
    height, width = factors.shape[:2]
    size = width, height
    out = np.empty((told.CHANNELS, height, width), np.float32)
    planes = cv2.split(resized(geometry.guide, size))
    for k in range(3):
        np.multiply(planes[k], np.float32(2 / 255), out=out[k])
    out[:3] -= 1.0
    normal = out[3:6]
    normal[:] = np.moveaxis(_at(geometry.normal, size), -1, 0)
    normal /= np.maximum(np.sqrt(np.einsum("chw,chw->hw", normal, normal)), np.float32(1e-6))
    depth, alpha = np.clip(_at(geometry.depth, size), 0.2, 5.0), _at(geometry.alpha, size)
    out[6] = np.clip(np.log(depth), -1.0, 1.0) * np.float32(2)
    out[7] = alpha * np.float32(2) - np.float32(1)
    toward, free = arriving(depth, normal, found, tangents)
    much = np.sqrt(np.einsum("chw,chw->hw", toward, toward))
    someone = (alpha > told.NOBODY).astype(np.float32)
    # A number that is none would reach the whole picture by way of the network's mean.
    maps = np.nan_to_num(np.moveaxis(factors, -1, 0), posinf=MOST)
    light = cv2.pow(np.maximum(maps[:3], np.float32(0)).reshape(-1), GAMMA).reshape(3, height, width)
    light = np.maximum(light - maps[3], np.float32(0))
    out[8:11] = _stops(light * someone)
    out[11] = np.minimum(maps[3], np.float32(1)) * np.float32(2) - np.float32(1)
    np.divide(toward, much + np.float32(1), out=out[12:15])
    out[15] = _stops(free * someone)
    return out, much


def arriving(
    depth: Floats, normal: Floats, found: list[Lamp], tangents: tuple[float, float]
) -> tuple[Floats, Floats]:
    """told.arriving of lamps that stand near, 3 x h x w and h x w, of a normal 3 x h x w."""
    place = _rays(depth.shape[1], depth.shape[0], *tangents) * depth
    total, light = np.zeros_like(place), np.zeros_like(depth)
    for lamp in found:
        power = np.float32(np.dot(lamp.bgr, LUMA))
        to = np.asarray(lamp.place, np.float32)[:, None, None] - place
        square = np.maximum(np.einsum("chw,chw->hw", to, to), np.float32(1e-4))
        fall = lamp.falloff(square) * power
        to *= fall / np.sqrt(square)
        total += to
        light += np.maximum(np.einsum("chw,chw->hw", normal, to), np.float32(0))
    return total, light


@lru_cache(maxsize=4)
def _rays(width: int, height: int, across: float, up: float) -> Floats:
    """3 x h x w: camera space at depth 1, read only."""
    x = ((np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(width) * 2 - 1) * np.float32(
        across
    )
    y = (1 - (np.arange(height, dtype=np.float32) + np.float32(0.5)) / np.float32(height) * 2) * np.float32(
        up
    )
    far = np.full((height, width), -1, np.float32)
    found = np.stack(np.broadcast_arrays(x[None], y[:, None], far))
    found.setflags(write=False)
    return found


def _stops(light: Floats) -> Floats:
    found = np.log2(light + np.float32(told.FAINT))
    return np.asarray(np.minimum(found, np.float32(told.BRIGHTEST)) / np.float32(told.BRIGHTEST))


def _at(values: Floats, size: Size) -> Floats:
    """h x w (x 3) sampled at (width, height), without aliasing."""
    h, w = values.shape[:2]
    if (w, h) == size:
        return np.asarray(values, np.float32)
    way = cv2.INTER_AREA if w > size[0] or h > size[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(values, np.float32), size, interpolation=way))
