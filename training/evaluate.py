"""One table: the network against a flat plane, a fitted sphere and a constant depth.

    python -m training.evaluate --data HELD_OUT --model engines/first-light.onnx

`--beside NETWORK ...` puts others into the same table, on the same pictures: earlier files of ours, or what
`live-relight engines import` has made known (MiDaS, Depth Anything, Omnidata, DSINE, DAViD: whoever has the
files). `--assets DIR` adds real clips and MediaPipe peers where they are present (real.py). `--relight DIR`
scores the light pass instead, on pairs that `training.relight make` rendered (relight.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.baselines import constant_depth, flat_normals, sphere_normals
from training.data import load_item
from training.synth.shards import find_shards, read_shard
from training.told import in_one_line

F32 = NDArray[np.float32]
Prediction = tuple[F32, F32, F32]
OURS, FLAT, SPHERE = "ours", "flat plane", "sphere fitted to the mask"
OTHER_SIZES = ((288, 160), (224, 224), (160, 288))
Predictor = Callable[[F32], Prediction]


def onnx_predictor(path: Path, threads: int = 2) -> Predictor:
    """Image [H,W,3] sRGB 0..1 -> normal [H,W,3], depth [H,W], alpha [H,W] by ONNX Runtime."""
    import onnxruntime as ort

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such network")

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def predict(image: F32) -> Prediction:
        tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
        normal, depth, alpha = session.run(["normal", "depth", "alpha"], {"image": tensor})
        return normal[0].transpose(1, 2, 0), depth[0, 0], alpha[0, 0]

    return predict


def engine_predictor(spec: str) -> Predictor:
    """As `onnx_predictor`, through the application: a shipped or an imported network by its name for --engine
    (`midas-small`, `my-depth+my-normals`), each at the size it wants."""
    from live_relight.core.errors import LiveRelightError
    from live_relight.geometry import open_estimator

    try:
        estimator = open_estimator(spec if ":" in spec else f"onnx:{spec}")
    except LiveRelightError as error:  # the application's; this folder's commands know others
        raise RuntimeError(str(error)) from None

    def predict(image: F32) -> Prediction:
        picture = np.clip(np.rint(image[..., ::-1] * 255), 0, 255).astype(np.uint8)
        found = estimator.estimate(np.ascontiguousarray(picture))
        size = image.shape[1], image.shape[0]
        maps = (found.normal, found.depth, found.alpha)
        normal, depth, alpha = (cv2.resize(np.ascontiguousarray(m), size) for m in maps)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        return normal, depth, alpha

    return predict


def predictors(model: Path, beside: Sequence[str]) -> dict[str, Predictor]:
    """Ours first, then the others by their names."""
    found = {OURS: onnx_predictor(model)}
    for name in beside:
        path = Path(name)
        found[path.stem] = onnx_predictor(path) if path.suffix == ".onnx" else engine_predictor(name)
    return found


@dataclass
class Score:
    """Collected measures of one method."""

    angles: list[F32] = field(default_factory=list)
    depth: list[float] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    about: list[dict[str, str | float]] = field(default_factory=list)  # one per entry of `angles`


def evaluate(
    networks: dict[str, Predictor], folder: Path, count: int, size: tuple[int, int]
) -> dict[str, Score]:
    """Networks, flat and sphere on `count` pictures spread evenly over the data set."""
    scores = {name: Score() for name in (*networks, FLAT, SPHERE)}
    rng = np.random.default_rng(0)
    records = [record for p in find_shards(folder) for record in read_shard(p)]
    every = [(record, k) for record in records for k in range(len(record["colour"]))]
    for record, k in every[:: max(len(every) // count, 1)][:count]:
        item = load_item(rng, record, k, size, False)
        image = np.ascontiguousarray(item["image"])
        found = {name: predict(image) for name, predict in networks.items()}
        for name, (_, _, alpha) in found.items():
            scores[name].iou.append(metrics.iou(alpha, item["alpha"]))
        mask = item["mask"]
        if mask.sum() < 200:
            continue
        truth_depth = np.exp(item["log_depth"])
        for name, n, d in (
            *((name, normal, depth) for name, (normal, depth, _) in found.items()),
            (FLAT, flat_normals(mask), constant_depth(mask)),
            (SPHERE, sphere_normals(mask), constant_depth(mask)),
        ):
            scores[name].angles.append(metrics.angles(n, item["normal"], mask)[::3])
            scores[name].depth.append(metrics.depth_error(d, truth_depth, mask))
            scores[name].about.append(record.about)
    return scores


def table(scores: dict[str, Score]) -> str:
    """Markdown."""
    head = "| method | mean | median | < 11.25° | < 22.5° | < 30° | depth AbsRel | matte IoU |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for name, score in scores.items():
        s = metrics.summarise(score.angles)
        overlap = f"{np.mean(score.iou):.3f}" if score.iou else "–"
        shares = " | ".join(f"{100 * s[f'within_{x}']:.0f} %" for x in metrics.LIMITS)
        depth = f"{np.mean(score.depth):.4f}"
        lines.append(f"| {name} | {s['mean']:.1f}° | {s['median']:.1f}° | {shares} | {depth} | {overlap} |")
    return "\n".join(lines)


def groups_of(about: dict[str, str | float]) -> list[str]:
    """The groups that a picture belongs to, for the second table."""
    tone, yaw = int(about.get("tone", 0)), abs(float(about.get("yaw", 0)))
    out = ["skin: light" if tone < 4 else "skin: medium" if tone < 7 else "skin: dark"]
    out.append(
        "face: frontal" if yaw < 25 else "face: turned 25–60°" if yaw < 60 else "face: profile or back"
    )
    out.append("hair: " + str(about.get("hair", "?")).split(":")[0])
    if "glasses" in str(about.get("extra", "")):
        out.append("glasses")
    return out


def group_table(score: Score) -> str:
    """Markdown: normals and depth of our network by skin tone, head turn, hair, glasses."""
    found: dict[str, list[int]] = {}
    for k, about in enumerate(score.about):
        for name in groups_of(about):
            found.setdefault(name, []).append(k)
    lines = ["| group | pictures | mean | median | depth AbsRel |", "|---|---|---|---|---|"]
    for name, rows in sorted(found.items()):
        s = metrics.summarise([score.angles[k] for k in rows])
        depth = np.mean([score.depth[k] for k in rows])
        lines.append(f"| {name} | {len(rows)} | {s['mean']:.1f}° | {s['median']:.1f}° | {depth:.4f} |")
    return "\n".join(lines)


def size_table(predict: Predictor, folder: Path, count: int, sizes: list[tuple[int, int]]) -> str:
    """Markdown: the same measures on crops of other sizes."""
    lines = ["| size | mean | median | depth AbsRel | matte IoU |", "|---|---|---|---|---|"]
    for size in sizes:
        score = evaluate({OURS: predict}, folder, count, size)[OURS]
        s = metrics.summarise(score.angles)
        tail = f"{np.mean(score.depth):.4f} | {np.mean(score.iou):.3f}"
        lines.append(f"| {size[0]}x{size[1]} | {s['mean']:.1f}° | {s['median']:.1f}° | {tail} |")
    return "\n".join(lines)


def figures(scores: dict[str, Score]) -> dict[str, float]:
    """The same as numbers for the card."""
    out: dict[str, float] = {}
    for name, key in ((OURS, "heldout"), (FLAT, "flat"), (SPHERE, "sphere")):
        s = metrics.summarise(scores[name].angles)
        out[f"{key}_normal_mean_deg"] = round(s["mean"], 2)
        out[f"{key}_normal_median_deg"] = round(s["median"], 2)
        out[f"{key}_depth_absrel"] = round(float(np.mean(scores[name].depth)), 4)
    out["heldout_matte_iou"] = round(float(np.mean(scores[OURS].iou)), 4)
    return out


INTRO = """# Accuracy

Written by `python -m training.evaluate`. Normals in degrees inside the person; depth is the mean
of |z' - z| / z after the best scale; the matte's IoU is taken at one half.

## Held-out synthetic people

{count} pictures of people, environments, skins, hair styles and suits that training never saw.

{table}

By group (the network alone):

{groups}

Middle crops of other sizes, a quarter of the pictures:

{sizes}
"""


def run(args: argparse.Namespace) -> None:
    """Evaluate, print, write the files asked for."""
    networks = predictors(args.model, args.beside)
    scores = evaluate(networks, args.data, args.count, args.size)
    text = INTRO.format(
        count=len(scores[OURS].iou),
        table=table(scores),
        groups=group_table(scores[OURS]),
        sizes=size_table(networks[OURS], args.data, max(args.count // 4, 1), list(OTHER_SIZES)),
    )
    numbers = figures(scores)
    if args.assets:
        from training.real import real_section

        extra, more = real_section(networks, args.assets, args.size)
        text += extra
        numbers |= more
    print(text)
    for path, body in ((args.out, text), (args.figures, json.dumps(numbers, indent=1) + "\n")):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            part.write_text(body)
            part.rename(path)


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
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
        "--assets", type=Path, help="folder with real/ and peers/ for the proxy on real people"
    )
    parser.add_argument("--out", type=Path, help="Markdown, such as docs/accuracy.md")
    parser.add_argument("--figures", type=Path, help="JSON for training.export")
    parser.add_argument("--relight", type=Path, metavar="DIR", help="pairs: score the light pass instead")
    parser.add_argument("--sheet", type=Path, help="with --relight: PNG of pictures, worst to best")
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
