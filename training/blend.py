"""Two checkpoints of one family to the network between them (weights averaged, Wortsman et al. 2022).

    python -m training.blend RUN/last.pt RUN2/last.pt --out blend.pt [--share 0.5]

Where one run went on from the other's weights, the way between them is without a hill, and the middle is
often better than either end: it forgets less of what the first had learnt. Only what the first network has is
kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from training.told import in_one_line


def blend(first: Path, second: Path, share: float, out: Path) -> None:
    """Averaged weights of both, `share` 0..1 of the second's, in the first's form. A ValueError where
    the second lacks a tensor of the first or has it in another shape."""
    one, two = (torch.load(path, map_location="cpu", weights_only=True) for path in (first, second))
    mine, theirs = (blob.get("ema") or blob["model"] for blob in (one, two))
    made = {}
    for name, value in mine.items():
        other = theirs.get(name)
        if other is None or other.shape != value.shape:
            got = "no tensor" if other is None else f"{tuple(other.shape)}"
            raise ValueError(f"{second}: {name}: got {got}, expected {tuple(value.shape)} as in {first}")
        made[name] = value.lerp(other, share) if value.dtype.is_floating_point else value
    total = {key: one.get(key, 0) + two.get(key, 0) for key in ("step", "seconds")}
    part = out.with_suffix(".part")
    torch.save({"config": one["config"], "model": made, **total}, part)
    part.rename(out)


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.blend", description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the second's weights, 0..1")
    args = parser.parse_args(argv)
    if not 0 <= args.share <= 1:
        raise ValueError(f"--share: got {args.share}, expected 0..1")
    blend(args.first, args.second, args.share, args.out)
    print(args.out)


if __name__ == "__main__":
    sys.exit(main())
