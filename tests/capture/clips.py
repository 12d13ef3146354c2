"""Small pictures and clips that tests make for themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from live_relight.core.frames import Image

WHITE, YELLOW, CYAN, GREEN, MAGENTA, RED, BLUE, BLACK = (
    (255, 255, 255),
    (0, 255, 255),
    (255, 255, 0),
    (0, 255, 0),
    (255, 0, 255),
    (0, 0, 255),
    (255, 0, 0),
    (0, 0, 0),
)  # BGR
BARS = (WHITE, YELLOW, CYAN, GREEN, MAGENTA, RED, BLUE, BLACK)


def bars(width: int = 320, height: int = 180) -> Image:
    """Eight colour bars above a grey ramp."""
    image = np.zeros((height, width, 3), np.uint8)
    for x in range(width):
        image[:, x] = BARS[x * 8 // width]
    image[height // 2 :] = np.linspace(0, 255, width).astype(np.uint8)[None, :, None]
    return image


def far_from_edges(
    width: int = 320, height: int = 180, block: int = 4
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """True for the pixels of `bars` whose colour 4:2:0 does not mix with a neighbour's; lossy coding spreads
    the edge between bars and ramp over a `block`."""
    mask = np.ones((height, width), bool)
    for k in range(1, 8):
        mask[: height // 2, k * width // 8 - 4 : k * width // 8 + 4] = False
    mask[height // 2 - block : height // 2 + block] = False
    return mask


def numbered(count: int, width: int = 64, height: int = 48) -> list[Image]:
    """Grey frames that get brighter: 20, 24, 28, …"""
    return [np.full((height, width, 3), 20 + 4 * i, np.uint8) for i in range(count)]


# av's colour numbers: matrix (AVCOL_SPC) and range (AVCOL_RANGE); swscale's own number for the matrix.
MATRICES = {"601": (6, 5), "709": (1, 1)}
RANGES = {"limited": 1, "full": 2}


def write_clip(
    path: Path,
    images: list[Image],
    *,
    fps: int = 10,
    matrix: str = "709",
    full: bool = False,
    tag: bool = True,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: list[float] | None = None,
    rotation: int = 0,
    tone: bool = False,
    aspect: Fraction | None = None,
    audio_codec: str = "aac",
    options: dict[str, str] | None = None,
) -> Path:
    """Encodes with the given YUV matrix and range, tagged or not; `tone` adds a beep of the same length."""
    spc, sws = MATRICES[matrix]
    tick = Fraction(1, 1000)
    with av.open(str(path), "w", options=options or {}) as out:
        quality = {"qp": "4", "preset": "ultrafast"} if codec == "libx264" else {}
        stream = out.add_stream(codec, rate=fps, options=quality)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.time_base = tick
        if tag:
            stream.codec_context.colorspace = spc
            stream.codec_context.color_range = RANGES["full" if full else "limited"]
        if rotation:
            stream.set_display_rotation(rotation)
        sound = out.add_stream(audio_codec, rate=48000) if tone else None
        if sound is not None:
            sound.layout = "mono"
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            if pix_fmt.startswith("yuv"):
                frame = frame.reformat(
                    format=pix_fmt,
                    dst_colorspace=sws,
                    src_color_range=2,
                    dst_color_range=2 if full else 1,
                    interpolation=0x20 | 0x40000 | 0x2000 | 0x4000,  # area, exact rounding, full chroma
                )
            else:
                frame = frame.reformat(format=pix_fmt)
            if not tag:
                frame.colorspace, frame.color_range = 2, 0
            frame.pts = round(1000 * (times[i] if times else i / fps))
            frame.time_base = tick
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            seconds = (times[-1] if times else len(images) / fps) + (1 / fps if times else 0)
            wave = np.sin(np.arange(round(48000 * seconds)) * 2 * np.pi * 440 / 48000).astype(np.float32)
            beep = av.AudioFrame.from_ndarray(
                (wave * 8000).astype(np.int16)[None], format="s16", layout="mono"
            )
            beep.sample_rate, beep.pts, beep.time_base = 48000, 0, Fraction(1, 48000)
            fmt = sound.codec_context.format.name
            for part in av.AudioResampler(format=fmt, layout="mono", rate=48000, frame_size=1024).resample(
                beep
            ):
                out.mux(sound.encode(part))
            out.mux(sound.encode(None))
    return path


@contextmanager
def no_threads_left() -> Iterator[None]:
    """Fails when a Python thread is left behind. (FFmpeg's are not Python's; they end with its contexts.)"""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    left = [t.name for t in set(threading.enumerate()) - before if t.is_alive()]
    assert not left, f"threads left: {left}"
