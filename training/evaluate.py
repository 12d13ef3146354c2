"""One report: the network against a flat plane, a fitted sphere and others; stills, clips, real people.

    python -m training.evaluate --data HELD_OUT --model engines/base.onnx --out docs/accuracy.md \\
        --plots docs/accuracy_plots.png --worst docs/worst.jpg

`--beside NETWORK ...` puts others into the same tables, on the same pictures: .onnx files of ours, or what
`live-relight engines import` has made known (MiDaS, Depth Anything, Omnidata, DSINE, DAViD: whoever has the
files); imported networks stand for what they say themselves alone. `--assets DIR` adds real clips,
MediaPipe's networks and TCMonoDepth where they are present. `--clips DIR` is a folder with rendered clips
where --data has none. `--relight DIR` scores the light pass instead, on pairs that `training.relight make`
rendered (relight.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from training import metrics
from training.networks import (
    TCMONODEPTH,
    Method,
    OnnxMethod,
    Prediction,
    Predictor,
    onnx_predictor,
    predictors,
    tcmonodepth,
)
from training.peers import open_peers
from training.stills import (
    FLAT,
    OURS,
    SPHERE,
    Score,
    Stills,
    evaluate,
    face_table,
    group_table,
    size_table,
    skin_ratio,
    table,
)
from training.told import in_one_line

__all__ = ["Prediction", "Predictor", "main", "onnx_predictor"]
OTHER_SIZES = ((256, 160), (224, 160), (288, 160), (224, 224), (160, 288))
"""Where the pictures are 256 wide; where they are twice as wide, twice these, and so on."""

INTRO = """# Accuracy

Written by `python -m training.evaluate`. Normals in degrees inside the person; depth is the mean
of |z' - z| / z after the best scale, and the share of pixels within a factor of 1.05. Edges are creases
inside the person, where over {reach} pixels the true normal turns by more than {normal_edge:g} degrees or the
true distance changes by more than {depth_edge:g} %: how wrong that change is. The matte's IoU is taken at one
half, in pictures with somebody in them; its SAD is the sum of absolute differences in per mille of the
picture's pixels; "nobody" is how much of an empty picture is taken for somebody, likewise.

## Held-out synthetic people

{count} pictures of people, environments, skins, hair styles and suits that training never saw.

{table}

{notes}

{shown}By group (the network alone; skin: the worst group's mean is {ratio} times the best's):

{groups}

The middle of a quarter of the pictures, at other sizes; the first two are what 16:9 and 4:3 cameras get:

{sizes}

Inside the faces that MediaPipe finds in these pictures, against the true normals, the same pixels for all:

{faces}
"""
NOTES = """A depth without scale and shift (a relative or an inverse one) gets those that fit the truth best
inside the person, which is in its favour; where a method has no normals they are its depth's, through the
true intrinsics."""
NO_TCMONODEPTH = "TCMonoDepth is not in the table: no `peers/tcmonodepth` under --assets."


def other_sizes(size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """OTHER_SIZES for pictures of `size` (width, height)."""
    zoom = max(round(size[0] / 256), 1)
    return tuple((zoom * w, zoom * h) for w, h in OTHER_SIZES)


def shown(args: argparse.Namespace) -> str:
    """Links to the pictures that were asked for, which lie beside the table."""
    lines = []
    if args.plots:
        lines.append(f"![pixels within an angle; means by group]({args.plots.name})\n\n")
    if args.worst:
        words = "The twenty worst (picture, true normals, ours, error from 0 to 45 degrees)"
        lines.append(f"{words}: [{args.worst.name}]({args.worst.name})\n\n")
    return "".join(lines)


def figures(scores: dict[str, Score]) -> dict[str, float]:
    """The same as numbers for the card."""
    out: dict[str, float] = {}
    for name, key in ((OURS, "heldout"), (FLAT, "flat"), (SPHERE, "sphere")):
        s = metrics.summarise(scores[name].angles)
        out[f"{key}_normal_mean_deg"] = round(s["mean"], 2)
        out[f"{key}_normal_median_deg"] = round(s["median"], 2)
        out[f"{key}_depth_absrel"] = round(float(np.mean(scores[name].depth)), 4)
    ours = scores[OURS]
    out["heldout_matte_iou"] = round(float(np.mean(ours.iou)), 4)
    out["heldout_matte_sad_permille"] = round(float(np.mean(ours.sad)), 2)
    out["heldout_depth_within_5_percent"] = round(float(np.mean(ours.within)), 4)
    ratio = skin_ratio(ours)
    return out if np.isnan(ratio) else out | {"heldout_skin_worst_over_best": round(ratio, 3)}


def still_section(args: argparse.Namespace, methods: dict[str, Method]) -> tuple[str, dict[str, float]]:
    """Markdown of what needs no time, and figures; writes the plots and the sheet that were asked for."""
    stills = Stills.open(args.data, args.count, args.size)
    scores = evaluate(methods, stills, open_peers(args.assets))
    if not scores[OURS].angles:
        raise ValueError(
            f"{args.data}: nobody in {len(stills.pictures)} pictures; use more of them (--count)"
        )
    ratio = skin_ratio(scores[OURS])
    text = INTRO.format(
        count=len(stills.pictures),
        table=table(scores),
        notes=NOTES if TCMONODEPTH in methods else f"{NOTES}\n{NO_TCMONODEPTH}",
        reach=metrics.REACH,
        normal_edge=metrics.NORMAL_EDGE,
        depth_edge=metrics.DEPTH_EDGE,
        shown=shown(args),
        ratio="–" if np.isnan(ratio) else f"{ratio:.2f}",
        groups=group_table(scores[OURS]),
        sizes=size_table(methods[OURS], args.data, max(args.count // 4, 1), other_sizes(args.size)),
        faces=face_table(scores),
    )
    if args.plots:
        from training.plots import write_plots

        write_plots(args.plots, scores)
    if args.worst:
        from training.worst import write_worst

        write_worst(args.worst, scores[OURS], stills, methods[OURS])
    return text, figures(scores)


def run(args: argparse.Namespace) -> None:
    """Evaluate, print, write the files asked for."""
    ours = predictors(args.model, args.beside, OURS)
    methods = ours | tcmonodepth(args.assets)
    text, numbers = still_section(args, methods)
    if args.temporal:
        from training.temporal_report import temporal_section

        alone = {name: method for name, method in ours.items() if isinstance(method, OnnxMethod)}
        extra, more = temporal_section(alone, args.data, args.clips, args.size, args.temporal)
        text, numbers = text + extra, numbers | more
    if args.assets:
        from training.real import real_section
        from training.steadiness import steadiness_section

        for extra, more in (
            real_section(methods, args.assets, args.size),
            steadiness_section(args.model, args.assets),
        ):
            text, numbers = text + extra, numbers | more
    print(text)
    for path, body in ((args.out, text), (args.figures, json.dumps(numbers, indent=1) + "\n")):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            part.write_text(body, encoding="utf-8")
            part.rename(path)


def parser_of() -> argparse.ArgumentParser:
    """The command's options."""
    from training.synth.__main__ import parse_size

    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, help="held-out data set")
    parser.add_argument("--model", type=Path, help="ONNX file")
    parser.add_argument(
        "--beside",
        nargs="*",
        default=[],
        metavar="NETWORK",
        help="others on the same pictures: .onnx files of ours, or names for --engine, imported ones too",
    )
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--size", type=parse_size, default=(256, 192))
    parser.add_argument(
        "--temporal",
        type=int,
        default=16,
        metavar="N",
        help="pictures for jitter and lag; 0: nothing over time",
    )
    parser.add_argument("--clips", type=Path, metavar="DIR", help="rendered clips (default: those of --data)")
    parser.add_argument(
        "--assets", type=Path, help="folder with real/ and peers/ for the proxy on real people"
    )
    parser.add_argument("--out", type=Path, help="Markdown, such as docs/accuracy.md")
    parser.add_argument("--plots", type=Path, metavar="PNG", help="curves and bars; keep it beside --out")
    parser.add_argument(
        "--worst", type=Path, metavar="PICTURE", help="the worst twenty; .jpg or .png, beside --out"
    )
    parser.add_argument("--figures", type=Path, help="JSON for training.export")
    parser.add_argument("--relight", type=Path, metavar="DIR", help="pairs: score the light pass instead")
    parser.add_argument("--sheet", type=Path, help="with --relight: PNG of pictures, worst to best")
    return parser


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = parser_of()
    args = parser.parse_args(argv)
    if args.relight:
        from training.relight import report

        report(args.relight, f"onnx:{args.model}" if args.model else "auto", args.out, args.sheet)
    elif args.data and args.model:
        run(args)
    else:
        parser.error("expected --data and --model, or --relight")


if __name__ == "__main__":
    sys.exit(main())
