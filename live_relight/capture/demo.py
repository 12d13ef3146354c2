"""The bundled clip of a person, for machines without a camera."""

from __future__ import annotations

from pathlib import Path

from live_relight.core.errors import SourceError

from .fit import Fit
from .video import VideoSource

CLIP = Path(__file__).resolve().parent.parent / "media" / "demo.mp4"


def open_demo(fit: Fit, *, fps: float | None = None, pace: bool = True, clip: Path = CLIP) -> VideoSource:
    """Plays for ever: whoever wants an end counts frames. Raises SourceError when the clip is missing."""
    if not clip.is_file():
        raise SourceError("the demo clip is missing", f"no file {clip}", todo="install live-relight again")
    try:
        return VideoSource(clip, fit, fps=fps, pace=pace, loop=True, name="the demo clip")
    except SourceError as error:
        raise SourceError(error.what, error.got, error.expected, "install live-relight again") from error
