"""The current state of the controls: replaced whole, never changed in place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from .. import environments
from ..core.arrange import PresentState, arrange
from ..core.look import Look
from ..presets import find, load, save
from .keymap import ControlState, press


class Controls:
    """Holds the newest ControlState; any thread may read it, key presses replace it.

    `base`: the look that the command line asked for; the preset it came from goes back to it.
    """

    def __init__(self, look: Look, preset: str) -> None:
        self._lock = threading.Lock()
        self._base, self._preset = look, preset
        self._state = ControlState(look, preset)
        self.there: Callable[[], PresentState | None] = lambda: None
        """Gives the light that is there, as the last frame had it: what `auto` goes by."""

    @property
    def state(self) -> ControlState:
        return self._state

    def now(self) -> ControlState:
        """The state with what `auto` makes of it, where that can be told."""
        state, there = self._state, self.there()
        known = there is not None and state.look.auto
        return replace(state, arranged=arrange(state.look, there) if there and known else None)

    def look(self) -> Look:
        return self._state.shown

    def press(self, key: str) -> ControlState:
        with self._lock:
            self._state = press(self.now(), key, lambda: list(find()), self._load, self._save)
            return self._state

    def _load(self, name: str) -> Look:
        return self._base if name == self._preset else environments.check(load(name).look)

    @staticmethod
    def _save(name: str, look: Look) -> str:
        return str(save(name, look, "Saved with the s key"))
