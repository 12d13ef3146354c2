"""`engines import`: somebody's own network, asked what it is, kept with a card that says it."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import replace
from pathlib import Path

from ..capture import open_source
from ..core.errors import EstimatorError, UsageError
from ..core.frames import Geometry, Image
from ..core.paths import read_whole, reason
from ..geometry import imported, probe
from ..geometry.foreign import Card, dump
from ..geometry.network import find_network
from ..geometry.onnx import OnnxEstimator
from ..geometry.providers import open_session

FRAME = 12
"""Of the demo clip: one with the person's face to the camera."""


def import_network(file: str | None, tasks: tuple[str, ...], like: str | None, name: str | None) -> int:
    """`tasks`: of foreign.TASKS, () for all that its ready-made card has; `like`: that card's name, a card's
    path or 'none', None: recognised by checksum and name. Prints what was found, the card's path, and last
    the command that uses it."""
    if not file:
        raise UsageError("engines import", "no file", "engines import FILE.onnx --depth, --normal or --matte")
    path = Path(file)
    label = f"network {path}"
    try:
        data = read_whole(path, imported.LARGEST)
    except OSError as error:
        raise EstimatorError(label, reason(error), "an ONNX file") from None
    sha256 = hashlib.sha256(data).hexdigest()
    known, card, how = _card(path, sha256, like)
    tasks = _tasks(tasks, card, known)
    called = imported.check_name(name or known or re.sub(r"[^\w\-.]+", "-", path.stem).strip("-.")[:60])
    if how:
        print(f"card    {how}")
    answer = _asked(path, data, label, card, tasks, how)
    for line in answer.said:
        print(line)
    texts = dict(card.texts if card else {})
    about = f"imported for {', '.join(tasks)}" + (f": {texts['title']}" if "title" in texts else "")
    texts |= {"name": called, "file": path.name, "description": about, "sha256": sha256}
    texts["imported"] = known or "as a network of unknown make"
    again = called in imported.find()
    text = dump(replace(answer.card, texts=texts), answer.notes)
    print(f"{'renewed' if again else 'kept as':7} {imported.save(called, data, text)}")
    if again:
        print(f"before  {called}.toml.old, where it was another")
    print(f"live-relight run --engine auto:{called}")
    return 0


def _card(path: Path, sha256: str, like: str | None) -> tuple[str, Card | None, str]:
    """The ready-made card's name, the card, and a sentence on how it was chosen."""
    if like == "none":
        return "", None, ""
    if like is not None:
        name, card = imported.card_named(like)
        return name, card, f"{name or like}, as you say"
    name = imported.recognised(path.name, sha256)
    if not name:
        return "", None, ""
    card = imported.known()[name]
    sure = card.texts.get("sha256") == sha256
    return name, card, f"{name}, by its {'checksum' if sure else 'name'} (another: --as NAME, or --as none)"


def _tasks(tasks: tuple[str, ...], card: Card | None, known: str) -> tuple[str, ...]:
    """Raises UsageError where it is not said what the network is for, or its card says something else."""
    if card is None and not tasks:
        raise UsageError("engines import", "no word on what it gives", "--depth, --normal or --matte")
    for task in tasks:
        if card is not None and task not in card.outputs:
            has = ", ".join(f"--{one}" for one in card.outputs)
            raise UsageError(f"--{task}", f"the card {known or 'given'}, for {has}", has, "or --as none")
    return tasks or tuple(card.outputs if card else ())


def _asked(
    path: Path, data: bytes, label: str, card: Card | None, tasks: tuple[str, ...], how: str
) -> probe.Answer:
    picture, ours = _trial()
    # In a folder of its own, as it will be: what lies beside the file does not come along.
    with tempfile.TemporaryDirectory(prefix="live-relight-") as folder:
        alone = Path(folder) / "network.onnx"
        try:
            alone.write_bytes(data)
            return probe.ask(alone, label, card, tasks, picture, ours)
        except OSError as error:
            raise EstimatorError(f"cannot write {alone}", reason(error)) from None
        except EstimatorError as error:
            if _opens(path) and not _opens(alone):
                todo = "make it one: onnx.save(onnx.load(FILE), OTHER)"
                raise EstimatorError(label, "weights that are in another file", "one file", todo) from None
            guessed = f"read as {how}" if "by its name" in how else ""
            raise EstimatorError(error.what, error.got, error.expected, error.todo or guessed) from None


def _opens(path: Path) -> bool:
    try:
        open_session(path, "")
    except EstimatorError:
        return False
    return True


def _trial() -> tuple[Image, Geometry]:
    """A picture of a person, and what our network sees there."""
    source = open_source("demo", pace=False)
    try:
        frames = [source.read() for _ in range(FRAME)]
    finally:
        source.close()
    frame = frames[-1]
    if frame is None:
        raise EstimatorError("the demo clip", "no picture", todo="install live-relight again")
    return frame.image, OnnxEstimator(find_network()).estimate(frame.image)
