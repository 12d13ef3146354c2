"""The light network heard in the light pass: it corrects the light map of some of the lights."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from ..core import told
from ..core.frames import Geometry, Map
from ..core.lamps import Vector
from ..core.look import Look
from ..core.stages import Corrector
from .passes import Passes
from .targets import Size
from .tiles import Box


class Word(NamedTuple):
    """What the network said last."""

    of: tuple[Size, tuple[str, ...]] | None = None
    """Its (width, height), and the kinds of lights it was asked about."""
    said: Map | None = None
    """Corrector.stops."""
    frames: int = 0
    """That have gone by it."""
    time: float = 0.0
    """When, on time.monotonic's clock."""


NOTHING = Word()
HOLDS = 0.25
"""Seconds that a word is good for."""


class Hearing:
    """`open_net` opens the network, when it is first wanted; `learned`: how far it is heard where a look
    leaves that open, 0..1.

    `every`: it is asked in one of so many frames, and those between go by its last word: that is smooth and
    small, and a frame later nobody has moved far. For cameras.
    """

    def __init__(self, passes: Passes, learned: float, open_net: Callable[[], Corrector] | None) -> None:
        self._passes, self._learned, self._open = passes, learned, open_net
        self._net: Corrector | None = None
        self._word = NOTHING
        self.every = 1

    def ready(self) -> Corrector | None:
        """Opens it, so that no frame waits for it; None where there is none. Raises EstimatorError."""
        if self._net is None and self._open is not None:
            self._net = self._open()
        return self._net

    def forget(self) -> None:
        """The next frame has nothing to do with the last one."""
        self._word = NOTHING

    def close(self) -> None:
        if self._net is not None:
            self._net.close()

    def draw(
        self,
        boxes: list[Box],
        geometry: Geometry,
        look: Look,
        head: Vector,
        size: Size,
        draw: Callable[[Look, str], None],
    ) -> bool:
        """Draws the light map as the light network has it, where that is wanted; False: nothing is drawn.
        `draw`: draws that of some of the lights onto a target; `size`: (width, height) of the picture."""
        strength = self._learned if look.learned is None else look.learned
        some = told.heard(look) if strength and self._open else None
        if some is None:
            self.forget()
            return False
        net, others = self.ready(), told.others(look)
        assert net is not None
        of = net.size(size), tuple(light.kind for light in some.lights)
        self._passes.fit_learned(of[0], look.ambient)
        draw(some, "hearing")
        last, now = self._word, time.monotonic()
        good = last.of == of and last.frames < self.every and now - last.time < HOLDS
        again = last.said if good else None
        small = self._passes.heard() if again is None else None
        if others is not None:
            draw(others, "passing")  # a card does that while the processor asks
        said = net.stops(small, geometry, some, head, size) if small is not None else again
        assert said is not None
        self._word = last._replace(frames=last.frames + 1) if small is None else Word(of, said, 1, now)
        self._passes.draw_learned(boxes, said, strength, others is not None)
        return True
