"""A card that is none: stands for CUDA's bindings and for TensorRT's running half, with plain memory.

Only for the logic around them (what is made once, captured, copied, released, given up); that the real ones
have these names is a test of its own, and what a card computes is a matter for the tests marked `gpu`. A
"plan" here is the fused ONNX graph itself, run by ONNX Runtime on the CPU at the addresses that were set.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import Enum, IntEnum
from types import SimpleNamespace
from typing import Any

import moderngl
import numpy as np
import onnxruntime as ort


class Status(Enum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInvalidDevice = 101
    cudaErrorNotReady = 600
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorUnknown = 999


class FakeCuda:
    """`cuda.bindings.runtime`. Work is done when it is enqueued; while a capture runs it is recorded."""

    cudaError_t = Status
    cudaHostAllocDefault, cudaStreamNonBlocking, cudaEventDisableTiming, cudaEventDefault = 0, 1, 2, 0
    cudaMemcpyKind = SimpleNamespace(
        cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2, cudaMemcpyDeviceToDevice=3
    )
    cudaGraphicsRegisterFlags = SimpleNamespace(cudaGraphicsRegisterFlagsWriteDiscard=2)
    cudaGLDeviceList = SimpleNamespace(cudaGLDeviceListAll=1)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __init__(self) -> None:
        self.live: dict[int, Any] = {}
        """What was made and not released, by address or number."""
        self.calls: dict[str, int] = {}
        self.recorded: list[Callable[[], None]] | None = None
        self.query = Status.cudaSuccess
        """What events answer."""
        self.capturable = True
        self.memory = 1 << 30
        self.gl_cards = [0]
        """Where OpenGL's context is."""
        self.textures: dict[int, Any] = {}
        """Of ModernGL, by number: what may be registered."""
        self.mapped: dict[int, np.ndarray] = {}
        """By resource: rows of bytes until it is unmapped."""
        self.fails: dict[str, int] = {}
        """Calls of this name fail from the n-th on, counted from here."""
        self.clock, self.marks = 0.0, dict[int, float]()
        """A millisecond goes by at each event; when they were."""
        self._next = 1000

    def _failing(self, name: str) -> bool:
        self._count(name)
        if name not in self.fails:
            return False
        self.fails[name] -= 1
        return self.fails[name] < 0

    def put(self, work: Callable[[], None]) -> None:
        """On the stream."""
        if self.recorded is None:
            work()
        else:
            self.recorded.append(work)

    def _count(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1

    def _make(self, thing: Any, size: int = 0) -> tuple[Status, int]:
        if size > self.memory:
            return Status.cudaErrorMemoryAllocation, 0
        self._next += 1
        key = thing.ctypes.data if isinstance(thing, np.ndarray) else self._next
        self.live[key] = thing
        return Status.cudaSuccess, key

    def _drop(self, key: int) -> tuple[Status]:
        del self.live[int(key)]
        return (Status.cudaSuccess,)

    def cudaGetDeviceCount(self) -> tuple[Status, int]:
        return Status.cudaSuccess, 1

    def cudaSetDevice(self, index: int) -> tuple[Status]:
        return (Status.cudaSuccess,)

    def cudaGetDeviceProperties(self, index: int) -> tuple[Status, Any]:
        return Status.cudaSuccess, SimpleNamespace(name=b"Fake Card")

    def cudaGetErrorName(self, status: Status) -> tuple[Status, bytes]:
        return Status.cudaSuccess, status.name.encode()

    def cudaGetErrorString(self, status: Status) -> tuple[Status, bytes]:
        return Status.cudaSuccess, b"as the test asked"

    def cudaMemGetInfo(self) -> tuple[Status, int, int]:
        return Status.cudaSuccess, self.memory, self.memory

    def cudaGetLastError(self) -> tuple[Status]:
        return (Status.cudaSuccess,)

    def cudaMalloc(self, size: int) -> tuple[Status, int]:
        self._count("cudaMalloc")
        return self._make(np.zeros(size, np.uint8), size)

    def cudaHostAlloc(self, size: int, flags: int) -> tuple[Status, int]:
        self._count("cudaHostAlloc")
        return self._make(np.zeros(size, np.uint8))

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Status, int]:
        return self._make("stream")

    def cudaEventCreateWithFlags(self, flags: int) -> tuple[Status, int]:
        return self._make("event" if flags else "timed event")

    cudaFree = cudaFreeHost = cudaStreamDestroy = cudaEventDestroy = _drop
    cudaGraphExecDestroy = cudaGraphDestroy = _drop

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: int, stream: int) -> tuple[Status]:
        self._count("cudaMemcpyAsync")
        self.put(lambda: ctypes.memmove(to, source, size))
        return (Status.cudaSuccess,)

    def cudaEventRecord(self, event: int, stream: int) -> tuple[Status]:
        self.clock += 1.0
        self.marks[event] = self.clock
        return (Status.cudaSuccess,)

    def cudaEventElapsedTime(self, start: int, end: int) -> tuple[Status, float]:
        assert self.live[start] == self.live[end] == "timed event"
        return Status.cudaSuccess, self.marks[end] - self.marks[start]

    def cudaEventQuery(self, event: int) -> tuple[Status]:
        return (self.query,)

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[Status]:
        self.recorded = []
        return (Status.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[Status, int]:
        recorded, self.recorded = self.recorded, None
        if not self.capturable:
            return Status.cudaErrorStreamCaptureUnsupported, 0
        return self._make(recorded)

    def cudaGraphInstantiate(self, graph: int, flags: int) -> tuple[Status, int]:
        return self._make(self.live[graph])

    def cudaGraphLaunch(self, graph: int, stream: int) -> tuple[Status]:
        self._count("cudaGraphLaunch")
        for work in self.live[graph]:
            work()
        return (Status.cudaSuccess,)

    def cudaGLGetDevices(self, most: int, which: int) -> tuple[Status, int | None, list[int] | None]:
        if self._failing("cudaGLGetDevices"):
            return Status.cudaErrorUnknown, None, None
        return Status.cudaSuccess, len(self.gl_cards), [*self.gl_cards, *[0] * (most - len(self.gl_cards))]

    def cudaGraphicsGLRegisterImage(self, texture: int, kind: int, flags: int) -> tuple[Status, int | None]:
        if self._failing("cudaGraphicsGLRegisterImage"):
            return Status.cudaErrorUnknown, None
        return self._make(self.textures[texture])

    def cudaGraphicsMapResources(self, count: int, place: int, stream: int) -> tuple[Status]:
        if self._failing("cudaGraphicsMapResources"):
            return (Status.cudaErrorUnknown,)
        for key in (ctypes.c_void_p * count).from_address(place):
            texture = self.live[key]
            assert key not in self.mapped
            width = texture.width * (4 if texture.dtype == "f4" else 1)
            # What was there is lost, as the flag says.
            self.mapped[key] = np.full((texture.height, width), 0xEE, np.uint8)
        return (Status.cudaSuccess,)

    def cudaGraphicsSubResourceGetMappedArray(self, key: int, layer: int, level: int) -> tuple[Status, int]:
        assert key in self.mapped
        return Status.cudaSuccess, key

    def cudaMemcpy2DToArrayAsync(
        self, to: int, left: int, top: int, source: int, pitch: int, width: int, rows: int, kind: int,
        stream: int,
    ) -> tuple[Status]:  # fmt: skip
        if self._failing("cudaMemcpy2DToArrayAsync"):
            return (Status.cudaErrorIllegalAddress,)
        assert kind == 3
        target = self.mapped[to][top : top + rows, left : left + width]
        assert target.shape == (rows, width)
        given = np.frombuffer((ctypes.c_uint8 * (pitch * rows)).from_address(source), np.uint8)
        target[:] = given.reshape(rows, pitch)[:, :width]
        return (Status.cudaSuccess,)

    def cudaGraphicsUnmapResources(self, count: int, place: int, stream: int) -> tuple[Status]:
        if self._failing("cudaGraphicsUnmapResources"):
            return (Status.cudaErrorUnknown,)
        for key in (ctypes.c_void_p * count).from_address(place):
            self.live[key].write(self.mapped.pop(key).tobytes(), alignment=1)
        return (Status.cudaSuccess,)

    def cudaGraphicsUnregisterResource(self, key: int) -> tuple[Status]:
        self._count("cudaGraphicsUnregisterResource")
        texture = self.live[key]
        assert not isinstance(texture.mglo, moderngl.InvalidObject), "it was released before"
        self.mapped.pop(key, None)
        return self._drop(key)


class Kind(IntEnum):
    FLOAT = 0
    UINT8 = 5


class FakeApi:
    """TensorRT's module: only what runs plans. `rtx`: with what only TensorRT for RTX has."""

    DataType = Kind

    def __init__(self, cuda: FakeCuda, rtx: bool) -> None:
        self.cuda = cuda
        self.runs = 0
        self.refuses = ""
        """'engine': plans are refused; 'graphs': contexts with graphs; 'run': every frame."""
        self.refused = list[bytes]()
        """Plans that are refused whatever `refuses` says, each once: it leaves the list."""
        self.kernels: list[bytes] = []
        """What runtime caches were given."""
        self.contexts: list[Any] = []
        if rtx:
            self.CudaGraphStrategy = SimpleNamespace(DISABLED="disabled", WHOLE_GRAPH_CAPTURE="whole")
        api = self

        class Runtime:
            def __init__(self, log: Any) -> None:
                pass

            def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
                if plan in api.refused:
                    api.refused.remove(plan)
                    return None
                return None if api.refuses == "engine" else Engine(api, plan)

        self.Runtime = Runtime


class Engine:
    def __init__(self, api: FakeApi, plan: bytes) -> None:
        self.api = api
        self.session = ort.InferenceSession(plan, providers=["CPUExecutionProvider"])
        self.inputs = {v.name: v for v in self.session.get_inputs()}
        self.outputs = {v.name: v for v in self.session.get_outputs()}
        self.all = self.inputs | self.outputs
        self.num_io_tensors = len(self.all)
        self.shapes = {name: list(value.shape) for name, value in self.all.items()}
        if any(not isinstance(side, int) for shape in self.shapes.values() for side in shape):
            # The library works every size out from the frame's; ONNX Runtime is asked what comes out.
            frame = np.zeros(self.shapes["frame"], np.uint8)
            found = self.session.run(list(self.outputs), {"frame": frame})
            self.shapes |= {n: list(v.shape) for n, v in zip(self.outputs, found, strict=True)}

    def get_tensor_name(self, index: int) -> str:
        return list(self.all)[index]

    def get_tensor_shape(self, name: str) -> list[int]:
        return self.shapes[name]

    def get_tensor_dtype(self, name: str) -> Kind:
        return Kind.UINT8 if "uint8" in self.all[name].type else Kind.FLOAT

    def create_runtime_config(self) -> Any:
        api = self.api
        cache = SimpleNamespace(
            deserialize=lambda data: api.kernels.append(data) or True, serialize=lambda: b"kernels"
        )
        return SimpleNamespace(
            cuda_graph_strategy="", create_runtime_cache=lambda: cache, set_runtime_cache=lambda cache: True
        )

    def create_execution_context(self, runtime_config: Any = None) -> Context | None:
        strategy = getattr(runtime_config, "cuda_graph_strategy", None)
        self.api.contexts.append(strategy)
        if self.api.refuses == "graphs" and strategy == "whole":
            return None
        return Context(self)


class Context:
    def __init__(self, engine: Engine) -> None:
        self.engine, self.places = engine, dict[str, int]()

    def set_tensor_address(self, name: str, place: int) -> bool:
        self.places[name] = place
        return name in self.engine.all

    def execute_async_v3(self, stream_handle: int) -> bool:
        if self.engine.api.refuses == "run":
            return False
        self.engine.api.cuda.put(self._run)
        return True

    def _run(self) -> None:
        self.engine.api.runs += 1
        names = list(self.engine.outputs)
        found = self.engine.session.run(names, {"frame": self._at("frame")})
        for name, value in zip(names, found, strict=True):
            assert value.shape == tuple(self.engine.get_tensor_shape(name))
            self._at(name)[...] = value

    def _at(self, name: str) -> np.ndarray:
        shape = tuple(self.engine.get_tensor_shape(name))
        kind = np.uint8 if self.engine.get_tensor_dtype(name) == Kind.UINT8 else np.float32
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        return np.frombuffer((ctypes.c_uint8 * size).from_address(self.places[name]), kind).reshape(shape)
