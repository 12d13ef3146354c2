"""Finds what a mistyped file name was meant to be."""

from __future__ import annotations

import difflib
from pathlib import Path

from live_relight.core.errors import SourceError
from live_relight.core.paths import kind, reason


def existing_file(path: Path, what: str = "file", words: tuple[str, ...] = ()) -> Path:
    """`path`, or a SourceError with the nearest name in that folder or among `words`."""
    try:
        found, folder = kind(path), kind(path.parent)
    except OSError as error:
        raise SourceError(f"cannot read {path}", reason(error)) from error
    if found == "a file":
        return path
    if found:
        raise SourceError(f"cannot read {path}", found, "a file")
    if folder != "a folder":
        raise SourceError(f"no {what} {path}", f"no folder {path.parent}", todo=_near(str(path), list(words)))
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        names = []
    if path.parent == Path("."):
        names += words
    raise SourceError(f"no {what} {path}", todo=_near(path.name, names) or "check the name")


def _near(word: str, names: list[str]) -> str:
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""
