"""A fast estimator that may die, and the plain one that takes over: once, in under a second, in one line."""

from __future__ import annotations

import logging
import queue
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Event, Lock

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from ..core.stages import Estimator
from ..threads import Worker
from .providers import Provider

Say = Callable[[str], None]
Size = tuple[int, int]
"""Rows and columns of a frame."""
PATIENCE = 0.6
"""Seconds for a frame like one before. With the slow estimator's start and first frame it stays under one."""
RESIZED = 2.0
"""Seconds for the first frame with another share of the network's area."""
FIRST = 60.0
"""Seconds for the first frame of a size: some compile the network for it."""
ENDING = 2.0
"""Seconds that one which works may take to end."""
KEPT = 3
"""Frame sizes that the fast one is taken to be ready for: no more than lanes.SIZES."""


def warn(line: str) -> None:
    """To the program's log; where it has set none up, Python prints the line on stderr."""
    logging.getLogger("live_relight").warning("live-relight: %s", line)


class Helper:
    """Runs an estimator in a thread of its own, so that one that hangs can be left behind."""

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator
        self._jobs: queue.SimpleQueue[tuple[int, Image, float] | bool] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[int, Geometry | Exception]] = queue.SimpleQueue()
        self._count = 0
        self._worker = Worker("estimate", self._body).start()

    def start(self, image: Image, share: float) -> None:
        """As the estimator's own `estimate`; `answer` gives what comes of it."""
        self._count += 1
        self._jobs.put((self._count, image, share))

    def answer(self, patience: float) -> Geometry | None:
        """Of the last start; None when nothing comes for `patience` seconds. Raises what it raised."""
        number = 0
        try:
            # An earlier answer is one that nobody waited for.
            while number != self._count:
                number, result = self._results.get(timeout=patience)
        except queue.Empty:
            return None
        if isinstance(result, Exception):
            raise result
        return result

    def estimate(self, image: Image, share: float, patience: float) -> Geometry:
        """As the estimator's own. Raises EstimatorError when nothing comes for `patience` seconds."""
        self.start(image, share)
        found = self.answer(patience)
        if found is None:
            raise self.late(patience)
        return found

    def late(self, patience: float) -> EstimatorError:
        return EstimatorError(self.estimator.name, f"no answer in {patience:g} s", "one frame's geometry")

    def end(self, close: bool = True, patience: float = 0.1) -> None:
        """Ends the thread, which may `close` the estimator before: what failed may hang in its end as well.
        Waits `patience` seconds; a thread that hangs is left to itself."""
        self._jobs.put(close)
        self._worker.join(patience)

    def _body(self, stopping: Event) -> None:
        while isinstance(job := self._jobs.get(), tuple):
            number, image, share = job
            try:
                self._results.put((number, self.estimator.estimate(image, share)))
            except Exception as error:  # raised again by whoever waits for the result
                self._results.put((number, error))
        if job:
            self.estimator.close()


class FallbackEstimator:
    """Estimator: `fast` until it fails or hangs, then what `make_slow` gives, for good. `say` gets one line.

    The frame that it failed on is estimated anew: none is lost. `first`: seconds that the first frame of a
    size may take. The very first frame of all is waited for; when another size comes in mid-stream, frames
    are the slow one's until the fast one has had its first of them. `patience`: seconds for a frame like one
    before; `heir`: who takes over, for the line.

    Frames come from one thread; `close` may come from another.
    """

    def __init__(
        self,
        fast: Estimator,
        make_slow: Callable[[], Estimator],
        say: Say = warn,
        first: float = FIRST,
        patience: float = PATIENCE,
        heir: str = "the CPU",
    ) -> None:
        self._helper: Helper | None = Helper(fast)
        self._make_slow, self._say, self._first = make_slow, say, first
        self._patience, self._heir = patience, heir
        self._slow: Estimator | None = None
        self._ready: OrderedDict[Size, set[float]] = OrderedDict()  # sizes with their shares, latest last
        self._pending: tuple[Size, float, float] | None = None  # size, share, time by which it must be there
        self._lock, self._closed = Lock(), False
        self.name = fast.name
        self.provider: Provider | None = getattr(fast, "provider", None)

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        helper, found = self._helper, None
        if helper is not None:
            try:
                found = self._on_card(helper, image, share)
            except EstimatorError as error:
                self._fall(error)
        return found if found is not None else self._behind().estimate(image, share)

    def card_ms(self, image: Image) -> dict[str, float]:
        """Milliseconds that a frame needs by the card's own clock, and of the processor (Lane.card_ms); empty
        where nothing can tell. To be called where frames come from, between two. Raises EstimatorError."""
        ask = getattr(self._helper.estimator, "card_ms", None) if self._helper is not None else None
        return dict(ask(image)) if ask is not None else {}

    def close(self) -> None:
        """A fast one that has not failed gets the time to end; one that hangs is left behind."""
        with self._lock:
            self._closed = True
            helper, self._helper = self._helper, None
            slow, self._slow = self._slow, None
        try:
            if helper is not None:
                helper.end(patience=ENDING)
        finally:
            if slow is not None:
                slow.close()

    def _on_card(self, helper: Helper, image: Image, share: float) -> Geometry | None:
        """None: the fast one is busy with its first frame of a size. Raises EstimatorError."""
        if self._pending is not None and not self._prepared(helper, *self._pending):
            return None
        size = image.shape[0], image.shape[1]
        if self._ready and size not in self._ready:
            self._pending = size, share, time.monotonic() + self._first
            helper.start(image, share)
            return None
        known = share in self._ready.get(size, ())
        patience = self._patience if known else max(RESIZED, self._patience) if self._ready else self._first
        found = helper.estimate(image, share, patience)
        self._keep(size, share)
        return found

    def _prepared(self, helper: Helper, size: Size, share: float, until: float) -> bool:
        if helper.answer(0.0) is None:
            if time.monotonic() > until:
                raise helper.late(self._first)
            return False
        self._pending = None
        self._keep(size, share)
        return True

    def _keep(self, size: Size, share: float) -> None:
        self._ready.setdefault(size, set()).add(share)
        self._ready.move_to_end(size)
        while len(self._ready) > KEPT:
            self._ready.popitem(last=False)

    def _behind(self) -> Estimator:
        """The slow one, opened when it is needed first."""
        with self._lock:
            if self._closed:
                raise EstimatorError(self.name, "a frame after its end")
            if self._slow is None:
                self._slow = self._make_slow()
            if self._helper is None:
                self.name = self._slow.name
            return self._slow

    def _fall(self, error: EstimatorError) -> None:
        with self._lock:
            if self._closed:  # while the frame ran: nothing takes over
                raise error
            helper, self._helper, self.provider = self._helper, None, None
        self._say(f"{error}; {self._heir} takes over")
        if helper is not None:
            helper.end()
