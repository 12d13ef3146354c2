"""Clips: colours, time, turning, and everything that can be wrong with a file."""

from __future__ import annotations

import os
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from live_relight.capture import Grabber, open_source
from live_relight.capture.demo import open_demo
from live_relight.capture.fit import Fit
from live_relight.capture.video import VideoSource
from live_relight.core.errors import SourceError
from live_relight.core.frames import Frame
from tests.capture.clips import bars, far_from_edges, no_threads_left, numbered, write_clip


def _all(source: VideoSource) -> list[Frame]:
    frames = list(iter(source.read, None))
    source.close()
    return frames


def _open(path: Path, fit: Fit | None = None, **how: object) -> VideoSource:
    return VideoSource(path, fit or Fit(), **{"pace": False, **how})


@pytest.mark.parametrize("matrix", ["601", "709"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("height", [180, 720])
def test_tagged_matrix_and_range_are_honoured(matrix: str, full: bool, height: int, tmp_path: Path) -> None:
    width = height * 16 // 9
    path = write_clip(tmp_path / "c.mp4", [bars(width, height)] * 2, matrix=matrix, full=full)
    image = _all(_open(path))[1].image
    off = np.abs(image.astype(int) - bars(width, height))[far_from_edges(width, height)]
    assert off.max() <= 3


@pytest.mark.parametrize(("height", "matrix"), [(180, "601"), (718, "601"), (720, "709")])
def test_untagged_means_601_below_720_lines_and_709_above(height: int, matrix: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", [bars(320, height)] * 2, matrix=matrix, tag=False)
    with av.open(str(path)) as check:
        assert check.streams.video[0].codec_context.colorspace == 2  # really not tagged
    image = _all(_open(path))[0].image
    off = np.abs(image.astype(int) - bars(320, height))[far_from_edges(320, height)]
    assert off.max() <= 3


@pytest.mark.parametrize(("height", "matrix"), [(180, "601"), (720, "709")])
def test_a_guessed_matrix_is_said(height: int, matrix: str, tmp_path: Path) -> None:
    picture = bars(320, height)
    for tag, says in ((True, ""), (False, f"says no colour matrix: taken for BT.{matrix}")):
        source = open_source(str(write_clip(tmp_path / "c.mp4", [picture] * 2, matrix=matrix, tag=tag)))
        assert source.note == says
        source.close()


@pytest.mark.parametrize(
    ("trc", "space", "says"),
    [
        (18, 9, "is HDR (HLG), which is not converted: colours will be pale"),
        (16, 9, "is HDR (PQ), which is not converted: colours will be pale"),
        (1, 8, "has colour matrix 8, which is not converted: taken for BT.601"),  # YCgCo
        (
            18,
            2,
            "says no colour matrix: taken for BT.601; "
            "is HDR (HLG), which is not converted: colours will be pale",
        ),
        (1, 1, ""),
    ],
)
def test_colours_that_are_not_converted_are_said(trc: int, space: int, says: str, tmp_path: Path) -> None:
    path = tmp_path / "c.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.codec_context.color_trc, stream.codec_context.colorspace = trc, space
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(bars(), format="bgr24").reformat(format="yuv420p")
            frame.colorspace, frame.color_trc = space, trc
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    source = _open(path)
    assert source.note == says
    assert len(_all(source)) == 2


def test_rgb_and_grey_video_need_no_matrix(tmp_path: Path) -> None:
    exact = write_clip(tmp_path / "c.mkv", [bars()] * 2, codec="ffv1", pix_fmt="bgr0", tag=False)
    np.testing.assert_array_equal(_all(_open(exact))[0].image, bars())
    assert _open(exact).note == ""
    grey = np.repeat(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], 3, 2).repeat(64, 0)
    path = write_clip(tmp_path / "g.mkv", [grey] * 2, codec="ffv1", pix_fmt="gray", tag=False)
    np.testing.assert_allclose(_all(_open(path))[0].image.astype(int), grey.astype(int), atol=2)
    assert _open(path).note == ""


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_display_rotation_is_applied(degrees: int, turns: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", [bars()] * 2, rotation=degrees)
    frame = _all(_open(path))[0]
    with av.open(str(path)) as check:
        stored = next(check.decode(video=0))
        assert stored.rotation % 360 == degrees % 360
    # FFmpeg's angle counts counter-clockwise, and so does rot90.
    upright = np.rot90(bars(), turns)
    assert frame.image.shape == upright.shape
    off = np.abs(frame.image.astype(int) - upright)[np.rot90(far_from_edges(), turns)]
    assert off.max() <= 3


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", [bars()] * 2, aspect=Fraction(4, 3))
    assert _open(path).size == (round(320 * 4 / 3), 180)


@pytest.mark.parametrize("size", [(321, 181), (1, 1), (3, 2), (639, 2)])
def test_odd_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    image = np.full((size[1], size[0], 3), (40, 120, 200), np.uint8)
    path = write_clip(tmp_path / "c.mkv", [image] * 2, codec="ffv1", pix_fmt="yuv444p")
    source = _open(path)
    assert source.size == size
    np.testing.assert_allclose(_all(source)[0].image.astype(int), image.astype(int), atol=3)


def test_a_wanted_size_is_filled_without_distortion(tmp_path: Path) -> None:
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 200  # a white square
    path = write_clip(tmp_path / "c.mp4", [image] * 2, tag=True)
    for size in ((50, 50), (100, 50), (200, 300)):
        got = _all(_open(path, Fit(size)))[0].image
        assert got.shape == (size[1], size[0], 3)
        middle = got[size[1] // 2, :, 0] > 100
        # The square is as wide as the picture is high, in the middle, and cut where it does not fit.
        assert abs(int(middle.sum()) - min(size[0], size[1])) <= 2
        assert abs(np.flatnonzero(middle).mean() - (size[0] - 1) / 2) <= 1


def test_mirror(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", [bars()] * 2)
    straight, mirrored = (_all(_open(path, Fit(mirror=m)))[0].image for m in (False, True))
    np.testing.assert_array_equal(mirrored, straight[:, ::-1])


def test_positions_of_a_variable_rate(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1, 0.5, 0.52]
    frames = _all(_open(write_clip(tmp_path / "c.mp4", numbered(5), times=times)))
    assert [round(f.time, 3) for f in frames] == times


def test_pace_follows_the_clock_and_its_gaps(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", numbered(4), times=[0.0, 0.05, 0.25, 0.3])
    source = _open(path, pace=True)
    assert source.live
    start = time.monotonic()
    frames = _all(source)
    took = time.monotonic() - start
    assert took >= 0.29  # never faster than the clip
    assert [round(f.time - frames[0].time, 3) for f in frames] == [0.0, 0.05, 0.25, 0.3]


def test_playback_that_falls_behind_plays_later_frames_in_time(tmp_path: Path) -> None:
    source = _open(write_clip(tmp_path / "c.mp4", numbered(10)), pace=True)
    source.read()
    time.sleep(1.0)
    frame = source.read()  # was due 0.9 s ago
    assert frame is not None
    assert abs(time.monotonic() - frame.time) < 0.3
    source.close()


@pytest.mark.parametrize(("fps", "kept"), [(5, [0, 2, 4, 6, 8]), (10, range(10)), (60, range(10))])
def test_a_lower_rate_leaves_frames_out(fps: float, kept: list[int], tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", numbered(10))
    source = _open(path, fps=fps)
    assert source.fps == min(fps, 10)
    assert source.frame_count == len(kept)
    frames = _all(source)
    assert [round((f.image.mean() - 20) / 4) for f in frames] == list(kept)
    assert [f.index for f in frames] == list(range(len(kept)))


def test_loop_goes_on_in_time_and_shows_every_frame(tmp_path: Path) -> None:
    source = open_demo(Fit(), pace=False, clip=write_clip(tmp_path / "c.mp4", numbered(4)))
    frames = [source.read() for _ in range(10)]
    source.close()
    shown = [round((f.image.mean() - 20) / 4) for f in frames if f]
    assert shown == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert [round(f.time, 2) for f in frames if f] == [round(i / 10, 2) for i in range(10)]


def test_the_demo_says_when_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="demo clip is missing"):
        open_demo(Fit(), clip=tmp_path / "none.mp4")
    (tmp_path / "cut.mp4").write_bytes(b"\0" * 100)
    with pytest.raises(SourceError, match=r"the demo clip is not a video .* install live-relight again"):
        open_demo(Fit(), clip=tmp_path / "cut.mp4")


def test_a_clip_whose_sound_starts_first_keeps_its_offset(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mkv", numbered(3), times=[0.5, 0.6, 0.7], tone=True)
    assert [round(f.time, 2) for f in _all(_open(path))] == [0.5, 0.6, 0.7]


# --- what can be wrong --------------------------------------------------------------------------------


def _refused(path: Path) -> str:
    with no_threads_left(), pytest.raises(SourceError) as caught:
        open_source(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_file_and_the_nearest_name(tmp_path: Path) -> None:
    write_clip(tmp_path / "holiday.mp4", numbered(2))
    assert "did you mean 'holiday.mp4'?" in _refused(tmp_path / "hoilday.mp4")
    assert "no folder" in _refused(tmp_path / "none" / "x.mp4")
    assert "got a folder" in _refused(tmp_path)
    with pytest.raises(SourceError, match="did you mean 'demo'"):
        open_source("dmeo")


def test_text_and_nothing_named_like_a_video(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is not a video\n" * 50)
    (tmp_path / "text.txt").write_text("this is not a video\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name in ("text.mp4", "text.txt", "empty.mp4"):
        message = _refused(tmp_path / name)
        assert name in message
        assert "not a video" in message or "no picture" in message


def test_sound_alone(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert "no picture in it, got sound only" in _refused(path)


def test_a_video_without_frames(tmp_path: Path) -> None:
    path = tmp_path / "none.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.start_encoding()
    message = _refused(path)
    assert "no frames" in message or "not a video or is broken" in message


def test_a_truncated_clip_gives_the_frames_that_are_there(tmp_path: Path) -> None:
    noise = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8) for i in range(20)]
    for name, options in (
        ("c.mkv", {}),
        ("c.mp4", {"movflags": "+faststart"}),
        ("f.mp4", {"movflags": "frag_keyframe+empty_moov"}),
    ):
        whole = write_clip(tmp_path / name, noise, options=options)
        data = whole.read_bytes()
        whole.write_bytes(data[: len(data) // 2])
        frames = _all(_open(whole))
        assert 4 <= len(frames) < 20, name


def test_a_clip_cut_before_its_index_is_one_line(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "c.mp4", numbered(20))
    whole.write_bytes(whole.read_bytes()[:2000])
    assert "broken" in _refused(whole)


def test_damage_in_the_middle_costs_frames_not_the_clip(tmp_path: Path) -> None:
    noise = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8) for i in range(20)]
    path = write_clip(tmp_path / "c.mkv", noise, codec="mjpeg", pix_fmt="yuvj420p", full=True)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    path.write_bytes(data)
    assert 15 <= len(_all(_open(path))) <= 20


def test_a_stream_that_changes_its_size_keeps_the_first(tmp_path: Path) -> None:
    parts = [write_clip(tmp_path / f"{w}.ts", numbered(5, w, h)) for w, h in ((64, 48), (96, 48), (32, 64))]
    (tmp_path / "c.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    for fit, size in ((Fit(), (64, 48)), (Fit((40, 30), True), (40, 30))):
        frames = _all(_open(tmp_path / "c.ts", fit))
        assert len(frames) > 10
        assert {(f.image.shape[1], f.image.shape[0]) for f in frames} == {size}


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """Opening a FIFO that nobody writes to would block, deaf to Ctrl-C."""
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    assert "got a FIFO" in _refused(tmp_path / "fifo.mp4")
    assert "Too many levels" in _refused(tmp_path / "loop.mp4")
    assert "too long" in _refused(tmp_path / ("x" * 300))
    assert "NUL" in _refused(tmp_path / "a\0b.mp4")
    assert "no file" in _refused(Path("~nouser/x.mp4"))


def test_a_stream_address_that_nobody_serves() -> None:
    with pytest.raises(SourceError, match="cannot open stream"):
        open_source("http://127.0.0.1:9/stream.mjpg")
    with pytest.raises(SourceError):
        open_source("nonsense://somewhere")


def test_reading_ahead_in_a_thread_and_leaving_early(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", numbered(40))
    with no_threads_left():
        grabber = Grabber(open_source(str(path), pace=False), latest_only=False)
        assert [grabber.take(10).index for _ in range(10)] == list(range(10))  # type: ignore[union-attr]
        grabber.close()


def test_closing_while_decoding_many_times(tmp_path: Path) -> None:
    """Freeing a decoder under a running read used to be a crash, not an exception."""
    path = write_clip(tmp_path / "c.mp4", [bars(640, 360)] * 20)
    for i in range(10):
        source = _open(path, loop=True)
        reader = threading.Thread(target=lambda s=source: list(iter(s.read, None)))
        reader.start()
        time.sleep(0.003 * i)
        source.close()
        reader.join(10)
        assert not reader.is_alive()
