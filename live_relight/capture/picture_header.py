"""Reads a picture's kind, size and EXIF orientation from its first bytes, without decoding any pixel.

Decoders allocate the size that a header claims; a 100-byte file may claim 20000 x 20000. So we look first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

KINDS = ("PNG", "JPEG", "WebP", "BMP", "TIFF", "PNM")
"""What `parse` knows."""


@dataclass(frozen=True)
class Header:
    kind: str
    width: int
    height: int
    orientation: int = 1
    """EXIF orientation 1..8 that is still to be applied to the decoded pixels."""


def parse(data: bytes) -> Header | None:
    """None: not a picture of a known kind. Raises ValueError when the header of a known kind is broken."""
    header = _parse(data)
    if header is not None and min(header.width, header.height) < 1:
        raise ValueError(f"its header says {header.width}x{header.height}")
    return header


def _parse(data: bytes) -> Header | None:
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"BM"):
            return _bmp(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            tags = _tiff_tags(data)
            # OpenCV turns TIFFs upright itself.
            return Header("TIFF", tags[256], tags[257])
        if len(data) > 2 and data[0:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
            return _pnm(data)
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError("the header is cut off or broken") from error
    return None


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    return Header("PNG", width, height, _orientation(_png_chunk(data, b"eXIf")))


def is_cut(data: bytes) -> bool:
    """Whether a PNG ends before its end. Asked beforehand, as libpng writes a line of its own about it."""
    return data.startswith(b"\x89PNG") and not any(name == b"IEND" for name, _ in _png_chunks(data))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 12 + length


def _png_chunk(data: bytes, wanted: bytes) -> bytes:
    return next((body for name, body in _png_chunks(data) if name == wanted), b"")


def _jpeg(data: bytes) -> Header:
    at, exif = 2, b""
    while True:
        while data[at] != 0xFF:
            at += 1
        while data[at] == 0xFF:  # fill bytes are allowed before a marker
            at += 1
        marker = data[at]
        at += 1
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a body
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker == 0xE1 and data[at + 2 : at + 8] == b"Exif\0\0" and not exif:
            exif = data[at + 8 : at + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 3)
            return Header("JPEG", width, height, _orientation(exif))
        if marker in (0xD9, 0xDA):
            raise ValueError("no frame header")
        at += length


def _webp(data: bytes) -> Header:
    at, size, exif = 12, (0, 0), b""
    while at + 8 <= len(data):
        name, length = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        body = at + 8
        if name == b"VP8X":
            size = (_u24(data, body + 4) + 1, _u24(data, body + 7) + 1)
        elif name == b"VP8 " and size == (0, 0):
            width, height = struct.unpack_from("<HH", data, body + 6)
            size = (width & 0x3FFF, height & 0x3FFF)
        elif name == b"VP8L" and size == (0, 0):
            (bits,) = struct.unpack_from("<I", data, body + 1)
            size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        elif name == b"EXIF":
            exif = data[body : body + length].removeprefix(b"Exif\0\0")
        at = body + length + (length & 1)
    if size == (0, 0):
        raise ValueError("no picture in the container")
    return Header("WebP", *size, _orientation(exif))


def _u24(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16


def _bmp(data: bytes) -> Header:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # OS/2 header
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return Header("BMP", abs(width), abs(height))


def _pnm(data: bytes) -> Header:
    words: list[bytes] = []
    for line in data[:4096].splitlines():
        words += line.split(b"#")[0].split()
        if len(words) >= 3:
            return Header("PNM", int(words[1]), int(words[2]))
    raise ValueError("the header is cut off or broken")


def _tiff_tags(data: bytes) -> dict[int, int]:
    """First value of each SHORT or LONG tag of the first directory."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    tags: dict[int, int] = {}
    for i in range(count):
        tag, kind = struct.unpack_from(order + "HH", data, at + 2 + 12 * i)
        if kind in (3, 4):
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 10 + 12 * i)
    return tags


def _orientation(exif: bytes) -> int:
    """A broken EXIF block never spoils a good picture: it counts as upright."""
    try:
        value = _tiff_tags(exif).get(274, 1) if exif[:2] in (b"II", b"MM") else 1
    except (struct.error, IndexError):
        return 1
    return value if 1 <= value <= 8 else 1
