"""Where relit frames go: a virtual camera, a web page, a video file, nowhere. `open_sink` is the way in."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from live_relight.core.errors import SinkError, UsageError, nearest
from live_relight.core.stages import Sink

if TYPE_CHECKING:
    from .web import WebSink

__all__ = ["NotedSink", "check_sink", "file_of", "open_sink"]

_KINDS = ("auto", "vcam", "vcam:DEVICE", "web", "web:PORT", "file:PATH", "null")
_LATER = ("pipewire", "window")


class NotedSink(Sink, Protocol):
    """A sink that can say a sentence to people about how it was chosen."""

    note: str
    """'' where there is nothing to say; else where to look, which sink 'auto' took and how to get another."""


def open_sink(spec: str, *, size: tuple[int, int], fps: float, audio_from: Path | None = None) -> NotedSink:
    """Opens `auto|vcam|vcam:DEVICE|web|web:PORT|file:PATH|null` for frames of `size` (width, height).

    `audio_from`: a file whose sound goes into `file:PATH`; other sinks have no sound. The caller closes it.
    Raises UsageError (`spec` makes no sense) or SinkError (cannot be opened).
    """
    check_sink(spec)
    kind, _, detail = spec.partition(":")
    if kind == "auto":
        return _auto(size, fps)
    if kind == "vcam":
        from .virtual_camera import VirtualCameraSink

        return VirtualCameraSink(size, fps, detail)
    if kind == "web":
        return _web(detail)
    if path := file_of(spec):
        from .file import FileSink

        return FileSink(path, size, fps, audio_from=audio_from)
    from .null import NullSink

    return NullSink()


def file_of(spec: str) -> Path | None:
    """The file that the sink `spec` writes; None where it writes none.

    The only reading of a file sink's name: whoever checks it must mean the file that gets written. The
    shell leaves ~ alone after 'file:', so it is ours to expand; an unknown user's stays, and is no folder.
    """
    kind, _, detail = spec.partition(":")
    return Path(os.path.expanduser(detail)) if kind == "file" and detail else None


def check_sink(spec: str) -> None:
    """Raises UsageError for a `spec` that makes no sense whatever the machine; opens nothing."""
    kind, _, detail = spec.partition(":")
    if "\0" in spec:
        raise UsageError("the sink", "a NUL character in the name", f"one of {', '.join(_KINDS)}")
    if path := file_of(spec):
        from .file import check_ending

        check_ending(path)
    elif kind == "web" and detail:
        if not (re.fullmatch("[0-9]{1,5}", detail) and int(detail) < 65536):
            got = f"'{detail[:20]}'"
            raise UsageError("the web preview's port is wrong", got, "a number from 0 to 65535")
    elif spec not in ("auto", "vcam", "web", "null") and not (kind == "vcam" and detail):
        raise _unknown(spec, kind)


def _auto(size: tuple[int, int], fps: float) -> NotedSink:
    from .virtual_camera import VirtualCameraSink

    try:
        camera = VirtualCameraSink(size, fps)
    except SinkError as error:
        web = _web("")
        web.note = f"open {web.url} to watch ({error})"
        return web
    camera.note = f"choose {camera.name} as the camera in any program; for a page in the browser: --sink web"
    return camera


def _web(port: str) -> WebSink:
    from .web import WebSink

    sink = WebSink(int(port) if port else None)
    sink.note = f"open {sink.url} to watch"
    return sink


def _unknown(spec: str, kind: str) -> UsageError:
    if kind in _LATER:
        return UsageError(f"the sink '{kind}' is not there yet", todo="vcam, web and file:PATH work today")
    if Path(spec).suffix.lower() in (".mp4", ".mkv", ".mov"):
        return UsageError("unknown sink", f"'{spec}'", todo=f"did you mean 'file:{spec}'?")
    if spec.rstrip(":") == "file":
        return UsageError("the sink 'file' needs a name", f"'{spec}'", "file:PATH, as in file:out.mp4")
    return UsageError("unknown sink", f"'{spec}'", todo=nearest(spec, _KINDS))
