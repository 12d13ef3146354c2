"""What can be worn, loaded once; a dressed person; and what one body has been given so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.synth.gl import Piece, pack
from training.synth.meshes import F32, Split, some
from training.synth.people.figure import Figure, beard_mask
from training.synth.solids import compact
from training.synth.wear.garments import Garment, find_garments, load_garment
from training.synth.wear.held import Hands
from training.synth.wear.posed import Anchors, Posed
from training.synth.wear.scalp import Scalp

LOWEST = -0.9  # rest height below which nothing is drawn


class Wardrobe:
    """All garments of an asset folder, loaded once per process.

    extras: whether people may wear or hold what has roles that only draw_prop_looks colours.
    """

    def __init__(self, assets: Path, figure: Figure, extras: bool = False) -> None:
        self.figure, self.extras = figure, extras
        load = {
            kind: find_garments(assets, kind)
            for kind in ("hair", "clothes", "eyebrows", "eyelashes", "teeth")
        }
        suits = [p for p in load["clothes"] if "suit" in p.stem]
        hats = [p for p in load["clothes"] if "fedora" in p.stem]
        rest = figure.template
        self.hair = [load_garment(p, rest, True) for p in load["hair"]]
        self.suits = [load_garment(p, rest, False) for p in suits]
        shoes = [p for p in load["clothes"] if "shoes" in p.stem]
        self.shoes = [load_garment(p, rest, False) for p in shoes]
        self.hats = [load_garment(p, rest, False) for p in hats]
        self.brows = [load_garment(p, rest, False) for p in load["eyebrows"]]
        self.lashes = [load_garment(p, rest, False) for p in load["eyelashes"]]
        self.teeth = [front_teeth(load_garment(p, rest, False)) for p in load["teeth"][:1]]
        skins = assets / "synth" / "makehuman" / "base" / "skins" / "textures"
        self.skins = [p for p in sorted(skins.glob("*.png")) if "special" not in p.stem]
        if not self.skins or not self.hair:
            raise FileNotFoundError(
                f"{assets}: no MakeHuman assets found; expected synth/makehuman/base below it"
            )
        self.anchors = Anchors(figure)
        self.scalp = Scalp(self.anchors)
        self.hands = Hands(figure)
        self.to_skin = self.scalp.onto(rest)


def front_teeth(teeth: Garment) -> Garment:
    """Without the molars, which no camera sees and which are most of the mesh."""
    z, split = teeth.rest[teeth.split.source, 2], teeth.split
    keep = (z[split.tri] > teeth.rest[:, 2].max() - 0.022).all(1)
    used, tri = compact(split.tri[keep], len(split.source))
    return replace(teeth, split=Split(split.source[used], split.uv[used], tri))


@dataclass(frozen=True)
class Person:
    """A dressed body.

    pieces: geometry; textures: diffuse pictures by role; head: [3] middle of the head, metres;
    facing: [3] where the face looks; tags: words for the statistics.
    """

    pieces: list[Piece]
    textures: dict[str, Path]
    head: F32
    facing: F32
    tags: dict[str, str]


class Outfit:
    """What one body has been given so far."""

    def __init__(self, wardrobe: Wardrobe, posed: Posed) -> None:
        self.wardrobe, self.posed = wardrobe, posed
        figure = wardrobe.figure
        self.figure = figure
        self.pieces: list[Piece] = []
        self.textures: dict[str, Path] = {}
        self.tags: dict[str, str] = {}
        self.hidden = some(figure.template[:, 1] < LOWEST, figure.topology.mesh.tri)
        self.bare = np.zeros(len(figure.template), np.float32)  # 1 where no painted hair is wanted
        self.stubble = beard_mask(figure.template)
        self.over = posed  # the surface of the clothes, to lay things on
        self.bulk = 0.004  # how far above it they lie
        self.volume = 0.0  # thickness of the hair on top


def garment_piece(
    role: str, material: str, garment: Garment, v: F32, n: F32, label: F32, mask: tuple[float, float]
) -> Piece:
    s = garment.split.source
    aux = np.tile(np.float32([mask]), (len(s), 1))
    return Piece(
        role, material, pack(v[s], n[s], label[s], garment.split.uv, garment.rest[s], aux), garment.split.tri
    )
