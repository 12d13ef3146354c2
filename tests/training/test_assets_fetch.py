"""One file over HTTP: resumed at the offset, refused when wrong, from the next place when gone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.training.place import serving
from training.assets import fetch
from training.assets.fetch import AssetError, Downloader, has_sha256

DATA = np.random.default_rng(1).integers(0, 256, 1_000_000, np.uint8).tobytes()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def place(monkeypatch):
    with serving(monkeypatch) as place:
        yield place


@pytest.fixture
def quick(monkeypatch):
    """Tries without pauses."""
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    return Downloader(timeout=5)


def test_cut_connection_continues_at_the_offset(place, quick, tmp_path):
    place.files["a.bin"], place.cuts = DATA, [300_000, 250_000]
    got = []
    quick.fetch([place.url], "a.bin", tmp_path / "a", has_sha256(sha(DATA)), len(DATA), got.append)
    assert (tmp_path / "a").read_bytes() == DATA
    assert place.asked == [("a.bin", 0), ("a.bin", 300_000), ("a.bin", 550_000)]
    assert sum(got) == len(DATA)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_an_earlier_part_is_continued_and_a_foreign_one_replaced(place, quick, tmp_path):
    place.files["a.bin"] = DATA
    (tmp_path / "a.part").write_bytes(DATA[:777])
    quick.fetch([place.url], "a.bin", tmp_path / "a", has_sha256(sha(DATA)))
    assert place.asked == [("a.bin", 777)]
    (tmp_path / "b.part").write_bytes(b"x" * 500)
    quick.fetch([place.url], "a.bin", tmp_path / "b", has_sha256(sha(DATA)))
    assert place.asked[1:] == [("a.bin", 500), ("a.bin", 0)]
    (tmp_path / "c.part").write_bytes(DATA + b"more")  # 416: nothing lies there
    quick.fetch([place.url], "a.bin", tmp_path / "c", has_sha256(sha(DATA)))
    assert (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes() == DATA


def test_a_server_without_ranges_starts_over(place, quick, tmp_path):
    place.files["a.bin"], place.resumes, place.cuts = DATA, False, [400_000]
    got = []
    quick.fetch([place.url], "a.bin", tmp_path / "a", has_sha256(sha(DATA)), len(DATA), got.append)
    assert (tmp_path / "a").read_bytes() == DATA
    assert sum(got) == len(DATA)


def test_wrong_bytes_leave_nothing(place, quick, tmp_path):
    place.files["a.bin"] = DATA[:-1] + b"?"
    with pytest.raises(AssetError, match=r"^a\.bin: 127\.0\.0\.1:\d+: sha256 is .*expected [^\n]*$"):
        quick.fetch([place.url], "a.bin", tmp_path / "a", has_sha256(sha(DATA)), len(DATA))
    with pytest.raises(AssetError, match="has 1000000 bytes, expected 5"):
        quick.fetch([place.url], "a.bin", tmp_path / "a", has_sha256(sha(DATA)), 5)
    assert list(tmp_path.iterdir()) == []


def test_the_next_place_is_tried_and_then_preferred(place, quick, tmp_path):
    place.files |= {"good/a": DATA, "good/b": DATA, "bad/a": b"no"}
    places = [place.url + "gone/", place.url + "bad/", place.url + "good/"]
    quick.fetch(places, "a", tmp_path / "a", has_sha256(sha(DATA)))
    quick.fetch(places, "b", tmp_path / "b", has_sha256(sha(DATA)))
    assert [path for path, _ in place.asked] == ["gone/a", "bad/a", "good/a", "good/b"]


def test_a_busy_server_is_given_the_time_it_asks_for(place, tmp_path, monkeypatch):
    place.files["a.bin"], place.busy, naps = DATA, ["7", "0"], []
    monkeypatch.setattr(fetch.time, "sleep", naps.append)
    Downloader(timeout=5).fetch([place.url], "a.bin", tmp_path / "a", has_sha256(sha(DATA)))
    assert naps == [7, 2]
    place.busy = ["3600"]
    with pytest.raises(AssetError, match="HTTP 429, again in 3600 s"):
        Downloader(timeout=5).fetch([place.url], "a.bin", tmp_path / "b", has_sha256(sha(DATA)))


def test_a_dead_place_is_given_up(place, quick, tmp_path):
    place.server.shutdown()
    place.server.server_close()
    with pytest.raises(AssetError, match=r"[Rr]efused"):
        quick.fetch([place.url], "a", tmp_path / "a", has_sha256(sha(DATA)))
