"""Whether what a network gives is what it is said to be: compared with what our own network sees.

Each judge takes a map at our grid, h x w or h x w x 3, as it came. It returns what was asked of it filled in,
how far it goes together with ours (0..1), and a note for people; it raises EstimatorError where it does not
fit.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import EstimatorError
from ..core.frames import Geometry, Map
from .foreign import WAYS, Output
from .foreign_net import turned
from .trio import unit

CLEAR, SURE = 0.3, 0.5
"""Correlation from which on normals and mattes are told by it; depths, which are less like each other."""
COVERED = 0.7
"""What a matte is on a person at least, on average; behind, it is as far from 1."""
APART = 0.2
"""By what share of its span a depth differs at least between person and background, to be told by that."""


def said(value: Any) -> str:
    """For people."""
    return f"{float(value):.3g}"


def _person(ours: Geometry) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return ours.alpha > 0.5


def _sides(ours: Geometry) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.bool_]], ...]:
    """Where somebody is for sure, and where nobody is."""
    return ours.alpha > 0.9, ours.alpha < 0.1


def _correlation(one: Map, other: Map) -> float:
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-12 else 0.0


def depth(plane: Map, out: Output, ours: Geometry, what: str) -> tuple[Output, float, str]:
    """Near from far: by the relief of the person, and where that is not clear by person and background."""
    person, span = _person(ours), float(plane.max() - plane.min())
    seen = plane[person]
    if span <= 1e-6 * max(1.0, float(np.abs(plane).max())):
        raise EstimatorError(
            what, f"{said(plane.flat[0])} everywhere", "a depth that differs from place to place"
        )
    behind = plane[ours.alpha < 0.2]
    if _is_matte(plane, seen, behind):
        got = "one value all over the person, another all over the background"
        raise EstimatorError(what, got, "a depth", "--matte, if it is a matte")
    relief = _correlation(seen, 1.0 / ours.depth[person])
    gap = float(np.median(seen) - np.median(behind)) / span if behind.size else 0.0
    # A relief that is not clear is enough where person and background say the same, and clearly.
    near = relief if abs(relief) >= SURE else gap if abs(gap) >= APART and gap * relief > 0 else 0.0
    if not out.meaning and near == 0.0:
        got = f"values that follow our depth neither way (correlation {relief:.2f})"
        todo = "--as CARD.toml with [depth] meaning = ..."
        raise EstimatorError(what, got, "a depth or an inverse depth of the person in the picture", todo)
    meaning = out.meaning or ("inverse depth" if near > 0 else "depth")
    if near and (near > 0) != (meaning == "inverse depth"):
        large = "near" if near > 0 else "far"
        raise EstimatorError(
            what, f"values that are large where it is {large}", f"{meaning}, as its card says"
        )
    if meaning == "metric depth" and float(seen.min()) <= 0:
        raise EstimatorError(what, f"{said(float(seen.min()))} on the person", "metric depth, more than 0")
    return replace(out, meaning=meaning), abs(relief), f"{meaning} (follows ours by {abs(relief):.2f})"


def _is_matte(plane: Map, seen: Map, behind: Map) -> bool:
    """Whether it is 0..1, at one end on the person, at the other on the background: a depth has relief."""
    low, high = float(plane.min()), float(plane.max())
    one, other = float(np.median(seen)), float(np.median(behind)) if behind.size else 0.0
    return low > -0.01 and high < 1.01 and one > high - 0.02 and other < low + 0.05 and high - low > 0.5


def matte(plane: Map, out: Output, ours: Geometry, what: str) -> tuple[Output, float, str]:
    low, high = float(plane.min()), float(plane.max())
    limits = out.range or ((0.0, 255.0) if high > 2.0 and low >= -1.0 and high <= 256.0 else (0.0, 1.0))
    slack = 0.05 * abs(limits[1] - limits[0])
    if low < min(limits) - slack or high > max(limits) + slack:
        raise EstimatorError(what, f"values {said(low)}..{said(high)}", f"{limits[0]:g}..{limits[1]:g}")
    agrees = _correlation(plane, ours.alpha)
    if abs(agrees) < CLEAR:
        got = f"a matte that does not show the person in the picture (correlation {agrees:.2f})"
        raise EstimatorError(what, got, "a person's coverage")
    if not out.range and agrees < 0:
        limits = limits[::-1]
    elif (agrees < 0) != (limits[0] > limits[1]):
        raise EstimatorError(what, "a matte of the background", "of the person, as its card says")
    person, behind = ((plane[where] - limits[0]) / (limits[1] - limits[0]) for where in _sides(ours))
    if person.size and behind.size and not (person.mean() > COVERED and behind.mean() < 1 - COVERED):
        got = f"{person.mean():.2f} on the person and {behind.mean():.2f} behind on average"
        raise EstimatorError(what, got, f"more than {COVERED:g} and less than {1 - COVERED:.2g}")
    return (
        replace(out, range=limits),
        abs(agrees),
        f"{limits[1]:g} is the person (follows ours by {abs(agrees):.2f})",
    )


def normal(plane: Map, out: Output, ours: Geometry, what: str) -> tuple[Output, float, str]:
    person = _person(ours)
    low, high = float(plane.min()), float(plane.max())
    usual = [(-1.0, 1.0)] if low < -0.02 else [(0.0, 1.0), (0.0, 255.0)]
    for limits in [out.range] if out.range else usual:
        seen = turned(plane, limits, ())[person]
        length = float(np.median(np.sqrt((seen * seen).sum(axis=-1))))
        if 0.6 <= length <= 1.4:
            break
    else:
        words = " or ".join(f"{a:g}..{b:g}" for a, b in ([out.range] if out.range else [(-1, 1), (0, 1)]))
        got = f"values {said(low)}..{said(high)}, vectors {length:.2g} long"
        raise EstimatorError(what, got, f"unit vectors in {words}")
    axes, agrees, clear = _axes(unit(seen), ours.normal[person])
    note = ""
    if not clear and not out.axes:
        got = f"vectors that follow ours along no axes (cosine {agrees:.2f})"
        todo = '--as CARD.toml with [normal] axes = ["right", "up", "viewer"] or as they are'
        raise EstimatorError(what, got, "normals in camera space", todo)
    if clear and out.axes and axes != out.axes:
        note = f", although its card says {' '.join(out.axes)}"
    axes = axes if clear else out.axes
    note = f"axes {' '.join(axes)}{note} (cosine with ours {agrees:.2f})"
    return replace(out, range=limits, axes=axes), max(agrees, 0.0), note


def _axes(seen: Map, ours: Map) -> tuple[tuple[str, ...], float, bool]:
    """n x 3 unit vectors each: where the channels of `seen` point, the mean cosine then, and whether it is
    clear: sideways and upward the two have to go together, and what is seen faces the viewer."""
    products = seen.T @ ours / len(ours)  # channel, axis
    order = max(itertools.permutations(range(3)), key=lambda p: sum(abs(products[c, p[c]]) for c in range(3)))
    signs = [1.0 if products[c, order[c]] >= 0 else -1.0 for c in range(3)]
    words = {way: word for word, way in WAYS.items()}
    together = [abs(_correlation(seen[:, c], ours[:, order[c]])) for c in range(3) if order[c] != 2]
    cosine = float(sum(abs(products[c, order[c]]) for c in range(3)))
    return tuple(words[order[c], signs[c]] for c in range(3)), cosine, min(together) >= CLEAR
