"""The loop, written against the protocols only: frame -> geometry -> steady geometry -> light -> sinks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from .core import governor, presence, temporal, told
from .core.arrange import PresentState, arrange
from .core.errors import EstimatorError, SinkError
from .core.frames import Frame, Image
from .core.look import Look
from .core.stages import Estimator, Shader, Sink
from .core.stats import Stats
from .seeing import Eyes, InTurn, Seen, Supply, ahead


class Pipeline:
    """Owns nothing but the smoothing state; stages are opened and closed by whoever passes them."""

    def __init__(
        self,
        estimator: Estimator,
        shader: Shader,
        sinks: Sequence[Sink],
        look: Callable[[], Look],
        smoothing: temporal.Smoothing,
        quality: str = "high",
        learns: bool = False,
        learned: float | None = None,
        ahead: bool | None = None,
    ) -> None:
        """`quality`: a level, or "auto"; `learns`: where that is governed, and a look leaves it open, the
        shader's light network is heard while there is room for it; `learned`: how far whatever the look says,
        0..1; None: as it says. `ahead`: geometry of the next frame is worked out while light falls on this
        one; None: where the light is on the processor and that has more than one core."""
        self._shader, self._sinks, self._look = shader, list(sinks), look
        self._eyes = Eyes(estimator, smoothing, shader, look, lambda: self.quality)
        # What a card keeps of a frame's geometry is good until the next one's.
        self._ahead = cores() > 1 and not shader.steadies if ahead is None else ahead
        self._used = 0.0
        # Steady by itself, light is on a card: what carries geometry on the processor saves nothing there.
        self._rungs: tuple[str, ...] = governor.RUNGS[1:] if shader.steadies else governor.RUNGS
        self._governed = quality == "auto"
        self._governor = governor.GovernorState("high" if self._governed else quality)
        self._learns, self._heard = learns and self._governed, 0.0
        self._learned = learned
        self._last: Frame | None = None
        self.stats = Stats()
        self.there: PresentState | None = None
        """The light that is there, as the last frame had it that light was drawn on."""
        self.lost: list[SinkError] = []
        """What the sinks that were lost on the way died of."""
        self.notes: list[str] = []
        """What else is to be told: the light network has failed, and it goes on without."""

    @property
    def quality(self) -> str:
        """The level that is worked at now."""
        return self._governor.level

    @property
    def least(self) -> str:
        """The lowest level that the governor goes down to."""
        return self._rungs[0]

    def _hearing(self, look: Look, time: float) -> Look:
        """The look, with how far the light network is heard in the frame of a time where that is open."""
        if self.notes:
            return replace(look, learned=0.0)
        if self._learned is not None:
            return replace(look, learned=self._learned)
        if not self._learns or look.learned is not None:
            self._heard = 0.0
            return look
        passed = time - self._last.time if self._last else 0.0
        self._heard = governor.heard(self._heard, self.quality, passed)
        return replace(look, learned=self._heard)

    def _shade(self, seen: Seen, look: Look) -> Image:
        """Without the light network, from now on, if it fails."""
        assert seen.geometry is not None
        steps = governor.shadow_steps(self.quality, card=self._shader.coarsens)
        there = steps, seen.there.present, seen.smoothing, self.quality in governor.FINE
        try:
            return self._shader.shade(seen.frame.image, seen.geometry, look, *there)
        except EstimatorError as error:
            if self.notes:
                raise
            self.notes.append(f"the light goes on without its network: {error}")
            self._learns = False
            if self.quality == governor.LEARNED:
                self._governor = governor.silenced(self._governor, time.monotonic())
            return self._shader.shade(seen.frame.image, seen.geometry, replace(look, learned=0.0), *there)

    def process(self, frame: Frame, marks: dict[str, float]) -> Frame:
        """One frame through; `marks` receives the seconds of each stage."""
        return self._light(self._eyes.see(frame), marks)

    def _light(self, seen: Seen, marks: dict[str, float]) -> Frame:
        """The second half: our light, as the look is now."""
        look = self._look()
        if look.untouched or seen.geometry is None:
            return seen.frame
        start, frame = time.perf_counter(), seen.frame
        marks.update(seen.marks)
        if self._ahead:
            marks["wait"] = start - seen.ready
        self.there = seen.there
        look = presence.faded(arrange(self._hearing(look, frame.time), seen.there), seen.someone)
        image = self._shade(seen, look)
        marks["shade"] = time.perf_counter() - start
        return replace(frame, image=image)

    def send(self, frame: Frame) -> None:
        """To every sink. One that is lost is closed and the others go on; the last one lost raises."""
        for sink in list(self._sinks):
            try:
                sink.send(frame)
            except SinkError as error:
                if len(self._sinks) == 1:
                    raise
                self._sinks.remove(sink)
                self.lost.append(error)
                sink.close()

    def run(
        self,
        supply: Supply,
        *,
        live: bool,
        limit: int | None,
        stop: threading.Event,
        tick: Callable[[Stats], None],
    ) -> Stats:
        """Until `stop`, `limit` frames out, or the supply's end. `live`: frame times are on the monotonic
        clock, so latency means something. `tick` is called after every frame and at least twice a second."""
        stats = self.stats
        left = None if limit is None else limit - stats.frames_out
        with ahead(self._eyes, supply, left) if self._ahead else InTurn(self._eyes, supply) as sight:
            while not stop.is_set() and (limit is None or stats.frames_out < limit):
                seen = sight.take(0.4)
                if seen is None:
                    if sight.ended:
                        break
                    tick(stats)
                    continue
                self._pass_on(seen, live)
                stats.dropped = supply.dropped
                stats.frames_in = stats.frames_out + stats.dropped
                tick(stats)
        return stats

    def _pass_on(self, seen: Seen, live: bool) -> None:
        """Lights a frame, sends it and counts it."""
        marks: dict[str, float] = {}
        out = self._light(seen, marks)
        start = time.perf_counter()
        self.send(out)
        marks["send"] = time.perf_counter() - start
        now, busy = time.monotonic(), self._busy(marks)
        self.stats.frame(now, marks, now - seen.frame.time if live else None)
        self.stats.quality = governor.LEARNED if self._hears else self.quality
        if live:
            self._govern(seen.frame, now, busy)

    def _busy(self, marks: dict[str, float]) -> governor.Busy:
        """Seconds that a frame takes."""
        if not self._ahead:
            return governor.Busy(sum(marks.values()))
        used, self._used = self._used, time.process_time()
        first = sum(marks.get(name, 0.0) for name in ("estimate", "smooth", "prepare"))
        second = marks.get("shade", 0.0) + marks["send"]
        return governor.Busy((self._used - used) / cores() if used else 0.0, first, second)

    def _govern(self, frame: Frame, now: float, busy: governor.Busy) -> None:
        """The time there is for a frame is what passes between two that the source makes, taken or not."""
        last, self._last = self._last, frame
        if not self._governed or last is None or frame.index <= last.index:
            return
        if self._look().untouched:  # frames that pass through say nothing of those that do not
            return
        interval = (frame.time - last.time) / (frame.index - last.index)
        if interval <= 0:
            return
        rungs = self._rungs
        if not self._shader.halves and self.quality != "coarse":
            rungs = tuple(rung for rung in rungs if rung != "coarse")
        if self._open_to_learn:
            rungs = (*rungs, governor.LEARNED)
        elif self.quality == governor.LEARNED:
            self._governor = governor.silenced(self._governor, now)
        self._governor = governor.step(self._governor, now, busy, interval, rungs)

    @property
    def _hears(self) -> bool:
        """Whether the light network is heard at `high` because somebody wants it always."""
        return bool(self._learned) and not self.notes and self.quality == "high"

    @property
    def _open_to_learn(self) -> bool:
        """Whether the light network would have anything to say here, and nothing else says how far."""
        look = self._look()
        return self._learns and look.learned is None and told.heard(look) is not None


def cores() -> int:
    """Processor cores that this program may use."""
    ask = getattr(os, "sched_getaffinity", None)
    return len(ask(0)) if ask else os.cpu_count() or 1
