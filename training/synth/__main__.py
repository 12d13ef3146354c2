"""Command line: `python -m training.synth make | check | sheet | stats`."""

from __future__ import annotations

import argparse
import os
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


def parse_range(text: str) -> tuple[int, int]:
    """'20:40' -> (20, 40)."""
    try:
        first, last = (int(x) for x in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected A:B such as 0:100") from None
    if not 0 <= first < last:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected 0 <= A < B")
    return first, last


def build_parser() -> argparse.ArgumentParser:
    """All options."""
    parser = argparse.ArgumentParser(prog="python -m training.synth", description=__doc__)
    sub = parser.add_subparsers(dest="command", required=True)
    make = sub.add_parser("make", help="render a data set (resumes where it stopped)")
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--count", type=int, required=True, help="pictures, rounded up to whole shards")
    make.add_argument("--clips", type=int, default=0, help="short sequences, rounded up to whole shards")
    make.add_argument("--seed", type=int, required=True)
    make.add_argument(
        "--seeds", type=parse_range, metavar="A:B", help="only shards A to B-1, for several machines"
    )
    make.add_argument("--size", type=parse_size, default=(256, 192))
    make.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    make.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="what renders")
    make.add_argument("--assets", type=Path, default=Path("../shared/data"))
    make.add_argument("--bank", type=Path, help="folder of posed bodies (default: OUT/bank)")
    make.add_argument("--bodies", type=int, default=3200)
    make.add_argument(
        "--hands", type=float, default=0.0, help="share of bodies with hands at or before the face"
    )
    make.add_argument("--held-out", action="store_true", help="use only the assets kept from training")
    check = sub.add_parser("check", help="validate a data set; exit status 1 if something is wrong")
    check.add_argument("dir", type=Path)
    sheet = sub.add_parser("sheet", help="contact sheet of a data set")
    sheet.add_argument("dir", type=Path)
    sheet.add_argument("png", type=Path)
    sheet.add_argument("--rows", type=int, default=12)
    sheet.add_argument("--seed", type=int, default=0)
    sheet.add_argument("--clips", action="store_true", help="clips instead of single pictures")
    stats = sub.add_parser("stats", help="plots of what was drawn: who, where, in what light")
    stats.add_argument("dir", type=Path)
    stats.add_argument("png", type=Path)
    return parser


def run_make(args: argparse.Namespace) -> int:
    """`make`"""
    from training.synth.make import Job, Recipe, make

    if min(args.count, args.clips) < 0 or min(args.jobs, args.bodies) < 1:
        raise ValueError("--count and --clips must not be negative, --jobs and --bodies at least 1")
    if not 0 <= args.hands <= 1:
        raise ValueError(f"--hands: got {args.hands}, expected a share from 0 to 1")
    recipe = Recipe(
        args.seed,
        args.count,
        *args.size,
        bodies=args.bodies,
        held_out=args.held_out,
        clips=args.clips,
        hands=args.hands,
    )
    bank = args.bank or args.out / "bank"
    make(recipe, Job(args.assets.resolve(), args.out, bank, args.jobs, args.device, args.seeds))
    return 0


def run_check(args: argparse.Namespace) -> int:
    """`check`"""
    from training.synth.check import check

    report = check(args.dir)
    for line in report.lines[:50]:
        print(line)
    for part, angles in report.slopes.items():
        if angles:
            middle = sorted(angles)[len(angles) // 2]
            wrong, all_of = report.across[part]
            share = 100 * wrong / max(all_of, 1)
            text = f"median {middle:.1f} degrees, {share:.1f} % across"
            print(f"normals against the depth's slope on {part}: {text}")
    total = sum(report.counts.values())
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(report.counts.items()))
    print(f"{report.pictures} pictures, {report.labels} labels, {total} problems" + (kinds and f": {kinds}"))
    return 1 if total else 0


def run_sheet(args: argparse.Namespace) -> int:
    """`sheet`"""
    from training.synth.sheet import write_clip_sheet, write_sheet

    (write_clip_sheet if args.clips else write_sheet)(args.dir, args.png, args.rows, args.seed)
    return 0


def run_stats(args: argparse.Namespace) -> int:
    """`stats`"""
    from training.synth.stats import write_stats

    write_stats(args.dir, args.png)
    return 0


COMMANDS = {"make": run_make, "check": run_check, "sheet": run_sheet, "stats": run_stats}


def main(argv: list[str] | None = None) -> int:
    """Run a command; errors are one line."""
    args = build_parser().parse_args(argv)
    try:
        return COMMANDS[args.command](args)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
