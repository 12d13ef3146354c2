"""Live Relight: a photographer's light on a person in front of a webcam, live.

    from live_relight import Relighter, Light, Settings

Importing the package loads nothing heavy; `Relighter` brings the network runtime and OpenGL when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .core.errors import LiveRelightError
from .core.look import Light, Look
from .core.settings import Settings

if TYPE_CHECKING:
    from .relighter import Relighter

__version__ = "0.1.0"
__all__ = ["Light", "LiveRelightError", "Look", "Relighter", "Settings", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Relighter":
        from .relighter import Relighter

        return Relighter
    raise AttributeError(f"module 'live_relight' has no attribute '{name}'")
