"""The light pass against the truth: PSNR of relit held-out people, with true geometry and with a network's.

    python -m training.relight make --out DIR --count 120 --seed 1021 --assets ASSETS [--bank DIR]
    python -m training.relight score DIR [--out docs/relight.md] [--sheet sheet.png]

`make` renders pairs (training/synth/pairs.py). `score` relights the first picture of each as the application
does and compares it with the second, over the person, in sRGB-encoded values 0..1. `training.evaluate
--relight DIR` is the same as `score`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from live_relight.core.colour import linear_to_srgb, srgb_to_linear
from live_relight.core.errors import LiveRelightError
from live_relight.core.frames import Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import NUMBERS, TEXTS, Look
from live_relight.core.present import fit
from live_relight.core.shadow import MOST_STEPS, STEPS
from training.relight_report import (
    ALONE_NETWORK,
    ALONE_TRUE,
    BEFORE,
    INTRO,
    LIMIT,
    LIVE_NETWORK,
    LIVE_TRUE,
    NETWORK,
    PLAIN_NETWORK,
    PLAIN_TRUE,
    TRUE,
    UNLIT,
    Row,
    group_table,
    strip,
    table,
    worst_table,
    write_sheet,
)  # fmt: skip
from training.told import in_one_line

F32 = NDArray[np.float32]
PLAIN: dict[str, Any] = {
    "diffuse": "lambert",
    "specular": 0.0,
    "softness": 0.0,
    "corrected": 0.0,
    "learned": 0.0,
}


@dataclass(frozen=True)
class Pair:
    """One view: `picture` [H,W,3] uint8 BGR under light A, `truth` [H,W,3] linear BGR with the new lights.

    given, added: irradiance [H,W,3] of light A and of the new lights (BGR, 1: facing power 1).
    """

    key: str
    picture: Image
    truth: F32
    geometry: Geometry
    given: F32
    added: F32
    look: Look
    about: dict[str, Any]


def read_pairs(folder: Path) -> Iterator[Pair]:
    """Every pair of a folder, in order."""
    files = sorted(p for p in folder.glob("*.npz") if not p.stem.endswith(".part"))
    if not files:
        raise FileNotFoundError(f"{folder}: no pairs; make some with `python -m training.relight make`")
    for path in files:
        with np.load(path) as data:
            about = json.loads(str(data["about"]))
            picture = data["picture"]
            shape = Geometry(data["normal"], data["depth"], data["alpha"], picture)
            truth, given, added = (data[name].astype(np.float32) for name in ("truth", "given", "added"))
        lights = tuple(Light(**light) for light in about["lights"])
        look = Look(lights=lights, ambient=about["ambient"], fov=about["fov"])
        yield Pair(path.stem, picture, truth, shape, given, added, look, about)


def plain(look: Look) -> Look:
    """The same lights, matt surfaces and no shadows: the baseline."""
    return replace(look, lights=tuple(replace(light, shadow=False) for light in look.lights), **PLAIN)


def casting(look: Look) -> Look:
    """Every light with its shadow, as in the truth; a fill's is off in the application unless asked for."""
    return replace(
        look, lights=tuple(replace(light, shadow=light.kind != "ambient") for light in look.lights)
    )


def limits(pair: Pair) -> tuple[F32, F32]:
    """What no better light could mend, encoded [H,W,3]: the true light map times the picture as it is, and
    over the true light that was there (matt parts are then right, highlights are not)."""
    seen = srgb_to_linear(pair.picture.astype(np.float32) / 255)
    total = pair.look.ambient * pair.given + pair.added
    times, instead = seen * (pair.look.ambient + pair.added), seen * total / np.maximum(pair.given, 0.02)
    return linear_to_srgb(times).astype(np.float32), linear_to_srgb(instead).astype(np.float32)


class Studio:
    """The application's light pass and geometry. Close it."""

    def __init__(self, engine: str = "auto", changes: dict[str, Any] | None = None) -> None:
        from live_relight.geometry import open_estimator
        from live_relight.geometry.light_net import LightNet, live
        from live_relight.shade.opengl import OpenGLShader

        self.changes = changes or {}
        with ExitStack() as stack:
            self.estimator = open_estimator(engine)
            stack.callback(self.estimator.close)
            self.shader = OpenGLShader(learned=1.0, light_net=LightNet)
            stack.callback(self.shader.close)
            self.live = OpenGLShader(learned=1.0, light_net=live)
            stack.callback(self.live.close)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Release both."""
        self._stack.close()

    def relit(self, pair: Pair) -> dict[str, F32]:
        """Encoded pictures [H,W,3] BGR 0..1 by METHODS. True geometry knows the camera's field of view, the
        network's has the one that the application takes for granted."""
        look = replace(casting(pair.look), **self.changes)
        usual = replace(look, fov=self.changes.get("fov", Look().fov))
        guess, shade = self.estimator.estimate(pair.picture), self.shader.shade
        made: dict[str, Any] = {
            TRUE: shade(pair.picture, pair.geometry, look, MOST_STEPS, fit(pair.geometry)),
            NETWORK: shade(pair.picture, guess, usual, MOST_STEPS, fit(guess)),
            LIVE_TRUE: self.live.shade(pair.picture, pair.geometry, look, STEPS, fit(pair.geometry)),
            LIVE_NETWORK: self.live.shade(pair.picture, guess, usual, STEPS, fit(guess)),
            ALONE_TRUE: shade(
                pair.picture, pair.geometry, replace(look, learned=0.0), MOST_STEPS, fit(pair.geometry)
            ),
            ALONE_NETWORK: shade(pair.picture, guess, replace(usual, learned=0.0), MOST_STEPS, fit(guess)),
            PLAIN_TRUE: shade(pair.picture, pair.geometry, plain(look)),
            PLAIN_NETWORK: shade(pair.picture, guess, plain(usual)),
            BEFORE: pair.picture,
        }
        out = {name: np.asarray(image, np.float32) / 255 for name, image in made.items()}
        out[LIMIT], out[UNLIT] = limits(pair)
        return out


def psnr(picture: F32, truth: F32, where: NDArray[np.bool_]) -> float:
    """dB over the pixels `where` [H,W]; both encoded 0..1. Infinite where they are the same."""
    error = float(((picture[where].astype(np.float64) - truth[where]) ** 2).mean())
    return float(-10 * np.log10(error)) if error else float("inf")


def score_pair(pair: Pair, relit: dict[str, F32]) -> Row:
    """Every method against the truth."""
    truth = linear_to_srgb(pair.truth)
    person = pair.geometry.alpha > 0.5
    inner = cv2.erode(person.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    row = Row(pair.key, pair.about)
    for name, picture in relit.items():
        row.whole[name] = psnr(picture, truth, person)
        row.inner[name] = psnr(picture, truth, inner if inner.any() else person)
    return row


def score(
    folder: Path, engine: str = "auto", sheet: Path | None = None, changes: dict[str, Any] | None = None
) -> str:
    """Markdown about every pair of a folder; the sheet shows pairs from the worst to the best."""
    rows, strips, samples = [], [], 0
    studio = Studio(engine, changes)
    try:
        for pair in read_pairs(folder):
            relit = studio.relit(pair)
            rows.append(score_pair(pair, relit))
            samples = pair.about["samples"]
            if sheet:
                strips.append(strip(pair.truth, pair.geometry.alpha > 0.5, relit))
    finally:
        studio.close()
    if sheet:
        write_sheet(sheet, rows, strips)
    words = {"table": table(rows), "groups": group_table(rows), "worst": worst_table(rows)}
    return INTRO.format(count=len(rows), samples=samples, **words)


def parse_change(text: str) -> tuple[str, Any]:
    """'softness=0.2' -> a field of the look and its value, for trying what a setting is worth."""
    name, _, value = text.partition("=")
    if name not in (*NUMBERS, *TEXTS) or not value:
        raise argparse.ArgumentTypeError(
            f"got {text!r}, expected NAME=VALUE with a name of {', '.join(NUMBERS)}"
        )
    return name, float(value) if name in NUMBERS else value


def run_make(args: argparse.Namespace) -> None:
    """`make`"""
    from training.synth.make import Recipe, check_recipe, choose_device, make_bank

    choose_device(args.device)
    from training.synth.pairs import PairStudio, make_pairs

    bank = args.bank or args.out / "bank"
    recipe = Recipe(args.seed, args.count, *args.size, bodies=args.bodies, held_out=True)
    args.out.mkdir(parents=True, exist_ok=True)
    check_recipe(args.out / "manifest.json", recipe, args.assets.resolve())
    make_bank(bank, recipe, (0, 0), args.assets.resolve())
    studio = PairStudio(args.assets.resolve(), bank, (0, args.bodies), args.size, True, samples=args.samples)
    try:
        make_pairs(studio, args.out, recipe)
    finally:
        studio.close()


def report(
    folder: Path,
    engine: str = "auto",
    out: Path | None = None,
    sheet: Path | None = None,
    changes: dict[str, Any] | None = None,
) -> None:
    """Score, print, write the files asked for."""
    try:
        text = score(folder, engine, sheet, changes)
    except LiveRelightError as error:  # the application's; this folder's commands know others
        raise RuntimeError(str(error)) from None
    print(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(out.name + ".part")
        part.write_text(text)
        part.rename(out)


def run_score(args: argparse.Namespace) -> None:
    """`score`"""
    report(args.dir, args.engine, args.out, args.sheet, dict(args.set or ()))


def build_parser() -> argparse.ArgumentParser:
    """All options."""
    from training.synth.__main__ import parse_size

    parser = argparse.ArgumentParser(prog="python -m training.relight", description=__doc__)
    sub = parser.add_subparsers(dest="command", required=True)
    make = sub.add_parser("make", help="render pairs of held-out people (resumes where it stopped)")
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--count", type=int, required=True, help="pairs, rounded up to whole geometries")
    make.add_argument("--seed", type=int, required=True)
    make.add_argument("--size", type=parse_size, default=(384, 216))
    make.add_argument("--samples", type=int, default=32, help="points a source")
    make.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="what renders")
    make.add_argument("--assets", type=Path, default=Path("../shared/data"))
    make.add_argument("--bank", type=Path, help="folder of posed bodies (default: OUT/bank)")
    make.add_argument("--bodies", type=int, default=128)
    make.set_defaults(run=run_make)
    one = sub.add_parser("score", help="relight and compare")
    one.add_argument("dir", type=Path)
    one.add_argument(
        "--engine", default="auto", help="as in live-relight: onnx:FILE for a network of one's own"
    )
    one.add_argument("--out", type=Path, help="Markdown, such as docs/relight.md")
    one.add_argument("--sheet", type=Path, help="PNG of pictures from the worst to the best")
    one.add_argument(
        "--set", type=parse_change, action="append", metavar="NAME=VALUE", help="change the look of ours"
    )
    one.set_defaults(run=run_score)
    return parser


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = build_parser().parse_args(argv)
    args.run(args)


if __name__ == "__main__":
    sys.exit(main())
