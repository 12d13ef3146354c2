"""From a posed body to pieces for the renderer: hair, beard, clothes, glasses, headphones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.synth import props
from training.synth.figure import Figure, beard_mask
from training.synth.garments import Garment, find_garments, hair_label_normals, hidden_faces, load_garment
from training.synth.gl import Piece, pack
from training.synth.meshes import F32, unit
from training.synth.noise import folds, waves
from training.synth.posed import Posed, prepare
from training.synth.shells import body_shell, full_beard, head_cover, scalp_hair

HAIR_KINDS = ("mesh", "shell", "buzz", "bald", "cover", "hat")
HAIR_ODDS = (0.52, 0.22, 0.08, 0.06, 0.08, 0.04)


class Wardrobe:
    """All garments of an asset folder, loaded once per process."""

    def __init__(self, assets: Path, figure: Figure) -> None:
        self.figure = figure
        load = {
            kind: find_garments(assets, kind)
            for kind in ("hair", "clothes", "eyebrows", "eyelashes", "teeth")
        }
        suits = [p for p in load["clothes"] if "suit" in p.stem]
        hats = [p for p in load["clothes"] if "fedora" in p.stem]
        rest = figure.template
        self.hair = [load_garment(p, rest, True) for p in load["hair"]]
        self.suits = [load_garment(p, rest, False) for p in suits]
        self.hats = [load_garment(p, rest, False) for p in hats]
        self.brows = [load_garment(p, rest, False) for p in load["eyebrows"]]
        self.lashes = [load_garment(p, rest, False) for p in load["eyelashes"]]
        self.teeth = [load_garment(load["teeth"][0], rest, False)] if load["teeth"] else []
        skins = assets / "synth" / "makehuman" / "base" / "skins" / "textures"
        self.skins = [p for p in sorted(skins.glob("*.png")) if "special" not in p.stem]
        if not self.skins or not self.hair:
            raise FileNotFoundError(
                f"{assets}: no MakeHuman assets found; expected synth/makehuman/base below it"
            )


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


def dress(
    rng: np.random.Generator, wardrobe: Wardrobe, vertices: F32, bone_turn: F32, gender: float
) -> Person:
    """Random hair, clothes and extras on one body (vertices [V,3], bone_turn [J,3,3])."""
    figure = wardrobe.figure
    posed = prepare(figure, vertices, bone_turn)
    tags, textures, pieces = {}, {}, []
    hidden = np.zeros(len(figure.topology.mesh.tri), bool)
    tags["cloth"] = _clothes(rng, wardrobe, posed, pieces, textures, hidden)
    tags["hair"] = _hair(rng, wardrobe, posed, pieces, textures)
    male = gender > 0.5
    tags["beard"] = "full" if male and rng.random() < 0.3 else "none"
    if tags["beard"] == "full":
        pieces.append(full_beard(rng, figure, posed))
    pieces += _body(figure, posed, hidden)
    _face_strips(rng, wardrobe, posed, pieces, textures)
    tags["extra"] = _extras(rng, posed, pieces)
    facing = posed.head_turn @ np.array([0, 0, 1], np.float32)
    return Person(pieces, textures, posed.centre, facing, tags)


def _body(figure: Figure, posed: Posed, hidden: NDArray[np.bool_]) -> list[Piece]:
    """Skin (less what clothes cover), eyeballs, the inside of mouth and sockets."""
    skin, rest = figure.skin, figure.template
    aux = np.stack([beard_mask(rest), figure.ears], 1)
    keep = ~hidden[figure.skin_faces]
    out = []
    for role, material, split in (
        ("skin", "skin", skin),
        ("eye", "eye", figure.eyes),
        ("inside", "plain", figure.inside),
    ):
        s = split.source
        label = posed.labels[s]
        if role == "inside":  # the open mouth is relit as if it were closed
            forward = posed.head_turn @ np.array([0, 0, 1], np.float32)
            label = np.where(rest[s, 1:2] < 0.705, unit(0.2 * label + forward), label)
        data = pack(posed.vertices[s], posed.normals[s], label, split.uv, rest[s], aux[s])
        out.append(Piece(role, material, data, split.tri[keep] if role == "skin" else split.tri))
    return out


def _garment_piece(role: str, material: str, garment: Garment, v: F32, n: F32, label: F32) -> Piece:
    s = garment.split.source
    aux = np.ones((len(s), 2), np.float32)
    return Piece(
        role, material, pack(v[s], n[s], label[s], garment.split.uv, garment.rest[s], aux), garment.split.tri
    )


def _hair(
    rng: np.random.Generator, wardrobe: Wardrobe, posed: Posed, pieces: list[Piece], textures: dict[str, Path]
) -> str:
    """Adds hair or a head covering; returns its kind."""
    kind = str(rng.choice(HAIR_KINDS, p=HAIR_ODDS))
    figure = wardrobe.figure
    if kind == "mesh":
        garment = wardrobe.hair[rng.integers(len(wardrobe.hair))]
        v = garment.hang(posed.vertices, posed.turns, figure.template)
        puff = 1 + rng.uniform(-0.01, 0.05)
        v = (posed.centre + (v - posed.centre) * puff).astype(np.float32)
        v += (waves(garment.rest, rng, 0.05) * rng.uniform(0, 0.003))[:, None] * unit(v - posed.centre)
        n = garment.normals(v)
        label = hair_label_normals(garment, n, v, posed.centre)
        pieces.append(_garment_piece("hair", "hair", garment, v, unit(0.4 * n + label), label))
        if "diffuse" in garment.textures:
            textures["hair"] = garment.textures["diffuse"]
        return "mesh:" + garment.name
    if kind == "hat" and wardrobe.hats:
        garment = wardrobe.hats[rng.integers(len(wardrobe.hats))]
        v = garment.hang(posed.vertices, posed.turns, figure.template)
        n = garment.normals(v)
        pieces.append(_garment_piece("hat", "cloth", garment, v, n, n))
        pieces.append(scalp_hair(rng, figure, posed, rng.uniform(0.004, 0.012), "hair", "hair"))
    if kind == "shell":
        afro = rng.random() < 0.4
        thick = rng.uniform(0.03, 0.085) if afro else rng.uniform(0.006, 0.03)
        pieces.append(scalp_hair(rng, figure, posed, thick, "hair", "hair"))
    if kind == "cover":
        pieces.append(head_cover(rng, figure, posed))
    return kind


def _clothes(
    rng: np.random.Generator,
    wardrobe: Wardrobe,
    posed: Posed,
    pieces: list[Piece],
    textures: dict[str, Path],
    hidden: NDArray[np.bool_],
) -> str:
    """Adds a suit or a shell, sometimes a jacket over it; marks covered skin in `hidden`."""
    figure = wardrobe.figure
    kind = "shell"
    if rng.random() < 0.5:
        garment = wardrobe.suits[rng.integers(len(wardrobe.suits))]
        kind = "suit:" + garment.name
        v = garment.hang(posed.vertices, posed.turns, figure.template)
        n = garment.normals(v)
        relief = folds(garment.rest, rng) * rng.uniform(0.0, 0.006) + waves(garment.rest, rng, 0.12) * 0.002
        v = v + n * (relief + rng.uniform(0.0, 0.008))[:, None]
        n = garment.normals(v.astype(np.float32))
        label = unit(garment.smooth @ n)
        pieces.append(_garment_piece("cloth", "cloth", garment, v.astype(np.float32), n, label))
        role = "diffuse" if "diffuse" in garment.textures else "ao"
        if role in garment.textures:
            textures["cloth"] = garment.textures[role]
        hidden |= hidden_faces(garment, figure.topology.mesh.tri, len(figure.template))
    else:
        hidden |= body_shell(rng, figure, posed, pieces, "cloth", rng.uniform(0.004, 0.02), False)
    if rng.random() < 0.25:
        body_shell(rng, figure, posed, pieces, "jacket", rng.uniform(0.022, 0.04), True)
        kind += "+jacket"
    return kind


def _face_strips(
    rng: np.random.Generator, wardrobe: Wardrobe, posed: Posed, pieces: list[Piece], textures: dict[str, Path]
) -> None:
    """Eyebrows, lashes and teeth."""
    rows = [("brow", "brow", wardrobe.brows, 0.95), ("lash", "brow", wardrobe.lashes, 0.6)]
    for role, material, choice, odds in [*rows, ("teeth", "plain", wardrobe.teeth, 0.6)]:
        if not choice or rng.random() > odds:
            continue
        garment = choice[rng.integers(len(choice))]
        v = garment.hang(posed.vertices, posed.turns, wardrobe.figure.template)
        n = garment.normals(v)
        forward = np.tile(posed.head_turn @ np.array([0, 0, 1], np.float32), (len(v), 1))
        label = unit(0.2 * n + forward)
        piece = _garment_piece(role, material, garment, v, n, label)
        pieces.append(Piece(role, material, piece.vertices, piece.tri, labelled=role == "teeth"))
        if material == "brow":
            textures[role] = garment.textures["diffuse"]


def _extras(rng: np.random.Generator, posed: Posed, pieces: list[Piece]) -> str:
    """Glasses (colour picture only: the label is the face behind) and headphones."""
    tags = []

    def add(role: str, solid: props.Solid, labelled: bool) -> None:
        v = props.wear(solid.points, posed.eyes, posed.head_turn, posed.scale)
        n = (solid.normals @ posed.head_turn.T).astype(np.float32)
        zero = np.zeros((len(v), 2), np.float32)
        pieces.append(Piece(role, "plain", pack(v, n, n, zero, solid.points, zero), solid.tri, labelled))

    if rng.random() < 0.25:
        frame, lens = props.glasses(rng)
        add("glasses", frame, False)
        tags.append("glasses")
        if rng.random() < 0.12:
            add("lens", lens, False)
    if rng.random() < 0.13:
        add("phones", props.headphones(rng), True)
        tags.append("headphones")
    return "+".join(tags) or "none"
