"""Recordings: right colours, right times, sound in step, and nothing half-written."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from live_relight.capture.fit import Fit
from live_relight.capture.video import VideoSource
from live_relight.core.errors import SinkError, UsageError
from live_relight.core.frames import Frame, Image
from live_relight.sinks import open_sink
from live_relight.sinks.file import FileSink
from tests.capture.clips import bars, far_from_edges, numbered, write_clip


def _record(path: Path, images: list[Image], times: list[float] | None = None, **how: object) -> Path:
    height, width = images[0].shape[:2]
    sink = FileSink(path, (width, height), 10, **how)  # type: ignore[arg-type]
    for i, image in enumerate(images):
        sink.send(Frame(image, times[i] if times else 1000 + i / 10, i))
    sink.close()
    return path


def _read(path: Path) -> list[Frame]:
    source = VideoSource(path, Fit(), pace=False)
    frames = list(iter(source.read, None))
    source.close()
    return frames


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "MP4"])
def test_colours_come_back_within_3_and_are_tagged_709(ending: str, tmp_path: Path) -> None:
    path = _record(tmp_path / f"o.{ending}", [bars()] * 3)
    for frame in _read(path):
        assert np.abs(frame.image.astype(int) - bars())[far_from_edges(block=16)].max() <= 3
    with av.open(str(path)) as check:
        context = check.streams.video[0].codec_context
        assert context.name == "h264"
        assert context.pix_fmt == "yuv420p"
        assert (context.colorspace, context.color_range, context.color_primaries, context.color_trc) == (
            1,
            1,
            1,
            1,
        )
        raw = next(check.decode(video=0))
        luma = np.frombuffer(raw.planes[0], np.uint8)[20::40][:8]
        # Rec. 709's own numbers for the eight bars: tag and pixels agree.
        np.testing.assert_allclose(luma, [235, 219, 188, 173, 78, 63, 32, 16], atol=2)


def test_every_grey_comes_back_within_3(tmp_path: Path) -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2).repeat(32, 0)
    back = _read(_record(tmp_path / "o.mp4", [greys] * 2))[0].image
    assert np.abs(back.astype(int) - greys).max() <= 3


@pytest.mark.parametrize("size", [(321, 181), (63, 48), (1, 1), (64, 47)])
def test_odd_sizes_are_padded_by_repeating_the_edge(size: tuple[int, int], tmp_path: Path) -> None:
    image = np.full((size[1], size[0], 3), (200, 120, 40), np.uint8)
    got = _read(_record(tmp_path / "o.mp4", [image] * 2))[0].image
    assert got.shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
    np.testing.assert_allclose(got.astype(int), np.broadcast_to([200, 120, 40], got.shape), atol=3)


def test_a_live_recording_plays_at_the_speed_it_happened(tmp_path: Path) -> None:
    times = [500.0, 500.1, 500.1, 500.45, 500.5, 501.0]  # a stutter, a repeated stamp, a pause
    frames = _read(_record(tmp_path / "o.mkv", numbered(6), times))
    assert len(frames) == 6
    np.testing.assert_allclose([f.time for f in frames], [0, 0.1, 0.1, 0.45, 0.5, 1.0], atol=0.002)
    assert all(a.time < b.time for a, b in itertools.pairwise(frames))


def test_the_last_frame_lasts_as_long_as_the_others(tmp_path: Path) -> None:
    with av.open(str(_record(tmp_path / "o.mp4", numbered(20)))) as check:
        stream = check.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(2.0, abs=0.01)
        assert float(stream.average_rate) == pytest.approx(10, abs=0.05)


# --- sound -----------------------------------------------------------------------------------------------


def _beeps(path: Path) -> tuple[str, float, float]:
    """(codec, first moment with sound, last moment with sound) in seconds."""
    loud: list[float] = []
    with av.open(str(path)) as check:
        stream = check.streams.audio[0]
        for frame in check.decode(stream):
            samples = np.abs(frame.to_ndarray().astype(np.float64)).reshape(-1)
            at = np.flatnonzero(samples > samples.max() * 0.5) if samples.max() > 0.02 else []
            if len(at):
                loud += [frame.time + at[0] / frame.sample_rate, frame.time + at[-1] / frame.sample_rate]
        return stream.codec_context.name, min(loud), max(loud)


@pytest.mark.parametrize(
    ("source", "codec", "target", "expected"),
    [
        ("mp4", "aac", "mp4", "aac"),
        ("mkv", "aac", "mov", "aac"),
        ("mp4", "aac", "mkv", "aac"),
        ("mkv", "libopus", "mkv", "opus"),
        ("mkv", "libopus", "mp4", "aac"),
        ("mkv", "flac", "mov", "aac"),
        ("mkv", "flac", "mkv", "flac"),
    ],
)
def test_sound_is_kept_and_in_step(
    source: str, codec: str, target: str, expected: str, tmp_path: Path
) -> None:
    times = [0.3 + i / 10 for i in range(20)]  # the picture begins after the sound
    original = write_clip(tmp_path / f"i.{source}", numbered(20), times=times, tone=True, audio_codec=codec)
    frames = _read(original)
    result = _record(
        tmp_path / f"o.{target}", [f.image for f in frames], [f.time for f in frames], audio_from=original
    )
    name, first, last = _beeps(result)
    assert name == expected
    before = _beeps(original)
    assert first == pytest.approx(before[1], abs=0.03)
    assert last == pytest.approx(before[2], abs=0.05)
    with av.open(str(result)) as check:
        shown = [f.time for f in check.decode(video=0)]
    np.testing.assert_allclose(shown, [f.time for f in frames], atol=0.03)


def test_sound_ends_where_the_video_is_cut_short(tmp_path: Path) -> None:
    original = write_clip(tmp_path / "i.mp4", numbered(30), tone=True)
    result = _record(tmp_path / "o.mp4", numbered(10), [i / 10 for i in range(10)], audio_from=original)
    assert _beeps(result)[2] == pytest.approx(1.0, abs=0.06)


def test_sound_from_a_silent_clip_or_from_no_clip(tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "i.mp4", numbered(3))
    result = _record(tmp_path / "o.mp4", numbered(3), [0, 0.1, 0.2], audio_from=silent)
    with av.open(str(result)) as check:
        assert not check.streams.audio
    (tmp_path / "text.mp4").write_text("no")
    with pytest.raises(SinkError, match="cannot copy the sound"):
        FileSink(tmp_path / "p.mp4", (64, 48), 10, audio_from=tmp_path / "text.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["i.mp4", "o.mp4", "text.mp4"]


@pytest.mark.parametrize("target", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("codec", ["aac", "mp2"])  # copied; encoded anew
def test_sound_whose_times_fall_goes_on_behind(codec: str, target: str, tmp_path: Path) -> None:
    """Two transport streams that were joined: the second begins at 0 again."""
    part = write_clip(tmp_path / "part.ts", numbered(20), tone=True, audio_codec=codec)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part.read_bytes() * 2)
    with av.open(str(joined)) as check:
        stamps = [p.dts for p in check.demux(audio=0) if p.dts is not None]
    assert any(a > b for a, b in itertools.pairwise(stamps))  # they do fall
    frames = _read(joined)
    assert len(frames) == 40
    result = _record(
        tmp_path / f"o.{target}", [f.image for f in frames], [f.time for f in frames], audio_from=joined
    )
    _, first, last = _beeps(result)
    before = _beeps(part)
    assert last - first == pytest.approx(2 * (before[2] - before[1]), abs=0.15)
    with av.open(str(result)) as check:
        heard = [f.time for f in check.decode(audio=0)]
    assert all(0 < b - a < 0.1 for a, b in itertools.pairwise(heard))


def test_sound_that_the_container_refuses_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Enhanced AC-3 of which four packets are zeros: the MP4 muxer looks into them."""
    whole = write_clip(tmp_path / "whole.mkv", numbered(20), tone=True, audio_codec="eac3")
    damaged = tmp_path / "damaged.mkv"
    with av.open(str(whole)) as source, av.open(str(damaged), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        for i, packet in enumerate(p for p in source.demux() if p.dts is not None):
            if packet.stream.type == "audio" and 20 <= i < 24:
                bad = av.Packet(bytes(packet.size))
                bad.dts, bad.pts, bad.time_base = packet.dts, packet.pts, packet.time_base
                bad.duration, bad.stream = packet.duration, packet.stream
                packet = bad
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    frames = _read(damaged)
    result = _record(
        tmp_path / "o.mp4", [f.image for f in frames], [f.time for f in frames], audio_from=damaged
    )
    assert len(_read(result)) == 20
    assert _beeps(result)[2] == pytest.approx(2.0, abs=0.1)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "packets of sound did not fit and are missing" in said[0]


@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_sound_that_does_not_say_which_channels_it_has(layout: str, tmp_path: Path) -> None:
    """PCM in Matroska."""
    original = tmp_path / "i.mkv"
    with av.open(str(original), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("pcm_s16le", rate=48000, layout=layout)
        for i in range(10):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(10)[i], format="bgr24")))
            wave = np.full((1, 4800 * sound.channels), 8000, np.int16)
            beep = av.AudioFrame.from_ndarray(wave, format="s16", layout=layout)
            beep.sample_rate, beep.pts, beep.time_base = 48000, i * 4800, Fraction(1, 48000)
            out.mux(sound.encode(beep))
        out.mux(stream.encode(None))
    result = _record(tmp_path / "o.mp4", numbered(10), [i / 10 for i in range(10)], audio_from=original)
    assert _beeps(result)[0] == "aac"


def test_sound_and_picture_are_stored_beside_each_other(tmp_path: Path) -> None:
    original = write_clip(tmp_path / "i.mp4", numbered(30), tone=True)
    frames = _read(original)
    result = _record(
        tmp_path / "o.mkv", [f.image for f in frames], [f.time for f in frames], audio_from=original
    )
    latest, gap = {"video": Fraction(0), "audio": Fraction(0)}, Fraction(0)
    with av.open(str(result)) as check:
        for packet in check.demux():
            if packet.dts is not None:
                latest[packet.stream.type] = packet.dts * packet.time_base
                gap = max(gap, abs(latest["video"] - latest["audio"]))
    assert gap < 1.5


# --- failures --------------------------------------------------------------------------------------------


def test_endings_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"did you mean '\.mp4'"):
        open_sink(f"file:{tmp_path / 'o.mp5'}", size=(64, 48), fps=10)
    with pytest.raises(UsageError, match=r"known: \.mp4, \.mkv, \.mov"):
        open_sink(f"file:{tmp_path / 'o.webm'}", size=(64, 48), fps=10)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    for path, says in ((tmp_path / "none" / "o.mp4", "no folder"), (tmp_path / "folder.mp4", "a folder")):
        with pytest.raises(SinkError, match=says):
            FileSink(path, (64, 48), 10)
    os.mkfifo(tmp_path / "fifo.mp4")
    with pytest.raises(SinkError, match="a FIFO"):
        FileSink(tmp_path / "fifo.mp4", (64, 48), 10)
    with pytest.raises(SinkError, match=r"cannot write /proc/o\.mp4"):
        FileSink("/proc/o.mp4", (64, 48), 10)


def test_no_frames_leave_what_was_there(tmp_path: Path) -> None:
    path = _record(tmp_path / "o.mp4", numbered(3))
    before = path.read_bytes()
    FileSink(path, (64, 48), 10).close()
    sink = FileSink(path, (64, 48), 10)
    assert sink.note == "replaces o.mp4 when done"
    sink.send(Frame(numbered(1)[0], 0, 0))
    sink.discard()
    sink.close()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["o.mp4"]


def test_the_name_appears_when_the_file_is_whole(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "o.mp4", (64, 48), 10)
    assert sink.note == ""
    sink.send(Frame(numbered(1)[0], 0, 0))
    assert not (tmp_path / "o.mp4").exists()
    sink.close()
    assert len(_read(tmp_path / "o.mp4")) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["o.mp4"]


def test_a_frame_of_another_size(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "o.mp4", (64, 48), 10)
    with pytest.raises(SinkError, match="got 32x32, expected 64x48"):
        sink.send(Frame(np.zeros((32, 32, 3), np.uint8), 0, 0))
    sink.close()


def test_links_stay_links_and_long_names_are_possible(tmp_path: Path) -> None:
    (tmp_path / "film").mkdir()
    (tmp_path / "o.mp4").symlink_to(tmp_path / "film" / "real.mp4")
    _record(tmp_path / "o.mp4", numbered(3))
    assert (tmp_path / "o.mp4").is_symlink()
    assert len(_read(tmp_path / "film" / "real.mp4")) == 3
    for name in ("n" * 249 + ".mp4", "x" + "é" * 120 + ".mp4"):
        assert len(_read(_record(tmp_path / name, numbered(2)))) == 2


def test_two_at_once_with_one_name_do_not_meet(tmp_path: Path) -> None:
    sinks = [FileSink(tmp_path / "o.mp4", (64, 48), 10) for _ in range(2)]
    for i, image in enumerate(numbered(4)):
        for sink in sinks[: 1 if i == 3 else 2]:
            sink.send(Frame(image, i / 10, i))
    for sink, frames in zip(sinks, (4, 3), strict=True):
        sink.close()
        assert len(_read(tmp_path / "o.mp4")) == frames
    assert [p.name for p in tmp_path.iterdir()] == ["o.mp4"]


def _record_up_to(limit: int, path: Path, frames: int = 60) -> str:
    """Records noise where no file may be longer than `limit` bytes, a real failure of write(2); returns the
    error, in one line."""
    code = f"""
import resource, signal, numpy as np
from live_relight.core.errors import SinkError
from live_relight.core.frames import Frame
from live_relight.sinks.file import FileSink
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sink = FileSink({str(path)!r}, (320, 180), 10)
try:
    for i in range({frames}):
        sink.send(Frame(np.random.default_rng(i).integers(0, 255, (180, 320, 3), np.uint8), i / 10, i))
    sink.close()
    print("no error")
except SinkError as error:
    print(error)
sink.discard()
sink.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_full_disk_is_one_line_and_keeps_the_old_file(ending: str, tmp_path: Path) -> None:
    path = _record(tmp_path / f"o.{ending}", numbered(3))
    before = path.read_bytes()
    said = _record_up_to(20_000, path)  # less than one picture
    assert said == f"cannot write {path}, got File too large; the file was not made"
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_a_full_disk_keeps_what_was_recorded(ending: str, tmp_path: Path) -> None:
    path = _record(tmp_path / f"o.{ending}", numbered(3))
    before = path.read_bytes()
    others = [tmp_path / f"o.partial.{ending}", tmp_path / f"o.partial-2.{ending}"]
    others[0].write_bytes(b"somebody's")
    others[1].symlink_to("nowhere")
    kept = tmp_path / f"o.partial-3.{ending}"
    said = _record_up_to(1_000_000, path)
    assert said == (
        f"cannot write {path}, got File too large; what was recorded is in {kept}, which is incomplete"
    )
    frames = _read(kept)
    assert 10 <= len(frames) < 60
    np.testing.assert_allclose([f.time for f in frames], np.arange(len(frames)) / 10, atol=0.01)
    assert path.read_bytes() == before
    assert others[0].read_bytes() == b"somebody's"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in (path, *others, kept))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_disk_full_at_the_very_end(ending: str, tmp_path: Path) -> None:
    """All pictures fit, the index does not; Matroska has more behind it, and loses the last one."""
    whole = tmp_path / f"o.{ending}"
    assert _record_up_to(100_000_000, whole, 20) == "no error"
    size = whole.stat().st_size
    for short in (1, 60):
        said = _record_up_to(size - short, tmp_path / f"{short}.{ending}", 20)
        assert "which is incomplete" in said
        assert len(_read(tmp_path / f"{short}.partial.{ending}")) >= (20 if ending == "mp4" else 19)


def test_a_whole_file_that_cannot_have_its_name_is_kept(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "o.mp4", (64, 48), 10)
    for i, image in enumerate(numbered(5)):
        sink.send(Frame(image, i / 10, i))
    (tmp_path / "o.mp4").mkdir()  # meanwhile
    with pytest.raises(SinkError, match=r"what was recorded is in \S*o\.partial\.mp4$"):
        sink.close()
    sink.discard()
    assert len(_read(tmp_path / "o.partial.mp4")) == 5


def test_an_mp4_is_an_ordinary_one_in_the_end(tmp_path: Path) -> None:
    """Pieces are for a recording that breaks off; editors do not take them."""
    path = _record(tmp_path / "o.mp4", numbered(8) * 40)  # more than one piece
    data, boxes, at = path.read_bytes(), [], 0
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8].decode()
        boxes.append(kind)
        at += int.from_bytes(data[at + 8 : at + 16], "big") if size == 1 else size
    assert set(boxes) <= {"ftyp", "free", "mdat", "moov"}
    assert boxes.count("moov") == 1
    assert [round(f.time, 2) for f in _read(path)] == [round(i / 10, 2) for i in range(320)]
