"""One frame size on a card: the plan that is loaded, its buffers, and how a frame goes through.

Has never run on a card; see tensorrt.py.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import EstimatorError, LiveRelightError
from ..core.frames import Image
from ..core.paths import read_whole, reason
from . import build, cuda, interop, plans
from .shapes import Job, Layout, agreed
from .trt_library import Library

FIRST = 50.0
"""Seconds for a size's first frame, when the library may still make kernels."""
ALIGNED = 256
"""Bytes: where an output may start."""


class PlanRefusedError(EstimatorError):
    """The library does not take the plan, or its file is gone: another one may do."""


class Lane:
    """One frame size: its plan on the card, its buffers, and how a frame is started. Not for two threads at
    once."""

    def __init__(
        self,
        device: cuda.Device,
        library: Library,
        runtime: Any,
        plan: Path,
        form: Job,
        graphs: bool,
    ) -> None:
        """Raises PlanRefusedError, and EstimatorError for everything else."""
        self._device, self._library, self._what = device, library, f"plan {plan.name}"
        self._arena = cuda.Arena(device)
        self._engine: Any = None
        self._context: Any = None
        self._graph: Any = None
        self._config: Any = None
        self._kernels: Any = None
        self._fitted = False
        self._frame, self._small = 0, form.small
        self.hidden = False
        """While it is, what `held` gave stands for nothing: the stream is busy with something else."""
        library.log.clear()
        try:
            self._engine = runtime.deserialize_cuda_engine(_bytes(plan))
            if self._engine is None:
                raise PlanRefusedError(*self._refusal())
            self._context = self._needed(self._new_context(plan, graphs))
            self._place(form)
            self._start(graphs)
            self._keep_kernels(plan)
        except BaseException:
            self.close()
            raise

    def run(self, image: Image, patience: float) -> dict[str, Any]:
        """The outputs by name, in memory that nobody else has. Raises EstimatorError."""
        self._frame += 1
        self._begin(image)
        cuda.wait(self._device, self._event, patience)
        return self._taken()

    def card_ms(self, image: Image, patience: float, times: int) -> dict[str, float]:
        """Medians of what a frame needs, step by step. By the card's own clock: 'network' with all that is
        compiled around it, 'copies' up and down. 'host': what the processor does for it, as in `run`, without
        the waiting. Raises EstimatorError."""
        np.copyto(self._above, image)
        marks = [self._arena.event(timed=True) for _ in range(4)]
        taken = []
        for _ in range(times):
            self._enqueue(marks)
            cuda.wait(self._device, self._event, patience)
            taken.append([cuda.elapsed(self._device, a, b) for a, b in pairwise(marks)])
        up, network, down = (statistics.median(part) for part in zip(*taken, strict=True))
        host = statistics.median(self._host_seconds(image, patience) for _ in range(times))
        return {"network": network, "copies": up + down, "host": host * 1e3}

    def _host_seconds(self, image: Image, patience: float) -> float:
        start = time.perf_counter()
        self._begin(image)
        spent = time.perf_counter() - start
        cuda.wait(self._device, self._event, patience)
        start = time.perf_counter()
        self._taken()
        return spent + time.perf_counter() - start

    def _begin(self, image: Image) -> None:
        np.copyto(self._above, image)
        if self._graph is not None:
            self._device.call("cudaGraphLaunch", self._graph, self._device.stream)
        else:
            self._enqueue()

    def _taken(self) -> dict[str, Any]:
        """What came out, copied."""
        block = self._below.copy()
        return {
            name: block[start : start + size].view(kind).reshape(shape)
            for name, (start, size, shape, kind) in self._parts.items()
        }

    def held(self, arrays: tuple[Any, ...]) -> interop.Held:
        """The last frame as it lies on the card. `arrays`: what a Geometry was made of: its normal, depth,
        alpha, guide and shading."""
        frame = self._frame
        places = {name: self._out + start for name, (start, *_) in self._parts.items()}
        return interop.Held(
            self._device, places, self._small, arrays, lambda: self._frame == frame and not self.hidden
        )

    def close(self) -> None:
        """The library's things before the memory that they were told of."""
        self._frame = -1
        self._graph = self._context = self._config = self._kernels = self._engine = None
        self._arena.close()

    def _new_context(self, plan: Path, graphs: bool) -> Any:
        """With the library's own graphs and kept kernels, where it knows of them."""
        api, engine = self._library.api, self._engine
        self._own_graphs = hasattr(api, "CudaGraphStrategy")
        if not self._own_graphs:
            return engine.create_execution_context()
        config = self._config = self._needed(engine.create_runtime_config())
        strategy = api.CudaGraphStrategy
        config.cuda_graph_strategy = strategy.WHOLE_GRAPH_CAPTURE if graphs else strategy.DISABLED
        self._kernels = config.create_runtime_cache()
        if self._kernels is not None:
            kept = plans.load_kernels(plan)
            self._fitted = bool(kept) and bool(self._kernels.deserialize(kept))
            config.set_runtime_cache(self._kernels)
            self._library.log.clear()  # that it did not fit is no error
        return engine.create_execution_context(runtime_config=config)

    def _place(self, form: Job) -> None:
        """Buffers: one for the frame, one for all outputs, each on the card and in pinned memory."""
        width, height = form.frame
        self._parts: dict[str, tuple[int, int, tuple[int, ...], type]] = {}
        total = 0
        for name, (shape, kind) in self._check(form).items():
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            self._parts[name] = (total, size, shape, kind)
            total += -(-size // ALIGNED) * ALIGNED
        self._in, self._out = self._arena.on_card(width * height * 3), self._arena.on_card(total)
        self._flat, self._below = self._arena.pinned(width * height * 3), self._arena.pinned(total)
        self._above = self._flat.reshape(height, width, 3)
        self._event = self._arena.event()
        self._needed(self._context.set_tensor_address("frame", self._in))
        for name, (start, *_) in self._parts.items():
            self._needed(self._context.set_tensor_address(name, self._out + start))

    def _check(self, form: Job) -> Layout:
        """That the plan is what was to be compiled. Returns what comes out."""
        engine = self._engine
        names = [str(engine.get_tensor_name(i)) for i in range(engine.num_io_tensors)]
        found = {n: (tuple(engine.get_tensor_shape(n)), engine.get_tensor_dtype(n)) for n in names}
        outputs = agreed(found, form, self._library.api)
        if outputs is None:
            raise EstimatorError(self._what, f"{sorted(found)} of other shapes", str(form), "remove it")
        return outputs

    def _start(self, graphs: bool) -> None:
        """Two black frames: the library makes its kernels in the first and what graphs it makes by then in
        the second. Then what remains to be captured is."""
        self._above[:] = 0
        for _ in range(2):
            self._enqueue()
            cuda.wait(self._device, self._event, FIRST)
        if graphs and not self._own_graphs:
            with contextlib.suppress(EstimatorError):  # it works without
                self._graph = self._arena.captured(self._enqueue)

    def _enqueue(self, marks: Sequence[Any] = ()) -> None:
        """Upload, network, download, on the stream; `marks`: four events, before, between and after them."""
        steps = (self._upload, self._execute, self._download)
        for mark, step in itertools.zip_longest(marks, steps):
            if mark is not None:
                self._device.call("cudaEventRecord", mark, self._device.stream)
            if step is not None:
                step()

    def _upload(self) -> None:
        cuda.upload(self._device, self._in, self._flat)

    def _execute(self) -> None:
        if not self._context.execute_async_v3(int(self._device.stream)):
            raise EstimatorError(self._what, build.last_said(self._library), "a plan that runs")

    def _download(self) -> None:
        cuda.download(self._device, self._below, self._out)

    def _keep_kernels(self, plan: Path) -> None:
        """So that the next start is quicker; a cache that cannot be written is no reason to stop."""
        if self._kernels is None or self._fitted:
            return
        with contextlib.suppress(LiveRelightError):
            data = self._kernels.serialize()
            if data is not None and len(bytes(data)):
                plans.store_kernels(plan, bytes(data))

    def _needed(self, thing: Any) -> Any:
        """What the library gave; it says None or False where it failed, and why in its log."""
        if thing is None or thing is False:
            raise EstimatorError(*self._refusal())
        return thing

    def _refusal(self) -> tuple[str, str, str]:
        """An error's what, got and expected."""
        return self._what, build.last_said(self._library), "a plan that runs on this card"


def _bytes(plan: Path) -> bytes:
    try:
        return read_whole(plan, plans.LARGEST)
    except OSError as error:
        raise PlanRefusedError(f"plan {plan}", reason(error), "a file that can be read") from None
