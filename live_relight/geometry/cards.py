"""NVIDIA cards in this machine, asked of the driver's own library: no package and no tool is needed."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

_MAJOR, _MINOR = 75, 76
"""Attributes of a device in the driver's interface: its compute capability."""
_NO_DEVICE = 100


@dataclass(frozen=True, slots=True)
class Card:
    """One card. `capability`: (8, 9) for Ada, as in sm89; `memory` in bytes."""

    name: str
    capability: tuple[int, int]
    memory: int

    @property
    def target(self) -> str:
        """'sm89'."""
        return f"sm{self.capability[0]}{self.capability[1]}"


@dataclass(frozen=True, slots=True)
class Driver:
    """What the driver says. `cuda`: the newest CUDA version that it can run, '13.0', or '' without one;
    `fault`: why there are no cards, '' where there are some."""

    cuda: str
    cards: tuple[Card, ...]
    fault: str


def find() -> Driver:
    """Asks the driver. Never raises: no driver and no card are answers."""
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Driver("", (), "no NVIDIA driver")
    number = ctypes.c_int()
    version = ""
    if cuda.cuDriverGetVersion(ctypes.byref(number)) == 0:
        version = f"{number.value // 1000}.{number.value % 1000 // 10}"
    status = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(number))
    if status:
        fault = "no NVIDIA card" if status == _NO_DEVICE else f"the NVIDIA driver fails (CUDA error {status})"
        return Driver(version, (), fault)
    cards = tuple(_card(cuda, index) for index in range(number.value))
    return Driver(version, cards, "" if cards else "no NVIDIA card")


def _card(cuda: Any, index: int) -> Card:
    device, value, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(256)
    cuda.cuDeviceGet(ctypes.byref(device), index)
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    capability = []
    for attribute in (_MAJOR, _MINOR):
        cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        capability.append(value.value)
    return Card(name.value.decode("utf-8", "replace"), (capability[0], capability[1]), memory.value)
