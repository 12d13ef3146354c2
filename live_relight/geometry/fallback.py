"""A fast estimator that may die, and the plain one that takes over: once, in under a second, in one line."""

from __future__ import annotations

import logging
import queue
import statistics
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Lock

import numpy as np

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from ..core.stages import Estimator
from ..threads import Worker
from .network import Network
from .onnx import OnnxEstimator
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
APART = (2.0, 0.02, 0.02)
"""How far from the CPU's results a card's may be, in the mean: degrees, share of the depth, alpha."""


def warn(line: str) -> None:
    """To the program's log; where it has set none up, Python prints the line on stderr."""
    logging.getLogger("live_relight").warning("live-relight: %s", line)


class Helper:
    """Runs an estimator in a thread of its own, so that one that hangs can be left behind."""

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator
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
        return EstimatorError(self._estimator.name, f"no answer in {patience:g} s", "one frame's geometry")

    def end(self, close: bool = True, patience: float = 0.1) -> None:
        """Ends the thread, which may `close` the estimator before: what failed may hang in its end as well.
        Waits `patience` seconds; a thread that hangs is left to itself."""
        self._jobs.put(close)
        self._worker.join(patience)

    def _body(self, stopping: Event) -> None:
        while isinstance(job := self._jobs.get(), tuple):
            number, image, share = job
            try:
                self._results.put((number, self._estimator.estimate(image, share)))
            except Exception as error:  # raised again by whoever waits for the result
                self._results.put((number, error))
        if job:
            self._estimator.close()


class FallbackEstimator:
    """Estimator: `fast` until it fails or hangs, then what `make_slow` gives, for good. `say` gets one line.

    The frame that it failed on is estimated anew: none is lost. `first`: seconds that the first frame of a
    size may take. The very first frame of all is waited for; when another size comes in mid-stream, frames
    are the slow one's until the fast one has had its first of them.

    Frames come from one thread; `close` may come from another.
    """

    def __init__(
        self, fast: Estimator, make_slow: Callable[[], Estimator], say: Say = warn, first: float = FIRST
    ) -> None:
        self._helper: Helper | None = Helper(fast)
        self._make_slow, self._say, self._first = make_slow, say, first
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
        patience = PATIENCE if known else RESIZED if self._ready else self._first
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
        self._say(f"{error}; the CPU takes over")
        if helper is not None:
            helper.end()


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be faster than the CPU. `name`: for --engine; `make`: opens it, or raises EstimatorError;
    `first`: seconds that the first frame of a size may take."""

    name: str
    make: Callable[[], Estimator]
    first: float = FIRST


def open_on_card(
    network: Network,
    candidates: Sequence[Provider | Candidate],
    threads: int = 0,
    say: Say = warn,
    pick: bool = False,
) -> Estimator:
    """The first of `candidates` that starts and gives what the CPU gives, with the CPU behind it; the CPU
    where there is none, after a line for each that failed. `pick`: one that works and is no faster than the
    CPU is passed over, which is no failure and worth no line."""
    slow = OnnxEstimator(network, threads)
    found = [one if isinstance(one, Candidate) else _through(one, network, threads) for one in candidates]
    return first_that_works(found, slow, say, pick)


def first_that_works(candidates: Sequence[Candidate], slow: Estimator, say: Say, pick: bool) -> Estimator:
    """As `open_on_card`, for any estimators; `slow` is the CPU's. Those that are passed over are closed."""
    for candidate in candidates:
        try:
            fast = candidate.make()
            fault = trial(fast, slow)
            wins = not fault and (not pick or faster(fast, slow))
        except EstimatorError as error:
            fault, wins = str(error), False
        if fault:
            say(f"--engine {candidate.name} is not used: {fault}")
        elif wins:
            return FallbackEstimator(fast, lambda: slow, say, candidate.first)
    return slow


def _through(provider: Provider, network: Network, threads: int) -> Candidate:
    # What compiles for one size may take its time at a new one; the others have no excuse.
    first = FIRST if provider.fixed else RESIZED
    return Candidate(provider.name, lambda: OnnxEstimator(network, threads, provider), first)


def trial(fast: Estimator, slow: Estimator) -> str:
    """Why `fast` is not to be used, '' where it is: it fails, hangs, or gives other results than `slow`.
    Closes it then."""
    picture = _picture()
    helper = Helper(fast)
    try:
        fault = _difference(helper.estimate(picture, 1.0, FIRST), slow.estimate(picture))
    except EstimatorError as error:
        fault = str(error)
    helper.end(close=bool(fault))
    return fault


def faster(fast: Estimator, slow: Estimator) -> bool:
    """By the medians of a few frames each. Closes `fast` where it is not. Raises EstimatorError, with `fast`
    closed as well, where it fails or hangs after all."""
    picture, helper = _picture(), Helper(fast)
    try:
        taken = _seconds(lambda: helper.estimate(picture, 1.0, RESIZED))
        wins = taken < _seconds(lambda: slow.estimate(picture))
    except BaseException:
        helper.end()
        raise
    helper.end(close=not wins, patience=ENDING)
    return wins


def _seconds(work: Callable[[], Geometry], times: int = 5) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _difference(one: Geometry, other: Geometry) -> str:
    cosine = np.clip((one.normal * other.normal).sum(axis=-1), -1.0, 1.0)
    found = (
        float(np.degrees(np.arccos(cosine)).mean()),
        float((np.abs(one.depth - other.depth) / other.depth).mean()),
        float(np.abs(one.alpha - other.alpha).mean()),
    )
    if all(value <= limit for value, limit in zip(found, APART, strict=True)):
        return ""
    angle, depth, alpha = found
    return f"differs from the CPU by {angle:.1f} degrees, {depth:.1%} of the depth, {alpha:.3f} of alpha"


def _picture() -> Image:
    """720 x 1280 x 3 uint8 BGR: a pale head and shoulders before a dark slope of colour."""
    y, x = np.mgrid[-1:1:720j, -1.78:1.78:1280j]
    ground = np.stack([70 + 30 * x, 60 + 30 * y, 50 + 20 * x * y], axis=-1)
    head = (x / 0.3) ** 2 + ((y + 0.2) / 0.42) ** 2 < 1
    body = (x / 0.8) ** 2 + ((y - 1.1) / 0.8) ** 2 < 1
    shade = (1 - 0.5 * (x + 0.3) ** 2)[..., None]
    ground = np.where(body[..., None], np.array([120, 60, 50]) * shade, ground)
    ground = np.where(head[..., None], np.array([150, 175, 215]) * shade, ground)
    return np.asarray(np.clip(ground, 0, 255), np.uint8)
