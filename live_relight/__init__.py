"""Live Relight: a photographer's light on a person in front of a webcam, live.

    from live_relight import Relighter, Light, Settings

Importing the package loads next to nothing: what it exports is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.errors import LiveRelightError
    from .core.light import Light
    from .core.look import Look
    from .core.settings import Settings
    from .relighter import Relighter

__version__ = "0.1.0"
__all__ = ["Light", "LiveRelightError", "Look", "Relighter", "Settings", "__version__"]

_HOMES = {
    "LiveRelightError": ".core.errors",
    "Light": ".core.light",
    "Look": ".core.look",
    "Settings": ".core.settings",
    "Relighter": ".relighter",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module 'live_relight' has no attribute '{name}'")
