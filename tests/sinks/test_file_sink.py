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
    sink.send(Frame(numbered(1)[0], 0, 0))
    sink.discard()
    sink.close()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["o.mp4"]


def test_the_name_appears_when_the_file_is_whole(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "o.mp4", (64, 48), 10)
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


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_full_disk_is_one_line_and_keeps_the_old_file(ending: str, tmp_path: Path) -> None:
    """A real failure of write(2): the process may not make files longer than 20 kB."""
    path = _record(tmp_path / f"o.{ending}", numbered(3))
    before = path.read_bytes()
    code = f"""
import resource, numpy as np
from live_relight.core.errors import SinkError
from live_relight.core.frames import Frame
from live_relight.sinks.file import FileSink
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
sink = FileSink({str(path)!r}, (320, 180), 10)
try:
    for i in range(60):
        sink.send(Frame(np.random.default_rng(i).integers(0, 255, (180, 320, 3), np.uint8), i / 10, i))
    sink.close()
    print("no error")
except SinkError as error:
    print(error)
sink.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert f"cannot write {path}, got File too large" in done.stdout
    assert done.stderr == ""
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
