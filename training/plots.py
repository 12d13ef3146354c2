"""The table of accuracy as one picture: how many pixels are within how many degrees, and means by group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training import metrics
from training.stills import FLAT, MESH, OURS, SPHERE, Score, by_group

COLOURS = ("#1b6ca8", "#e08214", "#4d9221", "#8e44ad", "#c0392b", "#16a085", "#7f6000", "#d63384")
GREYS = {FLAT: ("#777777", "--"), SPHERE: ("#aaaaaa", "--")}
SHADES = {"skin": 0, "face": 1, "hair": 2, "glasses": 3, "light": 4}


def curves(axis: Any, scores: dict[str, Score]) -> None:
    """Share of pixels (per cent) within x degrees, one line a method."""
    x = np.linspace(0, 60, 241)
    number = 0
    for name, score in scores.items():
        if not score.angles or name == MESH:
            continue
        flat = np.sort(np.concatenate(score.angles))
        share = 100 * np.searchsorted(flat, x, side="right") / len(flat)
        colour, style = GREYS.get(name, (COLOURS[number % len(COLOURS)], "-"))
        number += name not in GREYS
        axis.plot(x, share, style, color=colour, label=name, linewidth=2.4 if name == OURS else 1.5)
    for limit in metrics.LIMITS:
        axis.axvline(limit, color="#dddddd", linewidth=0.8, zorder=0)
    axis.set(xlim=(0, 60), ylim=(0, 100), xlabel="degrees", ylabel="% of the person's pixels within")
    axis.set_title("Normals on held-out people", fontsize=11)
    axis.legend(fontsize=8, loc="lower right")


def bars(axis: Any, score: Score) -> None:
    """Mean angle of one method by group, the number of pictures beside each; the line is the mean of all."""
    groups = by_group(score)
    names = list(groups)[::-1]
    means = [metrics.summarise([score.angles[k] for k in groups[name]])["mean"] for name in names]
    kinds = [SHADES.get(name.split(":")[0], 0) for name in names]
    axis.barh(names, means, color=[COLOURS[k] for k in kinds], height=0.7)
    for y, (name, mean) in enumerate(zip(names, means, strict=True)):
        words = f"{mean:.1f}° ({len(groups[name])})"
        axis.text(mean + 0.3, y, words, va="center", fontsize=7.5, backgroundcolor=(1, 1, 1, 0.8))
    axis.axvline(metrics.summarise(score.angles)["mean"], color="#bbbbbb", linewidth=0.8, zorder=0)
    axis.set_xlim(0, 1.22 * max(means))
    axis.tick_params(axis="y", labelsize=8)
    axis.set_xlabel("mean angle, degrees (pictures)")
    axis.set_title("Ours by group", fontsize=11)


def write_plots(path: Path, scores: dict[str, Score]) -> None:
    """One PNG, written beside and renamed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    if not scores[OURS].angles:
        raise ValueError("no picture with enough of a person to plot")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.4), gridspec_kw={"width_ratios": [1.1, 1]})
    curves(left, scores)
    bars(right, scores[OURS])
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    figure.savefig(part, dpi=90)
    pyplot.close(figure)
    part.rename(path)
