"""Colours of what look.draw_looks does not know: things held, scarves, ties, microphones, hands."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.synth.gl import Skin

if TYPE_CHECKING:
    from training.synth.wear.dress import Person

THING = {"phone": (0.8, 3.0), "mug": (0.7, 3.0), "glass": (0.9, 3.0), "bottle": (0.8, 3.0), "pen": (0.6, 3.0),
         "marker": (0.5, 3.0), "book": (0.15, 0.0), "tablet": (0.8, 3.0)}  # fmt: skip
CLOTHS = ("scarf", "tie", "cord", "collar", "cloth2", "cloth3")  # cloth2: trousers, cloth3: shoes


def _colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """Linear RGB [3]: often black or white, else any."""
    pick = rng.random()
    if pick < 0.3:
        return rng.uniform(0.004, 0.03) * (1 + rng.uniform(-0.2, 0.2, 3))
    if pick < 0.5:
        return rng.uniform(0.4, 0.8) * (1 + rng.uniform(-0.06, 0.03, 3))
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 0.9), rng.uniform(0.15, 0.9))
    return np.array(rgb) ** 2.2


def _plain(colour: NDArray, shine: float, material: float) -> Skin:
    return Skin(
        {"colour": tuple(float(c) for c in colour), "shine": float(shine), "material": float(material)}
    )


def _cloth(rng: np.random.Generator, texture: Path | None, printed: float) -> Skin:
    """Cloth of any colour; `printed`: how often it has a pattern."""
    kind = float(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15])) * (rng.random() < printed)
    values = {
        "textured": float(texture is not None),
        "colour": tuple(_colour(rng).tolist()),
        "second": tuple(_colour(rng).tolist()),
        "pattern": (
            kind,
            float(rng.uniform(0.006, 0.03)),
            float(rng.uniform(0.3, 1.2)),
            float(rng.uniform(0.02, 0.2)),
        ),
        "shine": float(rng.uniform(0.05, 0.3)),
        "weave": float(rng.uniform(0.05, 0.45)),
        "cut": -10.0,
        "seed": tuple(rng.uniform(0, 20, 3).tolist()),
    }
    return Skin(values, {"diffuse": texture} if texture else {})


def draw_prop_looks(rng: np.random.Generator, person: Person, looks: dict[str, Skin]) -> dict[str, Skin]:
    """`looks` (from look.draw_looks) with every role of the person's and a microphone's pieces."""
    rng = np.random.default_rng(int(rng.integers(2**62)))  # one draw, whatever is worn
    thing = person.tags.get("held", "none")
    shine, material = THING.get(thing, (0.4, 0.0))
    out = dict(looks)
    out["hand"] = looks["skin"]
    out["held"] = _plain(_colour(rng), shine, material)
    for role in CLOTHS:
        out[role] = _cloth(rng, person.textures.get(role), {"cloth2": 0.1, "cloth3": 0.0}.get(role, 0.4))
    grey = rng.uniform(0.004, 0.03)
    metal = rng.uniform(0.1, 0.5) if rng.random() < 0.4 else grey
    out["mic"] = _plain(np.full(3, grey if rng.random() < 0.8 else 0.5), 0.5, 3.0)
    out["mic2"] = _plain(np.full(3, metal), 0.6, 3.0)
    return out
