"""Which card is used, if any: each that may be is tried beside the processor, and raced against it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import av
import av.error
import numpy as np

from ..assets import PACKAGE
from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from ..core.stages import Estimator
from . import fallback
from .fallback import FallbackEstimator, Say, warn
from .network import Network
from .onnx import OnnxEstimator
from .providers import Provider

APART = (2.0, 0.02, 0.02)
"""How far from the CPU's results another's may be, in the mean: degrees, share of the depth, alpha."""
UNHURRIED = 10.0
"""Seconds for a frame of what runs on the CPU."""
PASSED_OVER = "is not used"
"""In the line about a card that failed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be faster than ONNX Runtime on the CPU. `name`: for --engine; `make`: opens it, or raises
    EstimatorError; `first`, `patience`, `heir`: as for FallbackEstimator."""

    name: str
    make: Callable[[], Estimator]
    first: float = fallback.FIRST
    patience: float = fallback.PATIENCE
    heir: str = "the CPU"


def on_processor(name: str, make: Callable[[], Estimator]) -> Candidate:
    """What runs on the CPU as well. It does not hang as a driver may: when it is late the machine is busy,
    and ONNX Runtime would be later."""
    return Candidate(name, make, patience=UNHURRIED, heir="ONNX Runtime")


def open_on_card(
    network: Network,
    candidates: Sequence[Provider | Candidate],
    threads: int = 0,
    say: Say = warn,
    pick: bool = False,
    note: Say | None = None,
) -> Estimator:
    """The first of `candidates` that starts and gives what the CPU gives, with the CPU behind it; the CPU
    where there is none, after a line for each that failed. `pick`: one that works and is no faster than the
    CPU is passed over, which is no failure: only `note` gets a line."""
    slow = OnnxEstimator(network, threads)
    found = [one if isinstance(one, Candidate) else _through(one, network, threads) for one in candidates]
    return first_that_works(found, slow, say, pick, note)


def first_that_works(
    candidates: Sequence[Candidate], slow: Estimator, say: Say, pick: bool, note: Say | None = None
) -> Estimator:
    """As `open_on_card`, for any estimators; `slow` is the CPU's. Those that are passed over are closed."""
    for candidate in candidates:
        lost = ""
        try:
            fast = candidate.make()
            fault = trial(fast, slow, candidate.heir)
            if not fault and pick:
                lost = slower(fast, slow, candidate.heir)
        except EstimatorError as error:
            fault = str(error)
        if fault:
            say(f"--engine {candidate.name} {PASSED_OVER}: {fault}")
        elif lost and note is not None:
            note(f"--engine {candidate.name} works and {PASSED_OVER}: {lost}")
        elif not lost:
            more = candidate.first, candidate.patience, candidate.heir
            return FallbackEstimator(fast, lambda: slow, say, *more)
    return slow


def _through(provider: Provider, network: Network, threads: int) -> Candidate:
    # What compiles for one size may take its time at a new one; the others have no excuse.
    first = fallback.FIRST if provider.fixed else fallback.RESIZED
    return Candidate(provider.name, lambda: OnnxEstimator(network, threads, provider), first)


def trial(fast: Estimator, slow: Estimator, heir: str = "the CPU") -> str:
    """Why `fast` is not to be used, '' where it is: it fails, hangs, or gives other results than `slow`, by
    the name of `heir`. Closes it then."""
    helper = fallback.Helper(fast)
    try:
        found = helper.estimate(picture(), 1.0, fallback.FIRST)
        fault = _difference(found, slow.estimate(picture()), heir)
    except EstimatorError as error:
        fault = str(error)
    helper.end(close=bool(fault))
    return fault


def slower(fast: Estimator, slow: Estimator, heir: str = "the CPU") -> str:
    """Why `fast` loses, '' where it wins, by the medians of a few frames each; `heir`: the name of `slow`.
    Closes `fast` where it loses. Raises EstimatorError, with `fast` closed as well, where it fails or hangs
    after all."""
    helper = fallback.Helper(fast)
    try:
        taken, needed = in_turns(
            lambda: helper.estimate(picture(), 1.0, fallback.RESIZED), lambda: slow.estimate(picture())
        )
    except BaseException:
        helper.end()
        raise
    helper.end(close=taken >= needed, patience=fallback.ENDING)
    if taken < needed:
        return ""
    return f"{taken * 1e3:.1f} ms for a frame's geometry, {heir} needs {needed * 1e3:.1f}"


def in_turns(*works: Callable[[], Geometry], times: int = 5) -> list[float]:
    """Medians of the seconds that each takes. In turns: what else the machine does hits all alike."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(times):
        for work, mine in zip(works, taken, strict=True):
            start = time.perf_counter()
            work()
            mine.append(time.perf_counter() - start)
    return [statistics.median(mine) for mine in taken]


def _difference(one: Geometry, other: Geometry, heir: str) -> str:
    """In the mean over whom `other` sees, or all of the picture: what is said of a wall is of no account."""
    on = other.alpha if (other.alpha > 0.5).any() else np.ones_like(other.alpha)
    cosine = np.clip((one.normal * other.normal).sum(axis=-1), -1.0, 1.0)
    found = (
        float(np.average(np.degrees(np.arccos(cosine)), weights=on)),
        float(np.average(np.abs(one.depth - other.depth) / other.depth, weights=on)),
        float(np.abs(one.alpha - other.alpha).mean()),
    )
    if all(value <= limit for value, limit in zip(found, APART, strict=True)):
        return ""
    angle, depth, alpha = found
    return f"differs from {heir} by {angle:.1f} degrees, {depth:.1%} of the depth, {alpha:.3f} of alpha"


@cache
def picture() -> Image:
    """720 x 1280 x 3 uint8 BGR of a person: the demo clip's first frame. Not of something drawn: of what a
    network takes for nobody it says nothing that counts."""
    clip = PACKAGE / "media" / "demo.mp4"
    try:
        with av.open(f"file:{clip}") as container:
            found = np.asarray(next(container.decode(video=0)).to_ndarray(format="bgr24"), np.uint8)
    except (av.error.FFmpegError, OSError, StopIteration):
        todo = "install live-relight again"
        raise EstimatorError("the demo clip", f"no picture in {clip}", todo=todo) from None
    found.setflags(write=False)
    return found
