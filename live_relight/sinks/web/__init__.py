"""The web preview: a small page on 127.0.0.1 that shows the stream."""

from .sink import DEFAULT_PORT, WebSink

__all__ = ["DEFAULT_PORT", "WebSink"]
