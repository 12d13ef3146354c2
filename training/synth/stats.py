"""Statistics of a data set's draw as plots: who is seen, how, and in what light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from training.synth.shards import STILLS, find_shards, read_shard

About = dict[str, Any]


def stem(text: object) -> str:
    """'mesh:bob01' -> 'mesh'."""
    return str(text).split(":")[0]


def light_of(about: About) -> list[str]:
    """The kind of light of each of a sample's pictures."""
    return [stem(light.get("kind", "environment")) for light in about.get("lights", [])]


# title: what each sample adds to it; words are counted, numbers become a histogram.
PLOTS: dict[str, Callable[[About], Iterable[Any]]] = {
    "skin tone (Monk step)": lambda a: [int(a["tone"])] if "tone" in a else [],
    "sex": lambda a: [a.get("sex", "?")],
    "age (0.5 teenager, 1 old)": lambda a: [float(a["age"])] if "age" in a else [],
    "hair": lambda a: [stem(a.get("hair", "?"))],
    "clothes": lambda a: [stem(a.get("cloth", "?")).split("+")[0]],
    "extras": lambda a: str(a.get("extra", "none")).split("+"),
    "people": lambda a: [str(a.get("people", 1))],
    "distance, metres": lambda a: [float(a["distance"])],
    "yaw, degrees": lambda a: [float(a["yaw"])],
    "pitch, degrees": lambda a: [float(a["pitch"])] if "pitch" in a else [],
    "field of view, degrees": lambda a: [2 * float(np.degrees(np.arctan(a["tan"])))],
    "light": light_of,
    "backdrop": lambda a: [stem(light.get("backdrop", "?")) for light in a.get("lights", [])],
    "covered share": lambda a: [float(a["cover"])],
}


def gather(folder: Path) -> dict[str, list[Any]]:
    """Every plot's values over all stills of a data set."""
    found: dict[str, list[Any]] = {title: [] for title in PLOTS}
    for path in find_shards(folder, STILLS):
        for record in read_shard(path):
            about = record.about
            for title, values in PLOTS.items():
                found[title] += list(values(about))
    return found


def write_stats(folder: Path, png: Path) -> None:
    """One picture with all plots, written beside and renamed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = {title: values for title, values in gather(folder).items() if values}
    columns = 4
    rows = -(-len(found) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(4 * columns, 2.6 * rows), squeeze=False)
    for axis in axes.flat[len(found) :]:
        axis.axis("off")
    for axis, (title, values) in zip(axes.flat, found.items(), strict=False):
        axis.set_title(title, fontsize=10)
        axis.tick_params(labelsize=8)
        if isinstance(values[0], float):
            axis.hist(values, bins=30, color="#47a")
        else:
            names, counts = zip(*sorted(Counter(values).items(), key=lambda item: str(item[0])), strict=True)
            axis.bar([str(n) for n in names], np.array(counts) / len(values) * 100, color="#47a")
            axis.set_ylabel("%", fontsize=8)
            if max(len(str(n)) for n in names) > 3:
                axis.tick_params(axis="x", rotation=60)
    figure.tight_layout()
    part = png.with_name(f"{png.stem}.part{png.suffix}")
    figure.savefig(part, dpi=80)
    pyplot.close(figure)
    part.rename(png)
