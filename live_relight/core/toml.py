"""TOML files read with their text at hand, so that an error names file and line; and values written."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError, nearest
from .light import Light
from .paths import read_whole, reason

MAX_TOML = 16_000_000
"""Bytes: more than anybody writes by hand."""


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """Text and content of a TOML file. Raises OSError, UnicodeDecodeError, or ValueError: not TOML."""
    text = read_whole(path, MAX_TOML).decode("utf-8-sig")  # Windows' editors put a mark in front
    try:
        return text, tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


class Reader:
    """A TOML file with its text, so that errors can name the line."""

    def __init__(self, path: Path, text: str, data: dict[str, Any]) -> None:
        self.path, self.text, self.data = path, text, data

    @classmethod
    def open(cls, path: Path) -> Reader:
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

    def context(self, key: str, table: tuple[str | int, ...]) -> Context:
        return Context(self, key, table)


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


class Context:
    """Puts file and line before a UsageError that a value's own check raises."""

    def __init__(self, reader: Reader, key: str, table: tuple[str | int, ...]) -> None:
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


def written(value: float | str | bool) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are a TOML basic string's; only DEL is left, which TOML does not take as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"{value:g}"
