"""What the folder of base assets must hold, and from where: manifest.toml as typed values."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

MANIFEST = Path(__file__).with_name("manifest.toml")


@dataclass(frozen=True)
class Source:
    """One public place and the files that come from it; manifest.toml explains the fields."""

    name: str
    group: str
    kind: str
    title: str
    licence: str
    into: str
    places: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    commit: str = ""
    package: str = ""
    version: str = ""
    archive: str = ""
    sha256: str = ""
    bytes: int = 0
    member: str = ""
    neutral: str = ""
    meshes: str = ""
    built: str = ""
    texture_bytes: int = 0
    mesh_bytes: int = 0
    files: dict[str, str] = field(default_factory=dict)
    textures: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    expressions: dict[str, str] = field(default_factory=dict)

    def known(self, path: str) -> tuple[str, int]:
        """(sha256 in hex, bytes) of a file in `files`."""
        digest, size = self.files[path].split()
        return digest, int(size)


def read_manifest(path: Path = MANIFEST) -> list[Source]:
    """Every source, with {commit} filled in its places. Raises TypeError for a field that is unknown."""
    sources = []
    for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
        commit = table.get("commit", "")
        for key in ("places", "pictures"):
            table[key] = [place.replace("{commit}", commit) for place in table.get(key, [])]
        sources.append(Source(name=name, **table))
    return sources
