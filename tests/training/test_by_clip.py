"""Agreement clip by clip: what a mean over few people hides."""

from __future__ import annotations

import numpy as np

from training.real import Seen, clip_table


def test_what_came_since_is_counted_apart() -> None:
    seen = Seen(["a", "b"])
    seen.angles["a"] += [np.full(4, 10.0, np.float32)]
    seen.shared["a"] += [0.5]
    before = seen.counts()
    seen.angles["a"] += [np.full(9, 20.0, np.float32), np.full(1, 30.0, np.float32)]
    seen.shared["a"] += [0.9, 0.7]
    seen.shared["b"] += [0.25]
    found = seen.since(before)
    assert found["a"] == (25.0, 0.8)  # of faces, not of pixels
    assert np.isnan(found["b"][0])
    assert found["b"][1] == 0.25


def test_the_table_leaves_out_what_there_is_not() -> None:
    nan = float("nan")
    table = clip_table(
        ["a", "b"], {"walk": {"a": (12.34, 0.98765), "b": (nan, 0.5)}, "x": {"a": (nan, nan), "b": (1, nan)}}
    )
    assert table.splitlines() == [
        "| clip | a | b |",
        "|---|---|---|",
        "| walk | 12.3°, 0.988 | 0.500 |",
        "| x | – | 1.0° |",
    ]
