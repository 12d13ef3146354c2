"""One typed tree of settings, read from TOML. An unknown key is an error that names key, file and line."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .errors import UsageError, nearest
from .governor import LEVELS
from .light import RANGES, USED_BY, Light
from .light import TEXTS as LIGHT_TEXTS
from .look import FLAGS, NUMBERS, TEXTS, Look
from .temporal import Smoothing
from .toml import Reader, shown, written

QUALITIES = ("auto", *LEVELS)
CARDS = ("gpu", "cuda", "migraphx", "rocm", "directml", "coreml", "openvino-gpu")
"""Engines on a card through ONNX Runtime, in the order in which `auto` and `gpu`, which is any of them, try
them."""
ENGINES = ("auto", "onnx", "openvino", "tensorrt", "analytic", *CARDS)
LOOK_FIELDS = (*NUMBERS, *TEXTS, *FLAGS)
"""What of a Look a configuration or the command line may replace, the lights apart."""


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
    learned: float | None = None
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
    reader = Reader.open(path)
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
    reader = Reader.open(path)
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
    lines = [f"description = {written(description)}"]
    plain = Look()
    for name in LOOK_FIELDS:
        value = getattr(look, name)
        if value is not None and (name == "ambient" or value != getattr(plain, name)):
            lines.append(f"{name} = {written(value)}")
    for light in look.lights:
        lines += ["", "[[light]]", f'kind = "{light.kind}"']
        names = [n for n in (*RANGES, *LIGHT_TEXTS) if light.kind in USED_BY.get(n, (light.kind,))]
        lines += [f"{n} = {written(getattr(light, n))}" for n in names if getattr(light, n) != ""]
        lines += [f"shadow = {written(light.shadow)}"]
        lines += [] if light.on else ["on = false"]
    return "\n".join(lines) + "\n"
