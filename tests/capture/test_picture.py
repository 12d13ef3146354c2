"""Still pictures: every kind comes out right, the bad ones as one line."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageCms

from live_relight.capture import open_source
from live_relight.capture.picture import read_picture, write_picture
from live_relight.capture.picture_header import parse
from live_relight.core.errors import SinkError, SourceError, UsageError
from tests.capture.clips import bars

RGBA = np.array([[[200, 100, 50, 255], [10, 20, 30, 128]], [[0, 255, 0, 0], [255, 255, 255, 64]]], np.uint8)
BGR = np.ascontiguousarray(RGBA[..., 2::-1])


def _save(path: Path, image: Pillow.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_rgb_and_alpha(tmp_path: Path) -> None:
    picture = read_picture(_save(tmp_path / "a.png", Pillow.fromarray(RGBA)))
    np.testing.assert_array_equal(picture.image, BGR)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, RGBA[..., 3])
    assert picture.bits == 8


def test_without_alpha(tmp_path: Path) -> None:
    picture = read_picture(_save(tmp_path / "a.png", Pillow.fromarray(RGBA[..., :3].copy())))
    np.testing.assert_array_equal(picture.image, BGR)
    assert picture.alpha is None


def test_webp_and_tiff_with_alpha(tmp_path: Path) -> None:
    picture = read_picture(_save(tmp_path / "a.webp", Pillow.fromarray(RGBA), lossless=True, exact=True))
    np.testing.assert_array_equal(picture.image, BGR)
    picture = read_picture(_save(tmp_path / "a.tiff", Pillow.fromarray(RGBA)))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, RGBA[..., 3])
    seen = RGBA[..., 3] > 0
    np.testing.assert_allclose(picture.image[seen].astype(int), BGR[seen].astype(int), atol=2)


def test_grey_and_grey_with_alpha(tmp_path: Path) -> None:
    grey = RGBA[..., 0].copy()
    picture = read_picture(_save(tmp_path / "g.png", Pillow.fromarray(grey)))
    np.testing.assert_array_equal(picture.image, np.repeat(grey[..., None], 3, 2))
    assert picture.alpha is None
    both = _save(
        tmp_path / "ga.png", Pillow.merge("LA", [Pillow.fromarray(grey), Pillow.fromarray(RGBA[..., 3])])
    )
    picture = read_picture(both)
    np.testing.assert_array_equal(picture.image, np.repeat(grey[..., None], 3, 2))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, RGBA[..., 3])


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    wide = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / "w.png"), wide)
    picture = read_picture(tmp_path / "w.png")
    assert picture.bits == 16
    assert picture.image.dtype == np.uint8
    np.testing.assert_array_equal(picture.image[0, :, 0], [0, 0, 1, 1, 128, 255])
    cv2.imwrite(str(tmp_path / "w4.png"), np.dstack([wide] * 4))
    picture = read_picture(tmp_path / "w4.png")
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, [[0, 0, 1, 1, 128, 255]])


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Pillow.new("P", (2, 1))
    image.putpalette([200, 100, 50, 10, 20, 30])
    image.putpixel((1, 0), 1)
    picture = read_picture(_save(tmp_path / "p.png", image))
    np.testing.assert_array_equal(picture.image, [[[50, 100, 200], [30, 20, 10]]])
    picture = read_picture(_save(tmp_path / "pt.png", image, transparency=0))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, [[0, 255]])


@pytest.mark.parametrize(
    ("kind", "orientation"), list(itertools.product(("png", "webp", "jpg", "tiff"), range(1, 9)))
)
def test_exif_orientation(kind: str, orientation: int, tmp_path: Path) -> None:
    """Pillow's own transposition is the judge."""
    stored = Pillow.fromarray(np.ascontiguousarray(bars(48, 32)[..., ::-1]))
    exif = Pillow.Exif()
    exif[274] = orientation
    options = {"png": {}, "webp": {"lossless": True}, "jpg": {"quality": 98, "subsampling": 0}, "tiff": {}}[
        kind
    ]
    path = _save(tmp_path / f"o.{kind}", stored, exif=exif, **options)
    from PIL import ImageOps

    expected = np.asarray(ImageOps.exif_transpose(Pillow.open(path)))[..., ::-1]
    picture = read_picture(path)
    assert picture.image.shape == expected.shape
    np.testing.assert_allclose(
        picture.image.astype(int), expected.astype(int), atol=6 if kind == "jpg" else 0
    )


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "tiff", "ppm"])
def test_one_pixel(ending: str, tmp_path: Path) -> None:
    path = _save(tmp_path / f"one.{ending}", Pillow.new("RGB", (1, 1), (60, 120, 180)))
    np.testing.assert_allclose(read_picture(path).image.astype(int), [[[180, 120, 60]]], atol=4)
    source = open_source(str(path), size=(7, 5), pace=False)
    frame = source.read()
    assert frame is not None
    assert frame.image.shape == (5, 7, 3)
    source.close()


def _claims(width: int, height: int) -> bytes:
    """A valid PNG header for a picture that is not there."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + b"\0" * 64
    )


@pytest.mark.parametrize(
    "size", [(20000, 20000), (16385, 1), (1, 16385), (12000, 12000), (2**31 - 1, 2**31 - 1)]
)
def test_a_header_that_claims_too_much_is_refused_before_allocating(
    size: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(_claims(*size))
    with pytest.raises(SourceError, match=f"too big, got {size[0]}x{size[1]}, expected at most") as caught:
        read_picture(path)
    assert "scale it down" in str(caught.value)


def test_refusing_a_huge_picture_needs_no_memory(tmp_path: Path) -> None:
    """20000 x 20000 would be 1.2 GB; the process may have 100 MB more than it has after its imports."""
    path = tmp_path / "huge.png"
    path.write_bytes(_claims(20000, 20000))
    code = f"""
import resource
from live_relight.capture import open_source
from live_relight.capture.picture import read_picture
from live_relight.core.errors import SourceError
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000,) * 2)
for read in (read_picture, open_source):
    try: read({str(path)!r})
    except SourceError as error: print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.count("too big") == 2


def test_bad_files_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello\nworld\n")
    whole = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(whole, "PNG")
    (tmp_path / "header.png").write_bytes(whole.getvalue()[:20])
    (tmp_path / "cut.png").write_bytes(_claims(8, 8))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    (tmp_path / "folder.png").mkdir()
    for name in ("empty.png", "text.png", "header.png", "cut.png", "broken.jpg", "folder.png", "missing.png"):
        with pytest.raises(SourceError) as caught:
            read_picture(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_what_is_no_file_or_has_no_size_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "zero.png").write_bytes(_claims(0, 5))
    (tmp_path / "less.ppm").write_bytes(b"P6 -5 -5 255\n" + bytes(75))
    with (tmp_path / "long.png").open("wb") as long:
        long.truncate(2_000_000_000)  # a hole: no disk is used
    for path, got in (
        (tmp_path / "fifo.png", "a FIFO"),
        (Path("/dev/zero"), "a device"),
        (tmp_path / "zero.png", "0x5"),
        (tmp_path / "less.ppm", "-5x-5"),
        (tmp_path / "long.png", "more than 1000 MB"),
        (tmp_path / ("x" * 300), "too long"),
        (Path("a\0b.png"), "NUL"),
    ):
        with pytest.raises(SourceError, match=got):
            read_picture(path)


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_a_colour_profile_is_handed_on(ending: str, tmp_path: Path) -> None:
    """Without it a picture in Display P3 comes out duller than it went in."""
    source, target = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    Pillow.fromarray(bars(64, 48)).save(source, icc_profile=PROFILE)
    picture = read_picture(source)
    assert picture.profile == PROFILE
    write_picture(target, picture.image, profile=picture.profile)
    with Pillow.open(target) as made:
        assert made.info["icc_profile"] == PROFILE
    write_picture(target, picture.image)
    with Pillow.open(target) as made:
        assert "icc_profile" not in made.info
    assert read_picture(target).profile == b""


def test_a_profile_for_grey_does_not_go_with_a_coloured_picture(tmp_path: Path) -> None:
    grey = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    Pillow.fromarray(bars(64, 48)).convert("L").save(tmp_path / "grey.jpg", icc_profile=grey)
    assert read_picture(tmp_path / "grey.jpg").profile == b""


def test_a_clip_is_sent_to_video(tmp_path: Path) -> None:
    for start in (b"GIF89a", b"\x1aE\xdf\xa3", b"\0\0\0\x18ftypisom"):
        (tmp_path / "clip").write_bytes(start + bytes(40))
        with pytest.raises(SourceError, match="live-relight video"):
            read_picture(tmp_path / "clip")


def test_a_cut_png_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Cut within its second half OpenCV's decoder gets as far as libpng's own complaint."""
    path = tmp_path / "cut.png"
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)).save(path)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9, 1 - 8 / len(whole)):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(SourceError, match="cut off"):
            read_picture(path)
    path.write_bytes(whole + b"more")
    read_picture(path)
    assert capfd.readouterr() == ("", "")


def test_decoders_say_nothing_beside_our_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for ending in ("png", "jpg", "webp", "bmp"):
        path = tmp_path / f"cut.{ending}"
        Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:1500])
        with pytest.raises(SourceError):
            read_picture(path)
    assert capfd.readouterr() == ("", "")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"BM", b"II*\0", b"MM\0*", b"P6 "]
    ),
    st.binary(max_size=200),
)
def test_no_header_makes_the_parser_fail_in_another_way(start: bytes, rest: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse(start + rest)


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "webp", "PNG"])
def test_write_and_read_back(ending: str, tmp_path: Path) -> None:
    image = bars(64, 48)
    path = tmp_path / f"out.{ending}"
    write_picture(path, image)
    back = read_picture(path).image
    inside = np.s_[2:20, 2:5]  # flat: JPEG and WebP share colour between neighbours
    np.testing.assert_allclose(
        back[inside].astype(int), image[inside].astype(int), atol=0 if ending in "pngPNG" else 3
    )
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_write_alpha_and_sixteen_bits(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", BGR, RGBA[..., 3])
    picture = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.image, BGR)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, RGBA[..., 3])
    write_picture(tmp_path / "a.jpg", BGR, RGBA[..., 3])
    assert read_picture(tmp_path / "a.jpg").alpha is None
    depth = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    write_picture(tmp_path / "depth.png", depth)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "depth.png"), cv2.IMREAD_UNCHANGED), depth)


def test_write_refuses_with_a_hint_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"did you mean '\.png'"):
        write_picture(tmp_path / "out.pngg", BGR)
    with pytest.raises(UsageError, match=r"known: .png, .jpg"):
        write_picture(tmp_path / "out", BGR)
    with pytest.raises(SinkError, match="no folder"):
        write_picture(tmp_path / "nowhere" / "out.png", BGR)
    (tmp_path / "is_folder.png").mkdir()
    with pytest.raises(SinkError, match="cannot write"):
        write_picture(tmp_path / "is_folder.png", BGR)
    assert [p.name for p in tmp_path.iterdir()] == ["is_folder.png"]


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    """A real failure: the process may not write files longer than 4000 bytes."""
    path = tmp_path / "out.png"
    write_picture(path, BGR)
    before = path.read_bytes()
    code = f"""
import resource, numpy as np
from live_relight.capture.picture import write_picture
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
write_picture({str(path)!r}, np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert "SinkError: cannot write" in done.stderr
    assert "File too large" in done.stderr
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["out.png"]
