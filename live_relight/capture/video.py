"""Video files and streams through FFmpeg (PyAV, imported only here and in the file sink)."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.video
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from live_relight.core.errors import SourceError
from live_relight.core.frames import Frame, Image
from live_relight.core.paths import reason

from .fit import Fit, check_size
from .guard import Guard

NETWORK_TIMEOUT = 10.0
"""Seconds without a byte after which a stream counts as gone."""
RE_ANCHOR = 0.5
"""Seconds that playback may fall behind its own clock before the clock is set back to now."""

# AVColorSpace (H.273 matrix coefficients) to swscale's numbers. 601 is 5 (625 lines) and 6 (525): one matrix.
_MATRIX = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
# Without ACCURATE_RND swscale's fast path is off by 4/255; with it, pure colours come back within 2.
_FLAGS = Interpolation.BILINEAR | Interpolation.ACCURATE_RND


class VideoSource:
    """A clip or a network stream as upright, square-pixel BGR frames.

    `Frame.time`: with `pace`, seconds on the monotonic clock at which the frame was due, so that the clip
    plays at its own speed; without, the position in the file (0 = the earliest of its picture and sound), for
    every frame as fast as it is read. Variable frame rate comes through as it is.

    Colour: the stream's YUV matrix and range are handed to swscale explicitly. An untagged stream counts as
    BT.601 below 720 lines and BT.709 from there on, limited range; that is a guess, the same as players make.
    HDR transfer curves are not tone-mapped.

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
        self._fit = fit
        self._size: tuple[int, int] | None = None
        self._loop = loop
        # One for all frames, on one thread: half the processor time of a new one per frame on all cores.
        self._reformatter = VideoReformatter()
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
            # What is asked for later is copied: a stream's properties must not be touched once it is closed.
            self._native = _rate(self._stream)
            ratio = self._stream.sample_aspect_ratio  # pixels that are not square: DV, some phones
            self._aspect = float(ratio) if ratio and 0.1 < ratio < 10 else 1.0
            context = self._stream.codec_context
            check_size(self.name, context.width, context.height)
            self._stream.thread_type = "AUTO"
            known = self._container.duration
            self._duration = known / av.time_base if known and known > 0 else None
            self._count = self._stream.frames or None
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
        got_any = False
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
                continue
            for raw in decoded:
                # The second step does something only when a stream changes its size: the promised one stays.
                image = Fit(self._size).apply(self._fit.apply(self._to_bgr(raw)))
                position = self._last + nominal
                if raw.pts is not None:
                    stamped = self._offset + max(0.0, raw.time - self._base)
                    position = stamped if stamped > self._last else position
                self._last = position
                got_any = True
                yield image, position
        if not got_any and damage is not None:
            raise self._unreadable(damage) from damage

    def _to_bgr(self, frame: av.VideoFrame) -> Image:
        width, height = frame.width, frame.height
        check_size(self.name, width, height)
        width = max(1, round(width * self._aspect))
        how: dict[str, int] = {}
        if not frame.format.is_rgb:
            how = {"src_colorspace": _matrix(frame), "src_color_range": _range(frame)}
        bgr = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="bgr24",
            dst_color_range=ColorRange.JPEG,
            interpolation=_FLAGS,
            threads=1,
            **how,
        )
        image = np.asarray(bgr.to_ndarray(), dtype=np.uint8)
        return _upright(image, _display_matrix(frame))


def _rate(stream: av.video.VideoStream) -> float:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= 1000:
            return float(rate)
    return 30.0


def _matrix(frame: av.VideoFrame) -> int:
    fallback = Colorspace.ITU601 if frame.height < 720 else Colorspace.ITU709
    return int(_MATRIX.get(frame.colorspace, fallback))


def _range(frame: av.VideoFrame) -> int:
    if frame.color_range in (ColorRange.MPEG, ColorRange.JPEG):
        return int(frame.color_range)
    full = frame.format.name.startswith(("yuvj", "gray", "ya"))  # formats that mean full range by themselves
    return int(ColorRange.JPEG if full else ColorRange.MPEG)


def _display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int] | None:
    """(a, b, c, d) of x' = a x + c y, y' = b x + d y in 16.16 fixed point; None: show it as it is stored."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")  # PyAV's stubs call it an object; it is a buffer
    if data is None:
        return None
    m = struct.unpack("=9i", bytes(data))
    return m[0], m[1], m[3], m[4]


def _upright(image: Image, matrix: tuple[int, int, int, int] | None) -> Image:
    """Turns by quarters and flips; angles in between do not occur in practice and snap to the nearest."""
    if matrix is None:
        return image
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, flip_x, flip_y = image.swapaxes(0, 1), c < 0, b < 0
    else:
        flip_x, flip_y = a < 0, d < 0
    return np.ascontiguousarray(image[:: -1 if flip_y else 1, :: -1 if flip_x else 1])
