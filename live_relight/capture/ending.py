"""Whether a clip ended where its file says it ends: one that is cut off decodes without a complaint."""

from __future__ import annotations

SLACK = 0.02
"""Share of a clip that may be missing: files count frames that are never shown."""


def shortfall(frames: int, seconds: float, told: int, tag: str, damaged: int = 0) -> str:
    """What a reader of the whole clip should hear, or nothing. `frames`, `seconds`: what came; `told`: frames
    that the file says it has (0: it does not); `tag`: its DURATION as HH:MM:SS.fff, where it only has that;
    `damaged`: packets that did not decode."""
    if told and frames < told - max(2.0, SLACK * told):
        return f"ended after {frames} of {told} frames: the file is cut off or damaged"
    length = 0 if told else parse_length(tag)
    if length and seconds < length - max(0.5, SLACK * length):
        return f"ended after {seconds:.1f} of {length:.1f} s: the file is cut off or damaged"
    if damaged:
        return f"{damaged} damaged frame{'s' if damaged > 1 else ''} left out"
    return ""


def parse_length(tag: str) -> float:
    """Seconds of HH:MM:SS.fff, 0 for anything else."""
    parts = tag.split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return 0.0
    return 3600 * hours + 60 * minutes + seconds
