"""The library's front door: relight pictures from Python."""

from __future__ import annotations

import math
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np

from . import environments, presets
from .core import mirror, presence, present, temporal
from .core.arrange import PresentState, arrange, step
from .core.errors import LiveRelightError
from .core.frames import Frame, Geometry, Image
from .core.governor import SHARES
from .core.light import Light
from .core.look import Look
from .core.settings import LOOK_FIELDS, Settings
from .core.shadow import MOST_STEPS
from .geometry import light_net, open_estimator
from .shade.opengl import OpenGLShader
from .threads import Ahead


def look_of(settings: Settings) -> Look:
    """The preset of the settings with what the settings replace in it. Raises UsageError."""
    look = presets.load(settings.preset).look
    given = {n: getattr(settings, n) for n in LOOK_FIELDS}
    changes = {n: v for n, v in given.items() if v is not None}
    if settings.ambient is not None and settings.background is None:
        changes["background"] = None  # --ambient speaks of the whole picture
    if settings.light is not None:
        changes["lights"] = settings.light
    return environments.check(replace(look, **changes) if changes else look)


class Relighter:
    """Geometry and light for single pictures, and for clips frame after frame (`follow`). Belongs to the
    thread that made it; close it or use `with`.

    Frames are H x W x 3 uint8 BGR (OpenCV's order). `learned`: how far the light network is heard where
    settings and preset leave that open, 0..1.
    """

    def __init__(self, settings: Settings | None = None, learned: float = 0.0) -> None:
        settings = settings or Settings()
        self._thread, self._open = threading.get_ident(), True
        self._ahead: Ahead[tuple[Frame, Geometry]] | None = None
        self._smoothing = settings.smoothing
        self._geometry: temporal.TemporalState | None = None
        self._there, self._somebody = PresentState(), presence.PresenceState()
        self.look = look_of(settings)
        if not (math.isfinite(learned) and 0.0 <= learned <= 1.0):
            raise LiveRelightError("learned", f"{learned:g}", "0..1")
        if learned if self.look.learned is None else self.look.learned:
            light_net.check()
        self._share = 1.0 if settings.quality == "auto" else SHARES[settings.quality]
        self._estimator = open_estimator(settings.engine)
        try:
            self._shader = OpenGLShader(learned=learned, light_net=light_net.LightNet)
        except BaseException:
            self._estimator.close()
            raise

    @property
    def name(self) -> str:
        return f"{self._estimator.name}, {self._shader.name}"

    def geometry(self, frame: Image, both_ways: bool = False) -> Geometry:
        """Depth, normals and alpha of the person, at the network's own size. `both_ways`: the middle of what
        is seen of the picture and of its mirror image, nearer to the truth for twice the time."""
        self._ready()
        return self._seen(frame, both_ways)

    def _seen(self, frame: Image, both_ways: bool) -> Geometry:
        found = self._estimator.estimate(_checked(frame), self._share)
        if not both_ways:
            return found
        other = self._estimator.estimate(mirror.mirrored_frame(frame), self._share)
        if other.size != found.size:  # a card came or went in between
            return found
        return mirror.between(found.sound(), mirror.mirrored(other.sound()))

    def relight(
        self, frame: Image, lights: Iterable[Light] | None = None, geometry: Geometry | None = None
    ) -> Image:
        """A new picture of the same size. `lights` replaces the preset's; `geometry` saves working it out.
        Raises LiveRelightError for what is no picture or no lights, after `close`, and in another thread."""
        self._ready()
        look = self.look if lights is None else replace(self.look, lights=_listed(lights))
        frame = _checked(frame)
        # The half of a picture that came with it may be another picture's, or this one's before a change.
        geometry = replace(geometry.sound(), half=None) if geometry else self.geometry(frame)
        there = step(PresentState(), present.fit(geometry), 0.0)
        look = presence.faded(arrange(look, there), presence.seen(geometry))
        return self._shader.shade(frame, geometry, look, MOST_STEPS, there.present)

    def follow(self, frame: Image, time: float, both_ways: bool = False) -> tuple[Image, Geometry]:
        """The next frame of one clip relit, and its geometry, both steady: what is seen, the light that is
        there and whether anybody is are smoothed from frame to frame, as `run` does. `time`: the frame's, in
        seconds, rising; `restart` comes before another clip; `both_ways` as in `geometry`. Raises as
        `relight`."""
        return self._lit(frame, time, self.geometry(frame, both_ways))

    def clip(
        self, frames: Iterable[Frame], both_ways: bool = False
    ) -> Generator[tuple[Frame, Image, Geometry]]:
        """Every frame of one clip, as it is, relit, and its geometry, as `follow` does it: the next frame is
        read and looked at in a thread while light falls on this one, so `frames` is gone through there, and
        each has a picture of its own. Until it is at its end or closed nothing else may be asked of this
        Relighter. Raises as `relight`, and what `frames` raises."""
        self._ready()
        return self._clip(frames, both_ways)

    def _clip(self, frames: Iterable[Frame], both_ways: bool) -> Generator[tuple[Frame, Image, Geometry]]:
        def seen(stopping: threading.Event) -> Iterator[tuple[Frame, Geometry]]:
            for frame in frames:
                yield frame, self._seen(frame.image, both_ways)

        self._ready()
        self.restart()
        try:
            with Ahead("geometry", seen) as self._ahead:
                while not self._ahead.ended:
                    found = self._ahead.take(0.4)
                    self._ready(during=True)
                    if found is not None:
                        yield found[0], *self._lit(found[0].image, found[0].time, found[1])
        finally:
            self._ahead = None

    def _lit(self, frame: Image, time: float, found: Geometry) -> tuple[Image, Geometry]:
        self._geometry, steady = temporal.step(self._geometry, found, self._smoothing)
        self._there = step(self._there, present.fit(steady), time)
        self._somebody = presence.step(self._somebody, presence.seen(steady), time)
        look = presence.faded(arrange(self.look, self._there), self._somebody.share or 0.0)
        lit = self._shader.shade(_checked(frame), steady, look, MOST_STEPS, self._there.present)
        return lit, steady

    def restart(self) -> None:
        """Forgets what `follow` has seen."""
        self._geometry, self._there = None, PresentState()
        self._somebody = presence.PresenceState()

    def _ready(self, during: bool = False) -> None:
        """`during`: the call is a clip's own."""
        if not self._open:
            raise LiveRelightError("Relighter", "a call after close()", "one that is open")
        if self._ahead is not None and not during:
            raise LiveRelightError("Relighter", "a call during clip()", "one after its end")
        if threading.get_ident() != self._thread:
            todo = "make one in the thread that uses it"
            raise LiveRelightError("Relighter", "a call from another thread", "the one that made it", todo)

    def close(self) -> None:
        self._open = False
        if self._ahead is not None:  # a clip that nobody went through to its end
            self._ahead.close()
        self._shader.close()
        self._estimator.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _listed(lights: Iterable[Light]) -> tuple[Light, ...]:
    found = tuple(lights) if isinstance(lights, Iterable) else ()
    if not isinstance(lights, Iterable) or not all(isinstance(light, Light) for light in found):
        raise LiveRelightError("lights", f"{lights!r:.60}", 'a list, as in [Light.of("key", az=-60)]')
    return found


def _checked(frame: Image) -> Image:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        got = f"{getattr(frame, 'dtype', type(frame).__name__)} {getattr(frame, 'shape', '')}"
        raise LiveRelightError("frame", got, "a NumPy array H x W x 3 uint8 BGR", "cv2.cvtColor converts")
    if not frame.size:
        raise LiveRelightError("frame", f"an empty picture {frame.shape}", "at least 1 x 1 pixel")
    return np.ascontiguousarray(frame)
