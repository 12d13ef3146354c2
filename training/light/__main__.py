"""The light network, from pictures to the shipped file.

    python -m training.light draw --out DIR --seed S --shards A:B --bank BANK --assets ASSETS
    python -m training.light shrink --data DIR --out SMALL --size 192x112
    python -m training.light train --data DIR --out RUN --minutes M
    python -m training.light export --checkpoint RUN/last.pt --out light.onnx --data DIR --seed S

`draw` renders (draw.py; several processes and machines can take a range of shards each), with posed bodies of
`training.synth make`. `shrink` is for the form that runs live. `train` goes on where RUN stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from training.told import in_one_line


def run_draw(args: argparse.Namespace) -> None:
    """`draw`"""
    import cv2

    from training.synth.make import choose_device

    choose_device(args.device)
    cv2.setNumThreads(1)
    from training.light.draw import Application, LightStudio, draw

    low, _, high = args.shards.partition(":")
    studio = LightStudio(
        args.assets, args.bank, (0, args.bodies), args.size, args.held_out, samples=args.samples
    )
    studio.application = Application(studio, args.engine)
    try:
        draw(studio, args.out, args.seed, (int(low), int(high)))
    finally:
        studio.application.close()
        studio.close()


def run_shrink(args: argparse.Namespace) -> None:
    """`shrink`"""
    from training.light.shrink import shrink

    shrink(args.data, args.out, args.size)


def run_train(args: argparse.Namespace) -> None:
    """`train`"""
    from training.light.train import Run, train

    train(
        Run(args.data, args.out, args.minutes, args.kept, seed=args.seed, start=args.start,
            form=args.form, guess=args.guess, teacher=args.teacher)
    )  # fmt: skip


def run_export(args: argparse.Namespace) -> None:
    """`export`"""
    from training.light.export import write
    from training.synth.make import commit
    from training.synth.shards import find_shards, read_shard

    shards = find_shards(args.data)
    sets = sum(len(record.about["sets"]) for path in shards for record in read_shard(path))
    figures = json.loads(args.figures.read_text()) if args.figures else {}
    first = read_shard(shards[0])[0]["alpha"]
    facts = {"pixels": first.size, "data_seed": args.seed, "data_sets": sets, **figures}
    write(args.checkpoint, args.out, facts, args.commit or commit())


def build_parser() -> argparse.ArgumentParser:
    """All options."""
    from training.synth.__main__ import parse_size

    parser = argparse.ArgumentParser(prog="python -m training.light", description=__doc__)
    sub = parser.add_subparsers(dest="command", required=True)
    one = sub.add_parser("draw", help="render what it learns from")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--seed", type=int, required=True)
    one.add_argument("--shards", required=True, metavar="A:B", help="10 people, some 20 views, each")
    one.add_argument(
        "--bank", type=Path, required=True, help="posed bodies: `training.synth make`'s OUT/bank"
    )
    one.add_argument("--bodies", type=int, default=3200, help="of the bank")
    one.add_argument("--assets", type=Path, default=Path("../shared/data"))
    one.add_argument("--size", type=parse_size, default=(256, 144))
    one.add_argument("--samples", type=int, default=8, help="points a source")
    one.add_argument("--engine", default="onnx:base", help="network whose geometry it learns to light")
    one.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="what renders")
    one.add_argument("--held-out", action="store_true", help="people that training must not see")
    one.set_defaults(run=run_draw)
    one = sub.add_parser("shrink", help="what was drawn, made smaller")
    one.add_argument("--data", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--size", type=parse_size, required=True, help="multiples of 16")
    one.set_defaults(run=run_shrink)
    one = sub.add_parser("train", help="train, or go on")
    one.add_argument("--data", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--minutes", type=float, required=True, help="of training in all")
    one.add_argument("--kept", type=int, default=4, help="shards that it is measured on")
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--start", type=Path, help="weights to begin with")
    one.add_argument("--form", default="light", help="light, or live: smaller, for cameras")
    one.add_argument("--teacher", type=Path, help="a checkpoint whose word is learned too")
    one.add_argument("--guess", type=float, default=0.5, help="share of pictures with a network's geometry")
    one.set_defaults(run=run_train)
    one = sub.add_parser("export", help="write the network and its card")
    one.add_argument("--checkpoint", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--data", type=Path, required=True)
    one.add_argument("--seed", type=int, required=True, help="of the data, for the card")
    one.add_argument("--figures", type=Path, help="JSON of figures, for the card")
    one.add_argument("--commit", default="")
    one.set_defaults(run=run_export)
    return parser


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = build_parser().parse_args(argv)
    args.run(args)


if __name__ == "__main__":
    sys.exit(main())
