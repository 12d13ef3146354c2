"""`video`: a video file relit into another, sound kept, every frame."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from ..app import STOPPED, Signals, signals
from ..capture import is_picture
from ..capture.fit import Fit
from ..capture.video import VideoSource
from ..core.errors import SourceError
from ..core.frames import Frame
from ..core.paths import kind
from ..core.settings import Settings
from ..files import check_target, refuse_same
from ..maps import write_maps
from ..relighter import Relighter
from ..sinks.file import FileSink, check_ending
from .notes import say_notes


def video(source: Path, target: Path, settings: Settings, frames: int | None, maps: Path | None) -> int:
    """Relights `source` into `target`. Ctrl-C leaves what is done so far, playable, and gives 130; beside
    `target`, as NAME.part.mp4, where that was there before."""
    _check_input(source)
    refuse_same(target, source, f"OUT {target}")
    check_ending(target)  # before the network is loaded
    check_target(target)
    with ExitStack() as stack:
        interrupt = stack.enter_context(signals())
        # Not through `open_source`: here IN is a file, whatever its name.
        clip = VideoSource(source, Fit(), pace=False)
        stack.callback(clip.close)
        relighter = stack.enter_context(Relighter(settings, learned=1.0))
        say_notes(relighter.look, settings, f"{clip.name} {clip.note}" if clip.note else "")
        there = target.exists()
        sink = FileSink(target, size=clip.size, fps=clip.fps, audio_from=source)
        # A failure leaves nothing half done under OUT's name; an interrupt keeps what is finished.
        stack.push(lambda kind, error, trace: sink.discard() if kind else _finish(sink, interrupt, there))
        total = min(frames or sys.maxsize, clip.frame_count or sys.maxsize)
        bar = tqdm(total=total if total < sys.maxsize else None, unit="frame", dynamic_ncols=True)
        stack.callback(bar.close)
        interrupt.running = True
        with closing(relighter.clip(_read(clip, frames), both_ways=True)) as made:
            for done, (frame, image, steady) in enumerate(made):
                if interrupt.stop.is_set():
                    break
                sink.send(replace(frame, image=image))
                if maps is not None:
                    write_maps(maps / f"{done:06d}", frame.image, steady, relighter.look)
                bar.update()
        if not interrupt.arrived:
            _say_trouble(clip)
        return STOPPED if interrupt.arrived else 0


def _read(clip: VideoSource, frames: int | None) -> Iterator[Frame]:
    """The clip's first `frames`, or all."""
    done = 0
    while (frames is None or done < frames) and (frame := clip.read()) is not None:
        yield frame
        done += 1


def _say_trouble(clip: VideoSource) -> None:
    """What is known at a clip's end alone."""
    if clip.trouble:
        tqdm.write(f"live-relight: {clip.name} {clip.trouble}", file=sys.stderr)


def _finish(sink: FileSink, interrupt: Signals, there: bool) -> None:
    """A part does not take the place of a file that was there."""
    if interrupt.arrived and sink.frames:  # without one nothing is written
        whole = sink.path
        if there:
            sink.rename(whole.with_name(f"{whole.stem}.part{whole.suffix}"))
        print(f"live-relight: stopped; {sink.frames} frames are in {sink.path}", file=sys.stderr)
    sink.close()


def _check_input(source: Path) -> None:
    found = kind(source)
    if found == "a file" and is_picture(source):
        found = "a picture"
    if found != "a file":
        todo = "`photo` relights pictures" if found in ("a picture", "a folder") else ""
        raise SourceError(f"{source}", found or "no such file", "a video file", todo)
