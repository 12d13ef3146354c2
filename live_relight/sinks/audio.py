"""Takes the sound of one file over into another, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.audio
import av.container
import av.error

from live_relight.core.errors import SinkError

if TYPE_CHECKING:  # generic in PyAV's stubs only
    Packet = av.Packet[av.audio.AudioStream]

# What players expect inside each container; everything else becomes AAC, which all of them play.
_COPIED = {
    "mp4": {"aac", "mp3", "ac3", "eac3", "alac"},
    "mov": {"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le", "pcm_s16be"},
    "matroska": {
        "aac",
        "mp3",
        "ac3",
        "eac3",
        "alac",
        "opus",
        "vorbis",
        "flac",
        "dts",
        "pcm_s16le",
        "pcm_s24le",
    },
}
REFUSED = (av.error.ArgumentError, av.error.InvalidDataError)
"""What a muxer raises for the times or the bytes of a packet; a full disk is another error."""
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


class AudioCopy:
    """The first sound track of `path`, its times counted from the start of that file (the earliest of picture
    and sound) as `VideoSource` counts them, so picture and sound stay together. A file without sound is fine.

    Times never fall: where those of the file do (two that were joined), what follows is put behind the last,
    as `VideoSource` does. A packet that the output refuses all the same is left out, counted in `skipped`.

    Call `advance` with the video's time and `finish` with its end. Raises SinkError where `path` is no media.
    """

    def __init__(self, path: str | Path, output: av.container.OutputContainer) -> None:
        self._output = output
        try:
            self._input = av.open(f"file:{Path(path).absolute()}", metadata_errors="ignore")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise SinkError(f"cannot copy the sound of {path}", str(error)) from error
        self._packets: Iterator[Packet] = iter(())
        self._waiting: Packet | None = None
        self._start = (self._input.start_time or 0) / av.time_base
        self._video_end = _video_seconds(self._input)
        self.skipped = 0
        self.there = bool(self._input.streams.audio)
        """False for a file without sound."""
        if not self.there:
            return
        source = self._input.streams.audio[0]
        if source.codec_context.name in _COPIED[output.format.name.split(",")[0]]:
            stream = output.add_stream_from_template(source)
            self._packets = self._copied(source, stream)
        else:
            rate = source.codec_context.sample_rate
            encoder = output.add_stream("aac", rate=rate if rate in _AAC_RATES else 48000)
            assert isinstance(encoder, av.audio.AudioStream)
            # By number: PCM in Matroska does not say which channels its channels are.
            encoder.layout = "mono" if source.codec_context.channels == 1 else "stereo"
            encoder.bit_rate = 192_000
            self._packets = self._encoded(source, encoder)

    def advance(self, until: float) -> None:
        """Writes the sound up to `until` seconds."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            packet = self._waiting
            if packet is None or (packet.pts is not None and float(packet.pts * packet.time_base) > until):
                return
            self._waiting = None
            try:
                self._output.mux_one(packet)
            except REFUSED:
                self.skipped += 1

    def finish(self, end: float) -> None:
        """Writes the rest: up to `end` where the video was cut short there, else all there is."""
        cut_short = self._video_end is not None and end < self._video_end - 0.25
        self.advance(end if cut_short else float("inf"))

    def close(self) -> None:
        self._input.close()

    def _copied(self, source: av.audio.AudioStream, stream: av.audio.AudioStream) -> Iterator[Packet]:
        rising = _Rising()
        for packet in self._demux(source):
            if packet.dts is None:
                continue  # the empty packet that ends the stream
            later = (packet.pts if packet.pts is not None else packet.dts) - packet.dts
            stamp = packet.dts - round(self._start / packet.time_base)
            packet.dts = rising.next(stamp, packet.duration or 0)
            packet.pts = packet.dts + later
            packet.stream = stream
            yield packet

    def _encoded(self, source: av.audio.AudioStream, encoder: av.audio.AudioStream) -> Iterator[Packet]:
        resampler = av.AudioResampler(format="fltp", layout=encoder.layout.name, rate=encoder.rate)
        rising = _Rising()
        for packet in self._demux(source):
            try:
                decoded = packet.decode()
            except (av.error.FFmpegError, ValueError):
                continue  # one damaged packet is a click, not the end
            for frame in decoded:
                if frame.pts is not None and frame.time_base is not None:
                    stamp = frame.pts - round(self._start / frame.time_base)
                    lasts = Fraction(frame.samples, frame.sample_rate) / frame.time_base
                    frame.pts = rising.next(stamp, round(lasts))
                for part in resampler.resample(frame):
                    yield from encoder.encode(part)
        for part in resampler.resample(None):
            yield from encoder.encode(part)
        yield from encoder.encode(None)

    def _demux(self, source: av.audio.AudioStream) -> Iterator[Packet]:
        try:
            yield from self._input.demux(source)
        except (av.error.InvalidDataError, av.error.EOFError):
            return  # cut off: the sound that is there


class _Rising:
    """Time stamps made to rise. Where they fall, that and the following ones are moved behind the last, until
    they get there by themselves."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._lasts = 1
        self._offset = 0

    def next(self, stamp: int, lasts: int) -> int:
        """`stamp`, or later; `lasts`: how long what it belongs to is, 0 where that is not known."""
        if self._last is None or stamp >= self._last:
            self._offset = 0  # equal ones are fine: short packets in a coarse clock
        elif stamp + self._offset < self._last:
            self._offset = self._last + self._lasts - stamp
        self._last = stamp + self._offset
        self._lasts = lasts or self._lasts
        return self._last


def _video_seconds(container: av.container.InputContainer) -> float | None:
    for stream in container.streams.video:
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
