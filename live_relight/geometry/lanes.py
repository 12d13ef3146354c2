"""Frame sizes on a card: each has its lane, the last few are kept, and what fails once has failed.

Has never run on a card; see tensorrt.py.
"""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import EstimatorError, LiveRelightError
from ..core.frames import Image
from . import build, cuda, lane
from .lane import Lane, PlanRefusedError
from .plans import discard
from .shapes import Job
from .trt_library import Library

SIZES = 3
"""Frame sizes that are kept ready; the one not used for longest is given up for another."""
PATIENCE = 0.5
"""Seconds for a frame, its size's first apart: less than FallbackEstimator waits, so that the error says what
went wrong."""
USUAL = (1280, 720)
"""Frames that the plan is looked for, or made, at the start."""

Plans = Callable[[tuple[int, int]], tuple[Job, Path]]
"""A frame's (width, height) to what its plan is made for and the plan's file."""


class Lanes:
    """All sizes of one network. Owns `device`. Frames come from one thread at a time; `close` may come from
    another. After a failure every later call fails at once: what the card still does with the buffers is not
    known."""

    def __init__(
        self,
        title: str,
        library: Library,
        device: cuda.Device,
        plans: Plans,
        graphs: bool,
        say: Callable[[str], None],
    ) -> None:
        """`title` names the network in errors; `graphs` False: every step of every frame is started on its
        own; `say` gets a line when a plan is made again. Raises EstimatorError, with the device closed."""
        self.title, self.library, self.device = title, library, device
        self._plans, self._graphs, self._say = plans, graphs, say
        self._lanes: OrderedDict[tuple[int, int], Lane] = OrderedDict()
        self._failed: EstimatorError | None = None
        try:
            self._runtime: Any = library.api.Runtime(library.log.receiver)
            plans(USUAL)
        except BaseException as error:
            device.close()
            if isinstance(error, Exception):
                raise self._told(error) from None
            raise

    def run(self, image: Image) -> tuple[Lane, dict[str, Any]]:
        """A frame's lane, and what came out, by name, in memory that nobody else has. Raises
        EstimatorError."""
        if self._failed is not None:
            raise self._failed
        try:
            self.device.use()  # whichever thread this is
            way = self._lane((image.shape[1], image.shape[0]))
            return way, way.run(image, PATIENCE)
        except Exception as error:
            self._failed = self._told(error)
            raise self._failed from None

    def card_ms(self, image: Image, times: int = 50) -> dict[str, float]:
        """As Lane.card_ms, of a size that has run. Raises EstimatorError."""
        way, _ = self.run(image)
        return way.card_ms(image, PATIENCE, times)

    def close(self) -> None:
        """Gives back everything on the card."""
        self._failed = self._failed or EstimatorError(self.title, "a frame after its end")
        with contextlib.suppress(EstimatorError):
            self.device.use()
        while self._lanes:
            self._lanes.popitem()[1].close()
        self._runtime = None
        self.device.close()

    def _lane(self, frame: tuple[int, int]) -> Lane:
        if frame not in self._lanes:
            self._hide(True)  # frames may come from elsewhere meanwhile, and are shaded in another thread
            while len(self._lanes) >= SIZES:
                self._lanes.popitem(last=False)[1].close()
            self._lanes[frame] = self._new(frame)
            self._hide(False)
        self._lanes.move_to_end(frame)
        return self._lanes[frame]

    def _hide(self, hidden: bool) -> None:
        for one in self._lanes.values():
            one.hidden = hidden

    def _new(self, frame: tuple[int, int]) -> Lane:
        """A lane that has run. A plan that looks whole in the cache and is refused is made again, once."""
        form, plan = self._plans(frame)
        try:
            return self._started(plan, form)
        except PlanRefusedError as error:
            self._say(f"{error}; compiling it again")
        discard(plan)
        form, plan = self._plans(frame)
        return self._started(plan, form)

    def _started(self, plan: Path, form: Job) -> Lane:
        """A lane that has run; without the library's graphs where it does not run with them."""
        args, start = (self.device, self.library, self._runtime, plan, form), time.monotonic()
        if self._graphs:
            try:
                return Lane(*args, graphs=True)
            except PlanRefusedError:  # which has nothing to do with graphs
                raise
            except Exception:  # what is wrong with more than graphs, the second one says
                if time.monotonic() - start >= lane.FIRST:
                    raise  # a card that hangs would hang as long again
                self._graphs = False
        return Lane(*args, graphs=False)

    def _told(self, error: Exception) -> EstimatorError:
        """Anything as an EstimatorError, with the library's own words where it has said some."""
        if isinstance(error, EstimatorError):
            return error
        if isinstance(error, LiveRelightError):
            return EstimatorError(error.what, error.got, error.expected, error.todo)
        said = build.last_said(self.library) if self.library.log.errors else str(error)
        return EstimatorError(self.title, said or type(error).__name__)
