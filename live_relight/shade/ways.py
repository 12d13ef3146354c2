"""How geometry gets to the light pass: three ways that give the same, and the quickest of them here.

CUDA-GL interop   the network's own output is copied into textures on the card and refined there (refine.py)
upload + GL       the host's arrays are uploaded as they are and refined on the card
CPU               the host smooths (core/temporal.py), makes the coefficients (guided.py) and uploads those

Which is quicker depends on card, driver and processor: the first frames go all ways that there are and are
timed, each way to its end; the others take the quickest. After that nothing is timed. Drivers differ: the
card's ways are taken only where they give what the processor gives.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import moderngl
import numpy as np
import numpy.typing as npt

from ..core import planes as plain
from ..core import temporal
from ..core.errors import LiveRelightError
from ..core.frames import Geometry, Map
from ..core.lamps import Vector
from ..core.projection import head_point
from ..core.temporal import Smoothing
from .refine import OFF, Refiner, Textures
from .tiles import SLACK, can_reach

Result = TypeVar("Result")
INTEROP, UPLOAD, CPU = WAYS = ("CUDA-GL interop", "upload + GL", "CPU")
WARM, TIMED = 1, 4
"""Frames that go all ways: the first ones compile and make things and are not counted."""
COMPARED = ("planes", "softened", "occluder", "contrast")
CLOSE, FEW = 0.02, 1e-3
"""Difference from the processor's, in parts of one and of the value, up to which a number is the same; share
of numbers that may be further off."""
LEAST, NEAR, FAR = 0.15, 0.004, 0.03
"""Of `settled`: least weight of a new place, and the distances between which it comes to count alone."""


@dataclass(frozen=True, slots=True)
class ToLight:
    """Which way geometry goes, and why."""

    way: str
    """One of WAYS; '' where it is not known yet."""
    ms: dict[str, float] = field(default_factory=dict)
    """Median milliseconds a frame of the ways that were tried."""
    not_used: dict[str, str] = field(default_factory=dict)
    """Why the others could not be."""

    def __str__(self) -> str:
        """'CPU (4.10 ms; upload + GL 5.00 ms; no CUDA-GL interop: ...)'"""
        own = [f"{self.ms[self.way]:.2f} ms"] if self.way in self.ms else []
        tried = [f"{way} {ms:.2f} ms" for way, ms in self.ms.items() if way != self.way]
        rest = "; ".join([*own, *tried, *(f"no {way}: {why}" for way, why in self.not_used.items())])
        return f"{self.way or 'not decided yet'}{f' ({rest})' if rest else ''}"


def quickest(taken: Mapping[str, Sequence[float]]) -> str:
    """The way whose median is least. `taken`: seconds by way, none empty; of equals the one named first."""
    return min(taken, key=lambda way: statistics.median(taken[way]))


def agrees(card: Map, host: Map) -> bool:
    """Whether numbers of any one shape are the same but for rounding; what is not finite is not."""
    apart = np.abs(card - host) > CLOSE * (1.0 + np.abs(host))
    return bool(np.isfinite(card).all() and apart.mean() <= FEW)


def settled(old: Vector | None, new: Vector) -> Vector:
    """Where lamps are placed round: a head at rest stays where it is although its outline flickers, one that
    moves is followed at once. Subject distances."""
    if old is None:
        return new
    t = min(max((float(np.linalg.norm(np.subtract(new, old))) - NEAR) / (FAR - NEAR), 0.0), 1.0)
    weight = LEAST + (1.0 - LEAST) * t * t * (3.0 - 2.0 * t)
    x, y, z = (a + (b - a) * weight for a, b in zip(old, new, strict=True))
    return x, y, z


class Ways:
    """Takes raw geometry, smooths it over time and has it in textures. Used with its context current.

    `textures`: what the light pass reads, by name, after `write`; empty where they are the host's own.
    """

    def __init__(
        self,
        ctx: moderngl.Context,
        upload: Callable[[Geometry], Map],
        own: Callable[[str], Any],
        no_interop: str = "",
        measured: bool = True,
    ) -> None:
        """`upload`: the last step of the CPU's way, returns the matte's coefficients; `own`: the textures
        that it fills, by name; `no_interop`: why there can be none; `measured` False: on the card wherever
        it works."""
        self._ctx, self._upload, self._own = ctx, upload, own
        self._refiner: Refiner | None = Refiner(ctx)
        self._state: temporal.TemporalState | None = None
        self._matte: Map | None = None
        self._head: Vector | None = None
        self._left = WARM + TIMED if measured else 0
        self._parts: dict[str, list[float]] = {}
        self._copies = not no_interop
        self._way = ""
        self._ms: dict[str, float] = {}
        self._not_used = {INTEROP: no_interop} if no_interop else {}
        self.textures: Textures = {}

    @property
    def report(self) -> ToLight:
        return ToLight(self._way, dict(self._ms), dict(self._not_used))

    def write(self, geometry: Geometry, smoothing: Smoothing | None) -> Geometry:
        """Returns what the host has of it: smoothed where the host did that, else as it came."""
        timed, host, self._matte = self._left > 0, geometry, None
        if timed or self._refiner is None:
            host = self._timed(CPU, lambda: self._on_host(geometry, smoothing))
        if self._refiner is not None:
            try:
                self._on_card(self._refiner, geometry, smoothing)
            except (LiveRelightError, moderngl.Error) as error:
                self._stay(f"it fails ({error})")
                host = host if timed else self._on_host(geometry, smoothing)
        if smoothing is None or not smoothing.enabled:
            self._head = None
        if timed:
            self._left -= 1
            if not self._left:
                self._compare(geometry)
                self._choose()
        return host

    def hit(self) -> npt.NDArray[np.bool_]:
        """h x w: where light may change the picture (tiles.can_reach)."""
        if self._refiner is not None:
            return self._refiner.reach()
        return can_reach(self.matte(), plain.CLEAR_LOW - SLACK)

    def matte(self) -> Map:
        """The matte's coefficients on the host: planes.coefficients' first."""
        if self._matte is None:
            assert self._refiner is not None
            self._matte = self._refiner.matte()
        return self._matte

    def head(self, host: Geometry, fov: float, frame: tuple[int, int]) -> Vector:
        """Where lamps are placed round; to be asked once a frame. `host`: from `write`; `frame`: (width,
        height) of the picture."""
        if self._refiner is None:
            return head_point(host, fov, frame)
        self._head = settled(self._head, head_point(host, fov, frame))
        return self._head

    def close(self) -> None:
        refiner, self._refiner, self.textures = self._refiner, None, {}
        if refiner is not None:
            refiner.close()

    def _on_host(self, geometry: Geometry, smoothing: Smoothing | None) -> Geometry:
        self._state, steady = temporal.step(self._state, geometry, smoothing or OFF)
        self._matte = self._upload(steady)
        return steady

    def _on_card(self, refiner: Refiner, geometry: Geometry, smoothing: Smoothing | None) -> None:
        refiner.prepare(geometry)
        copied = self._copies and self._timed(INTEROP, lambda: self._copied(refiner, geometry))
        if self._left or not copied:
            self._timed(UPLOAD, lambda: refiner.intake.upload(geometry))
        self._timed("refine", lambda: refiner.run(smoothing))
        self.textures = refiner.textures
        if not self._left:
            self._way = INTEROP if copied else UPLOAD

    def _copied(self, refiner: Refiner, geometry: Geometry) -> bool:
        """Whether the card's own maps are in the textures now. What fails once is not tried again."""
        resident = geometry.resident
        if resident is None or not resident.stands_for(geometry):
            self._not_used[INTEROP] = "the engine has this geometry on no card"
            return False
        try:
            refiner.intake.copy(resident)
        except Exception as error:  # the bindings have errors of their own: for arguments, for libraries
            said = str(error) if isinstance(error, LiveRelightError) else f"{type(error).__name__}: {error}"
            self._copies, self._not_used[INTEROP] = False, said
            refiner.renew(geometry)  # what CUDA may still hold of the old textures is not known
            return False
        self._not_used.pop(INTEROP, None)
        return True

    def _timed(self, part: str, work: Callable[[], Result]) -> Result:
        """Does it; in the first frames waits for the card before and after, and notes how long it took."""
        if not self._left:
            return work()
        self._ctx.finish()
        start = time.perf_counter()
        done = work()
        self._ctx.finish()
        if self._left <= TIMED and done is not False:
            self._parts.setdefault(part, []).append(time.perf_counter() - start)
        return done

    def _compare(self, geometry: Geometry) -> None:
        """Gives the card's ways up where they give something else. Of coefficients it is what they make of
        the picture that counts: where it has no edges many of them are as good."""
        if self._refiner is None:
            return
        guide = geometry.guide.astype(np.float32) / 255
        for name in COMPARED:
            textures = self.textures[name], self._own(name)
            card, host = (np.frombuffer(texture.read(), np.float32) for texture in textures)
            if name == "planes":
                planes = (v.reshape(-1, *guide.shape[:2], 4) for v in (card, host))
                card, host = ((v[..., :3] * guide).sum(-1) + v[..., 3] for v in planes)
            if not agrees(card, host):
                self._stay(f"OpenGL's {name} are not the processor's")
                return

    def _choose(self) -> None:
        parts, taken = self._parts, dict[str, list[float]]()
        for way in (INTEROP, UPLOAD):
            if parts.get(way) and parts.get("refine") and self._refiner is not None:
                taken[way] = [a + b for a, b in zip(parts[way], parts["refine"], strict=False)]
        taken[CPU] = parts[CPU]
        self._ms = {way: statistics.median(times) * 1e3 for way, times in taken.items()}
        self._way = quickest(taken)
        if self._way == CPU:
            self.close()
        else:
            self._state, self._copies = None, self._way == INTEROP

    def _stay(self, why: str) -> None:
        """On the CPU, for good."""
        self.close()
        self._way, self._copies = CPU, False
        self._not_used |= {way: why for way in (INTEROP, UPLOAD) if way not in self._not_used}
