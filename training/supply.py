"""A training's batches: drawn ahead in a thread, or cut on the card, until the schedule ends."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.card import DevicePool
from training.data import Pool, draw_batch
from training.device import Place
from training.schedule import PHASES, phase_at

if TYPE_CHECKING:
    from training.train import TrainConfig


class Progress:
    """How far the schedule is, 0..1, by steps or by the clock (time of earlier sittings included)."""

    def __init__(self, config: TrainConfig, spent: float) -> None:
        self.config, self.spent, self.begin = config, spent, time.monotonic()

    def seconds(self) -> float:
        """Seconds trained so far."""
        return self.spent + time.monotonic() - self.begin

    def __call__(self, step: int) -> float:
        """Share of the schedule that is done."""
        if self.config.minutes > 0:
            done = self.seconds() / (60 * self.config.minutes)
        else:
            done = step / self.config.steps
        return min(self.config.begin + (1 - self.config.begin) * done, 1.0)


def plan(config: TrainConfig, share: float, step: int, rank: int) -> tuple[np.random.Generator, int, tuple]:
    """Chance, number of pictures and their size (width, height) for a step: a function of its arguments.
    Every process has other pictures."""
    phase = phase_at(share, PHASES).zoomed(config.zoom)
    size = phase.sizes[int(np.random.default_rng([config.seed, 4, step]).integers(len(phase.sizes)))]
    return np.random.default_rng([config.seed, 3, step, rank]), phase.batch * config.times, size


def drawn_there(
    config: TrainConfig, pool: DevicePool, progress: Progress, step: int, place: Place
) -> Generator[dict, None, None]:
    """Batches cut where the network is."""
    while True:
        rng, count, size = plan(config, progress(step), step, place.rank)
        yield pool.draw(rng, count, size, config.heads, config.empty, config.hands)
        step += 1


def batches(
    config: TrainConfig, pool: Pool, progress: Progress, step: int, stop: threading.Event, place: Place
) -> Generator[dict, None, None]:
    """Batches drawn ahead in a thread."""
    ready: queue.Queue = queue.Queue(maxsize=3)

    def hand(item: dict | Exception) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def fill() -> None:
        at = step
        try:
            while not stop.is_set():
                if at % 100 == 0:
                    pool.refresh()
                rng, count, size = plan(config, progress(at), at, place.rank)
                shares = config.heads, config.joint, config.empty, config.hands
                hand(draw_batch(rng, pool, count, size, *shares))
                at += 1
        except Exception as error:  # handed to the loop, which raises it
            hand(error)

    worker = threading.Thread(target=fill, name="batches", daemon=True)
    worker.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:  # a thread that is still at work when the program ends takes it down
        stop.set()
        worker.join()


def supply_of(
    config: TrainConfig, progress: Progress, step: int, stop: threading.Event, place: Place
) -> tuple[Generator[dict, None, None], int]:
    """Batches from `step` on, and the number of pictures that they are drawn from."""
    if place.card:
        there = DevicePool(Path(config.data), place.device, (place.rank, place.count))
        return drawn_there(config, there, progress, step, place), len(there)
    pool = Pool.open(Path(config.data))
    return batches(config, pool, progress, step, stop, place), len(pool.index)
