"""Which card is used, if any: each that may be is tried beside the processor, and raced against it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from ..core.stages import Estimator
from . import fallback
from .fallback import FallbackEstimator, Say, warn
from .network import Network
from .onnx import OnnxEstimator
from .providers import Provider

APART = (2.0, 0.02, 0.02)
"""How far from the CPU's results a card's may be, in the mean: degrees, share of the depth, alpha."""
PASSED_OVER = "is not used"
"""In the line about a card that failed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be faster than the CPU. `name`: for --engine; `make`: opens it, or raises EstimatorError;
    `first`: seconds that the first frame of a size may take."""

    name: str
    make: Callable[[], Estimator]
    first: float = fallback.FIRST


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
            fault = trial(fast, slow)
            if not fault and pick:
                lost = slower(fast, slow)
        except EstimatorError as error:
            fault = str(error)
        if fault:
            say(f"--engine {candidate.name} {PASSED_OVER}: {fault}")
        elif lost and note is not None:
            note(f"--engine {candidate.name} works and {PASSED_OVER}: {lost}")
        elif not lost:
            return FallbackEstimator(fast, lambda: slow, say, candidate.first)
    return slow


def _through(provider: Provider, network: Network, threads: int) -> Candidate:
    # What compiles for one size may take its time at a new one; the others have no excuse.
    first = fallback.FIRST if provider.fixed else fallback.RESIZED
    return Candidate(provider.name, lambda: OnnxEstimator(network, threads, provider), first)


def trial(fast: Estimator, slow: Estimator) -> str:
    """Why `fast` is not to be used, '' where it is: it fails, hangs, or gives other results than `slow`.
    Closes it then."""
    picture = _picture()
    helper = fallback.Helper(fast)
    try:
        fault = _difference(helper.estimate(picture, 1.0, fallback.FIRST), slow.estimate(picture))
    except EstimatorError as error:
        fault = str(error)
    helper.end(close=bool(fault))
    return fault


def slower(fast: Estimator, slow: Estimator) -> str:
    """Why `fast` loses, '' where it wins, by the medians of a few frames each. Closes it where it loses.
    Raises EstimatorError, with `fast` closed as well, where it fails or hangs after all."""
    picture, helper = _picture(), fallback.Helper(fast)
    try:
        taken = _seconds(lambda: helper.estimate(picture, 1.0, fallback.RESIZED))
        needed = _seconds(lambda: slow.estimate(picture))
    except BaseException:
        helper.end()
        raise
    helper.end(close=taken >= needed, patience=fallback.ENDING)
    if taken < needed:
        return ""
    return f"{taken * 1e3:.1f} ms for a frame's geometry, the CPU needs {needed * 1e3:.1f}"


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
