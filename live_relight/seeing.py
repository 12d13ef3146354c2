"""The first half of the pipeline: frame -> geometry -> steady geometry, and the light that is there.

It remembers from frame to frame, so frames go through one after the other. Where it may, it does so in a
thread of its own (`ahead`): the next frame's geometry is worked out while light falls on this one, and a
processor's cores have no gaps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from .carry import Carrier
from .core import governor, presence, present, temporal
from .core.arrange import PresentState, step
from .core.frames import Frame, Geometry
from .core.look import Look
from .core.present import Present
from .core.stages import Estimator, Shader
from .threads import Ahead

LONG = 0.15
"""Seconds after which the network is asked again in any case: too much may have moved."""
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


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame, and what is known of it before our light falls on it."""

    frame: Frame
    geometry: Geometry | None = None
    """None: there is nothing to light."""
    smoothing: temporal.Smoothing | None = None
    """As Shader.shade takes it."""
    there: PresentState = field(default_factory=PresentState)
    someone: float = 0.0
    """How far light is faded in for somebody who is there, 0..1."""
    marks: dict[str, float] = field(default_factory=dict)
    """Seconds of each stage."""
    ready: float = 0.0
    """When it was, on time.perf_counter's clock."""


class Eyes:
    """Frames to what is seen of them. `shader`: whom it goes to; `level`: the quality that is worked at now.
    One thread at a time."""

    def __init__(
        self,
        estimator: Estimator,
        smoothing: temporal.Smoothing,
        shader: Shader,
        look: Callable[[], Look],
        level: Callable[[], str],
    ) -> None:
        self._estimator, self._smoothing, self._shader = estimator, smoothing, shader
        self._look, self._level = look, level
        self._carrier = Carrier()
        self._forget()

    def _forget(self) -> None:
        self._asked: Geometry | None = None
        self._since, self._when = 0, 0.0  # frames since the network was asked, and that frame's time
        self._state: temporal.TemporalState | None = None
        self._follows = False  # the last frame was worked on: smoothing may go on from it
        self._there, self._worked = PresentState(), 0
        self._found: Present | None = None
        self._presence = presence.PresenceState()

    def _geometry(self, frame: Frame) -> Geometry:
        """The network's word, or, where it is not asked about every frame, its last one moved."""
        level = self._level()
        self._since += 1
        due = self._since >= governor.EVERY.get(level, 1) or not 0 <= frame.time - self._when < LONG
        if self._asked is not None and not due:
            carried = self._carrier.carry(self._asked, frame.image)
            if carried is not None:
                return carried
        self._asked = self._estimator.estimate(frame.image, governor.SHARES[level])
        self._since, self._when = 0, frame.time
        return self._asked

    def see(self, frame: Frame) -> Seen:
        """The next frame. Raises EstimatorError."""
        if self._look().untouched:
            # Leave the picture and the processor alone. What was smoothed is out of date.
            self._forget()
            return Seen(frame, ready=time.perf_counter())
        start = time.perf_counter()
        geometry = self._geometry(frame)
        found = time.perf_counter()
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
        smoothed = time.perf_counter()
        steady = self._shader.ready(steady)
        ready = time.perf_counter()
        marks = {"estimate": found - start, "smooth": smoothed - found, "prepare": ready - smoothed}
        return Seen(frame, steady, smoothing, self._there, self._presence.share or 0.0, marks, ready)


class InTurn:
    """Frames of a supply as the eyes see them, when they are asked for."""

    def __init__(self, eyes: Eyes, supply: Supply) -> None:
        self._eyes, self._supply = eyes, supply

    @property
    def ended(self) -> bool:
        return self._supply.ended

    def take(self, timeout: float) -> Seen | None:
        """The next one; None: nothing came within `timeout` seconds, or there is no more. Raises what the
        supply or the eyes failed with."""
        frame = self._supply.take(timeout)
        self._supply.check()
        return None if frame is None else self._eyes.see(frame)

    def __enter__(self) -> InTurn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def ahead(eyes: Eyes, supply: Supply, limit: int | None) -> Ahead[Seen]:
    """As InTurn, in a thread of its own. `limit`: frames that it takes from the supply at most."""

    def seen(stopping: threading.Event) -> Iterator[Seen]:
        taken = 0
        while not stopping.is_set() and (limit is None or taken < limit):
            frame = supply.take(0.1)
            supply.check()
            if frame is not None:
                taken += 1
                yield eyes.see(frame)
            elif supply.ended:
                return

    return Ahead("geometry", seen)
