"""Still pictures: read with every quirk of the format undone, written whole or not at all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from live_relight.core.errors import SinkError, SourceError, UsageError, nearest
from live_relight.core.frames import Frame, Image
from live_relight.core.paths import read_whole, reason
from live_relight.files import write_whole

from . import picture_header
from .fit import Fit, check_size
from .guard import Guard

WRITABLE = (".png", ".jpg", ".jpeg", ".webp")
READABLE = (*WRITABLE, ".bmp", ".tif", ".tiff", ".pnm", ".ppm", ".pgm")
"""File endings, for telling pictures from videos in a folder."""
MAX_BYTES = 1_000_000_000
"""More than any picture of a size that we take."""

# A broken picture is our one line; the decoders' own lines would come on top of it.
cv2.utils.logging.setLogLevel(0)


@dataclass(frozen=True)
class Picture:
    image: Image
    """H x W x 3 uint8 BGR, upright (EXIF applied), encoded as `profile` says."""
    alpha: npt.NDArray[np.uint8] | None
    """H x W uint8 coverage as stored, not multiplied into `image`; None where the file has none."""
    bits: int
    """Bits per channel in the file: 8 or 16."""
    profile: bytes = b""
    """The file's ICC profile for RGB, to be handed on to what is made of the picture; b"": sRGB, or unknown.
    It is not applied: light is worked out as if values were sRGB."""


def read_picture(path: str | Path) -> Picture:
    """Any PNG, JPEG, WebP, BMP, TIFF or PNM: grey, palette, 16 bit and alpha come out as one kind of picture.

    Raises SourceError (missing, unreadable, not a picture, broken, or too big; the size is checked from the
    header, before anything of that size is allocated).
    """
    path = Path(path)
    data = _read_bytes(path)
    try:
        header = picture_header.parse(data)
    except ValueError as error:
        raise SourceError(f"picture {path} is broken: {error}", todo="save it again") from error
    if header is None:
        got = "an empty file" if not data else "something else"
        todo = "`live-relight video` takes it" if _is_clip(data) else ""
        raise SourceError(f"{path} is not a picture", got, "one of " + ", ".join(picture_header.KINDS), todo)
    check_size(f"picture {path}", header.width, header.height)
    if picture_header.is_cut(data):
        raise SourceError(f"picture {path} is broken", "a file that is cut off", todo="copy it again")
    pixels, profile = _decode(data)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        got = "pixels that do not decode" if pixels is None else f"{pixels.dtype} pixels"
        raise SourceError(
            f"picture {path} is broken or a rare kind", got, todo="save it again as PNG or JPEG"
        )
    bits = 8 * pixels.dtype.itemsize
    image, alpha = _split(_upright(_to_8_bit(pixels), header.orientation))
    if header.kind == "TIFF" and alpha is not None and bits == 8:
        image = _unpremultiply(image, alpha)
    return Picture(image, alpha, bits, profile)


def write_picture(
    path: str | Path,
    image: npt.NDArray[Any],
    alpha: npt.NDArray[Any] | None = None,
    quality: int = 95,
    profile: bytes = b"",
) -> None:
    """Writes .png, .jpg/.jpeg or .webp; the file appears under its name only when it is whole.

    `image`: H x W x 3 BGR or H x W, uint8, or uint16 for .png. `alpha`: H x W of the same type, kept in .png
    and .webp, left out of .jpg. `quality` 1..100 is for .jpg and .webp. `profile`: an ICC profile, or b"".
    Raises UsageError for another ending, SinkError where it cannot be written.
    """
    path = Path(path)
    ending = check_writable_ending(path)
    if alpha is not None and ending in (".png", ".webp"):
        colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        image = np.dstack([colour, alpha])
    options = {".png": [cv2.IMWRITE_PNG_COMPRESSION, 3], ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality]}
    how = options.get(ending, [cv2.IMWRITE_JPEG_QUALITY, quality])
    try:
        if profile:
            told = np.frombuffer(profile, np.uint8)
            ok, data = cv2.imencodeWithMetadata(ending, image, [cv2.IMAGE_METADATA_ICCP], [told], how)
        else:
            ok, data = cv2.imencode(ending, image, how)
    except cv2.error as error:
        raise SinkError(f"cannot write {path}", str(error.err)) from error
    if not ok:
        raise SinkError(f"cannot write {path}", f"{image.dtype} {image.shape}", "what the format can hold")
    write_whole(path, data.tobytes())


def check_writable_ending(path: Path) -> str:
    """The lower-case ending. Raises UsageError that names the known ones."""
    ending = path.suffix.lower()
    if ending not in WRITABLE:
        raise UsageError(f"cannot write {path}", f"ending '{ending}'", "a picture", nearest(ending, WRITABLE))
    return ending


class StillSource:
    """One picture, again and again at `fps`: a camera on a tripod, for trying lights. Never ends."""

    def __init__(self, path: str | Path, fit: Fit, fps: float = 30.0, pace: bool = True) -> None:
        self.name = f"picture {Path(path).name}"
        self.note = ""
        self.live = pace
        self.fps = fps
        self._image = fit.apply(read_picture(path).image)
        self._guard = Guard(lambda: None)
        self._index = 0
        self._start = time.monotonic()

    @property
    def size(self) -> tuple[int, int]:
        return self._image.shape[1], self._image.shape[0]

    def read(self) -> Frame | None:
        """The same array every time: do not write into it. None only after `close`."""
        due = self._index / self.fps
        if self.live:
            due += self._start
            late = time.monotonic() - due
            if late > 1.0:  # nobody read for a while (a debugger, a suspended laptop): go on from now
                self._start, due = self._start + late, due + late
        if not self._guard.sleep(due - time.monotonic() if self.live else 0.0):
            return None
        frame = Frame(self._image, due, self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        self._guard.close()


def _read_bytes(path: Path) -> bytes:
    try:
        return read_whole(path, MAX_BYTES)
    except FileNotFoundError:
        raise SourceError(f"no picture {path}", todo="check the name") from None
    except OSError as error:
        raise SourceError(f"cannot read picture {path}", reason(error)) from error


def _is_clip(data: bytes) -> bool:
    """GIF, MKV and WebM, MP4 and MOV."""
    return data[:4] in (b"GIF8", b"\x1aE\xdf\xa3") or data[4:8] == b"ftyp"


def _decode(data: bytes) -> tuple[npt.NDArray[Any] | None, bytes]:
    """Pixels as stored: H x W or H x W x 3 or 4, BGR(A), any type; orientation not applied. And the ICC
    profile that goes with them; one for grey or ink does not fit what is made of the picture."""
    stored = np.frombuffer(data, np.uint8)
    try:
        pixels, kinds, values = cv2.imdecodeWithMetadata(stored, flags=cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None, b""
    told = dict(zip(kinds, values, strict=True)).get(cv2.IMAGE_METADATA_ICCP)
    profile = b"" if told is None else np.asarray(told).tobytes()
    return (None if pixels is None else np.asarray(pixels)), profile if profile[16:20] == b"RGB " else b""


def _to_8_bit(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    # 65535 / 255 = 257, rounded to nearest; blockwise would save memory but 16-bit pictures are rare.
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Undoes EXIF orientation 1..8 (5..8 exchange width and height)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _split(pixels: npt.NDArray[np.uint8]) -> tuple[Image, npt.NDArray[np.uint8] | None]:
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2), None
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2), None
    if pixels.shape[2] == 2:
        return np.repeat(pixels[..., :1], 3, axis=2), np.ascontiguousarray(pixels[..., 1])
    if pixels.shape[2] == 4:
        return np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3])
    return np.asarray(pixels, dtype=np.uint8), None


def _unpremultiply(image: Image, alpha: npt.NDArray[np.uint8]) -> Image:
    """OpenCV hands out TIFF colours multiplied by alpha; every other format comes straight."""
    a = np.maximum(alpha, 1)[..., None].astype(np.uint32)
    straight: Image = np.minimum((image * np.uint32(255) + a // 2) // a, 255).astype(np.uint8)
    return straight
