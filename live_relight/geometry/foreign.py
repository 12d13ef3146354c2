"""The card of a network that somebody else made: what goes in, what comes out, what it means.

A card is TOML: `[input]` and at least one of `[depth]`, `[normal]`, `[matte]`. `engines import` writes it,
people may edit it; ready-made ones for well-known networks are in engines/known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..core.errors import EstimatorError, nearest
from ..core.toml import shown

TASKS = ("depth", "normal", "matte")
MEANINGS = ("inverse depth", "depth", "metric depth")
"""Of `[depth]`: 1/z and z, both of any scale and shift; z of any scale without shift."""
WAYS = {
    "right": (0, 1.0), "left": (0, -1.0),
    "up": (1, 1.0), "down": (1, -1.0),
    "viewer": (2, 1.0), "away": (2, -1.0),
}  # fmt: skip
"""Where a channel of `[normal]` grows: our axis and the sign."""
_TEXTS = ("name", "file", "title", "description", "licence", "source", "sha256", "card", "imported")


@dataclass(frozen=True, slots=True)
class Input:
    """A picture of 1 x 3 x height x width or 1 x height x width x 3, float32 or float16."""

    name: str = ""
    """'': the one that has three channels."""
    size: tuple[int, int] = (384, 384)
    """(width, height). Where the file leaves its sides free, the area counts; the aspect is the frame's."""
    multiple: int = 32
    """Of which free sides have to be."""
    fit: str = "stretch"
    """'stretch', or 'pad': the frame keeps its aspect, its edges are repeated around it."""
    order: str = "RGB"
    scale: float = 1.0
    """What white is before `mean` and `std`: 1 or 255."""
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    """The network sees (value - mean) / std, channels in `order`."""
    intrinsics: str = ""
    """Name of an input that takes the pinhole camera, 1 x 3 x 3 or 3 x 3, in its pixels; '': none does."""
    fov: float = 60.0
    """Degrees across the longer side that `intrinsics` tells."""


@dataclass(frozen=True, slots=True)
class Output:
    """One map, h x w, or of three channels for normals."""

    name: str = ""
    """'#0', '#-1': by its place, first, last; '': the only one that has the shape."""
    meaning: str = ""
    """Of depth: one of MEANINGS; '': asked of a trial run."""
    axes: tuple[str, ...] = ()
    """Of normals: one of WAYS for each channel; (): asked of a trial run."""
    range: tuple[float, ...] = ()
    """Normals: the values that stand for -1 and 1; matte: for nobody and the person. (): asked."""


@dataclass(frozen=True, slots=True)
class Card:
    """`files`: patterns of names that a known network goes by."""

    input: Input
    outputs: Mapping[str, Output]
    texts: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def parse(data: Mapping[str, Any], where: str) -> Card:
    """Raises EstimatorError that names `where` and the key."""
    for key in data:
        if key not in (*_TEXTS, "bytes", "files", "input", *TASKS):
            todo = nearest(key, (*_TEXTS, "input", *TASKS))
            raise EstimatorError(f"{where}: {key}", "an unknown key", todo=todo)
    outputs = {task: _filled(Output, data[task], f"{where}: {task}") for task in TASKS if task in data}
    if not outputs:
        raise EstimatorError(where, "no output", "a table [depth], [normal] or [matte]")
    card = Card(
        _filled(Input, data.get("input", {}), f"{where}: input"),
        outputs,
        {key: str(data[key]) for key in _TEXTS if key in data},
        tuple(str(name) for name in data.get("files", ())),
    )
    _check(card, where)
    return card


def _filled(kind: Any, data: Any, where: str) -> Any:
    """A dataclass from a table: texts, numbers and lists of either, as its fields' defaults are."""
    if not isinstance(data, Mapping):
        raise EstimatorError(where, shown(data), "a table")
    known: dict[str, Any] = {item.name: item.default for item in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            raise EstimatorError(f"{where}.{key}", "an unknown key", todo=nearest(key, known))
        usual = known[key]
        if isinstance(usual, tuple):
            words = key == "axes"
            ok = isinstance(value, list) and all(
                isinstance(v, str) if words else type(v) in (int, float) for v in value
            )
            expected = "a list of words" if words else "a list of numbers"
            values[key] = tuple(value) if ok else ()
        elif isinstance(usual, str):
            ok, expected, values[key] = isinstance(value, str), "a text in quotes", value
        else:
            ok, expected = type(value) in (int, type(usual)), "a number"
            values[key] = value
        if not ok:
            raise EstimatorError(f"{where}.{key}", shown(value), expected)
    return kind(**values)


def _check(card: Card, where: str) -> None:
    one = card.input
    rules = [
        ("input.size", len(one.size) == 2 and all(16 <= s <= 4096 for s in one.size), "[width, height]"),
        ("input.multiple", 1 <= one.multiple <= 256, "1 to 256"),
        ("input.fit", one.fit in ("stretch", "pad"), "stretch or pad"),
        ("input.order", one.order in ("RGB", "BGR"), "RGB or BGR"),
        ("input.scale", one.scale > 0, "more than 0"),
        ("input.mean", len(one.mean) == 3, "three numbers"),
        ("input.std", len(one.std) == 3 and all(v != 0 for v in one.std), "three numbers, none 0"),
        ("input.fov", 1 < one.fov < 179, "degrees"),
    ]
    for task, out in card.outputs.items():
        low_high = not out.range or (len(out.range) == 2 and out.range[0] != out.range[1])
        rules.append((f"{task}.range", low_high, "two numbers"))
        rules.append((f"{task}.meaning", out.meaning in ("", *MEANINGS), ", ".join(MEANINGS)))
        known = all(word in WAYS for word in out.axes)
        once = not out.axes or (known and {WAYS[w][0] for w in out.axes} == {0, 1, 2} and len(out.axes) == 3)
        rules.append((f"{task}.axes", once, "right or left, up or down, viewer or away, each once"))
    for key, ok, expected in rules:
        if not ok:
            raise EstimatorError(f"{where}: {key}", "a wrong value", expected)


def dump(card: Card, notes: Mapping[str, str]) -> str:
    """A card's text. `notes`: a comment for a key such as 'depth.name'."""
    lines = ["# Card of an imported network. Written by `live-relight engines import`; may be edited."]
    lines += [_line(key, value, notes.get(key, "")) for key, value in card.texts.items()]
    tables: dict[str, Input | Output] = {"input": card.input, **card.outputs}
    for table, item in tables.items():
        lines += ["", f"[{table}]"]
        for one in fields(item):
            value = getattr(item, one.name)
            if value or one.name in ("name", "mean"):
                lines.append(_line(one.name, value, notes.get(f"{table}.{one.name}", "")))
    return "\n".join(lines) + "\n"


def _line(key: str, value: object, note: str) -> str:
    shape = list(value) if isinstance(value, tuple) else value
    text = json.dumps(shape, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"{key} = {text}" + (f"  # {' '.join(note.split())}" if note else "")
