"""From a posed body to pieces for the renderer: hair, beard, clothes, glasses, headphones, things held.

Everything random, every mask and every list of triangles is a function of the generator and of the
body at rest: the same seed on the frames of one moving body gives one set of clothes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.synth.gl import Piece, pack
from training.synth.meshes import F32, every, unit
from training.synth.noise import folds, waves
from training.synth.solids import compact
from training.synth.wear import held, shells, trims
from training.synth.wear.finish import draw_prop_looks
from training.synth.wear.garments import hidden_faces
from training.synth.wear.heads import add_beard, add_extras, add_hair, add_strips
from training.synth.wear.posed import prepare
from training.synth.wear.wardrobe import LOWEST, Outfit, Person, Wardrobe, garment_piece

__all__ = ["Person", "Wardrobe", "draw_hold", "draw_prop_looks", "dress"]


def draw_hold(rng: np.random.Generator, wardrobe: Wardrobe, vertices: F32, bone_turn: F32) -> str:
    """What a body holds in this pose: "" (mostly), or hand and thing such as "L:mug"."""
    wants = rng.random() < 0.35
    facing = bone_turn[wardrobe.figure.topology.bones.index("spine01")] @ np.array([0, 0, 1], np.float32)
    side = wardrobe.hands.free(vertices, vertices[wardrobe.figure.eyes.source].mean(0), facing)
    if not (wants and side and wardrobe.extras):
        return ""
    return f"{side}:{held.draw_thing(rng, wardrobe.hands.find(vertices, side))}"


def dress(
    rng: np.random.Generator,
    wardrobe: Wardrobe,
    vertices: F32,
    bone_turn: F32,
    gender: float,
    hold: str | None = None,
) -> Person:
    """Random hair, clothes and extras on one body (vertices [V,3], bone_turn [J,3,3]).

    hold: as `draw_hold` gives it; None: drawn for this pose. A clip must draw it once, from its
    first frame, and pass it for all: it is the only thing that depends on the pose.
    """
    parts = [np.random.default_rng(int(rng.integers(2**62))) for _ in range(7)]
    figure = wardrobe.figure
    if hold is None:
        hold = draw_hold(parts[5], wardrobe, vertices, bone_turn)
    side, _, thing = hold.partition(":")
    grip = wardrobe.hands.find(vertices, side) if thing else None
    if thing:
        vertices = wardrobe.hands.curl(vertices, side, thing)
    posed = prepare(figure, vertices, bone_turn)
    outfit = Outfit(wardrobe, posed)
    male = gender > 0.5
    _clothes(parts[0], outfit, male)
    add_hair(parts[1], outfit, male)
    add_beard(parts[2], outfit, male)
    _body(outfit)
    add_strips(parts[3], outfit)
    add_extras(parts[4], outfit)
    outfit.tags["held"] = thing or "none"
    if grip is not None:
        outfit.pieces.append(held.hold(grip, held.thing_solid(parts[6], thing)))
    pieces = [_crop(p) for p in outfit.pieces]
    facing = posed.head_turn @ np.array([0, 0, 1], np.float32)
    return Person([p for p in pieces if len(p.tri)], outfit.textures, posed.centre, facing, outfit.tags)


def _crop(piece: Piece) -> Piece:
    """Without what lies below the knees and without unused vertices."""
    keep = every(piece.vertices[:, 12] > LOWEST, piece.tri) | (piece.role == "held")
    if keep.all():
        return piece
    used, tri = compact(piece.tri[keep], len(piece.vertices))
    return replace(piece, vertices=piece.vertices[used], tri=tri)


def _body(outfit: Outfit) -> None:
    """Skin (less what clothes cover), hands, eyeballs, the inside of mouth and sockets."""
    figure, posed = outfit.figure, outfit.posed
    skin, rest = figure.skin, figure.template
    aux = np.stack([outfit.stubble, np.maximum(figure.ears, outfit.bare)], 1)
    keep = ~outfit.hidden[figure.skin_faces]
    hands = figure.part_faces(("hand.L", "hand.R"))[figure.skin_faces]
    if not outfit.wardrobe.extras:
        hands[:] = False
    forward = posed.head_turn @ np.array([0, 0, 1], np.float32)
    for role, material, split, tri in (
        ("skin", "skin", skin, skin.tri[keep & ~hands]),
        ("hand", "skin", skin, skin.tri[keep & hands]),
        ("eye", "eye", figure.eyes, figure.eyes.tri),
        ("inside", "plain", figure.inside, figure.inside.tri),
    ):
        if not len(tri):
            continue
        used, local = compact(tri, len(split.source))
        s = split.source[used]
        label = posed.labels[s]
        if role == "inside":  # the open mouth is relit as if it were closed
            label = np.where(rest[s, 1:2] < 0.705, unit(0.2 * label + forward), label)
        masks = aux[s] * (material == "skin")
        data = pack(posed.vertices[s], posed.normals[s], label, split.uv[used], rest[s], masks)
        outfit.pieces.append(Piece(role, material, data, local, closed=True))


def _suit(rng: np.random.Generator, outfit: Outfit) -> None:
    """One of MakeHuman's suits."""
    wardrobe, posed = outfit.wardrobe, outfit.posed
    garment = wardrobe.suits[rng.integers(len(wardrobe.suits))]
    outfit.tags["cloth"] = "suit:" + garment.name
    v = garment.hang(posed.vertices, posed.turns, outfit.figure.template)
    n = garment.normals(v)
    relief = folds(garment.rest, rng) * rng.uniform(0.0, 0.006) + waves(garment.rest, rng, 0.12) * 0.002
    v = v + n * (relief + rng.uniform(0.0, 0.008))[:, None]
    n = garment.normals(v.astype(np.float32))
    label = unit(garment.smooth @ n)
    fabric = float(rng.choice([0, 1, 4, 5]))
    piece = garment_piece("cloth", "cloth", garment, v.astype(np.float32), n, label, (1.0, fabric))
    outfit.pieces.append(replace(piece, closed=True))
    role = "diffuse" if "diffuse" in garment.textures else "ao"
    if role in garment.textures:
        outfit.textures["cloth"] = garment.textures[role]
    outfit.hidden |= hidden_faces(garment, outfit.figure.topology.mesh.tri, len(outfit.figure.template))
    outfit.bulk = 0.012


def _shoes(rng: np.random.Generator, outfit: Outfit) -> None:
    """A pair of MakeHuman's shoes."""
    wardrobe, posed = outfit.wardrobe, outfit.posed
    if not (wardrobe.shoes and wardrobe.extras):
        return
    garment = wardrobe.shoes[rng.integers(len(wardrobe.shoes))]
    v = garment.hang(posed.vertices, posed.turns, outfit.figure.template)
    n = garment.normals(v)
    outfit.pieces.append(garment_piece("cloth3", "cloth", garment, v, n, n, (1.0, 0.0)))
    if "diffuse" in garment.textures:
        outfit.textures["cloth3"] = garment.textures["diffuse"]
    outfit.hidden |= hidden_faces(garment, outfit.figure.topology.mesh.tri, len(outfit.figure.template))


def _clothes(rng: np.random.Generator, outfit: Outfit, male: bool) -> None:
    """A suit or a shell with what is sewn to it, sometimes a jacket over it, sometimes a scarf."""
    wardrobe, posed, figure = outfit.wardrobe, outfit.posed, outfit.figure
    anchors, tri = wardrobe.anchors, figure.topology.mesh.tri
    near, surface = None, posed.vertices
    trim = str(rng.choice(trims.KINDS, p=[0.24, 0.24, 0.14, 0.06, 0.08, 0.05, 0.12, 0.07]))
    if rng.random() < 0.3:
        _suit(rng, outfit)
    else:
        cut = shells.draw_cut(rng, False)
        if trim in ("shirt", "polo", "turtle", "stand", "hood", "shirt+tie"):
            high = {"turtle": 0.632, "hood": 0.6}.get(trim, 0.606)
            bare = cut.arms < 0.05 and trim not in ("hood", "shirt+tie")
            arms = cut.arms if bare else max(cut.arms, 0.1)
            cut = replace(cut, neck=high, dip=0.035 * (trim in ("shirt", "polo")), arms=arms)
        if trim == "hood":
            cut = replace(cut, arms=0.45, thick=rng.uniform(0.01, 0.02), fabric=int(rng.choice([1, 6])))
        deep, surface, near = shells.body_shell(rng, anchors, posed, outfit.pieces, "cloth", cut)
        outfit.hidden |= every(deep > 0.014, tri)
        if not wardrobe.extras:
            trim = {"shirt+tie": "shirt"}.get(trim, trim)
        over = replace(posed, vertices=surface)
        trimmed = replace(cut, thick=0.003)
        outfit.pieces += trims.neck_trim(rng, anchors, over, trimmed, trim, "cloth", wardrobe.extras)
        outfit.tags["cloth"] = "shell:" + trim
        outfit.over, outfit.bulk = over, 0.004
        legs, low = shells.trousers(rng, anchors, posed, "cloth2" if wardrobe.extras else "cloth")
        outfit.pieces.append(legs)
        outfit.hidden |= every(low > 0.014, tri)
    _shoes(rng, outfit)
    if rng.random() < 0.33 and near is not None:
        cut = shells.draw_cut(rng, True, rng.uniform(0.004, 0.012))
        deep, surface, _ = shells.body_shell(rng, anchors, posed, outfit.pieces, "jacket", cut, surface)
        outfit.over = replace(posed, vertices=surface)
        outfit.pieces[0] = shells.under(outfit.pieces[0], deep, near)
        outfit.hidden |= every(deep > 0.014, tri)
        if rng.random() < 0.75:
            outfit.pieces += trims.lapels(rng, anchors, outfit.over, replace(cut, thick=0.003), "jacket")
        outfit.tags["cloth"] += "+jacket"
    if rng.random() < 0.07 and wardrobe.extras:
        outfit.pieces += trims.scarf(rng, anchors, outfit.over, outfit.bulk, False)
        outfit.tags["cloth"] += "+scarf"
