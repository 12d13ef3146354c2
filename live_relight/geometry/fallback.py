"""A fast estimator that may die, and the plain one that takes over: once, in under a second, in one line."""

from __future__ import annotations

import logging
import queue
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

import numpy as np

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from ..core.stages import Estimator
from ..threads import Worker
from .network import Network
from .onnx import OnnxEstimator
from .providers import Provider

Say = Callable[[str], None]
PATIENCE = 0.6
"""Seconds for a frame like one before. With the slow estimator's start and first frame it stays under one."""
RESIZED = 2.0
"""Seconds for the first frame with another share of the network's area."""
FIRST = 60.0
"""Seconds for the first frame of a size: some compile the network for it."""
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

    def estimate(self, image: Image, share: float, patience: float) -> Geometry:
        """As the estimator's own. Raises EstimatorError when nothing comes for `patience` seconds."""
        self._count += 1
        self._jobs.put((self._count, image, share))
        number = 0
        try:
            # An earlier answer is one that nobody waited for.
            while number != self._count:
                number, result = self._results.get(timeout=patience)
        except queue.Empty:
            got = f"no answer in {patience:g} s"
            raise EstimatorError(self._estimator.name, got, "one frame's geometry") from None
        if isinstance(result, Exception):
            raise result
        return result

    def end(self, close: bool = True) -> None:
        """Ends the thread, which may `close` the estimator before: what failed may hang in its end as well.
        Waits a tenth of a second; a thread that hangs is left to itself."""
        self._jobs.put(close)
        self._worker.join(0.1)

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
    size may take.
    """

    def __init__(
        self, fast: Estimator, make_slow: Callable[[], Estimator], say: Say = warn, first: float = FIRST
    ) -> None:
        self._helper: Helper | None = Helper(fast)
        self._make_slow, self._say, self._first = make_slow, say, first
        self._slow: Estimator | None = None
        self._seen: set[tuple[int, int] | tuple[int, int, float]] = set()
        self.name = fast.name
        self.provider: Provider | None = getattr(fast, "provider", None)

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        if self._helper is not None:
            try:
                return self._helper.estimate(image, share, self._wait(image, share))
            except EstimatorError as error:
                self._fall(error)
        if self._slow is None:
            self._slow = self._make_slow()
            self.name = self._slow.name
        return self._slow.estimate(image, share)

    def close(self) -> None:
        helper, self._helper = self._helper, None
        slow, self._slow = self._slow, None
        try:
            if helper is not None:
                helper.end()
        finally:
            if slow is not None:
                slow.close()

    def _wait(self, image: Image, share: float) -> float:
        size = image.shape[0], image.shape[1]
        new, other = size not in self._seen, (*size, share) not in self._seen
        self._seen |= {size, (*size, share)}
        return self._first if new else RESIZED if other else PATIENCE

    def _fall(self, error: EstimatorError) -> None:
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
    for one in candidates:
        candidate = one if isinstance(one, Candidate) else _through(one, network, threads)
        try:
            fast = candidate.make()
            fault = trial(fast, slow)
        except EstimatorError as error:
            fault = str(error)
        if fault:
            say(f"--engine {candidate.name} is not used: {fault}")
        elif pick and not faster(fast, slow):
            fast.close()
        else:
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
    """By the medians of a few frames each."""
    picture = _picture()
    return _seconds(fast, picture) < _seconds(slow, picture)


def _seconds(estimator: Estimator, picture: Image, times: int = 5) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        estimator.estimate(picture)
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
