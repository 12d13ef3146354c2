"""Counting and timing, as plain values: the clock is read elsewhere and handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


def percentiles(seconds: list[float]) -> dict[str, float]:
    """{'p50', 'p95', 'p99'} in milliseconds, 0 when empty."""
    if not seconds:
        return {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    values = np.percentile(np.asarray(seconds) * 1e3, (50, 95, 99))
    return {name: round(float(v), 2) for name, v in zip(("p50", "p95", "p99"), values, strict=True)}


@dataclass
class Stats:
    """One run's counts. `history` bounds memory: percentiles are over the last so many frames."""

    history: int = 3000
    frames_in: int = 0
    frames_out: int = 0
    dropped: int = 0
    quality: str = "high"
    """How fine the geometry is just now (governor.py)."""
    started: float = 0.0
    finished: float = 0.0
    stages: dict[str, deque[float]] = field(default_factory=dict)
    latency: deque[float] = field(default_factory=deque)
    _recent: deque[float] = field(default_factory=deque)

    def frame(self, now: float, stages: Mapping[str, float], latency: float | None) -> None:
        """One frame went out at `now` (s); `stages` seconds each; `latency` capture to sink, None when the
        source has no live clock."""
        if not self.frames_out:
            # The clock starts with the first frame's work: opening a camera is not part of the speed.
            self.started = now - sum(stages.values())
        self.frames_out += 1
        self.finished = now
        for name, value in stages.items():
            self.stages.setdefault(name, deque(maxlen=self.history)).append(value)
        if latency is not None:
            self.latency = self.latency if self.latency.maxlen else deque(maxlen=self.history)
            self.latency.append(latency)
        self._recent.append(now)
        while len(self._recent) > 2 and now - self._recent[0] > 2.0:
            self._recent.popleft()

    @property
    def fps(self) -> float:
        """Over the whole run."""
        span = self.finished - self.started
        return self.frames_out / span if span > 0 else 0.0

    @property
    def fps_now(self) -> float:
        """Over the last two seconds."""
        if len(self._recent) < 2:
            return 0.0
        span = self._recent[-1] - self._recent[0]
        return (len(self._recent) - 1) / span if span > 0 else 0.0

    @property
    def latency_now(self) -> float:
        """Median capture-to-sink seconds of the last 30 frames; 0 when unknown."""
        recent = list(self.latency)[-30:]
        return float(np.median(recent)) if recent else 0.0

    def summary(self) -> dict[str, object]:
        """One JSON-able object; milliseconds."""
        return {
            "frames_in": self.frames_in,
            "frames_out": self.frames_out,
            "dropped": self.dropped,
            "repeated": 0,
            "fps": round(self.fps, 2),
            "quality": self.quality,
            "stages_ms": {name: percentiles(list(values)) for name, values in self.stages.items()},
            "latency_ms": percentiles(list(self.latency)),
        }
