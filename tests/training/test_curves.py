"""Logs of trainings as pictures."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import curves
from training.keep import log


def written(folder, count):
    folder.mkdir()
    for k in range(count):
        terms = {"normal": 1.0 / (k + 1), "alpha": 0.5}
        log(folder / "log.csv", 25 * k, k / count, 30.0 * k, torch.Size([2, 3, 64, 96]), terms, 10)
    return folder / "log.csv"


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60), st.integers(1, 20))
def test_a_point_is_the_mean_of_the_last_reports(values, span):
    found = curves.steadied(np.array(values), span)
    for k in range(len(values)):
        assert np.isclose(found[k], np.mean(values[max(k + 1 - span, 0) : k + 1]), atol=1e-6)


def test_two_runs_in_one_picture(tmp_path, capsys):
    logs = [str(written(tmp_path / name, count)) for name, count in (("a", 8), ("b", 5))]
    assert curves.main([*logs, "--out", str(tmp_path / "curves.png")]) == 0
    assert cv2.imread(str(tmp_path / "curves.png")).shape[1] > 800
    assert len(curves.read_log(tmp_path / "a" / "log.csv")["normal"]) == 8
    capsys.readouterr()


def test_what_is_no_log_is_one_line(tmp_path, capsys):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "else.csv").write_text("a,b\n1,two\n")
    for name, said in (("empty.csv", "empty log"), ("else.csv", "something else"), ("none.csv", "none.csv")):
        assert curves.main([str(tmp_path / name), "--out", str(tmp_path / "x.png")]) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
