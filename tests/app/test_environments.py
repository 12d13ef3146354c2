"""Pictures of surroundings are read from every format that we name, and bad ones are one line."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from live_relight import environments
from live_relight.core.errors import LiveRelightError, UsageError
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.environments import decode, load
from live_relight.shelf import FileShelf

EXR = b"\x76\x2f\x31\x01"


def test_a_panorama_that_goes_away_in_mid_stream_is_used_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hall.png"
    cv2.imwrite(str(path), np.full((32, 64, 3), 90, np.uint8))
    shelf = FileShelf()
    there = shelf.environment(str(path))
    path.unlink()
    for _ in range(3):
        assert shelf.environment(str(path)) is there
    assert len(caplog.records) == 1, "said once"
    assert "no such file" in caplog.text
    with pytest.raises(UsageError):  # but whoever asks for it anew is told
        environments.check(Look((Light.of("env", file=str(path)),)))
    with pytest.raises(UsageError):
        shelf.environment(str(tmp_path / "never.png"))


@pytest.mark.parametrize(
    ("name", "pixels", "mean"),
    [
        ("float.hdr", np.full((8, 16, 3), 2.5, np.float32), 2.5),
        ("eight.png", np.full((8, 16, 3), 188, np.uint8), 0.5029),
        ("sixteen.png", np.full((8, 16, 3), 188 * 257, np.uint16), 0.5029),
        ("grey.jpg", np.full((8, 16), 188, np.uint8), 0.5029),
        ("alpha.png", np.full((8, 16, 4), 188, np.uint8), 0.5029),
    ],
)
def test_formats_come_out_linear(tmp_path: Path, name: str, pixels: np.ndarray, mean: float) -> None:
    cv2.imwrite(str(tmp_path / name), pixels)
    found = decode(tmp_path / name)
    assert found.shape == (8, 16, 3)
    np.testing.assert_allclose(found, mean, rtol=2e-3)


def test_exr_is_read_where_openexr_is_installed(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR")
    pixels = np.zeros((8, 16, 3), np.float32) + np.float32([1.0, 2.0, 3.0])  # RGB in the file
    path = tmp_path / "room.exr"
    exr.File({"compression": exr.ZIP_COMPRESSION}, {"RGB": pixels}).write(str(path))
    np.testing.assert_allclose(decode(path)[0, 0], [3.0, 2.0, 1.0])


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("text.hdr", b"#?RADIANCE\nnothing\n", "does not decode"),
        ("huge.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 40000 +X 80000\n", "80000 pixels wide"),
        ("empty.png", b"", "an empty file"),
        ("cut.exr", EXR + b"\2\0\0\0chan", "environment"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(LiveRelightError, match=words) as error:
        load(str(tmp_path / name))
    assert "\n" not in str(error.value)


@pytest.mark.skipif(importlib.util.find_spec("OpenEXR") is not None, reason="OpenEXR is installed")
def test_without_openexr_the_line_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "room.exr").write_bytes(EXR)
    with pytest.raises(LiveRelightError, match="pip install OpenEXR"):
        load(str(tmp_path / "room.exr"))
