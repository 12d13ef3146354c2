"""The loop, written against the protocols only: frame -> geometry -> steady geometry -> light -> sinks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from .core import governor, presence, present, temporal, told
from .core.arrange import PresentState, arrange, step
from .core.errors import EstimatorError, SinkError
from .core.frames import Frame, Geometry, Image
from .core.look import Look
from .core.present import Present
from .core.stages import Estimator, Shader, Sink
from .core.stats import Stats

LOOK_EVERY = 16
"""Frames from one fit of the light that is there to the next; what follows it moves in every frame."""


class Supply(Protocol):
    """Where the loop gets its frames: the newest one, or every one in turn."""

    @property
    def ended(self) -> bool: ...

    @property
    def dropped(self) -> int: ...

    def take(self, timeout: float) -> Frame | None: ...

    def check(self) -> None:
        """Raises what the reading thread died of."""
        ...


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
    ) -> None:
        """`quality`: a level, or "auto"; `learns`: where that is governed, and a look leaves it open, the
        shader's light network is heard while there is room for it; `learned`: how far whatever the look says,
        0..1; None: as it says."""
        self._estimator, self._shader, self._sinks = estimator, shader, list(sinks)
        self._look, self._smoothing = look, smoothing
        self._state: temporal.TemporalState | None = None
        self._follows = False  # the last frame was worked on: smoothing may go on from it
        self._there, self._worked = PresentState(), 0
        self._found: Present | None = None
        self._presence = presence.PresenceState()
        self._governed = quality == "auto"
        self._governor = governor.GovernorState("high" if self._governed else quality)
        self._learns, self._heard = learns and self._governed, 0.0
        self._learned = learned
        self._last: Frame | None = None
        self.stats = Stats()
        self.lost: list[SinkError] = []
        """What the sinks that were lost on the way died of."""
        self.notes: list[str] = []
        """What else is to be told: the light network has failed, and it goes on without."""

    @property
    def quality(self) -> str:
        """The level that is worked at now."""
        return self._governor.level

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

    def _shade(
        self, image: Image, geometry: Geometry, look: Look, smoothing: temporal.Smoothing | None
    ) -> Image:
        """Without the light network, from now on, if it fails."""
        steps = governor.shadow_steps(self.quality, card=self._shader.coarsens)
        fine, there = self.quality in governor.FINE, self._there.present
        try:
            return self._shader.shade(image, geometry, look, steps, there, smoothing, fine)
        except EstimatorError as error:
            if self.notes:
                raise
            self.notes.append(f"the light goes on without its network: {error}")
            self._learns = False
            if self.quality == governor.LEARNED:
                self._governor = governor.silenced(self._governor, time.monotonic())
            return self._shader.shade(
                image, geometry, replace(look, learned=0.0), steps, there, smoothing, fine
            )

    def process(self, frame: Frame, marks: dict[str, float]) -> Frame:
        """One frame through; `marks` receives the seconds of each stage."""
        look = self._look()
        if look.untouched:
            # Nothing to light: leave the picture and the processor alone. What was smoothed is out of date.
            self._state, self._there, self._follows = None, PresentState(), False
            self._found = None
            self._presence = presence.PresenceState()
            return frame
        start = time.perf_counter()
        geometry = self._estimator.estimate(frame.image, governor.SHARES[self.quality])
        seen = time.perf_counter()
        # What a shader smooths stays raw here: the light that is there, and whether anybody is, are smoothed
        # over longer anyway.
        steady, smoothing = geometry, self._smoothing if self._follows else None
        if not self._shader.steadies:
            self._state, steady = temporal.step(self._state, geometry, self._smoothing)
        self._follows = True
        # Smoothed over seconds as it is, the light that is there need not be looked at in every frame.
        self._worked += 1  # not the frame's own number: dropped ones would leave gaps there
        if self._there.present is None or self._worked % LOOK_EVERY == 0:
            self._found = present.fit(steady)
        self._there = step(self._there, self._found, frame.time)
        self._presence = presence.step(self._presence, presence.seen(steady), frame.time)
        look = presence.faded(
            arrange(self._hearing(look, frame.time), self._there), self._presence.share or 0.0
        )
        smooth = time.perf_counter()
        image = self._shade(frame.image, steady, look, smoothing)
        done = time.perf_counter()
        marks.update(estimate=seen - start, smooth=smooth - seen, shade=done - smooth)
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
        while not stop.is_set() and (limit is None or stats.frames_out < limit):
            frame = supply.take(0.4)
            supply.check()
            if frame is None:
                if supply.ended:
                    break
                tick(stats)
                continue
            marks: dict[str, float] = {}
            out = self.process(frame, marks)
            start = time.perf_counter()
            self.send(out)
            marks["send"] = time.perf_counter() - start
            now = time.monotonic()
            stats.dropped = supply.dropped
            stats.frame(now, marks, now - frame.time if live else None)
            stats.quality = governor.LEARNED if self._hears else self.quality
            if live:
                self._govern(frame, now, sum(marks.values()))
            stats.frames_in = stats.frames_out + stats.dropped
            tick(stats)
        return stats

    def _govern(self, frame: Frame, now: float, busy: float) -> None:
        """The time there is for a frame is what passes between two that the source makes, taken or not."""
        last, self._last = self._last, frame
        if not self._governed or last is None or frame.index <= last.index:
            return
        interval = (frame.time - last.time) / (frame.index - last.index)
        if interval <= 0:
            return
        rungs = governor.RUNGS if self._shader.coarsens else governor.GRID_RUNGS
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
