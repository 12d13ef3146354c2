"""Wires the stages of `run` together: the only place that opens and closes them, and the signals."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from .capture import open_source
from .capture.grabber import Grabber
from .control import keymap, terminal
from .control.controls import Controls
from .core.errors import LiveRelightError
from .core.settings import Settings, parse_size
from .core.stages import Sink
from .core.stats import Stats
from .geometry import open_estimator
from .pipeline import Pipeline
from .relighter import look_of
from .shade.opengl import OpenGLShader
from .sinks import open_sink
from .threads import Worker

RECORDERS = ("file", "null")
STOPPED = 130


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What belongs to one run and not to a configuration."""

    frames: int | None = None
    stats: Path | None = None


@contextmanager
def signals() -> Iterator[threading.Event]:
    """Yields an event that Ctrl-C or SIGTERM sets; a second one ends the process at once."""
    stop = threading.Event()

    def handler(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(STOPPED)
        stop.set()

    names = [signal.SIGINT, signal.SIGTERM]
    before = {n: signal.signal(n, handler) for n in names}
    try:
        yield stop
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class StatsWriter:
    """JSON lines for programs: one a second and a summary at the end."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[str] | None = None
        self._next = 0.0
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8", buffering=1)
            except OSError as error:
                raise LiveRelightError(f"--stats {path}", str(error), "a file that can be written") from None

    def tick(self, stats: Stats, now: float) -> None:
        if self._file is not None and now >= self._next:
            self._next = now + 1.0
            self._write({"time": round(now, 3), "fps_now": round(stats.fps_now, 2), **stats.summary()})

    def finish(self, stats: Stats) -> None:
        if self._file is not None:
            self._write({"summary": True, **stats.summary()})
            self._file.close()
            self._file = None

    def _write(self, record: dict[str, object]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(record) + "\n")


def run(settings: Settings, options: RunOptions) -> int:
    """The main job: source to sinks until the source ends, `q`, Ctrl-C or SIGTERM. Returns the status."""
    say = terminal.StatusLine()
    size = parse_size(settings.size) if settings.size else None
    controls = Controls(look_of(settings), settings.preset)
    # Files into files go frame by frame, none lost; as soon as somebody watches, a clip plays at its own
    # speed and late frames are dropped, as a camera's are.
    watched = any(spec.split(":")[0] not in RECORDERS for spec in settings.sink)
    with ExitStack() as stack:
        stop = stack.enter_context(signals())
        stack.callback(say.close)
        writer = StatsWriter(options.stats)
        # Slow to start and independent of the camera: a wrong engine is said before a camera lights up.
        estimator = open_estimator(settings.engine)
        stack.callback(estimator.close)
        shader = OpenGLShader()
        stack.callback(shader.close)
        source = open_source(
            settings.source, size=size, fps=settings.fps or None, mirror=settings.mirror, pace=watched
        )
        grabber = Grabber(source, latest_only=source.live or watched)
        stack.callback(grabber.close)
        say.say(f"source  {source.name}{_note(source)}")
        say.say(f"engine  {estimator.name}")
        say.say(f"light   {shader.name}, preset {settings.preset}")
        sinks: list[Sink] = []
        for spec in settings.sink:
            sink = open_sink(spec, size=source.size, fps=source.fps)
            sinks.append(sink)
            stack.callback(sink.close)
            say.say(f"sink    {sink.name}{_note(sink)}")
        pipeline = Pipeline(estimator, shader, sinks, controls.look, settings.smoothing)
        keys = stack.enter_context(_keyboard(controls, stop, say))
        if keys:
            say.say("press h for the keys, q to quit")
        tick = _ticker(controls, writer, say)
        try:
            stats = pipeline.run(
                grabber, live=source.live or watched, limit=options.frames, stop=stop, tick=tick
            )
        finally:
            writer.finish(pipeline.stats)
        for lost in pipeline.lost:
            say.say(f"live-relight: lost on the way: {lost}")
        interrupted = stop.is_set() and not controls.state.quit
    print(summary(stats), file=sys.stderr)
    if pipeline.lost:
        return 1
    return STOPPED if interrupted else 0


def summary(stats: Stats) -> str:
    """One line for people at the end of a run."""
    text = f"{stats.frames_out} frames, {stats.fps:.1f} fps, {stats.dropped} dropped"
    latency = stats.summary()["latency_ms"]
    if stats.latency and isinstance(latency, dict):
        text += f", capture to sink {latency['p50']:.0f} ms (p95 {latency['p95']:.0f})"
    return text


def _note(thing: object) -> str:
    note = getattr(thing, "note", "")
    return f" - {note}" if note else ""


def _ticker(controls: Controls, writer: StatsWriter, say: terminal.StatusLine) -> Callable[[Stats], None]:
    due = 0.0
    shown = controls.state

    def tick(stats: Stats) -> None:
        nonlocal due, shown
        now = time.monotonic()
        writer.tick(stats, now)
        state = controls.state
        if now >= due or state is not shown:
            due, shown = now + 0.25, state
            say.show(keymap.status_line(state, stats.fps_now, stats.latency_now, stats.dropped))

    return tick


@contextmanager
def _keyboard(controls: Controls, stop: threading.Event, say: terminal.StatusLine) -> Iterator[bool]:
    """Reads keys in a thread of its own while inside; yields whether there is a keyboard."""
    with terminal.raw_keys() as there:
        if not there:
            yield False
            return

        def body(stopping: threading.Event) -> None:
            for key in terminal.read_keys(stopping):
                state = controls.press(key)
                if state.help:
                    say.say(keymap.HELP)
                if state.quit:
                    stop.set()
                    return

        worker = Worker("keyboard", body).start()
        try:
            yield True
        finally:
            worker.join(1.0)
            worker.check()
