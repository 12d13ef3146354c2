"""Get the base assets of the synthetic people, or check a folder of them.

Two sources are packages: `npm` and `apt-get` fetch them.

Stop it whenever you like: the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .check import inspect, proof
from .fetch import AssetError, Downloader
from .install import Installer
from .manifest import MANIFEST, Source, read_manifest
from .shelf import Shelf

AGAIN = "the same command goes on from here; --base NAME=URL names a mirror, --from DIR a folder that has it"


def build_parser() -> argparse.ArgumentParser:
    """All options."""
    parser = argparse.ArgumentParser(prog="python -m training.assets", description=__doc__)
    parser.add_argument("--assets", type=Path, default=Path("../shared/data"), help="default %(default)s")
    parser.add_argument("--only", default="", metavar="A,B", help="hdri, makehuman, ict, or a source's name")
    parser.add_argument("--check", action="store_true", help="fetch nothing, compare with the manifest")
    parser.add_argument(
        "--base",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="read source NAME below URL instead of where the manifest says (same paths, same checks)",
    )
    parser.add_argument(
        "--from",
        dest="shelves",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="take files from DIR where it has them: a clone with LFS, downloaded packages, older assets",
    )
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help=argparse.SUPPRESS)
    return parser


def choose(sources: list[Source], only: str) -> list[Source]:
    """The sources of the named groups, all where none is named."""
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    known = {name for source in sources for name in (source.name, source.group)}
    if unknown := sorted(wanted - known):
        raise AssetError(f"--only: got {', '.join(unknown)}, expected some of {', '.join(sorted(known))}")
    return [source for source in sources if not wanted or {source.name, source.group} & wanted]


def bases_of(options: list[str], sources: list[Source]) -> dict[str, str]:
    """{'makehuman': 'http://…'} of --base options."""
    bases = dict(option.partition("=")[::2] for option in options)
    names = [source.name for source in sources]
    for name, url in bases.items():
        if name not in names or not url.startswith(("http://", "https://")):
            raise AssetError(f"--base: got {name}={url}, expected NAME=http…, NAME one of {', '.join(names)}")
    return bases


def report(source: Source, assets: Path) -> bool:
    """Print what the folder has of a source; whether that is all."""
    state = inspect(source, assets)
    verdict = "complete" if not state.lacking else f"{state.good} right, {len(state.lacking)} lacking"
    print(f"{source.name}: {verdict} ({source.licence}; {proof(source, state)})")
    for path in state.missing[:10]:
        print(f"  missing: {source.into}/{path}")
    for path, wrong in list(state.wrong.items())[:10]:
        print(f"  wrong: {source.into}/{path}: {wrong}")
    if (rest := len(state.missing[10:]) + max(len(state.wrong) - 10, 0)) > 0:
        print(f"  and {rest} more")
    return not state.lacking


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 all there, 1 something lacks, 2 a wrong option, 130 stopped."""
    args = build_parser().parse_args(argv)
    try:
        sources = read_manifest(args.manifest)
        bases = bases_of(args.base, sources)
        sources = choose(sources, args.only)
        shelf = Shelf([] if args.check else args.shelves)
    except AssetError as error:
        print(f"assets: {error}", file=sys.stderr)
        return 2
    if args.check:
        complete = [report(source, args.assets) for source in sources]
        return 0 if all(complete) else 1
    installer = Installer(args.assets, Downloader(), bases, shelf)
    failed = False
    try:
        for source in sources:
            try:
                count = installer.install(source)
                print(
                    f"{source.name}: {f'{count} files fetched' if count else 'complete'} ({source.licence})"
                )
            except AssetError as error:
                failed = True
                print(f"assets: {source.name}: {error} - {AGAIN}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"assets: stopped; {AGAIN}", file=sys.stderr)
        return 130
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
