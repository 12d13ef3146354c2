"""What `run` tells of itself on the way: figures for programs, and what was lost, for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from .core.errors import LiveRelightError
from .core.governor import RUNGS
from .core.paths import reason
from .core.stats import Stats
from .pipeline import Pipeline


class StatsWriter:
    """JSON lines for programs: one a second and a summary at the end. A disk that fills up ends the
    statistics, not the picture."""

    def __init__(self, path: Path | None) -> None:
        self.failure = ""
        self._path = path
        self._file: IO[str] | None = None
        self._next = 0.0
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8", buffering=1)
            except OSError as error:
                raise LiveRelightError(
                    f"--stats {path}", reason(error), "a file that can be written"
                ) from None

    def tick(self, stats: Stats, now: float) -> None:
        if self._file is not None and now >= self._next:
            self._next = now + 1.0
            self._write({"time": round(now, 3), "fps_now": round(stats.fps_now, 2), **stats.summary()})

    def finish(self, stats: Stats) -> None:
        self._write({"summary": True, **stats.summary()})
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        self._file = None

    def _write(self, record: dict[str, object]) -> None:
        if self._file is None or self.failure:
            return
        try:
            self._file.write(json.dumps(record) + "\n")
        except OSError as error:
            self.failure = f"--stats {self._path}, got {error.strerror}"


class Problems:
    """What is lost on the way while the run goes on: each is said once, as soon as it is known."""

    def __init__(self, pipeline: Pipeline, writer: StatsWriter, say: Callable[[str], None]) -> None:
        self.said: list[str] = []
        self._noted = 0
        self._pipeline, self._writer, self._say = pipeline, writer, say

    def tell(self) -> None:
        for note in self._pipeline.notes[self._noted :]:
            self._say(f"light   {note}")
        self._noted = len(self._pipeline.notes)
        for problem in filter(None, [*map(str, self._pipeline.lost), self._writer.failure]):
            if problem not in self.said:
                self.said.append(problem)
                self._say(f"live-relight: lost on the way: {problem}")


class Pace:
    """Says once that the camera's rate is not kept, where nothing is left that could be made less of. To be
    told of every frame; `quality`: as asked for, a level or "auto"; `least`: where that ends."""

    LONG, SHARE = 10.0, 0.1
    """Seconds of which so much is dropped before it is said."""
    RATES = (25, 20, 15, 12, 10, 8, 6, 5)

    def __init__(self, quality: str, say: Callable[[str], None], least: str = RUNGS[0]) -> None:
        self._quality, self._say, self._least = quality, say, least
        self._since: tuple[float, int, int] | None = None
        self._said = False

    def tick(self, stats: Stats, now: float) -> None:
        if self._said:
            return
        least = self._quality != "auto" or stats.quality == self._least
        if self._since is None or not least:
            self._since = (now, stats.frames_out, stats.dropped) if least else None
            return
        then, out, dropped = self._since
        if now - then < self.LONG:
            return
        out, dropped = stats.frames_out - out, stats.dropped - dropped
        if out and dropped > self.SHARE * (out + dropped):
            self._said = True
            self._say(self._line(out / (now - then), (out + dropped) / (now - then)))
        self._since = (now, stats.frames_out, stats.dropped)

    def _line(self, kept: float, rate: float) -> str:
        fits = next((f"--fps {r}" for r in self.RATES if r <= kept), f"--fps {max(int(kept), 1)}")
        governed = self._quality == "auto"
        level, easier = (self._least, "") if governed else (self._quality, "--quality auto, ")
        level = {"sparse": "low, the network in every second frame"}.get(level, level)
        return (
            f"speed   {kept:.0f} of {rate:.0f} frames a second is all that this machine does at quality "
            f"{level}; try {easier}{fits} or a smaller --size"
        )
