"""The little of CUDA that running a network needs, over NVIDIA's Python bindings (`cuda.bindings.runtime`).

Nothing here is imported, and no card is asked, before a Device is made. Every failure is an EstimatorError
with CUDA's own name and text. Written against the bindings and checked against their names; it has never run
on a card.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.errors import EstimatorError
from ..core.install import pip

NAMES = (
    "cudaGetDeviceCount", "cudaSetDevice", "cudaGetDeviceProperties", "cudaGetErrorName",
    "cudaGetErrorString", "cudaGetLastError", "cudaMemGetInfo", "cudaMalloc", "cudaFree",
    "cudaHostAlloc", "cudaFreeHost", "cudaMemcpyAsync", "cudaStreamCreateWithFlags",
    "cudaStreamDestroy", "cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaEventCreateWithFlags",
    "cudaEventRecord", "cudaEventQuery", "cudaEventElapsedTime", "cudaEventDestroy",
    "cudaGraphInstantiate", "cudaGraphLaunch", "cudaGraphDestroy", "cudaGraphExecDestroy", "cudaError_t",
    "cudaMemcpyKind", "cudaStreamCaptureMode", "cudaHostAllocDefault", "cudaStreamNonBlocking",
    "cudaEventDisableTiming", "cudaEventDefault",
)  # fmt: skip
"""Of the bindings, all that is used."""
INSTALL = pip("live-relight[tensorrt]")
SPIN, NAP = 0.0005, 0.0001
"""Seconds that a wait keeps asking before it sleeps between two questions, and how long it sleeps."""

Bytes = npt.NDArray[np.uint8]


class Device:
    """One card, its stream, and what was made on it with `keep`. Not for two threads at once; a thread that
    takes over calls `use` first."""

    def __init__(self, index: int = 0, api: Any = None) -> None:
        """`api`: the bindings, or what stands for them. Raises EstimatorError without them or a card."""
        self.api = api if api is not None else _bindings()
        self.index = index
        self._done: Any = self.api.cudaError_t.cudaSuccess
        count = int(self.call("cudaGetDeviceCount"))
        if index >= count:
            raise EstimatorError("CUDA", f"{count} cards", f"card {index}")
        self.use()
        name = self.call("cudaGetDeviceProperties", index).name
        self.name: str = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        # Non-blocking: OpenGL's driver and others may use the default stream of this process.
        self.stream: Any = self.call("cudaStreamCreateWithFlags", self.api.cudaStreamNonBlocking)
        self._closed = False

    def call(self, name: str, *args: Any) -> Any:
        """A function of the bindings: what it returns after its status, or EstimatorError."""
        status, *values = getattr(self.api, name)(*args)
        if status != self._done:
            raise EstimatorError(f"CUDA's {name}", self._text(status), "a card that works")
        return values[0] if len(values) == 1 else tuple(values)

    def use(self) -> None:
        """Makes this the calling thread's card."""
        self.call("cudaSetDevice", self.index)

    def free_memory(self) -> int:
        """Bytes that are free on the card."""
        return int(self.call("cudaMemGetInfo")[0])

    def close(self) -> None:
        """Ends the stream. Whoever made an Arena closes it before."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(EstimatorError):
                self.call("cudaStreamDestroy", self.stream)

    def _text(self, status: Any) -> str:
        """'cudaErrorNoDevice (no CUDA-capable device is detected)'"""
        words = []
        for ask in (self.api.cudaGetErrorName, self.api.cudaGetErrorString):
            said = ask(status)[1]
            words.append(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))
        return f"{words[0]} ({words[1]})"


class Arena:
    """Memory, events and graphs on a device that are released together, also when some were never made."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._kept: list[tuple[str, Any]] = []

    def on_card(self, size: int) -> int:
        """Address of `size` bytes on the card."""
        return int(self._keep("cudaFree", self.device.call("cudaMalloc", size)))

    def pinned(self, size: int) -> Bytes:
        """[size] uint8 in memory that the card reads and writes itself. Not to be used after `close`."""
        place = int(self._keep("cudaFreeHost", self._host(size)))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(place))

    def event(self, timed: bool = False) -> Any:
        """`timed`: one that `elapsed` can be asked about."""
        api = self.device.api
        flags = api.cudaEventDefault if timed else api.cudaEventDisableTiming
        return self._keep("cudaEventDestroy", self.device.call("cudaEventCreateWithFlags", flags))

    def captured(self, work: Callable[[], None]) -> Any:
        """What `work` puts on the stream, recorded instead of done, to be launched as a whole.

        Raises EstimatorError where something in it cannot be recorded; the stream is as before then.
        """
        device, api = self.device, self.device.api
        # Other threads' calls are no part of it and do not spoil it.
        device.call(
            "cudaStreamBeginCapture",
            device.stream,
            api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal,
        )
        try:
            work()
        except BaseException:
            _, graph = api.cudaStreamEndCapture(device.stream)  # ends it, whatever it says
            with contextlib.suppress(Exception):
                api.cudaGraphDestroy(graph)
            api.cudaGetLastError()  # what went wrong is told by the exception; the next call starts afresh
            raise
        try:
            graph = device.call("cudaStreamEndCapture", device.stream)
        except EstimatorError:
            api.cudaGetLastError()
            raise
        try:
            return self._keep("cudaGraphExecDestroy", device.call("cudaGraphInstantiate", graph, 0))
        finally:
            device.call("cudaGraphDestroy", graph)

    def close(self) -> None:
        """Releases everything, last made first. Twice is fine; a card that fails is left with it."""
        while self._kept:
            function, thing = self._kept.pop()
            with contextlib.suppress(EstimatorError):
                self.device.call(function, thing)

    def _host(self, size: int) -> int:
        return int(self.device.call("cudaHostAlloc", size, self.device.api.cudaHostAllocDefault))

    def _keep(self, release: str, thing: Any) -> Any:
        self._kept.append((release, thing))
        return thing


def upload(device: Device, card: int, host: Bytes) -> None:
    """Puts a copy of pinned memory to the card on the stream."""
    kind = device.api.cudaMemcpyKind.cudaMemcpyHostToDevice
    device.call("cudaMemcpyAsync", card, host.ctypes.data, host.nbytes, kind, device.stream)


def download(device: Device, host: Bytes, card: int) -> None:
    """Puts a copy from the card to pinned memory on the stream."""
    kind = device.api.cudaMemcpyKind.cudaMemcpyDeviceToHost
    device.call("cudaMemcpyAsync", host.ctypes.data, card, host.nbytes, kind, device.stream)


def wait(device: Device, event: Any, patience: float) -> None:
    """Until everything before `event` is done. Raises EstimatorError after `patience` seconds, which CUDA's
    own waiting knows nothing of."""
    device.call("cudaEventRecord", event, device.stream)
    start = time.perf_counter()
    while True:
        (status,) = device.api.cudaEventQuery(event)
        if status == device.api.cudaError_t.cudaSuccess:
            return
        if status != device.api.cudaError_t.cudaErrorNotReady:
            raise EstimatorError("CUDA's stream", device._text(status), "a card that works")
        device.api.cudaGetLastError()  # it counts as one there
        spent = time.perf_counter() - start
        if spent > patience:
            raise EstimatorError(device.name, f"no answer in {patience:g} s", "one frame's geometry")
        time.sleep(0.0 if spent < SPIN else NAP)  # either lets other threads run


def elapsed(device: Device, start: Any, end: Any) -> float:
    """Milliseconds on the card from one event to another; both are over."""
    return float(device.call("cudaEventElapsedTime", start, end))


def version() -> str:
    """Of the bindings, '13.5.0'; '' where they are not installed. They are not imported for that."""
    try:
        return importlib.metadata.version("cuda-bindings")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _bindings() -> Any:
    try:
        from cuda.bindings import runtime
    except Exception as error:  # a broken installation fails in ways of its own
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise EstimatorError("package cuda-bindings", said, "CUDA's Python side", INSTALL) from None
    missing = [name for name in NAMES if not hasattr(runtime, name)]
    if missing:
        raise EstimatorError("package cuda-bindings", f"no {', '.join(missing)}", "version 13", INSTALL)
    return runtime
