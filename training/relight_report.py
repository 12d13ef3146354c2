"""What the scores of relighting say: tables in Markdown, and a sheet of pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from live_relight.core.colour import linear_to_srgb
from live_relight.core.frames import Image

F32 = NDArray[np.float32]
TRUE, NETWORK = "ours, true geometry", "ours, the network's geometry"
ALONE_TRUE, ALONE_NETWORK = (
    "without the light network, true geometry",
    "without the light network, the network's",
)
LIVE_TRUE, LIVE_NETWORK = "live, where there is room, true geometry", "live, the network's geometry"
PLAIN_TRUE, PLAIN_NETWORK = "Lambert without shadows, true geometry", "Lambert without shadows, the network's"
BEFORE = "the picture as it was"
LIMIT, UNLIT = "limit: exact light, times the picture", "limit: exact light in place of what was there"
METHODS = (
    TRUE, NETWORK, LIVE_TRUE, LIVE_NETWORK, ALONE_TRUE, ALONE_NETWORK, PLAIN_TRUE, PLAIN_NETWORK, BEFORE,
    LIMIT, UNLIT,
)  # fmt: skip
SHOWN = (TRUE, ALONE_TRUE, NETWORK)


@dataclass
class Row:
    """One pair's scores by METHODS: over the person, and without its outermost pixel."""

    key: str
    about: dict[str, Any]
    whole: dict[str, float] = field(default_factory=dict)
    inner: dict[str, float] = field(default_factory=dict)


def table(rows: list[Row]) -> str:
    """Markdown: every method."""
    lines = ["| method | mean | lowest tenth | without the outermost pixel | lights added | lights instead |"]
    lines.append("|---|---|---|---|---|---|")
    for name in METHODS:
        every = np.array([row.whole[name] for row in rows])
        kinds = [[row.whole[name] for row in rows if row.about["kind"] == k] for k in ("add", "replace")]
        parts = [f"{np.mean(v):.2f}" if v else "–" for v in kinds]
        inner = np.mean([row.inner[name] for row in rows])
        cells = [f"{every.mean():.2f}", f"{np.percentile(every, 10):.2f}", f"{inner:.2f}", *parts]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def groups_of(about: dict[str, Any]) -> list[str]:
    """What a pair belongs to, for the second table."""
    kinds = [light["kind"] for light in about["lights"]]
    out = ["all", f"light there: {about['first']['kind']}", f"first light: {kinds[0]}"]
    out += [f"with a {kind}" for kind in ("fill", "rim") if kind in kinds]
    wide = abs(about["lights"][0]["az"])
    return [*out, "first light from " + ("0–30°" if wide < 30 else "30–60°" if wide < 60 else "60–80°")]


def group_table(rows: list[Row]) -> str:
    """Markdown: ours and the baseline by kind of light."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        for name in groups_of(row.about):
            found.setdefault(name, []).append(row)
    names = (TRUE, ALONE_TRUE, PLAIN_TRUE, NETWORK, ALONE_NETWORK, PLAIN_NETWORK, LIMIT)
    lines = ["| pairs | number | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    for name, some in sorted(found.items()):
        cells = [f"{np.mean([row.whole[method] for row in some]):.2f}" for method in names]
        lines.append(f"| {name} | {len(some)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def worst_table(rows: list[Row], count: int = 6) -> str:
    """Markdown: where true geometry does worst."""
    lines = ["| pair | true geometry | network | limit | light there | lights |", "|---|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: row.whole[TRUE])[:count]:
        lights = "; ".join(
            f"{o['kind']} az {o['az']:.0f} el {o['el']:.0f} power {o['power']:.1f} size {o['size']:.2f}"
            for o in row.about["lights"]
        )
        cells = " | ".join(f"{row.whole[name]:.2f}" for name in (TRUE, NETWORK, LIMIT))
        lines.append(
            f"| {row.key} | {cells} | {row.about['first']['kind']} | {row.about['kind']}: {lights} |"
        )
    return "\n".join(lines)


INTRO = """# Relighting against the truth

Written by `python -m training.evaluate --relight`. {count} pairs of held-out synthetic people: a picture
under a soft light of a kind people sit in, and the true picture with the application's lights added to it or
instead of it, sources of their real size with the shadows that they cast ({samples} points a source); ours
cast theirs as well, fills included. PSNR in dB over the person (alpha above one half), values encoded as
sRGB, 0..1, means over the pairs.

{table}

Ours is what `photo` and `video` do: the light network corrects how the lights fall. It has learnt from other
people, clothes, hair and surroundings. Live a smaller one is heard where `--quality auto` finds room for it,
with fewer steps a shadow, as a processor draws them; without room, or with `--learned 0`, it is the third
pair of lines.

The two limits use the true light map and leave only what a picture does not tell: `times the picture` takes
the picture's colours for the surface's own, as the application does; `in place of what was there` divides by
the true light of the picture, so that only highlights and clipped parts are left.

{groups}

Where true geometry does worst:

{worst}
"""


def strip(truth: F32, person: NDArray[np.bool_], relit: dict[str, F32]) -> Image:
    """A, truth, SHOWN and their errors x 4 over the `person` [H,W]. truth: linear; relit: encoded [H,W,3] BGR
    by METHODS."""
    encoded = linear_to_srgb(truth).astype(np.float32)
    errors = [np.abs(relit[name] - encoded) * 4 * person[..., None] for name in SHOWN]
    cells = [relit[BEFORE], encoded, *(relit[name] for name in SHOWN), *errors]
    return np.rint(np.clip(np.hstack(cells), 0, 1) * 255).astype(np.uint8)


def write_sheet(path: Path, rows: list[Row], strips: list[Image], count: int = 16) -> None:
    """Evenly chosen strips from the worst to the best, with their scores in a corner."""
    order = np.argsort([row.whole[TRUE] for row in rows])
    lines = []
    for k in order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]:
        line, row = strips[k].copy(), rows[k]
        width = line.shape[1] // 8
        for cell, name in ((0, None), *enumerate(SHOWN, 2)):
            text = f"{row.whole[name]:.1f} dB" if name else f"{row.key} {row.about['kind']}"
            cv2.putText(line, text, (cell * width + 6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3)
            cv2.putText(line, text, (cell * width + 6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255,) * 3, 1)
        lines.append(line)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    if not cv2.imwrite(str(part), np.vstack(lines)):
        raise OSError(f"{path}: could not write the picture")
    part.rename(path)
