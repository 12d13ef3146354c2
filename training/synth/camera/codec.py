"""Compression as webcams and calls do it: MJPEG and H.264 in memory, and chroma subsampling.

Pictures are uint8 [H,W,3] in OpenCV's full-range YCrCb (BT.601), as a camera's processor hands them to
its encoder. Every function is deterministic: the encoder runs in one thread.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Chroma = Literal["444", "422", "420"]

SPARSE: dict[str, tuple[int, int]] = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}  # chroma steps: x, y
JPEG_CHROMA = {
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
CRF_MAX = 51  # x264's worst


def subsample(picture: U8, chroma: Chroma) -> U8:
    """Keep every luma sample but only one chroma sample per 2x1 (422) or 2x2 (420) pixels."""
    across, down = SPARSE[chroma]
    if across == down == 1:
        return picture
    height, width = picture.shape[:2]
    few = (-(-width // across), -(-height // down))
    luma, *colour = cv2.split(picture)
    thin = [cv2.resize(c, few, interpolation=cv2.INTER_AREA) for c in colour]
    wide = [cv2.resize(c, (width, height), interpolation=cv2.INTER_LINEAR) for c in thin]
    return np.asarray(cv2.merge([luma, *wide]), np.uint8)


def mjpeg(picture: U8, quality: int, chroma: Chroma) -> U8:
    """One frame through JPEG; `quality` 1..100 as libjpeg counts."""
    colour = cv2.cvtColor(picture, cv2.COLOR_YCrCb2BGR)
    how = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, JPEG_CHROMA[chroma]]
    packed = cv2.imencode(".jpg", colour, how)[1]
    return np.asarray(cv2.cvtColor(cv2.imdecode(packed, cv2.IMREAD_COLOR), cv2.COLOR_BGR2YCrCb), np.uint8)


def h264(pictures: list[U8], crf: int, interval: int = 250) -> list[U8]:
    """A sequence through x264 and back: one intra frame every `interval`, P frames between (4:2:0).

    crf: 0 (nothing lost) .. 51. Width and height must be even and at least 16. The planes go in as they
    are, so that no colour conversion is paid for.
    """
    height, width = pictures[0].shape[:2]
    if width % 2 or height % 2 or min(width, height) < 16:
        raise ValueError(f"H.264 pictures must have even sides of at least 16, got {width}x{height}")
    coder = av.CodecContext.create("libx264", "w")
    coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"
    coder.time_base = Fraction(1, 30)
    coder.thread_count = 1
    # What calls use: fast, no frames kept back, hence no B frames.
    coder.options = {
        "preset": "superfast",
        "tune": "zerolatency",
        "crf": str(int(np.clip(crf, 0, CRF_MAX))),
        "g": str(interval),
        "x264-params": "log-level=-1",
    }
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    out: list[U8] = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(_planes(picture), format="yuv420p")
        frame.pts = number
        for packet in coder.encode(frame):
            out += [_picture(f.to_ndarray(format="yuv420p"), height) for f in decoder.decode(packet)]
    for packet in [*coder.encode(None), None]:
        out += [_picture(f.to_ndarray(format="yuv420p"), height) for f in decoder.decode(packet)]
    if len(out) != len(pictures):
        raise RuntimeError(f"the H.264 decoder gave {len(out)} of {len(pictures)} frames")
    return out


def _planes(picture: U8) -> U8:
    """YCrCb [H,W,3] -> planar 4:2:0 [3H/2,W]: Y, then Cb, then Cr."""
    height, width = picture.shape[:2]
    luma, red, blue = cv2.split(picture)
    few = (width // 2, height // 2)
    thin = [cv2.resize(c, few, interpolation=cv2.INTER_AREA).ravel() for c in (blue, red)]
    return np.concatenate([luma.ravel(), *thin]).reshape(height * 3 // 2, width)


def _picture(planes: U8, height: int) -> U8:
    """The reverse of `_planes`, chroma interpolated."""
    width = planes.shape[1]
    rest = planes[height:].reshape(2, height // 2, width // 2)
    blue, red = (cv2.resize(p, (width, height), interpolation=cv2.INTER_LINEAR) for p in rest)
    return np.asarray(cv2.merge([np.ascontiguousarray(planes[:height]), red, blue]), np.uint8)
