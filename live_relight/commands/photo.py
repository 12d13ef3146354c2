"""`photo`: one picture, or a folder of pictures into a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from ..capture.picture import READABLE, WRITABLE, check_writable_ending, read_picture, write_picture
from ..core.errors import LiveRelightError, SourceError, UsageError
from ..core.settings import Settings
from ..maps import write_maps
from ..relighter import Relighter


def photo(source: Path, target: Path, settings: Settings, maps: Path | None) -> int:
    """Relights `source` into `target`. In a folder, a picture that fails is named and the rest go on."""
    if not source.exists():
        raise SourceError(f"{source}", "no such file or folder", "a picture or a folder of pictures")
    if not source.is_dir() and not target.is_dir():
        check_writable_ending(target)  # before the network is loaded and the picture worked on
    with Relighter(settings) as relighter:
        if not source.is_dir():
            target = target / source.name if target.is_dir() else target
            _one(relighter, source, target, maps)
            return 0
        pictures = sorted(p for p in source.iterdir() if p.suffix.lower() in READABLE)
        if not pictures:
            raise SourceError(f"{source}", "a folder without pictures", " ".join(READABLE))
        if target.exists() and not target.is_dir():
            raise UsageError(f"{target}", "a file", "a folder, as IN is one")
        target.mkdir(parents=True, exist_ok=True)
        return _many(relighter, pictures, target, maps)


def _many(relighter: Relighter, pictures: list[Path], target: Path, maps: Path | None) -> int:
    failed = 0
    for number, path in enumerate(pictures, start=1):
        try:
            # Kinds that are read but not written come out as PNG.
            name = path.name if path.suffix.lower() in WRITABLE else f"{path.stem}.png"
            _one(relighter, path, target / name, maps / path.stem if maps else None)
            print(f"{number}/{len(pictures)} {target / name}")
        except LiveRelightError as error:
            failed += 1
            print(f"live-relight: {error}", file=sys.stderr)
    if failed:
        print(f"{len(pictures) - failed} of {len(pictures)} pictures relit", file=sys.stderr)
    return 1 if failed else 0


def _one(relighter: Relighter, source: Path, target: Path, maps: Path | None) -> None:
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target}", "IN and OUT the same", "another name for OUT")
    picture = read_picture(source)
    geometry = relighter.geometry(picture.image)
    lit = relighter.relight(picture.image, geometry=geometry)
    write_picture(target, lit, picture.alpha)
    if maps is not None:
        write_maps(maps, picture.image, geometry, relighter.look)
