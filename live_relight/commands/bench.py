"""`bench`: the pipeline on this machine, stage by stage, as `run` would do it."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from ..capture import open_source
from ..capture.grabber import Grabber
from ..core.errors import EstimatorError, LiveRelightError, UsageError
from ..core.frames import Frame, Image
from ..core.governor import SHARES
from ..core.settings import Settings, parse_size
from ..core.stages import Estimator, Source
from ..core.stats import Stats
from ..files import check_target, refuse_same, write_whole
from ..geometry import light_net, open_estimator
from ..pipeline import Pipeline
from ..relighter import look_of
from ..shade import ways
from ..shade.opengl import OpenGLShader
from ..sinks import open_sink
from .against import ROUNDS, Wanted, compare, parse

WARM_UP = max(5, ways.WARM + ways.TIMED)
"""Frames before those that count: by then it is decided which way geometry goes to the light."""


class _TimedSource:
    """A source that notes how long reading took: decoding and scaling, in the capture thread."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.live, self.fps = source.name, source.live, source.fps
        self.seconds: list[float] = []

    @property
    def size(self) -> tuple[int, int]:
        return self._source.size

    def read(self) -> Frame | None:
        start = time.perf_counter()
        frame = self._source.read()
        self.seconds.append(time.perf_counter() - start)
        return frame

    def close(self) -> None:
        self._source.close()


def bench(settings: Settings, frames: int, target: Path | None, against: str | None = None) -> int:
    """Runs `frames` frames as fast as they go and prints the table. Nothing is queued and none is lost, so
    the frame rate is what the machine can do, not what the clip has. `against`: networks to compare ours
    with afterwards."""
    rivals = _rivals(against, settings.engine)
    size = parse_size(settings.size or "1280x720")
    spec = "demo" if settings.source == "auto" else settings.source
    if target is not None:
        refuse_same(target, spec, f"--json {target}")
        check_target(target)
    with ExitStack() as stack:
        estimator = open_estimator(settings.engine, live=True)
        stack.callback(estimator.close)
        shader = OpenGLShader(light_net=partial(light_net.live, settings.engine, size))
        stack.callback(shader.close)
        shader.ask_every(light_net.EVERY)
        look = look_of(settings)
        if look.learned:
            shader.ready_light_net()  # which would be gone without in mid-stream
        source = _TimedSource(open_source(spec, size=size, pace=False))
        quality = "high" if settings.quality == "auto" else settings.quality  # a bench holds still
        grabber = Grabber(source, latest_only=False)
        stack.callback(grabber.close)
        sink = open_sink("null", size=source.size, fps=source.fps)
        pipeline = Pipeline(estimator, shader, [sink], lambda: look, settings.smoothing, quality)
        never = threading.Event()
        pipeline.run(grabber, live=False, limit=WARM_UP, stop=never, tick=lambda s: None)
        pipeline.stats = Stats()
        source.seconds.clear()
        used, start = time.process_time(), time.perf_counter()
        stats = pipeline.run(grabber, live=False, limit=frames, stop=never, tick=lambda s: None)
        wall, used = time.perf_counter() - start, time.process_time() - used
        if pipeline.notes:
            raise EstimatorError("bench", pipeline.notes[0], "one light for all frames")
        if not stats.frames_out:
            raise LiveRelightError("bench", f"a clip of at most {WARM_UP} frames", "a longer one")
        result = _result(stats, source, wall, used)
        result.update(engine=estimator.name, gl=shader.name, preset=settings.preset, quality=quality)
        way = shader.to_light
        result["geometry_to_light"] = {
            "way": way.way,
            "ms": {name: round(ms, 3) for name, ms in way.ms.items()},
            "not_used": way.not_used,
        }
        result["card_ms"] = _card_ms(estimator, spec, size)
        _print(result, str(way))
        if rivals:
            images = _first(spec, size, min(frames, ROUNDS))
            result["against"] = compare(rivals, estimator, SHARES[quality], images)
    if target is not None:
        write_whole(target, (json.dumps(result, indent=1) + "\n").encode())
    return 0


def _card_ms(estimator: Estimator, spec: str, size: tuple[int, int]) -> dict[str, float]:
    """As Lane.card_ms, where there is a card that tells; the measured frames are over."""
    ask = getattr(estimator, "card_ms", None)
    try:
        found = ask(_first(spec, size, 1)[0]) if ask is not None else {}
    except EstimatorError as error:
        print(f"live-relight: {error}", file=sys.stderr)
        return {}
    return {name: round(ms, 3) for name, ms in found.items()}


def _rivals(against: str | None, engine: str) -> list[Wanted]:
    """Said before anything is measured: a name that is wrong, a comparison that would mean nothing."""
    if against is None:
        return []
    if engine.partition(":")[0] == "analytic":
        raise UsageError("--against", f"--engine {engine}, which is no network", "one that is")
    return parse(against)


def _first(spec: str, size: tuple[int, int], count: int) -> list[Image]:
    """The source's first `count` pictures, or as many as it has."""
    source = open_source(spec, size=size, pace=False)
    try:
        frames = (source.read() for _ in range(count))
        return [frame.image for frame in frames if frame is not None]
    finally:
        source.close()


def _result(stats: Stats, source: _TimedSource, wall: float, used: float) -> dict[str, object]:
    reading = sorted(source.seconds)[: stats.frames_out]
    stages = {"read": reading, **{name: sorted(values) for name, values in stats.stages.items()}}
    work = [sum(times) for times in zip(*stats.stages.values(), strict=True)]
    ordered = sorted(work)
    return {
        "fps": round(stats.frames_out / wall, 2),
        "core_ms_per_frame": round(used / stats.frames_out * 1e3, 2),
        "latency_ms": {
            "p50": round(ordered[len(ordered) // 2] * 1e3, 2),
            "p95": round(ordered[int(len(ordered) * 0.95)] * 1e3, 2),
        },
        "stages": {name: round(values[len(values) // 2] * 1e3, 2) for name, values in stages.items()},
        "size": f"{source.size[0]}x{source.size[1]}",
        "frames": stats.frames_out,
        "cores": os.cpu_count() or 1,
    }


def _print(result: dict[str, object], way: str) -> None:
    head = f"{result['size']}, {result['frames']} frames, {result['cores']} cores"
    print(f"{head}, preset {result['preset']}, quality {result['quality']}")
    print(f"engine  {result['engine']}")
    print(f"gl      {result['gl']}")
    print(f"geometry to light: {way}")
    card = result["card_ms"]
    if isinstance(card, dict) and card:
        steps = ", ".join(f"{name} {ms} ms" for name, ms in card.items() if name != "host")
        print(f"on the card, by its own clock: {steps}; the processor's part: {card['host']} ms")
    print(f"{'stage':10} {'median ms':>10}")
    stages, latency = result["stages"], result["latency_ms"]
    assert isinstance(stages, dict)
    assert isinstance(latency, dict)
    for name, value in stages.items():
        print(f"{name:10} {value:10.2f}{'  (in the capture thread)' if name == 'read' else ''}")
    print(f"frame in hand to sink: {latency['p50']} ms (p95 {latency['p95']})")
    print(f"{result['core_ms_per_frame']} core-ms a frame, {result['fps']} fps")
