"""Wires the stages of `run` together: the only place that opens and closes them, and the signals."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from . import interrupt, presets
from .capture import NotedSource, endless, open_source
from .capture.grabber import Grabber
from .control import keymap, terminal
from .control.controls import Controls
from .core.errors import EstimatorError, LiveRelightError, UsageError
from .core.governor import LEARNED, RUNGS
from .core.lamps import crowded
from .core.look import Look
from .core.settings import Settings, parse_size
from .core.stages import Estimator, Sink, Source
from .core.stats import Stats
from .files import check_target, refuse_same
from .geometry import light_net, open_estimator
from .pipeline import Pipeline
from .rehearse import rehearse
from .relighter import look_of
from .reports import Pace, Problems, StatsWriter
from .shade.opengl import OpenGLShader
from .sinks import check_sink, file_of, open_sink
from .threads import Worker

RECORDERS = ("file", "null")
LONG = 1.0
"""Seconds of waiting before the first frame from which on it is said what for."""
STOPPED = interrupt.EXIT_STATUS


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What belongs to one run and not to a configuration."""

    frames: int | None = None
    stats: Path | None = None


class Signals:
    """Ctrl-C, SIGTERM and SIGHUP. While stages open (`running` is False) the first one unwinds like any
    error; in the loop it sets `stop`, so that the frame in hand is finished. Repeats within two seconds are
    the same wish said twice; a later one ends the process at once."""

    GRACE = 2.0

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.running = False
        self.first = 0.0

    def handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.first and now - self.first > self.GRACE:
            terminal.restore_all()
            os._exit(STOPPED)
        if self.first:
            return
        self.first = now
        interrupt.note(number)
        self.stop.set()
        if not self.running:
            raise KeyboardInterrupt

    @property
    def arrived(self) -> bool:
        return self.first > 0.0


@contextmanager
def signals() -> Iterator[Signals]:
    """Handles signals while inside, in the main thread."""
    state = Signals()
    numbers = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
    # What nohup or a shell told us to ignore stays ignored.
    numbers = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
    before = {n: signal.signal(n, state.handle) for n in numbers}
    try:
        yield state
    finally:
        for number, old in before.items():
            # After a signal the process is on its way out: one more must not cut that short.
            signal.signal(number, signal.SIG_IGN if state.arrived else old)


def check_outputs(settings: Settings, options: RunOptions) -> None:
    """What can be known to be wrong before a network is loaded or a camera lights up. Raises UsageError, and
    SinkError for a place that cannot be written."""
    outputs: list[tuple[str, Path]] = []
    for spec in settings.sink:
        check_sink(spec)
        if path := file_of(spec):
            outputs.append((f"--sink {spec}", path))
    if options.stats is not None:
        outputs.append((f"--stats {options.stats}", options.stats))
    seen: set[str] = set()
    for what, path in outputs:
        refuse_same(path, settings.source, what)
        place = os.path.realpath(path)
        if place in seen:
            raise UsageError(what, "the same file twice", "another name for one of them")
        seen.add(place)
    for path in filter(None, map(file_of, settings.sink)):
        check_target(path)


def _check_end(settings: Settings, source: NotedSource, ends: bool) -> None:
    """What never ends, into files alone, as fast as it goes, would fill the disk. Raises UsageError.
    (A camera is live: it is there to be stopped.)"""
    recorded = any(map(file_of, settings.sink))
    if not ends and recorded and not source.live and (what := endless(source)):
        source.close()
        todo = "add --frames N" + (", or use `live-relight photo IN OUT`" if what == "a picture" else "")
        raise UsageError(f"--source {settings.source}", f"{what}, which never ends, into a file", todo=todo)


def run(settings: Settings, options: RunOptions) -> int:
    """The main job: source to sinks until the source ends, `q`, Ctrl-C or SIGTERM. Returns the status."""
    say = terminal.StatusLine()
    controls = Controls(look_of(settings), settings.preset)
    check_outputs(settings, options)
    # Files into files go frame by frame, none lost; as soon as somebody watches, a clip plays at its own
    # speed and late frames are dropped, as a camera's are.
    watched = any(spec.split(":")[0] not in RECORDERS for spec in settings.sink)
    with ExitStack() as stack:
        state = stack.enter_context(signals())
        stack.callback(say.close)
        # Slow to start and independent of the camera: a wrong engine is said before a camera lights up.
        estimator = open_estimator(settings.engine, say=say.say, live=not all(map(file_of, settings.sink)))
        stack.callback(estimator.close)
        shader = OpenGLShader(light_net=partial(light_net.live, settings.engine))
        stack.callback(shader.close)
        if settings.learned or controls.look().learned:
            shader.ready_light_net()
        source = _open_source(settings, watched)
        stack.callback(source.close)
        say.say(f"source  {source.name}{_note(source)}")
        _check_end(settings, source, watched or options.frames is not None)
        writer = StatsWriter(options.stats)
        say.say(f"engine  {estimator.name}")
        say.say(f"light   {shader.name}, preset {settings.preset}")
        if crowd := crowded(controls.look()):
            say.say(f"light   {crowd}")
        sinks = [_open_sink(stack, say, spec, source, keep=source.live) for spec in settings.sink]
        governed = settings.quality == "auto" and settings.learned is None and (source.live or watched)
        learns = governed and _learns(shader, say)
        heard = learns or bool(settings.learned)
        _rehearse(shader, estimator, controls.look(), source.size, settings.quality, heard, say)
        shader.ask_every(light_net.EVERY if source.live or watched else 1)
        grabber = Grabber(source, latest_only=source.live or watched)  # which plays from now on
        stack.callback(grabber.close)
        pipeline = Pipeline(
            estimator, shader, sinks, controls.look, settings.smoothing, settings.quality, learns,
            settings.learned,
        )  # fmt: skip
        controls.there = lambda: pipeline.there
        if stack.enter_context(_keyboard(controls, state.stop, say)):
            say.say("press h for the keys, q to quit")
        problems = Problems(pipeline, writer, say.say)
        tick = _ticker(controls, writer, problems, Pace(settings.quality, say.say, pipeline.least), say)
        state.running = True
        try:
            stats = pipeline.run(
                grabber, live=source.live or watched, limit=options.frames, stop=state.stop, tick=tick
            )
        finally:
            writer.finish(pipeline.stats)
            problems.tell()
            if trouble := getattr(source, "trouble", ""):
                say.say(f"source  {source.name} {trouble}")
    say.say(summary(stats))
    if problems.said:
        return 1
    return STOPPED if state.arrived else 0


def _learns(shader: OpenGLShader, say: terminal.StatusLine) -> bool:
    """Whether the light network is ready to be heard where there is room for it; nobody asked for it, so
    without it the run goes on."""
    try:
        shader.ready_light_net()
    except EstimatorError as error:
        say.say(f"light   without the light network: {error}")
        return False
    return True


def _rehearse(
    shader: OpenGLShader,
    estimator: Estimator,
    look: Look,
    size: tuple[int, int],
    quality: str,
    heard: bool,
    say: terminal.StatusLine,
) -> None:
    """`heard`: whether the light network may be."""
    start = time.monotonic()
    levels = RUNGS[::-1] if quality == "auto" else (quality,)
    if heard:
        levels = (*levels, LEARNED)
    with suppress(LiveRelightError):  # the first frame meets it again, where it is told
        rehearse(shader, estimator, [look, *presets.shipped_looks()], size, levels)
    if (took := time.monotonic() - start) > LONG:
        say.say(f"light   {took:.1f} s of compiling, so that no key stops the picture")


def _open_source(settings: Settings, pace: bool) -> NotedSource:
    """A network address may take its time to answer; it is opened in a thread, so that Ctrl-C is heard."""
    size = parse_size(settings.size) if settings.size else None
    found: list[NotedSource] = []

    def body(stopping: threading.Event) -> None:
        fps = settings.fps or None
        found.append(open_source(settings.source, size=size, fps=fps, mirror=settings.mirror, pace=pace))

    if "://" not in settings.source:
        body(threading.Event())
        return found[0]
    worker = Worker("open source", body).start()
    while worker.alive:
        time.sleep(0.05)
    worker.check()
    return found[0]


def _open_sink(stack: ExitStack, say: terminal.StatusLine, spec: str, source: Source, keep: bool) -> Sink:
    """Opens a sink and sees to its end. `keep`: what a camera gave before it was lost is worth having; a
    file that failed half-way is not, and an older one of that name stays."""
    sink = open_sink(spec, size=source.size, fps=source.fps)
    discard = getattr(sink, "discard", sink.close)

    def end(kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        (sink.close if keep or kind is None else discard)()

    stack.push(end)
    say.say(f"sink    {sink.name}{_note(sink)}")
    if getattr(source, "sound", False) and hasattr(sink, "discard"):
        say.say("sink    without the clip's sound, which `live-relight video IN OUT` keeps")
    return sink


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


def _ticker(
    controls: Controls, writer: StatsWriter, problems: Problems, pace: Pace, say: terminal.StatusLine
) -> Callable[[Stats], None]:
    due = 0.0
    shown = controls.state

    def tick(stats: Stats) -> None:
        nonlocal due, shown
        now = time.monotonic()
        writer.tick(stats, now)
        problems.tell()
        pace.tick(stats, now)
        state = controls.state
        if now >= due or state is not shown:
            due, shown = now + 0.25, state
            speed = stats.fps_now, stats.latency_now, stats.dropped, stats.quality
            say.show(keymap.status_line(controls.now(), *speed, say.width))

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
