"""Command line: `python -m training.synth make | check | sheet`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def parse_size(text: str) -> tuple[int, int]:
    """'256x192' -> (256, 192)."""
    try:
        width, height = (int(x) for x in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected WIDTHxHEIGHT such as 256x192") from None
    if width < 32 or height < 32:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected at least 32x32")
    return width, height


def build_parser() -> argparse.ArgumentParser:
    """All options."""
    parser = argparse.ArgumentParser(prog="python -m training.synth", description=__doc__)
    sub = parser.add_subparsers(dest="command", required=True)
    make = sub.add_parser("make", help="render a data set (resumes where it stopped)")
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--count", type=int, required=True, help="pictures, rounded up to whole shards")
    make.add_argument("--seed", type=int, required=True)
    make.add_argument("--size", type=parse_size, default=(256, 192))
    make.add_argument("--jobs", type=int, default=2)
    make.add_argument("--assets", type=Path, default=Path("../shared/data"))
    make.add_argument("--bank", type=Path, help="folder of posed bodies (default: OUT/bank)")
    make.add_argument("--bodies", type=int, default=3200)
    make.add_argument("--held-out", action="store_true", help="use only the assets kept from training")
    check = sub.add_parser("check", help="validate a data set; exit status 1 if something is wrong")
    check.add_argument("dir", type=Path)
    sheet = sub.add_parser("sheet", help="contact sheet of a data set")
    sheet.add_argument("dir", type=Path)
    sheet.add_argument("png", type=Path)
    sheet.add_argument("--rows", type=int, default=12)
    sheet.add_argument("--seed", type=int, default=0)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a command; errors are one line."""
    args = build_parser().parse_args(argv)
    try:
        if args.command == "make":
            from training.synth.make import Recipe, make

            recipe = Recipe(args.seed, args.count, *args.size, bodies=args.bodies, held_out=args.held_out)
            make(recipe, args.assets.resolve(), args.out, args.bank, args.jobs)
        elif args.command == "check":
            from training.synth.check import check

            problems = check(args.dir)
            print("\n".join(problems) or "no problems found")
            return 1 if problems else 0
        else:
            from training.synth.sheet import write_sheet

            write_sheet(args.dir, args.png, args.rows, args.seed)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
