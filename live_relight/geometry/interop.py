"""A network's output from CUDA's memory into OpenGL's textures on the same card, without the host.

Two textures are registered once; a frame maps both, copies rows and unmaps them, all on the network's stream,
which CUDA orders with what OpenGL does before and after. Called on the thread that has the OpenGL context,
with the context current. Where a frame's maps go is said in core/frames.py (STACK) and shade/intake.py.

Written against the bindings and checked against their names and arguments; it has never run on a card.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..core.errors import EstimatorError
from ..core.frames import STACK, Geometry, Link
from . import cuda

NAMES = (
    "cudaGLGetDevices", "cudaGLDeviceList", "cudaGraphicsRegisterFlags", "cudaGraphicsGLRegisterImage",
    "cudaGraphicsMapResources", "cudaGraphicsUnmapResources", "cudaGraphicsSubResourceGetMappedArray",
    "cudaGraphicsUnregisterResource", "cudaMemcpy2DToArrayAsync",
)  # fmt: skip
"""Of the bindings, what is used here beside cuda.NAMES."""
TEXTURE_2D = 0x0DE1
"""OpenGL's number for the kind of texture."""
CARDS = 16
"""That one OpenGL context can be on, at most."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What of the card's memory goes where: `count` rows of `width` bytes each, one after the other from
    `address`, into texture number `texture` (0 maps, 1 guide) from row `first` on."""

    texture: int
    first: int
    address: int
    width: int
    count: int


class Textures:
    """Two OpenGL textures that CUDA may write into. A Link."""

    def __init__(self, device: cuda.Device, maps: int, guide: int) -> None:
        """Raises EstimatorError where the context is on another card, or the driver will not."""
        self.device = device
        self._registered: list[Any] = []
        self._mapped = False
        missing = [name for name in NAMES if not hasattr(device.api, name)]
        if missing:
            raise EstimatorError("package cuda-bindings", f"no {', '.join(missing)}", "version 13")
        try:
            self._check_card()
            flags = device.api.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard
            for texture in (maps, guide):
                made = device.call("cudaGraphicsGLRegisterImage", texture, TEXTURE_2D, flags)
                self._registered.append(made)
        except BaseException:
            self.close()
            raise
        # The bindings take one resource, or the address of several.
        self._both = (ctypes.c_void_p * 2)(*(int(one) for one in self._registered))

    def write(self, parts: list[Rows]) -> None:
        """Puts copies on the device's stream. What OpenGL is told afterwards waits for them."""
        device, stream = self.device, self.device.stream
        device.use()
        device.call("cudaGraphicsMapResources", 2, ctypes.addressof(self._both), stream)
        self._mapped = True
        try:
            kind = device.api.cudaMemcpyKind.cudaMemcpyDeviceToDevice
            arrays = [
                device.call("cudaGraphicsSubResourceGetMappedArray", one, 0, 0) for one in self._registered
            ]
            for part in parts:
                device.call(
                    "cudaMemcpy2DToArrayAsync", arrays[part.texture], 0, part.first, part.address,
                    part.width, part.width, part.count, kind, stream,
                )  # fmt: skip
        finally:
            self._unmap()

    def close(self) -> None:
        # Whatever goes wrong, also in the bindings themselves: what is left is released.
        with contextlib.suppress(Exception):
            self.device.use()
        with contextlib.suppress(Exception):
            self._unmap()
        while self._registered:
            with contextlib.suppress(Exception):
                self.device.call("cudaGraphicsUnregisterResource", self._registered.pop())
        with contextlib.suppress(Exception):
            self.device.api.cudaGetLastError()  # what went wrong here is not the network's

    def _unmap(self) -> None:
        if self._mapped:
            self._mapped = False
            both = ctypes.addressof(self._both)
            self.device.call("cudaGraphicsUnmapResources", 2, both, self.device.stream)

    def _check_card(self) -> None:
        """That OpenGL's context, the calling thread's, is on this card."""
        device = self.device
        device.use()
        everything = device.api.cudaGLDeviceList.cudaGLDeviceListAll
        count, cards = device.call("cudaGLGetDevices", CARDS, everything)
        found = [int(card) for card in list(cards or [])[: int(count)]]
        if device.index not in found:
            where = f"on card {', '.join(map(str, found))}" if found else "on no card of CUDA's"
            raise EstimatorError("OpenGL", where, f"on card {device.index}, where the network runs")


class Held:
    """One frame's maps on the card: a Resident. `geometry`'s own arrays, and where they came from."""

    def __init__(
        self,
        device: cuda.Device,
        places: dict[str, int],
        size: tuple[int, int],
        arrays: tuple[Any, ...],
        valid: Callable[[], bool],
    ) -> None:
        """`places`: addresses of 'normal' [3, h, w], 'depth', 'alpha', perhaps 'shading', all float32, and
        of 'small' [h, w, 3] uint8; `arrays`: what the host got of them; `valid`: whether they are still
        there."""
        self._device, self._arrays, self._valid = device, arrays, valid
        w, h = size
        self._parts = [
            Rows(0, STACK[name] * h, places[name], 4 * w, h * (3 if name == "normal" else 1))
            for name in STACK
            if name in places
        ]
        self._parts.append(Rows(1, 0, places["small"], 3 * w, h))

    def stands_for(self, geometry: Geometry) -> bool:
        """Whether the memory still holds this frame, and `geometry` has the host's arrays of it unchanged."""
        mine = (geometry.normal, geometry.depth, geometry.alpha, geometry.guide, geometry.shading)
        return self._valid() and all(a is b for a, b in zip(mine, self._arrays, strict=True))

    def copy(self, maps: int, guide: int, link: Link | None) -> Link:
        if not self._valid():
            raise EstimatorError("geometry on the card", "a later frame's", "this one's")
        if isinstance(link, Textures) and link.device is self._device:
            link.write(self._parts)
            return link
        if link is not None:
            link.close()
        made = Textures(self._device, maps, guide)
        try:
            made.write(self._parts)
        except BaseException:
            made.close()
            raise
        return made
