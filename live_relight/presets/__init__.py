"""Named looks: those that ship beside this file, and the user's own in the configuration folder."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import replace
from pathlib import Path

from ..core.errors import LiveRelightError, UsageError, nearest
from ..core.look import Look
from ..core.paths import own_folder
from ..core.settings import Preset, dump_preset, load_preset
from ..core.surroundings import BUILT_IN
from ..files import make_folder, write_whole

SHIPPED = Path(__file__).resolve().parent
ORDER = ("studio", "window", "auto", "off")


def user_folder() -> Path:
    """Where the user's own presets are kept. Raises LiveRelightError where the system names no home."""
    base = own_folder(
        "your own presets",
        "APPDATA=AppData/Roaming",
        "Library/Application Support",
        "XDG_CONFIG_HOME",
        ".config",
    )
    return base / "live-relight" / "presets"


def find() -> dict[str, Path]:
    """Name to file: shipped ones in their order, then others by name; the user's own win. A folder that is
    missing or locked has none: the shipped ones are there for everybody."""
    found = {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}
    with contextlib.suppress(OSError, LiveRelightError):
        found.update({path.stem: path for path in sorted(user_folder().glob("*.toml"))})
    return dict(
        sorted(found.items(), key=lambda kv: (ORDER.index(kv[0]) if kv[0] in ORDER else len(ORDER), kv[0]))
    )


def load(name: str) -> Preset:
    """A preset by name, or by the path of a file (anything with a slash or ending in .toml)."""
    if "/" in name or os.sep in name or name.endswith(".toml"):
        return load_preset(Path(name))
    known = find()
    if name not in known:
        raise UsageError(f"preset '{name}'", "no such preset", todo=nearest(name, known))
    return load_preset(known[name])


def shipped_looks() -> list[Look]:
    """Of the presets that ship, in their order; what the user has under these names is not looked at."""
    return [load_preset(SHIPPED / f"{name}.toml").look for name in ORDER]


def _from_anywhere(look: Look) -> Look:
    """Panoramas by their whole path: a preset is loaded in whatever folder its user is."""
    pictures = [light.file and light.file not in BUILT_IN for light in look.lights]
    lights = [
        replace(light, file=str(Path(light.file).expanduser().absolute())) if own else light
        for light, own in zip(look.lights, pictures, strict=True)
    ]
    return replace(look, lights=tuple(lights))


def save(name: str, look: Look, description: str = "") -> Path:
    """Writes the user's own preset, beside and then renamed. Returns its path. Raises UsageError for a name
    that cannot be one, or that a shipped preset has."""
    if name in {path.stem for path in SHIPPED.glob("*.toml")}:
        raise UsageError("preset name", f"'{name}'", "one that no shipped preset has")
    if not re.fullmatch(r"[\w\-]{1,40}", name):
        raise UsageError("preset name", f"'{name}'", "letters, digits, - and _, at most 40")
    path = user_folder() / f"{name}.toml"
    make_folder(path.parent)
    # A preset's path may hold bytes that are no text: they become '?'.
    write_whole(path, dump_preset(_from_anywhere(look), description).encode("utf-8", "replace"))
    return path
