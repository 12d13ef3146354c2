"""The protocols that the pipeline is written against. Each is a few methods and `close`.

`close` may be called twice, from any state, and never raises for a thing already gone.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from . import shadow
from .frames import Frame, Geometry, Image, Map
from .lamps import Vector
from .look import Look
from .present import Present
from .temporal import Smoothing


@runtime_checkable
class Source(Protocol):
    """Where pictures come from. `read` blocks until the next picture; it is called from one thread."""

    name: str
    """For people: 'camera 0 (HD Webcam)', 'clip walk.mp4'."""
    live: bool
    """True where pictures arrive at their own pace and late ones are lost (a camera)."""
    fps: float
    """Nominal frames per second, > 0."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames that `read` returns."""
        ...

    def read(self) -> Frame | None:
        """The next frame, always of `size`; None at the end. Raises SourceError when it fails."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Estimator(Protocol):
    """Picture to geometry. Pure apart from its loaded network: nothing is remembered between frames."""

    name: str

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        """`image` H x W x 3 uint8 BGR of any size >= 1 x 1. `share`: how much of the usual area to work on,
        0..1; the geometry is that much smaller and comes sooner."""
        ...

    def close(self) -> None: ...


class Corrector(Protocol):
    """What knows better how our lights fall."""

    def size(self, frame: tuple[int, int]) -> tuple[int, int]:
        """(width, height) that it works at for a picture of (width, height)."""
        ...

    def stops(
        self, factors: Map, geometry: Geometry, look: Look, head: Vector, frame: tuple[int, int]
    ) -> Map:
        """h x w x 2 float32 of its own size: by how many stops (log2) the light of our lamps is more or less,
        and how much may come there (told.corrected).

        factors: h x w x 4, the light map of `look` at its own size: factors, and the share of the light
        that is there (told.lamps_share). `look` has lights of told.HEARD alone. `head`: where lamps are
        placed round; `frame`: (width, height) of the picture."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Shader(Protocol):
    """Picture, geometry and lights to the relit picture. Owned by the thread that made it."""

    name: str
    steadies: bool
    """True where it smooths geometry over time itself; else it is to be given steady geometry."""
    coarsens: bool
    """True where a light map that is not `fine` is smaller."""

    @property
    def halves(self) -> bool:
        """True where `fine` False makes pictures like the last one coarser at all."""
        ...

    def ready(self, geometry: Geometry) -> Geometry:
        """The same geometry with what can be worked out of it before its picture is lit, in any thread, so
        that `shade` need not: geometry as `shade` takes it. Itself where there is nothing to gain."""
        ...

    def shade(
        self,
        image: Image,
        geometry: Geometry,
        look: Look,
        steps: int = shadow.STEPS,
        present: Present | None = None,
        smoothing: Smoothing | None = None,
        fine: bool = True,
    ) -> Image:
        """Returns a new H x W x 3 uint8 BGR picture of the input's size. `steps`: that a shadow is marched
        in; `present`: the light that is there, None: not known. `smoothing`, where it `steadies`: of geometry
        that comes as the estimator gave it; None: what it was given before has nothing to do with this.
        `fine` False: the light may be worked out at half the size, where it `coarsens`, else the edge of the
        person may."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Sink(Protocol):
    """Where relit frames go. `send` does not keep a reference to `frame.image` after it returns,
    unless it never writes into it."""

    name: str
    live: bool
    """True where somebody watches now (virtual camera, web): being late is worse than being lossy."""

    def send(self, frame: Frame) -> None:
        """Raises SinkError when the output is lost for good (disk full, device gone)."""
        ...

    def close(self) -> None:
        """Finishes the output, so that a file is playable."""
        ...
