"""What `photo` and `video` say before they begin: nothing is left out in silence."""

from __future__ import annotations

import sys

from ..core.lamps import crowded
from ..core.look import Look
from ..core.settings import Settings

RUN_ALONE = ("size", "fps", "mirror")
"""Settings that say how a camera is taken: `photo` and `video` keep what the file has."""


def say_notes(look: Look, settings: Settings, source: str = "") -> None:
    """One line on stderr for each thing that a look or a configuration asks for and does not get; `source`:
    what there is to say of the file."""
    usual = Settings()
    left = [name for name in RUN_ALONE if getattr(settings, name) != getattr(usual, name)]
    lines = [source, crowded(look)]
    if left:
        lines.append(f"{', '.join(left)} in the configuration: for `run` alone, the file's own is kept")
    for line in filter(None, lines):
        print(f"live-relight: {line}", file=sys.stderr)
