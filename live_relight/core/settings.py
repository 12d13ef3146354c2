"""One typed tree of settings, read from TOML. An unknown key is an error that names key, file and line."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import UsageError, nearest
from .governor import LEVELS
from .light import RANGES, USED_BY, Light
from .light import TEXTS as LIGHT_TEXTS
from .look import FLAGS, NUMBERS, TEXTS, Look
from .paths import read_whole, reason
from .temporal import Smoothing

QUALITIES = ("auto", *LEVELS)
CARDS = ("gpu", "cuda", "migraphx", "rocm", "directml", "coreml", "openvino-gpu")
"""Engines on a card through ONNX Runtime, in the order in which `auto` and `gpu`, which is any of them, try
them."""
ENGINES = ("auto", "onnx", "openvino", "tensorrt", "analytic", *CARDS)
LOOK_FIELDS = (*NUMBERS, *TEXTS, *FLAGS)
"""What of a Look a configuration or the command line may replace, the lights apart."""
MAX_TOML = 16_000_000
"""Bytes: more than anybody writes by hand."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `run` needs to know. The fields are the keys of a configuration file."""

    source: str = "auto"
    sink: tuple[str, ...] = ("auto",)
    size: str = ""
    """'WxH', or empty: 1280x720 asked of a camera, a file's own size."""
    fps: float = 0.0
    """0: the source's own."""
    mirror: bool = False
    engine: str = "auto"
    quality: str = "auto"
    """How fine the geometry is; 'auto': as fine as the frame rate allows, live, and 'high' otherwise."""
    preset: str = "studio"
    ambient: float | None = None
    background: float | None = None
    specular: float | None = None
    roughness: float | None = None
    softness: float | None = None
    delight: float | None = None
    background_blur: float | None = None
    fov: float | None = None
    diffuse: str | None = None
    background_tint: str | None = None
    auto: bool | None = None
    smoothing: Smoothing = field(default_factory=Smoothing)
    light: tuple[Light, ...] | None = None
    """Replaces the preset's lights."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named look."""

    name: str
    description: str
    look: Look


def parse_size(text: str, what: str = "--size") -> tuple[int, int]:
    """'1280x720' to (1280, 720); both sides 16..8192. Raises UsageError."""
    match = re.fullmatch("([0-9]{1,5})x([0-9]{1,5})", text.strip().lower())
    if not match:
        raise UsageError(what, f"'{text}'", "WIDTHxHEIGHT such as 1280x720")
    w, h = int(match[1]), int(match[2])
    if not (16 <= w <= 8192 and 16 <= h <= 8192):
        raise UsageError(what, text, "16 to 8192 pixels a side")
    return w, h


def load_settings(path: Path) -> Settings:
    """Reads a configuration file. Raises UsageError with one line for whatever is wrong in it."""
    reader = _Reader.open(path)
    known = [f.name for f in dataclasses.fields(Settings)]
    reader.check_keys(reader.data, known, ())
    values = reader.values(Settings, reader.data, skip=("sink", "light", "smoothing"))
    if "sink" in reader.data:
        sinks = reader.data["sink"]
        names = [sinks] if isinstance(sinks, str) else sinks
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or not names:
            reader.fail("sink", (), shown(sinks), "a text or a list of texts")
        values["sink"] = tuple(names)
    if "smoothing" in reader.data:
        values["smoothing"] = reader.table(Smoothing, "smoothing")
    if "light" in reader.data:
        values["light"] = reader.lights()
    settings = Settings(**values)
    for key, check in _CHECKS.items():
        if key in values:
            with reader.context(key, ()):
                check(settings)
    return settings


def _check_fps(settings: Settings) -> None:
    if not (settings.fps == 0.0 or 0.1 <= settings.fps <= 1000.0):
        raise UsageError("fps", f"{settings.fps:g}", "0.1..1000, or 0 for the source's own")


def _check_engine(settings: Settings) -> None:
    name = settings.engine.partition(":")[0]
    if name not in ENGINES:
        raise UsageError("engine", f"'{settings.engine}'", todo=nearest(name, ENGINES))


def check_quality(name: str) -> None:
    """Raises UsageError."""
    if name not in QUALITIES:
        raise UsageError("quality", f"'{name}'", todo=nearest(name, QUALITIES))


def _check_look(name: str) -> Callable[[Settings], object]:
    return lambda settings: Look(**{name: getattr(settings, name)})


# What can be told of a value without opening anything, so that the file and the line are still known.
_CHECKS: dict[str, Callable[[Settings], object]] = {
    "size": lambda settings: settings.size and parse_size(settings.size, "size"),
    "fps": _check_fps,
    "engine": _check_engine,
    "quality": lambda settings: check_quality(settings.quality),
    **{name: _check_look(name) for name in LOOK_FIELDS},
}


def load_preset(path: Path) -> Preset:
    """Reads a preset: description, LOOK_FIELDS and [[light]] tables."""
    reader = _Reader.open(path)
    reader.check_keys(reader.data, ["description", *LOOK_FIELDS, "light"], ())
    description = reader.data.get("description", "")
    if not isinstance(description, str):
        reader.fail("description", (), shown(description), "a text")
    values = reader.values(Look, {k: v for k, v in reader.data.items() if k in LOOK_FIELDS}, skip=("lights",))
    lights = reader.lights() if "light" in reader.data else ()
    with reader.context("", ()):
        look = Look(lights=lights, **values)
    return Preset(path.stem, description, look)


def dump_preset(look: Look, description: str = "") -> str:
    """A look as the TOML text that `load_preset` reads back."""
    lines = [f"description = {_toml(description)}"]
    plain = Look()
    for name in LOOK_FIELDS:
        value = getattr(look, name)
        if value is not None and (name == "ambient" or value != getattr(plain, name)):
            lines.append(f"{name} = {_toml(value)}")
    for light in look.lights:
        lines += ["", "[[light]]", f'kind = "{light.kind}"']
        names = [n for n in (*RANGES, *LIGHT_TEXTS) if light.kind in USED_BY.get(n, (light.kind,))]
        lines += [f"{n} = {_toml(getattr(light, n))}" for n in names if getattr(light, n) != ""]
        lines += [f"shadow = {_toml(light.shadow)}"]
        lines += [] if light.on else ["on = false"]
    return "\n".join(lines) + "\n"


def _toml(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are a TOML basic string's; only DEL is left, which TOML does not take as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"{value:g}"


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """Text and content of a TOML file. Raises OSError, UnicodeDecodeError, or ValueError: not TOML."""
    text = read_whole(path, MAX_TOML).decode("utf-8-sig")  # Windows' editors put a mark in front
    try:
        return text, tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


class _Reader:
    """A TOML file with its text, so that errors can name the line."""

    def __init__(self, path: Path, text: str, data: dict[str, Any]) -> None:
        self.path, self.text, self.data = path, text, data

    @classmethod
    def open(cls, path: Path) -> _Reader:
        try:
            text, data = read_toml(path)
        except FileNotFoundError:
            raise UsageError(f"{path}", "no such file", "a TOML file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}", reason(error), "a readable TOML file") from None
        except ValueError as error:
            raise UsageError(f"{path}: not TOML: {error}") from None
        return cls(path, text, data)

    def line(self, key: str, table: tuple[str | int, ...]) -> int:
        """1-based line of `key` in the table ('light', 1) = the second [[light]]; 0 when not found."""
        index, here = -1, not table
        for number, text in enumerate(self.text.split("\n"), start=1):
            header = re.match(r"\s*\[\[?\s*([\w.\-\"]+)\s*\]\]?", text)
            if header:
                name = header[1].strip('"')
                index += bool(table) and name == table[0]
                here = bool(table) and name == table[0] and (len(table) < 2 or index == table[1])
            if (header and header[1] == key and not table) or (
                here and re.match(rf'\s*"?{re.escape(key)}"?\s*[=.]', text)
            ):
                return number
        return 0

    def fail(
        self, key: str, table: tuple[str | int, ...], got: str, expected: str = "", todo: str = ""
    ) -> None:
        line = self.line(key, table) if key else 0
        where = f"{self.path}:{line}" if line else f"{self.path}"
        raise UsageError(f"{where}: {key}" if key else where, got, expected, todo)

    def check_keys(self, data: Mapping[str, Any], known: Iterable[str], table: tuple[str | int, ...]) -> None:
        names = list(known)
        for key in data:
            if key not in names:
                self.fail(f"{key}", table, "an unknown key", todo=nearest(key, names))

    def values(
        self,
        kind: type,
        data: Mapping[str, Any],
        skip: tuple[str, ...] = (),
        table: tuple[str | int, ...] = (),
    ) -> dict[str, Any]:
        """`data` checked against the plain fields of a dataclass."""
        found: dict[str, Any] = {}
        for item in dataclasses.fields(kind):
            if item.name in skip or item.name not in data:
                continue
            value, wanted = data[item.name], str(item.type)
            if "bool" in wanted:
                ok, expected = isinstance(value, bool), "true or false"
            elif "float" in wanted:
                value, expected = _number(value), "a number"
                ok = value is not None
            else:
                ok, expected = isinstance(value, str), "a text in quotes"
            if not ok:
                self.fail(item.name, table, shown(data[item.name]), expected)
            found[item.name] = value
        return found

    def table(self, kind: type, name: str) -> Any:
        data = self.data[name]
        if not isinstance(data, dict):
            self.fail(name, (), shown(data), f"a table [{name}]")
        self.check_keys(data, [f.name for f in dataclasses.fields(kind)], (name,))
        values = self.values(kind, data, table=(name,))
        with self.context(name, (name,)):
            return kind(**values)

    def lights(self) -> tuple[Light, ...]:
        tables = self.data["light"]
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.fail("light", (), shown(tables), "[[light]] tables")
        lights = []
        for number, data in enumerate(tables):
            where = ("light", number)
            self.check_keys(data, [f.name for f in dataclasses.fields(Light)], where)
            values = self.values(Light, data, table=where)
            if "kind" not in values:
                self.fail("light", (), "no kind", 'kind = "key" or another')
            with self.context("kind", where):
                lights.append(Light.of(values.pop("kind"), **values))
        return tuple(lights)

    def context(self, key: str, table: tuple[str | int, ...]) -> _Context:
        return _Context(self, key, table)


def _number(value: object) -> float | None:
    """None for what is no number, or one beyond what a float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def shown(value: object) -> str:
    """As it stands in the file, but not pages of it."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a whole number of thousands of digits; lists in lists in lists
        return "too much"
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Context:
    """Puts file and line before a UsageError that a value's own check raises."""

    def __init__(self, reader: _Reader, key: str, table: tuple[str | int, ...]) -> None:
        self.reader, self.key, self.table = reader, key, table

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, UsageError):
            # The field that is wrong is named first in the message: 'light key: az, got ...'.
            name = error.what.rpartition(": ")[2].split()[0].strip("',")
            places = ((name, self.table), (self.key, self.table), (self.key, ()))
            line = next(filter(None, (self.reader.line(*place) for place in places if place[0])), 0)
            where = f"{self.reader.path}:{line}" if line else f"{self.reader.path}"
            raise UsageError(f"{where}: {error.what}", error.got, error.expected, error.todo) from None
