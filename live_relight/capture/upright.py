"""A decoded video frame to an upright picture of square pixels: its own matrix, range and turns."""

from __future__ import annotations

import struct
from typing import Any

import av.video.frame
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from live_relight.core.frames import Image

from .fit import check_size

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
_UNTAGGED = (0, 2, 3)
"""RGB, which YUV cannot be, 'unspecified' and 'reserved'."""
_HDR = {16: "PQ", 18: "HLG"}
"""Transfer curves, by their number in H.273."""
# Without ACCURATE_RND swscale's fast path is off by 4/255; with it, pure colours come back within 2. Without
# FULL_CHR_H_INT two pixels side by side share their colour, and so does whatever goes by colour: stairs of
# light along a sleeve. To separate planes and OpenCV's merge it takes less time than to packed ones.
_FLAGS = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class Upright:
    """Makes H x W x 3 uint8 BGR of the frames of one stream; `aspect`: width of its pixels over their height.

    YUV is converted by the stream's own matrix and range, handed to swscale explicitly. One that says neither
    counts as BT.601 below 720 lines and BT.709 from there on, limited range; that is a guess, the same as
    players make, and `doubts` says so. HDR transfer curves are not tone-mapped; it says that too.
    """

    def __init__(self, name: str, aspect: float) -> None:
        self._name, self._aspect = name, aspect
        # One for all frames, on one thread: half the processor time of a new one per frame on all cores.
        self._reformatter = VideoReformatter()

    def image(self, frame: av.video.frame.VideoFrame) -> Image:
        """Raises SourceError where the frame is too large or has no size."""
        width, height = frame.width, frame.height
        check_size(self._name, width, height)
        width = max(1, round(width * self._aspect))
        how: dict[str, int] = {}
        if not frame.format.is_rgb:
            how = {"src_colorspace": _matrix(frame), "src_color_range": _range(frame)}
        planes = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="gbrp",
            dst_color_range=ColorRange.JPEG,
            interpolation=_FLAGS,
            threads=1,
            **how,
        )
        green, blue, red = (_plane(plane) for plane in planes.planes)
        image = np.asarray(cv2.merge([blue, green, red]), np.uint8)
        return _turned(image, _display_matrix(frame))


def _plane(plane: Any) -> Image:
    """h x w uint8, without the padding of its rows. PyAV's stubs do not know that a plane is a buffer."""
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return np.asarray(rows[:, : plane.width])


def doubts(frame: av.video.frame.VideoFrame) -> str:
    """A sentence for people about what is not known or not converted in the colours of a stream; '' where all
    is well."""
    said = []
    if frame.colorspace not in _MATRIX and any(part.is_chroma for part in frame.format.components):
        got = f"has colour matrix {frame.colorspace}, which is not converted"
        if frame.colorspace in _UNTAGGED:
            got = "says no colour matrix"
        said.append(f"{got}: taken for BT.{'601' if _guess(frame) == Colorspace.ITU601 else '709'}")
    if curve := _HDR.get(frame.color_trc):
        said.append(f"is HDR ({curve}), which is not converted: colours will be pale")
    return "; ".join(said)


def _matrix(frame: av.video.frame.VideoFrame) -> int:
    return int(_MATRIX.get(frame.colorspace, _guess(frame)))


def _guess(frame: av.video.frame.VideoFrame) -> Colorspace:
    return Colorspace.ITU601 if frame.height < 720 else Colorspace.ITU709


def _range(frame: av.video.frame.VideoFrame) -> int:
    if frame.color_range in (ColorRange.MPEG, ColorRange.JPEG):
        return int(frame.color_range)
    full = frame.format.name.startswith(("yuvj", "gray", "ya"))  # formats that mean full range by themselves
    return int(ColorRange.JPEG if full else ColorRange.MPEG)


def _display_matrix(frame: av.video.frame.VideoFrame) -> tuple[int, int, int, int] | None:
    """(a, b, c, d) of x' = a x + c y, y' = b x + d y in 16.16 fixed point; None: show it as it is stored."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")  # PyAV's stubs call it an object; it is a buffer
    if data is None:
        return None
    m = struct.unpack("=9i", bytes(data))
    return m[0], m[1], m[3], m[4]


def _turned(image: Image, matrix: tuple[int, int, int, int] | None) -> Image:
    """Turns by quarters and flips; angles in between do not occur in practice and snap to the nearest."""
    if matrix is None:
        return image
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, flip_x, flip_y = image.swapaxes(0, 1), c < 0, b < 0
    else:
        flip_x, flip_y = a < 0, d < 0
    return np.ascontiguousarray(image[:: -1 if flip_y else 1, :: -1 if flip_x else 1])
