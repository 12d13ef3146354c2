"""Asks a network what it is: names and shapes of its file, then a trial run on a picture of a person.

What comes out is compared with what our own network sees in the same picture. That tells near from far, where
the axes of normals point, and how the picture wants to be given, and refuses what fits nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Image
from .foreign import TASKS, Card, Input, Output
from .foreign_net import Array, ForeignNetwork, cut, described, plane_of
from .judge import depth, matte, normal, said
from .trio import scaled

HINTS = {
    "depth": ("depth", "disp"),
    "normal": ("norm",),
    "matte": ("alpha", "matte", "mask", "fgr", "foreground", "pha", "seg"),
}
"""In names of outputs, where several have the shape."""
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
WAYS_IN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("values 0..1", {}),
    ("ImageNet's mean and standard deviation", IMAGENET),
    ("values -1..1", {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}),
    ("values 0..255", {"scale": 255.0}),
)
"""How a picture may want to be given, the plain one first: another has to be clearly better."""
LIGHTS = ((0.45, 0.45, 0.45), (1.0, 0.8, 0.6))
"""Gains of B, G, R, with which the picture is tried as well: a network forgives in a good light that its
picture came with another mean or span, and hardly in the dark. (Ours, given ImageNet's where it wants 0..1,
agrees with itself by 0.97 to 0.99 in the picture as it is, and not at all in the dark one.)"""
BETTER, ENOUGH = 0.003, 0.5
"""How much better, and how good it has to be where the plain one gives nothing of use: what a network makes
of a picture that it was given wrongly may look like something by chance."""


@dataclass
class Answer:
    """What was found. `notes`: comments for the card; `said`: lines for people."""

    card: Card
    score: float
    notes: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def ask(
    model: Path, label: str, card: Card | None, tasks: tuple[str, ...], picture: Image, ours: Geometry
) -> Answer:
    """`label` names `model` in errors; `card`: what is known of it, None where nothing is; `tasks`: what for,
    of TASKS; `ours`: what our network sees in `picture`. Raises EstimatorError where it does not fit."""
    asked = Card(Input(), {task: Output() for task in tasks})
    if card is not None:
        asked = replace(card, outputs={task: card.outputs[task] for task in tasks})
    net = ForeignNetwork(model, asked, label)
    if card is None:
        asked = net.card = replace(asked, input=_sized(net, picture))
    one = replace(asked.input, name=net.picture.name)
    if net.camera is not None:
        one = replace(one, intrinsics=net.camera.name)
    if net.fixed:
        one = replace(one, size=net.size((picture.shape[1], picture.shape[0])))
    found = net.outputs(picture)
    asked = replace(asked, input=one, outputs=_named(asked, found, label))
    answer = _attempt(net, asked, picture, ours)
    if card is None:
        answer = _best_way_in(net, asked, picture, ours, answer)
    if isinstance(answer, EstimatorError):
        raise answer
    start = time.perf_counter()
    net.outputs(picture)
    taken = time.perf_counter() - start
    w, h = net.size((picture.shape[1], picture.shape[0]))
    answer.notes["input.name"] = described(net.picture)
    answer.said.insert(
        0, f"input   '{one.name}' {described(net.picture)}, run at {w}x{h}: {taken * 1e3:.0f} ms"
    )
    return answer


def _sized(net: ForeignNetwork, picture: Image) -> Input:
    """The usual input, or the one of a transformer whose patches are 14 pixels wide."""
    usual = net.card.input
    try:
        net.outputs(picture)
    except EstimatorError:
        patches = replace(usual, multiple=14)
        net.card = replace(net.card, input=patches)
        try:
            net.outputs(picture)
        except EstimatorError:
            return usual  # whose error is the one to tell
        return patches
    return usual


def _best_way_in(
    net: ForeignNetwork, asked: Card, picture: Image, ours: Geometry, first: Answer | EstimatorError
) -> Answer | EstimatorError:
    """Of WAYS_IN, then of the two orders of colours, the one that agrees most with ours, in all LIGHTS."""
    lit = [np.minimum(picture * np.array(gains, np.float32), 255).astype(np.uint8) for gains in LIGHTS]
    best, word = _in_lights(net, first, lit, ours), WAYS_IN[0][0]
    for name, changes in WAYS_IN[1:]:
        other = _attempt(net, replace(asked, input=replace(asked.input, **changes)), picture, ours)
        other = _in_lights(net, other, lit, ours)
        if _score(other) > max(_score(best) + BETTER, ENOUGH if isinstance(best, EstimatorError) else 0.0):
            best, word = other, name
    if isinstance(best, EstimatorError):
        return best
    swapped = replace(best.card.input, order="BGR")
    other = _in_lights(net, _attempt(net, replace(asked, input=swapped), picture, ours), lit, ours)
    if isinstance(other, Answer) and _score(other) > _score(best) + BETTER:
        best = other
    said = f"{best.card.input.order}, {word}"
    best.said.append(f"colours {said}: agrees best with our own network ({best.score:.2f} of 1)")
    best.notes["input.order"] = f"{said}: chosen by a trial, change it if you know better"
    return best


def _in_lights(
    net: ForeignNetwork, answer: Answer | EstimatorError, lit: list[Image], ours: Geometry
) -> Answer | EstimatorError:
    """The answer with the mean of what it agrees in all lights; -1 for those in which nothing fits."""
    if isinstance(answer, Answer):
        others = [_score(_attempt(net, answer.card, one, ours)) for one in lit]
        answer.score = (answer.score + sum(others)) / (1 + len(others))
    return answer


def _score(answer: Answer | EstimatorError) -> float:
    return answer.score if isinstance(answer, Answer) else -1.0


def _attempt(net: ForeignNetwork, card: Card, picture: Image, ours: Geometry) -> Answer | EstimatorError:
    """One run of the network with the picture given as `card` says."""
    net.card = card
    small, box = net.given(picture, 1.0)
    answer = Answer(card, 0.0)
    outputs: dict[str, Output] = {}
    try:
        found = net.run(small, box)
        for task, out in card.outputs.items():
            plane = plane_of(found[out.name], task, net.label)
            bad = float((~np.isfinite(plane)).mean())
            if bad:
                got = f"{max(bad, 0.001):.1%} of '{out.name}' not finite"
                raise EstimatorError(f"{net.label} for {task}", got, "numbers")
            plane = scaled(cut(plane, (small.shape[1], small.shape[0]), box), ours.size)
            judge = {"depth": depth, "normal": normal, "matte": matte}[task]
            outputs[task], score, note = judge(plane, out, ours, f"{net.label} for {task}")
            seen = f"{said(plane.min())}..{said(plane.max())}"
            answer.score += score / len(card.outputs)
            answer.notes[f"{task}.name"] = (
                f"{found[out.name].dtype.name} {list(found[out.name].shape)}, {seen}"
            )
            answer.said.append(f"{task:7} '{out.name}', {seen}: {note}")
    except EstimatorError as error:
        return error
    answer.card = replace(card, outputs=outputs)
    return answer


def _named(card: Card, found: dict[str, Array], label: str) -> dict[str, Output]:
    """Every output by its name in the file. Raises EstimatorError where it cannot be told."""
    names, result = list(found), {}
    said = ", ".join(f"'{name}' {list(getattr(found[name], 'shape', ()))}" for name in names)
    for task in TASKS:
        if task not in card.outputs:
            continue
        out = card.outputs[task]
        if out.name.startswith("#"):
            place = int(out.name[1:]) if out.name[1:].lstrip("-").isdigit() else len(names)
            if not -len(names) <= place < len(names):
                raise EstimatorError(label, f"outputs {said}", f"{task} at place {out.name[1:]}")
            chosen = [names[place]]
        else:
            fitting = [n for n in names if _fits(found[n], task, label)]
            hinted = [n for n in fitting if any(hint in n.lower() for hint in HINTS[task])]
            chosen = [out.name] if out.name in names else [] if out.name else fitting
            chosen = hinted if len(chosen) > 1 else chosen
        if len(chosen) != 1:
            channels = "3 channels" if task == "normal" else "1 channel"
            wanted = f"an output '{out.name}'" if out.name else f"one output of {channels} for {task}"
            raise EstimatorError(label, f"outputs {said}", wanted)
        result[task] = replace(out, name=chosen[0])
    return result


def _fits(found: Array, task: str, label: str) -> bool:
    try:
        plane_of(found, task, label)
    except EstimatorError:
        return False
    return True
