"""Where pictures come from: cameras, videos, streams, stills and the demo clip.

`open_source` is the way in; `picture` reads and writes stills; `Grabber` is the capture thread.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from live_relight.core.errors import SourceError, UsageError
from live_relight.core.paths import reason
from live_relight.core.stages import Source

from . import picture_header
from .fit import Fit
from .grabber import Grabber
from .v4l2 import CameraInfo, Format, list_cameras

__all__ = [
    "CameraInfo",
    "Format",
    "Grabber",
    "NotedSource",
    "endless",
    "is_picture",
    "list_cameras",
    "open_source",
]

_WORDS = ("auto", "camera", "demo")


class NotedSource(Source, Protocol):
    """A source that can say a sentence to people about how it was chosen."""

    note: str
    """'' where there is nothing to say; else which source 'auto' took, why, and how to get the other."""


def open_source(
    spec: str,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    mirror: bool = False,
    pace: bool = True,
) -> NotedSource:
    """Opens `auto|camera|camera:N|camera:NAME|/dev/videoN|FILE|URL|demo`; the caller closes it.

    `size` (width, height): pictures are scaled and centre-cropped to fill it; None: a file's own size, a
    camera's nearest to 1280x720. `fps`: asked of a camera, an upper limit for videos, the rate of a still.
    `pace`: files play at their own speed on the clock; False: every frame as fast as it is read.
    Raises SourceError (cannot be opened) or UsageError (`spec` makes no sense).
    """
    if size is not None and min(size) < 1:
        raise UsageError("the size is wrong", f"{size[0]}x{size[1]}", "at least 1x1")
    if fps is not None and not 0 < fps <= 1000:
        raise UsageError("the frame rate is wrong", f"{fps:g}", "more than 0, at most 1000")
    fit = Fit(size, mirror)
    if spec == "auto":
        return _auto(fit, fps, pace)
    if spec == "demo":
        return _demo(fit, fps, pace)
    if spec == "camera" or spec.startswith(("camera:", "/dev/")):
        return _camera(spec, fit, fps)
    if not spec:
        raise UsageError("the source is empty", expected=f"{', '.join(_WORDS)}, a file or a URL")
    if "://" in spec and not spec.startswith("file://"):
        return _video(spec, fit, fps, pace)
    path = existing(spec)
    if is_picture(path):
        from .picture import StillSource

        return StillSource(path, fit, fps or 30.0, pace)
    return _video(path, fit, fps, pace)


def existing(spec: str) -> Path:
    """The file that `spec` names. Raises SourceError with the nearest name."""
    from .hints import existing_file

    path = Path(os.path.expanduser(spec.removeprefix("file://")))
    return existing_file(path, "file", _WORDS)


def _auto(fit: Fit, fps: float | None, pace: bool) -> NotedSource:
    from .camera import open_first_camera

    try:
        camera = open_first_camera(fit, fps=fps)
    except SourceError as error:
        demo = _demo(fit, fps, pace)
        demo.note = f"showing the demo clip: {error}. For a camera: --source camera:N (live-relight cameras)"
        return demo
    camera.note = f"using {camera.name}. For another: --source camera:N (live-relight cameras) or demo"
    return camera


def _camera(spec: str, fit: Fit, fps: float | None) -> NotedSource:
    from .camera import CameraSource, find_camera, open_first_camera

    wanted = spec.removeprefix("camera").removeprefix(":")
    if not wanted:
        return open_first_camera(fit, fps=fps)
    device, label = find_camera(wanted)
    return CameraSource(device, fit, fps=fps, label=label)


def _video(path: str | Path, fit: Fit, fps: float | None, pace: bool) -> NotedSource:
    from .video import VideoSource

    return VideoSource(path, fit, fps=fps, pace=pace)


def _demo(fit: Fit, fps: float | None, pace: bool) -> NotedSource:
    from .demo import open_demo

    return open_demo(fit, fps=fps, pace=pace)


def endless(source: Source) -> str:
    """What `source` is, for people, where it goes on for ever by itself: 'a picture', 'the demo clip';
    else ''. A camera or a stream goes on for as long as somebody wants it; that is another thing."""
    from .picture import StillSource

    if isinstance(source, StillSource):
        return "a picture"
    return source.name if getattr(source, "endless", False) else ""


def is_picture(path: Path) -> bool:
    """By content, not by name; a broken picture header counts as a picture, and is then refused as one."""
    try:
        with path.open("rb") as file:
            return picture_header.parse(file.read(65536)) is not None
    except ValueError:
        return True
    except OSError as error:
        raise SourceError(f"cannot read {path}", reason(error)) from error
