"""`video`: a video file relit into another, sound kept, every frame."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from ..app import STOPPED, signals
from ..capture import open_source
from ..core import temporal
from ..core.errors import SourceError, UsageError
from ..core.frames import Frame
from ..core.settings import Settings
from ..maps import write_maps
from ..relighter import Relighter
from ..sinks.file import FileSink


def video(source: Path, target: Path, settings: Settings, frames: int | None, maps: Path | None) -> int:
    """Relights `source` into `target`. Ctrl-C leaves what is done so far, playable, and gives 130."""
    if not source.is_file():
        raise SourceError(f"{source}", "no such file", "a video file", "`photo` relights folders of pictures")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target}", "IN and OUT the same", "another name for OUT")
    with ExitStack() as stack:
        stop = stack.enter_context(signals())
        clip = open_source(str(source), pace=False)
        stack.callback(clip.close)
        relighter = stack.enter_context(Relighter(settings))
        sink = FileSink(target, size=clip.size, fps=clip.fps, audio_from=source)
        # A failure leaves nothing half done under OUT's name; an interrupt keeps what is finished.
        stack.push(lambda kind, error, trace: sink.discard() if kind else sink.close())
        total = min(frames or sys.maxsize, getattr(clip, "frame_count", None) or sys.maxsize)
        bar = tqdm(total=total if total < sys.maxsize else None, unit="frame", dynamic_ncols=True)
        stack.callback(bar.close)
        state: temporal.TemporalState | None = None
        done = 0
        while not stop.is_set() and (frames is None or done < frames):
            frame = clip.read()
            if frame is None:
                break
            state = _one(frame, relighter, settings, state, sink, maps / f"{done:06d}" if maps else None)
            done += 1
            bar.update()
        return STOPPED if stop.is_set() else 0


def _one(
    frame: Frame,
    relighter: Relighter,
    settings: Settings,
    state: temporal.TemporalState | None,
    sink: FileSink,
    maps: Path | None,
) -> temporal.TemporalState:
    geometry = relighter.geometry(frame.image)
    state, steady = temporal.step(state, geometry, settings.smoothing)
    sink.send(replace(frame, image=relighter.relight(frame.image, geometry=steady)))
    if maps is not None:
        write_maps(maps, frame.image, steady, relighter.look)
    return state
