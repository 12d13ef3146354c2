"""What a folder of base assets lacks, compared with the manifest. Reads only that folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .fetch import sha256_of
from .ict import wrong_arrays
from .manifest import Source
from .textures import difference, read_picture


@dataclass
class State:
    """Of one source: paths below its folder."""

    good: int = 0
    missing: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)  # path -> what is wrong

    @property
    def lacking(self) -> list[str]:
        """Everything that must be fetched."""
        return [*self.missing, *self.wrong]


def inspect(source: Source, assets: Path) -> State:
    """Every file of the source that is missing or not the known one."""
    state = State()
    folder = assets / source.into
    for path in (*source.files, *source.textures, *filter(None, [source.built])):
        if not (folder / path).is_file():
            state.missing.append(path)
        elif wrong := fault(source, path, folder / path):
            state.wrong[path] = wrong
        else:
            state.good += 1
    return state


def fault(source: Source, path: str, file: Path) -> str | None:
    """In a few words what is wrong with a file that is there, None where nothing is."""
    if path in source.files:
        digest, size = source.known(path)
        found = file.stat().st_size
        if found != size:
            return f"has {found} bytes, expected {size}"
        return None if sha256_of(file) == digest else "sha256 differs"
    if path in source.textures:
        return difference(read_picture(file), source.textures[path])
    known = [list(table.values()) for table in (source.identities, source.expressions)]
    wrong = wrong_arrays(file, source.arrays, *known)
    return f"{len(wrong)} arrays differ: {', '.join(wrong[:3])}" if wrong else None


def proof(source: Source, state: State) -> str:
    """How what is there was checked, in words."""
    parts = [f"{len(source.files)} files by sha256"] if source.files else []
    if source.textures:
        parts.append(f"{len(source.textures)} textures by size and 8x8 means (their bytes are not known)")
    if source.built:
        count = len(source.identities) + len(source.expressions)
        parts.append(f"{source.built} by the sha256 of {len(source.arrays)} arrays and {count} deltas")
    return "; ".join(parts)
