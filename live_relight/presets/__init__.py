"""Named looks: those that ship beside this file, and the user's own in the configuration folder."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from ..core.errors import LiveRelightError, UsageError, nearest
from ..core.look import Look
from ..core.settings import Preset, dump_preset, load_preset

SHIPPED = Path(__file__).resolve().parent
ORDER = ("studio", "window", "off")


def user_folder() -> Path:
    """Where the user's own presets are kept."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "live-relight" / "presets"


def find() -> dict[str, Path]:
    """Name to file: shipped ones in their order, then others by name; the user's own win."""
    found: dict[str, Path] = {}
    for place in (SHIPPED, user_folder()):
        for path in sorted(place.glob("*.toml")) if place.is_dir() else ():
            found[path.stem] = path
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


def save(name: str, look: Look, description: str = "") -> Path:
    """Writes the user's own preset, beside and then renamed. Returns its path."""
    if not re.fullmatch(r"[\w\-]{1,40}", name):
        raise UsageError("preset name", f"'{name}'", "letters, digits, - and _, at most 40")
    path = user_folder() / f"{name}.toml"
    part = path.with_suffix(".toml.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(dump_preset(look, description), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise LiveRelightError(f"preset {path}", str(error), "a folder that can be written") from None
    return path
