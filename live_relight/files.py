"""Files that we write: whole or not at all, never over what we read, never over what is no file."""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path

from .core.errors import SinkError, UsageError
from .core.paths import kind, reason

_NAME_BYTES = 40
"""So much of a file's name goes into its part's: names of 255 bytes leave no room for more."""
_STEM_BYTES = 200
"""So much of a file's name stays where words are added to it."""
_parts = itertools.count()


def refuse_same(output: Path, source: str | Path, what: str) -> None:
    """Raises UsageError when writing `output` would replace `source`; `what` names the output ('OUT a.png').

    A `source` that is no file there (a camera, a URL, a word) is never the same.
    """
    place = os.path.expanduser(str(source).removeprefix("file://"))
    try:
        same = os.path.isfile(place) and os.path.samefile(output, place)
    except (OSError, ValueError):
        same = False  # no such output yet, or a name that fails on its own later
    if same:
        raise UsageError(what, "the same file as the input", "another name")


def check_target(path: Path) -> Path:
    """Where a file written as `path` ends up: links are followed, so that they stay links.

    Raises SinkError when something is there that is no file (to replace a device would remove it), when its
    folder is missing, and with the system's words when it cannot be told.
    """
    try:
        found = kind(path)
        target = Path(os.path.realpath(path))
        folder = kind(target.parent)
    except OSError as error:
        raise SinkError(f"cannot write {path}", reason(error)) from error
    if found not in ("", "a file"):
        raise SinkError(f"cannot write {path}", found, "a file name")
    if folder != "a folder":
        raise SinkError(f"cannot write {path}", f"no folder {path.parent}", todo="make the folder first")
    return target


def part_beside(target: Path) -> Path:
    """A name in the same folder for a file that is not whole yet; never the same twice in one process."""
    name = os.fsencode(target.name)[:_NAME_BYTES].decode("utf-8", "ignore")  # no half letters
    return target.with_name(f".{name}.{os.getpid()}.{next(_parts)}.part")


def keep_beside(part: Path, target: Path, word: str) -> Path:
    """Gives what is in `part` a name beside `target` that says what it is ('clip.WORD.mp4', or
    'clip.WORD-2.mp4' where that is taken: no file is replaced). Returns it; `part` where that fails."""
    stem = os.fsencode(target.stem)[:_STEM_BYTES].decode("utf-8", "ignore")
    number = 0
    while True:
        number += 1
        name = target.with_name(f"{stem}.{word}{'' if number == 1 else f'-{number}'}{target.suffix}")
        try:
            name.touch(exist_ok=False)  # claims it: a link, which never replaces, cannot be had everywhere
        except FileExistsError:
            continue
        except OSError:
            return part
        try:
            return part.replace(name)
        except OSError:
            name.unlink()
            return part


def make_folder(path: Path) -> None:
    """With the folders it lies in; one that is there already is fine. Raises SinkError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise SinkError(f"cannot make the folder {path}", reason(error), "a place to write to") from error


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that appears under its name only when it is whole. Raises SinkError."""
    target = check_target(path)
    part = part_beside(target)
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        raise SinkError(f"cannot write {path}", reason(error)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
