"""Where the files that travel with the program are: inside the wheel, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

from .core.errors import LiveRelightError

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `shaders` or `engines`. Raises LiveRelightError when the installation lacks it."""
    for place in (PACKAGE / "_data" / name, PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise LiveRelightError(
        f"folder '{name}'", "nothing", "it beside the program", "install live-relight again"
    )
