"""Folders that were named with --from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from .fetch import AssetError


class Shelf:
    """Files that are on this machine already, found by name; what they hold is checked like a download."""

    def __init__(self, folders: list[Path]) -> None:
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for folder in folders:
            if not folder.is_dir():
                raise AssetError(f"{folder}: no such folder")
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    self._by_name[path.name].append(path)

    def find(self, path: str) -> Iterator[Path]:
        """Files of the same name, those in a folder of the same name first."""
        parent = Path(path).parent.name
        yield from sorted(self._by_name[Path(path).name], key=lambda p: p.parent.name != parent)

    def match(self, pattern: str) -> Iterator[Path]:
        """Files whose name is as the glob says."""
        for name in sorted(self._by_name):
            if fnmatchcase(name, pattern):
                yield from self._by_name[name]
