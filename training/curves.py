"""How runs went: every term of their logs over time, as one picture.

    python -m training.curves RUN/log.csv [RUN2/log.csv ...] --out curves.png

Terms are noisy, as crops of all sizes come in turns: each point is the mean of the last reports.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.told import in_one_line

ABOUT = ("step", "share", "seconds", "size", "pictures")
"""Columns of a log that are no terms."""
SPAN = 15
"""Reports that a point is the mean of, at most."""


def read_log(path: Path) -> dict[str, NDArray[np.float64]]:
    """A log's columns as numbers, by name, `size` left out. A ValueError where there is none."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f"{path}: got an empty log, expected reports of a training")
    try:
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "size"}
    except (TypeError, ValueError):
        raise ValueError(f"{path}: got something else, expected the log.csv of a training") from None


def steadied(values: NDArray[np.float64], span: int = SPAN) -> NDArray[np.float64]:
    """Mean of each value and of those before it, `span` in all, fewer at the start. As long as `values`."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - span, 0)
    return np.asarray((total[ends] - total[starts]) / (ends - starts))


def draw(paths: list[Path], out: Path) -> None:
    """One picture, a panel for each term, a line for each log; written beside and renamed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    logs = {path: read_log(path) for path in paths}
    terms = list(dict.fromkeys(name for log in logs.values() for name in log if name not in ABOUT))
    rows = -(-len(terms) // 4)
    figure, axes = pyplot.subplots(rows, 4, figsize=(13, 2.8 * rows), squeeze=False)
    for axis, term in zip(axes.flat, terms, strict=False):
        for path, log in logs.items():
            if term in log:
                axis.plot(log["seconds"] / 60, steadied(log[term]), label=path.parent.name, linewidth=1.3)
        axis.set_title(term, fontsize=10)
        axis.set_xlabel("minutes", fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes.flat[len(terms) :]:
        axis.set_axis_off()
    axes.flat[0].legend(fontsize=8)
    figure.tight_layout()
    part = out.with_name(f"{out.stem}.part{out.suffix}")
    figure.savefig(part, dpi=90)
    pyplot.close(figure)
    part.rename(out)


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.curves", description=__doc__)
    parser.add_argument("logs", type=Path, nargs="+", metavar="LOG.csv")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    args = parser.parse_args(argv)
    draw(args.logs, args.out)
    print(args.out)


if __name__ == "__main__":
    sys.exit(main())
