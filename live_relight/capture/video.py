"""Video files and streams through FFmpeg (PyAV, imported in capture/ and sinks/ only)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import av
import av.container
import av.error
import av.video

from live_relight.core.errors import SourceError
from live_relight.core.frames import Frame, Image
from live_relight.core.paths import reason

from .ending import shortfall
from .fit import Fit, check_size
from .guard import Guard
from .upright import Upright, doubts

NETWORK_TIMEOUT = 10.0
"""Seconds without a byte after which a stream counts as gone."""
RE_ANCHOR = 0.5
"""Seconds that playback may fall behind its own clock before the clock is set back to now."""


class VideoSource:
    """A clip or a network stream as upright, square-pixel BGR frames.

    `Frame.time`: with `pace`, seconds on the monotonic clock at which the frame was due, so that the clip
    plays at its own speed; without, the position in the file (0 = the earliest of its picture and sound), for
    every frame as fast as it is read. Variable frame rate comes through as it is.

    Colours and turns: upright.py.

    `fps` below the clip's own rate leaves frames out; a higher one changes nothing. `loop` starts again at
    the end, with time going on. Raises SourceError when there is nothing to show; a clip that is cut off or
    damaged part-way gives the frames that are there.
    """

    def __init__(
        self,
        path: str | Path,
        fit: Fit,
        *,
        fps: float | None = None,
        pace: bool = True,
        loop: bool = False,
        name: str = "",
    ) -> None:
        self._url = str(path)
        self._is_stream = "://" in self._url
        self.name = name or (f"stream {self._url}" if self._is_stream else f"clip {Path(path).name}")
        self.note = ""
        """What there is to say about the clip's colours; '' where they are converted as the clip says."""
        self.trouble = ""
        """Known at its end: that it came too early, or frames were damaged (ending.py)."""
        self._fit = fit
        self._size: tuple[int, int] | None = None
        self._loop = loop
        self.endless = loop
        """True where `read` never comes to an end by itself."""
        self._open()
        self.live = pace or self._endless
        native = self._native
        self.fps = min(fps, native) if fps else native
        self._step = 1.0 / fps if fps and fps < native else 0.0
        self._next_wanted = 0.0
        self._offset = 0.0
        self._last = -1.0 / native
        self._index = 0
        self._start: float | None = None
        self._guard = Guard(self._release)
        try:
            first = next(self._frames, None)
            if first is None:
                raise SourceError(f"{self.name} has no frames", todo="is the file complete?")
            self._first: tuple[Image, float] | None = first
        except BaseException:
            self._release()
            raise
        self._size = (first[0].shape[1], first[0].shape[0])

    @property
    def size(self) -> tuple[int, int]:
        assert self._size is not None
        return self._size

    @property
    def duration(self) -> float | None:
        """Seconds according to the file, before looping; None where it does not say."""
        return self._duration

    @property
    def frame_count(self) -> int | None:
        """About how many frames `read` will give, for a progress bar; None where the file does not say."""
        if self._step and self._duration:
            return round(self._duration * self.fps)
        return self._count or (round(self._duration * self.fps) if self._duration else None)

    def read(self) -> Frame | None:
        with self._guard as open_:
            if not open_:
                return None
            item = self._next_image()
        if item is None:
            return None
        image, when = item
        if self._endless:
            when = time.monotonic()  # a live stream's own timestamps may run at another speed than our clock
        elif self.live:
            due = self._due(when)
            if not self._guard.sleep(due - time.monotonic()):
                return None
            when = due
        frame = Frame(image, when, self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        self._guard.close()

    def _due(self, position: float) -> float:
        now = time.monotonic()
        if self._start is None:
            self._start = now - position
        if now - (self._start + position) > RE_ANCHOR:
            # Decoding cannot keep up (or nobody read for a while): play slower rather than ever later.
            self._start = now - position
        return self._start + position

    def _next_image(self) -> tuple[Image, float] | None:
        if self._first is not None:
            item: tuple[Image, float] | None = self._first
            self._first = None
            self._next_wanted = self._step
            return item
        while True:
            item = next(self._frames, None)
            if item is None:
                if not self._loop:
                    return None
                self._rewind()
                item = next(self._frames, None)
                if item is None:
                    raise SourceError(f"{self.name} cannot be read a second time", todo="is it still there?")
            if not self._step:
                return item
            # Some tolerance: 30 to 15 fps must take every second frame, whatever the rounding of time stamps.
            if item[1] + self._step / 4 >= self._next_wanted:
                self._next_wanted = max(self._next_wanted + self._step, item[1])
                return item

    def _rewind(self) -> None:
        """Opens the file anew: seeking is not exact in every container. Time goes on one frame later."""
        self._release()
        self._offset = self._last + 1.0 / self._native
        self._open()

    def _open(self) -> None:
        try:
            # 'file:' keeps FFmpeg from taking a colon in a file's name for a protocol.
            url = self._url if self._is_stream else f"file:{Path(self._url).absolute()}"
            timeout = NETWORK_TIMEOUT if self._is_stream else None
            self._container = av.open(url, timeout=timeout, metadata_errors="ignore")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._unreadable(error) from error
        try:
            if self._container.format.name == "tty" or not self._container.streams.video:
                got = "sound only" if self._container.streams.audio else "something else"
                raise SourceError(f"{self.name} has no picture in it", got, "a video")
            self._stream = self._container.streams.video[0]
            self.sound = bool(self._container.streams.audio)
            # What is asked for later is copied: a stream's properties must not be touched once it is closed.
            self._native = _rate(self._stream)
            ratio = self._stream.sample_aspect_ratio  # pixels that are not square: DV, some phones
            self._upright = Upright(self.name, float(ratio) if ratio and 0.1 < ratio < 10 else 1.0)
            context = self._stream.codec_context
            check_size(self.name, context.width, context.height)
            self._stream.thread_type = "AUTO"
            known = self._container.duration
            self._duration = known / av.time_base if known and known > 0 else None
            self._count = self._stream.frames or None
            self._length = self._stream.metadata.get("DURATION", "")
            self._endless = self._is_stream and self._duration is None
            start = self._container.start_time
            self._base = start / av.time_base if start else 0.0
            self._frames = self._decode()
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        self._container.close()

    def _unreadable(self, error: Exception) -> SourceError:
        if isinstance(error, (av.error.InvalidDataError, av.error.EOFError, ValueError)):
            todo = "does another player open it?"
            return SourceError(f"{self.name} is not a video or is broken", reason(error), todo=todo)
        return SourceError(f"cannot open {self.name}", reason(error))

    def _decode(self) -> Iterator[tuple[Image, float]]:
        """Every frame that can be had, with its position in seconds (looping included), never going back."""
        packets = self._container.demux(self._stream)
        nominal = 1.0 / self._native
        damage: Exception | None = None
        got = damaged = 0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.error.InvalidDataError, av.error.EOFError) as error:
                damage = error  # cut off in the middle: what came before is good
                break
            except (av.error.FFmpegError, OSError) as error:
                raise SourceError(f"{self.name} stopped", reason(error)) from error
            try:
                decoded = packet.decode()
            except (av.error.FFmpegError, ValueError) as error:
                damage = error  # one damaged frame: the decoder goes on at the next
                damaged += 1
                continue
            for raw in decoded:
                if self._size is None:
                    self.note = doubts(raw)
                # The second step does something only when a stream changes its size: the promised one stays.
                image = Fit(self._size).apply(self._fit.apply(self._upright.image(raw)))
                position = self._last + nominal
                if raw.pts is not None:
                    stamped = self._offset + max(0.0, raw.time - self._base)
                    position = stamped if stamped > self._last else position
                self._last = position
                got += 1
                yield image, position
        if not got and damage is not None:
            raise self._unreadable(damage) from damage
        seconds = self._last + nominal - self._offset
        self.trouble = shortfall(got, seconds, self._count or 0, self._length, damaged)


def _rate(stream: av.video.VideoStream) -> float:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= 1000:
            return float(rate)
    return 30.0
