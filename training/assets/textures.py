"""Textures: shrunk to at most 1024 pixels a side, and told apart by their size and coarse means."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

SIDE = 1024  # pixels; a webcam picture shows less than that of any texture
GRID = 8
# Of 255. Another way of shrinking moves a block's mean by 1 or 2; the most alike of the skins lie 4 apart.
FAR = 3

POINTER = b"version https://git-lfs.github.com/spec/"


def read_picture(path: Path) -> np.ndarray | None:
    """HxWxC uint8 (gray, BGR or BGRA), None where the file is no picture."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if picture is None:
        return None
    if picture.dtype == np.uint16:
        picture = (picture / 257).round().astype(np.uint8)
    return picture.reshape(*picture.shape[:2], -1)


def with_channels(picture: np.ndarray, count: int) -> np.ndarray:
    """HxWx`count`: gray repeated, alpha dropped or made opaque."""
    if picture.shape[2] == count:
        return picture
    colour = np.repeat(picture[..., :1], 3, -1) if picture.shape[2] < 3 else picture[..., :3]
    if count == 4:
        return np.dstack((colour, np.full(colour.shape[:2], 255, np.uint8)))
    return np.ascontiguousarray(colour[..., :count])


def shrink(picture: np.ndarray) -> np.ndarray:
    """At most SIDE pixels a side, each the mean of those that it covers."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small.reshape(*small.shape[:2], -1)


def means(picture: np.ndarray) -> np.ndarray:
    """GRIDxGRIDxC uint8: the means of the picture's blocks."""
    small = cv2.resize(picture, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return small.reshape(GRID, GRID, -1)


def fingerprint(picture: np.ndarray) -> str:
    """'WIDTHxHEIGHTxCHANNELS base64', the manifest's notation."""
    height, width, channels = picture.shape
    return f"{width}x{height}x{channels} {base64.b64encode(means(picture).tobytes()).decode()}"


def channels_of(known: str) -> int:
    """How many channels the known picture has."""
    return int(known.split()[0].split("x")[2])


def difference(picture: np.ndarray | None, known: str) -> str | None:
    """None where it is the known picture, else in a few words why not."""
    if picture is None:
        return "is no picture"
    shape, means64 = known.split()
    found = f"{picture.shape[1]}x{picture.shape[0]}x{picture.shape[2]}"
    if found != shape:
        return f"is {found}, expected {shape}"
    wanted = np.frombuffer(base64.b64decode(means64), np.uint8).reshape(GRID, GRID, -1)
    apart = np.abs(means(picture).astype(int) - wanted)
    if apart.max() > FAR:
        return f"shows something else (block means differ by up to {apart.max()} of 255)"
    return None


def pointer_of(path: Path) -> tuple[str, int] | None:
    """(sha256, bytes) of the picture that a Git LFS pointer stands for, None for any other file."""
    with path.open("rb") as file:
        text = file.read(1024)
    if not text.startswith(POINTER):
        return None
    fields = dict(line.split(" ", 1) for line in text.decode("ascii").splitlines() if " " in line)
    return fields["oid"].removeprefix("sha256:"), int(fields["size"])


def to_png(picture: np.ndarray) -> bytes:
    """The picture as PNG."""
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} did not become PNG")
    return data.tobytes()
