"""`photo`: one picture, or a folder of pictures into a folder."""

from __future__ import annotations

import itertools
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ..capture.picture import READABLE, WRITABLE, check_writable_ending, read_picture, write_picture
from ..core.errors import LiveRelightError, SourceError, UsageError
from ..core.paths import kind
from ..core.settings import Settings
from ..files import check_target, make_folder, refuse_same
from ..maps import NAMES, write_maps
from ..relighter import Relighter
from .notes import say_notes


@dataclass(frozen=True, slots=True)
class Job:
    """One picture's way: where it comes from, where it goes, and the folder of its maps."""

    source: Path
    target: Path
    maps: Path | None


def photo(source: Path, target: Path, settings: Settings, maps: Path | None) -> int:
    """Relights `source` into `target`. In a folder, a picture that fails is named and the rest go on."""
    found = kind(source)
    if not found:
        raise SourceError(f"{source}", "no such file or folder", "a picture or a folder of pictures")
    # Everything that can be wrong with the names is said before the network is loaded.
    jobs = folder_jobs(source, target, maps) if found == "a folder" else [_single_job(source, target, maps)]
    for job in jobs:
        _check(job)
    with Relighter(settings, learned=1.0) as relighter:
        say_notes(relighter.look, settings)
        if found == "a folder":
            make_folder(target)
            return _many(relighter, jobs)
        _one(relighter, jobs[0])
        return 0


def folder_jobs(source: Path, target: Path, maps: Path | None) -> list[Job]:
    """One for every picture in `source`, each with a name of its own. Raises SourceError or UsageError."""
    pictures = sorted(p for p in source.iterdir() if p.suffix.lower() in READABLE)
    if not pictures:
        raise SourceError(f"{source}", "a folder without pictures", " ".join(READABLE))
    found = kind(target)
    if found not in ("", "a folder"):
        raise UsageError(f"{target}", found, "a folder, as IN is one")
    if found and target.samefile(source):
        raise UsageError(f"OUT {target}", "the same folder as IN", "another one")
    # Two pictures never get one name. One that can keep its own does; kinds that are read but not written
    # come out as PNG.
    names = {p: p.name for p in pictures if _keeps_its_name(p)}
    taken = {name.casefold() for name in names.values()}
    names.update({p: _free(taken, f"{p.stem}.png", f"{p.name}.png") for p in pictures if p not in names})
    folders: set[str] = set()
    return [
        Job(p, target / names[p], maps / _free(folders, p.stem, p.name) if maps else None) for p in pictures
    ]


def _single_job(source: Path, target: Path, maps: Path | None) -> Job:
    if kind(target) == "a folder":
        target = target / (source.name if _keeps_its_name(source) else f"{source.stem}.png")
    check_target(target)
    return Job(source, target, maps)


def _keeps_its_name(path: Path) -> bool:
    return path.suffix.lower() in WRITABLE


def _free(taken: set[str], *names: str) -> str:
    """The first of `names` that is not taken (the last one with a number, if need be); it is then."""
    numbered = (f"{number}-{names[-1]}" for number in itertools.count(2))
    name = next(n for n in itertools.chain(names, numbered) if n.casefold() not in taken)
    taken.add(name.casefold())
    return name


def _check(job: Job) -> None:
    """Nothing that a job writes may replace what it reads, or what it has written before."""
    check_writable_ending(job.target)
    refuse_same(job.target, job.source, f"OUT {job.target}")
    for name in NAMES if job.maps else ():
        assert job.maps is not None
        refuse_same(job.maps / name, job.source, f"--maps {job.maps}: {name}")
        if os.path.realpath(job.maps / name) == os.path.realpath(job.target):
            raise UsageError(f"OUT {job.target}", "the name of one of the maps", "another name")


def _many(relighter: Relighter, jobs: list[Job]) -> int:
    failed = 0
    for number, job in enumerate(jobs, start=1):
        try:
            _one(relighter, job)
            print(f"{number}/{len(jobs)} {job.target}")
        except LiveRelightError as error:
            failed += 1
            print(f"live-relight: {error}", file=sys.stderr)
    if failed:
        print(f"{len(jobs) - failed} of {len(jobs)} pictures relit", file=sys.stderr)
    return 1 if failed else 0


def _one(relighter: Relighter, job: Job) -> None:
    picture = read_picture(job.source)
    geometry = relighter.geometry(picture.image, both_ways=True)
    lit = relighter.relight(picture.image, geometry=geometry)
    write_picture(job.target, lit, picture.alpha, profile=picture.profile)
    if job.maps is not None:
        write_maps(job.maps, picture.image, geometry, relighter.look)
