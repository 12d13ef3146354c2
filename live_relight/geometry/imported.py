"""Where imported networks are: NAME.onnx and its card NAME.toml in the user's data folder; known cards."""

from __future__ import annotations

import contextlib
import fnmatch
import re
from pathlib import Path

from ..assets import folder
from ..core.errors import EstimatorError, LiveRelightError, UsageError, nearest
from ..core.paths import own_folder, reason
from ..core.toml import read_toml
from ..files import make_folder, write_whole
from .foreign import Card, parse
from .light_net import LIVE, NAME
from .network import Network, list_networks

LARGEST = 2_000_000_000
"""Bytes of an ONNX file: its own format ends there."""


def user_folder() -> Path:
    """Where imported networks are kept. Raises LiveRelightError where the system names no home."""
    base = own_folder(
        "your own networks",
        "LOCALAPPDATA=AppData/Local",
        "Library/Application Support",
        "XDG_DATA_HOME",
        ".local/share",
    )
    return base / "live-relight" / "engines"


def find() -> dict[str, Path]:
    """Name to .onnx file, by name. A folder that is missing or locked has none."""
    with contextlib.suppress(OSError, LiveRelightError):
        return {path.stem: path for path in sorted(user_folder().glob("*.onnx"))}
    return {}


def split(name: str) -> list[str]:
    """'depth-net+normal-net' to its parts; a file may have a + in its name."""
    whole = not name or (name.endswith(".onnx") and Path(name).exists())
    return [name] if whole else name.split("+")


def is_foreign(network: Network) -> bool:
    """Whether its card describes somebody else's network: ours have a text in the place of the table."""
    return isinstance(network.card.get("input"), dict)


def card_of(network: Network) -> Card:
    return parse(network.card, f"card {network.path.with_suffix('.toml')}")


def known() -> dict[str, Card]:
    """Ready-made cards by name. Raises EstimatorError where one cannot be read."""
    found = {}
    for path in sorted(folder("engines").glob("known/*.toml")):
        try:
            found[path.stem] = parse(read_toml(path)[1], f"card {path}")
        except (OSError, ValueError) as error:
            raise EstimatorError(f"card {path}", reason(error), todo="install again") from None
    return found


def card_named(word: str) -> tuple[str, Card]:
    """For --as: a ready-made card's name, or the path of a card. Returns the name '' for a path."""
    if word.endswith(".toml"):
        try:
            return "", parse(read_toml(Path(word))[1], f"card {word}")
        except (OSError, ValueError) as error:
            raise UsageError(f"--as {word}", reason(error), "a card: a readable TOML file") from None
    cards = known()
    if word not in cards:
        raise UsageError("--as", f"'{word}'", "a ready-made card, or a file .toml", nearest(word, cards))
    return word, cards[word]


def recognised(file: str, sha256: str) -> str:
    """Name of the ready-made card for a file, by its checksum or else by its name; '' where there is none."""
    cards = known()
    same = [name for name, card in cards.items() if card.texts.get("sha256") == sha256]
    like = [n for n, c in cards.items() if any(fnmatch.fnmatch(file.lower(), p.lower()) for p in c.files)]
    return (same or like or [""])[0]


def check_name(name: str) -> str:
    """Raises UsageError where a network cannot be called so."""
    if not re.fullmatch(r"[\w\-.]{1,60}", name) or name.startswith(".") or name.endswith((".onnx", ".toml")):
        raise UsageError("--name", f"'{name}'", "letters, digits, - _ and ., at most 60")
    if name in {NAME, LIVE, *(network.name for network in list_networks())}:
        raise UsageError("--name", f"'{name}'", "a name that no shipped network has")
    return name


def save(name: str, data: bytes, card: str) -> Path:
    """Both files, each written beside and renamed. Returns the card's path. A card that was there, and may
    have been corrected by hand, is kept as NAME.toml.old. Raises SinkError."""
    place = user_folder()
    make_folder(place)
    with contextlib.suppress(OSError):
        before = (place / f"{name}.toml").read_bytes()
        if before != card.encode("utf-8", "replace"):
            write_whole(place / f"{name}.toml.old", before)
    # The card counts only with the checksum of its network: a stop between the two is noticed.
    write_whole(place / f"{name}.onnx", data)
    write_whole(place / f"{name}.toml", card.encode("utf-8", "replace"))
    return place / f"{name}.toml"
