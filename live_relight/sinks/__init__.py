"""Where relit frames go: a virtual camera, a web page, a video file, nowhere. `open_sink` is the way in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from live_relight.core.errors import SinkError, UsageError, nearest
from live_relight.core.stages import Sink

if TYPE_CHECKING:
    from .web import WebSink

__all__ = ["NotedSink", "open_sink"]

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
    kind, colon, detail = spec.partition(":")
    if spec == "auto":
        return _auto(size, fps)
    if spec == "null":
        from .null import NullSink

        return NullSink()
    if kind == "vcam" and (detail or not colon):
        from .virtual_camera import VirtualCameraSink

        return VirtualCameraSink(size, fps, detail)
    if kind == "web" and (detail or not colon):
        return _web(detail)
    if kind == "file" and detail:
        from .file import FileSink

        return FileSink(detail, size, fps, audio_from=audio_from)
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

    if port and not (port.isdecimal() and int(port) < 65536):
        raise UsageError("the web preview's port is wrong", f"'{port}'", "a number from 0 to 65535")
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
