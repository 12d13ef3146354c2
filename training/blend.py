"""Two checkpoints of one family to the network between them (weights averaged, Wortsman et al. 2022).

    python -m training.blend RUN/last.pt RUN2/last.pt --out blend.pt [--share 0.5]

Where one run went on from the other's weights, the way between them is without a hill, and the middle is
often better than either end: it forgets less of what the first had learnt. Only what the first network has is
kept; with `--partly`, what the second has not or has in another shape stays the first's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from training.told import in_one_line


def blend(first: Path, second: Path, share: float, out: Path, partly: bool = False) -> int:
    """Averaged weights of both, `share` 0..1 of the second's, in the first's form; returns how many tensors
    of the first had none to go with. A ValueError where there are such and not `partly`."""
    one, two = (torch.load(path, map_location="cpu", weights_only=True) for path in (first, second))
    mine, theirs = (blob.get("ema") or blob["model"] for blob in (one, two))
    made, alone = {}, 0
    for name, value in mine.items():
        other = theirs.get(name)
        if other is None or other.shape != value.shape:
            if partly:
                made[name], alone = value, alone + 1
                continue
            got = "no tensor" if other is None else f"{tuple(other.shape)}"
            raise ValueError(f"{second}: {name}: got {got}, expected {tuple(value.shape)} as in {first}")
        made[name] = value.lerp(other, share) if value.dtype.is_floating_point else value
    total = {key: one.get(key, 0) + two.get(key, 0) for key in ("step", "seconds")}
    part = out.with_suffix(".part")
    torch.save({"config": one["config"], "model": made, **total}, part)
    part.rename(out)
    return alone


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.blend", description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the second's weights, 0..1")
    parser.add_argument("--partly", action="store_true", help="forms may differ: what does not fit stays")
    args = parser.parse_args(argv)
    if not 0 <= args.share <= 1:
        raise ValueError(f"--share: got {args.share}, expected 0..1")
    alone = blend(args.first, args.second, args.share, args.out, args.partly)
    print(f"{args.out}" + (f", {alone} tensors are the first's alone" if alone else ""))


if __name__ == "__main__":
    sys.exit(main())
