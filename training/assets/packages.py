"""Packages by their ordinary clients: `npm pack` and `apt-get download` know where packages lie."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .fetch import AssetError, has_sha256
from .manifest import Source

LONGEST = 3600.0  # seconds for one command; npm and apt-get give up on a dead connection long before
CALM = {"LC_ALL": "C", "npm_config_update_notifier": "false"}


class ClientError(Exception):
    """In a few words, why a client did not bring the package."""


@dataclass(frozen=True)
class Client:
    """A program that downloads a package into the folder where it runs.

    `words`, `specs` and `files` are format strings of a source's package and version, `stem` being the name
    without its scope. The first of `specs` is the known version; another is whatever version the client has,
    and then the sha256 of each file in it decides.
    """

    program: str
    words: tuple[str, ...]
    specs: tuple[str, ...]
    files: str  # glob: how an archive may be named, here or in a folder given with --from
    origin: str  # what to install where the program is missing
    cure: str = ""  # what may help where it fails


CLIENTS = {
    "npm": Client(
        "npm",
        ("pack", "--ignore-scripts", "--loglevel=error"),
        ("{package}@{version}",),
        "*{stem}-{version}.tgz",
        "install Node.js, which has it",
    ),
    "deb": Client(
        "apt-get",
        ("-q", "download"),
        ("{package}={version}", "{package}"),
        "{package}_*.deb",
        "Debian and Ubuntu have it",
        " (`apt-get update` may help)",
    ),
}


def filled(text: str, source: Source) -> str:
    """A format string of Client with the source's names."""
    stem = source.package.rpartition("/")[2]
    return text.format(package=source.package, version=source.version, stem=stem)


def pattern(source: Source) -> str:
    """Glob of the names that the package's archive may have."""
    return filled(CLIENTS[source.kind].files, source)


def any_version(source: Source) -> bool:
    """Whether an archive of another version may do, file by file."""
    return len(CLIENTS[source.kind].specs) > 1


def download(source: Source, work: Path, reasons: list[str]) -> Iterator[Path]:
    """Archives that the client brings, each fetched when asked for, below `work`.

    What goes wrong is appended to `reasons`, in a few words.
    """
    client = CLIENTS[source.kind]
    program = shutil.which(client.program)
    if program is None:
        reasons.append(f"{client.program} is not installed ({client.origin})")
        return
    for number, spec in enumerate(client.specs):
        words = [*client.words, filled(spec, source)]
        try:
            if number == 0:
                yield known_version([program, *words], source, work / "known")
            else:
                yield some_version([program, *words], source, work / "any")
        except ClientError as error:
            reasons.append(f"{' '.join([client.program, *words])}: {error}")


def known_version(command: list[str], source: Source, folder: Path) -> Path:
    """The known archive. What an earlier try left stays, for a client that goes on with it."""
    check = has_sha256(source.sha256)
    target = folder / source.archive
    if not (target.is_file() and check(target) is None):
        folder.mkdir(parents=True, exist_ok=True)
        run(command, folder, CLIENTS[source.kind].cure)
        if not target.is_file():
            raise ClientError(f"brought no {source.archive}")
        if wrong := check(target):
            raise ClientError(wrong)
    return target


def some_version(command: list[str], source: Source, folder: Path) -> Path:
    """The archive of whatever version the client has, which may be another next time."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(command, folder, CLIENTS[source.kind].cure)
    for path in folder.glob(pattern(source)):
        return path
    raise ClientError(f"brought no {pattern(source)}")


def run(command: list[str], folder: Path, cure: str) -> None:
    """Run a client. Raises ClientError with what it says, or AssetError where it can not be run at all."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | CALM,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        raise ClientError(f"no end after {LONGEST:.0f} s") from None
    except OSError as error:
        raise AssetError(f"{command[0]}: {error.strerror or error}") from None
    if done.returncode:
        raise ClientError((complaint(done.stderr) or f"exit status {done.returncode}") + cure)


def complaint(text: str) -> str:
    """The line of a client's errors that says most: its first sentence, where there is one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marks = ("E: ", "npm error ", "npm ERR! ")
    errors = [line.removeprefix(mark) for line in lines for mark in marks if line.startswith(mark)]
    return next((line for line in errors if len(line.split()) > 3), (errors or lines[-1:] or [""])[0])
