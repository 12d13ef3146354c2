"""Video files: H.264 through FFmpeg (PyAV), tagged BT.709, whole or not at all."""

from __future__ import annotations

import contextlib
import logging
import threading
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.container
import av.error
import av.video
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from live_relight.core.errors import SinkError, UsageError, nearest
from live_relight.core.frames import Frame
from live_relight.core.paths import reason
from live_relight.files import check_target, keep_beside, part_beside

from .audio import REFUSED, AudioCopy
from .pad import check_frame, even, pad_to_even

if TYPE_CHECKING:  # generic in PyAV's stubs only
    VideoPacket = av.Packet[av.video.VideoStream]

_log = logging.getLogger("live_relight")  # where none is set up, Python prints the line on stderr
FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}
"""File ending: FFmpeg's name of the container."""
# An MP4's index is written last: without room for it all would be lost. So the file grows in pieces with an
# index each, and becomes an ordinary one at the end. Pieces end at keyframes: FFmpeg 8 takes other ends for
# the end of the track, and a last picture is missing. 'delay_moov' lets the first picture be at 0. Not with
# sound: FFmpeg would hold all in memory until it begins, and does not convert AAC of transport streams then.
_PIECES = {"movflags": "+hybrid_fragmented+frag_keyframe+delay_moov"}
CLOCK = 90_000
"""Ticks a second of the video's time stamps: exact for 24, 25, 30, 50 and 60 fps, fine for anything else."""
TICK = CLOCK // 1000
"""The least step between two frames: Matroska stores milliseconds."""

# Averaging to 4:2:0 with exact rounding: pure colours survive within 1/255, in 3 ms for 720p.
_FLAGS = (
    Interpolation.AREA
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
_AVCOL_SPC_BT709 = 1


class FileSink:
    """H.264 (x264, crf 18) in .mp4, .mkv or .mov; odd sizes are padded to even by repeating the edge.

    Frames get the time that `Frame.time` says, so that a live recording plays at the speed it happened.
    Without `audio_from` the first frame starts the clock; with it, times count from the start of that file,
    whose first sound track is copied (re-encoded to AAC where the container does not take it) and cut where
    the video is cut short.

    The file grows under a temporary name beside `path`, and gets its name in `close`: what was there before
    survives until then, and stays if anything fails or no frame came. When a write fails (disk full), what
    can be played is kept beside it as NAME.partial.ENDING, and the error says so; of an MP4 with sound
    nothing can. Raises UsageError for another ending, SinkError where it cannot be written.
    """

    live = False

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: float,
        *,
        audio_from: str | Path | None = None,
        preset: str = "veryfast",
    ) -> None:
        self.path = Path(path)
        self.name = f"file {self.path}"
        self.frames = 0
        self._size = size
        self._fps = fps
        self._lock = threading.Lock()
        self._reformatter = VideoReformatter()
        self._last_pts = -TICK
        self._start: float | None = 0.0 if audio_from is not None else None
        kind = FORMATS[check_ending(self.path)]
        self._target = check_target(self.path)
        self.note = f"replaces {self.path.name} when done" if self._target.exists() else ""
        self._temporary = part_beside(self._target)
        self._container: av.container.OutputContainer | None = None
        self._audio: AudioCopy | None = None
        try:
            self._container = av.open(f"file:{self._temporary.absolute()}", "w", format=kind)
            self._stream = _add_video(self._container, even(size), fps, preset)
            if audio_from is not None:
                self._audio = AudioCopy(audio_from, self._container)
            if kind in ("mp4", "mov") and (self._audio is None or not self._audio.there):
                self._container.container_options.update(_PIECES)
            self._container.start_encoding()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._failed(error) from error
        except BaseException:
            self._discard()
            raise

    def send(self, frame: Frame) -> None:
        check_frame(self.name, frame.image, self._size)
        with self._lock:
            if self._container is None:
                return
            try:
                self._write(self._container, frame)
            except (av.error.FFmpegError, OSError) as error:
                raise self._failed(error) from error

    def close(self) -> None:
        """Finishes the file and gives it its name. Raises SinkError when that fails (disk full)."""
        with self._lock:
            if self._container is None:
                return
            if self.frames == 0:
                self._discard()
                return
            try:
                self._mux(self._container, self._stream.encode(None))
                if self._audio is not None:
                    self._audio.finish((self._last_pts / CLOCK) + 1.0 / self._fps)
                self._container.close()
                self._container = None
                self._temporary.replace(self._target)
            except (av.error.FFmpegError, OSError) as error:
                raise self._failed(error) from error
            if self._audio is not None:
                self._audio.close()
                if count := self._audio.skipped:
                    _log.warning(
                        "live-relight: %s: %d packets of sound did not fit and are missing", self.path, count
                    )

    def rename(self, path: Path) -> None:
        """Another name for what is being written, in the same folder. Raises SinkError where it cannot be."""
        target = check_target(path)
        with self._lock:
            self.path, self._target = path, target

    def discard(self) -> None:
        """Gives up: nothing is left under either name. For a run that failed; after a write that failed, what
        was kept stays."""
        with self._lock:
            if self._container is not None:
                self._discard()

    def _write(self, container: av.container.OutputContainer, frame: Frame) -> None:
        if self._start is None:
            self._start = frame.time
        pts = max(round((frame.time - self._start) * CLOCK), self._last_pts + TICK)
        picture = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(pad_to_even(frame.image), format="bgr24"),
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_FLAGS,
            threads=1,
        )
        picture.pts, picture.time_base = pts, Fraction(1, CLOCK)
        picture.duration = round(CLOCK / self._fps)
        self._mux(container, self._stream.encode(picture))
        self._last_pts = pts
        self.frames += 1
        if self._audio is not None:
            # In step with the video, so that players find picture and sound of a moment beside each other.
            self._audio.advance(pts / CLOCK)

    def _mux(self, container: av.container.OutputContainer, packets: list[VideoPacket]) -> None:
        for packet in packets:
            try:
                container.mux_one(packet)
            except REFUSED:
                # Pictures are in order by construction: it is sound that waited for its turn.
                if self._audio is None:
                    raise
                self._audio.skipped += 1

    def _discard(self) -> None:
        self._end()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def _end(self) -> None:
        """Closes everything; what is in the file then stays under its temporary name."""
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(av.error.FFmpegError, OSError):
                container.close()
        if self._audio is not None:
            self._audio.close()

    def _failed(self, error: Exception) -> SinkError:
        """What to raise for `error`, after which nothing more is written; keeps what was recorded."""
        cut_off = self._container is not None
        self._end()
        todo = "the file was not made"
        if self.frames and _playable(self._temporary):
            kept = keep_beside(self._temporary, self._target, "partial")
            todo = f"what was recorded is in {kept}" + (", which is incomplete" if cut_off else "")
        else:
            self._discard()
        return SinkError(f"cannot write {self.path}", reason(error), todo=todo)


def check_ending(path: Path) -> str:
    """The lower-case ending. Raises UsageError that names the known ones."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise UsageError(f"cannot write {path}", f"ending '{ending}'", "a video", nearest(ending, FORMATS))
    return ending


def _playable(path: Path) -> bool:
    """Whether at least one picture can be had from what may be cut off anywhere."""
    tolerated = av.error.FFmpegError, OSError, ValueError
    with contextlib.suppress(*tolerated), av.open(f"file:{path.absolute()}") as container:
        for packet in container.demux(video=0):
            with contextlib.suppress(*tolerated):  # a cut one, while the decoder holds whole ones
                if any(not frame.is_corrupt for frame in packet.decode()):
                    return True
    return False


def _add_video(
    container: av.container.OutputContainer, size: tuple[int, int], fps: float, preset: str
) -> av.video.VideoStream:
    rate = Fraction(fps).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": preset})
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, CLOCK)
    context.colorspace = _AVCOL_SPC_BT709
    context.color_range = int(ColorRange.MPEG)
    context.color_primaries = int(ColorPrimaries.BT709)
    context.color_trc = int(ColorTrc.BT709)
    return stream
