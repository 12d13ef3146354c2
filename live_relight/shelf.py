"""What lights need from files: pictures of surroundings and the table of area lights, read once."""

from __future__ import annotations

import numpy as np

from . import environments
from .assets import folder
from .core.area import Floats
from .core.environment import Environment
from .core.errors import LiveRelightError


class FileShelf:
    """core.lamps.Shelf from files."""

    def __init__(self) -> None:
        self._table: Floats | None = None

    def environment(self, name: str) -> Environment:
        """Built-in or read from a picture, which is kept where its file goes. Raises UsageError."""
        return environments.kept(name)

    @property
    def table(self) -> Floats:
        """As area.polygon_specular takes it. Raises LiveRelightError."""
        if self._table is None:
            path = folder("shaders") / "ltc.npy"
            try:
                self._table = np.load(path)
            except (OSError, ValueError) as error:
                raise LiveRelightError(f"{path}", str(error), "a readable table", "install again") from None
        return self._table
