"""What is worn on the head: hair, hats, beards, brows, teeth, glasses, headphones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.synth.gl import Piece, pack
from training.synth.meshes import unit
from training.synth.noise import waves
from training.synth.solids import Solid
from training.synth.wear import hair, headwear, props
from training.synth.wear.beard import body_hair, draw_beard
from training.synth.wear.garments import hair_label_normals
from training.synth.wear.posed import rotate
from training.synth.wear.styles import Style, draw_style
from training.synth.wear.wardrobe import Outfit, garment_piece

HAIR_KINDS = ("mesh", "strands", "buzz", "bald", "cover")
HAIR_ODDS = (0.36, 0.43, 0.05, 0.05, 0.11)


def add_hair(rng: np.random.Generator, outfit: Outfit, male: bool) -> None:
    """Hair, or a head covering."""
    kind = str(rng.choice(HAIR_KINDS, p=HAIR_ODDS))
    outfit.tags["hair"] = kind
    if kind == "mesh":
        _mesh_hair(rng, outfit, male)
    elif kind == "strands":
        _strand_hair(rng, outfit, draw_style(rng, male))
    elif kind == "cover":
        _cover(rng, outfit, male)


def _mesh_hair(rng: np.random.Generator, outfit: Outfit, male: bool) -> None:
    """One of MakeHuman's styles, with loose strands over it."""
    wardrobe, posed = outfit.wardrobe, outfit.posed
    usual = np.array([1.0 if g.name.startswith(("short", "afro")) == male else 0.3 for g in wardrobe.hair])
    usual *= [0.4 if g.name == "bob01" else 1.0 for g in wardrobe.hair]  # it hides the face
    garment = wardrobe.hair[int(rng.choice(len(usual), p=usual / usual.sum()))]
    v = garment.hang(posed.vertices, posed.turns, outfit.figure.template)
    puff = 1 + rng.uniform(-0.01, 0.05)
    v = (posed.centre + (v - posed.centre) * puff).astype(np.float32)
    v += (waves(garment.rest, rng, 0.05) * rng.uniform(0, 0.003))[:, None] * unit(v - posed.centre)
    n = garment.normals(v)
    label = unit(0.4 * n * garment.outward[:, None] + hair_label_normals(garment, n, v, posed.centre))
    bare = "diffuse" not in garment.textures
    shade = unit(0.5 * n * garment.outward[:, None] + label) if bare else n
    piece = garment_piece("hair", "hair", garment, v, shade, label, (1.0, 0.0))
    if garment.name.startswith("afro"):  # curls: no direction, so the mesh's own uv say nothing
        rest = piece.vertices[:, 11:14]
        piece.vertices[:, 9:11] = np.stack([rest @ [1, 0.6, 0.3], 40 * (rest @ [0.3, 0.6, 1])], 1)
        piece.vertices[:, 15] = 1.0
    outfit.pieces.append(piece)
    if bare:  # hair, not scalp, shows between the strips
        flat = Style("crop", "whorl", 0.001, 0.002, 0.0, 1, 0.02, 0.0, 0.002)
        outfit.pieces.append(hair.volume(rng, wardrobe.scalp, posed, flat)[0])
    outward = unit(garment.smooth @ (garment.rest_normals * garment.outward[:, None]))
    outfit.pieces.append(
        hair.wisps(rng, wardrobe.anchors, posed, garment.rest, outward, int(rng.integers(50, 150)))
    )
    if "diffuse" in garment.textures:
        outfit.textures["hair"] = garment.textures["diffuse"]
    outfit.tags["hair"] = "mesh:" + garment.name
    outfit.volume = 0.012


def _strand_hair(rng: np.random.Generator, outfit: Outfit, style: Style) -> None:
    """A procedural style; the painted scalp follows its hairline."""
    scalp = outfit.wardrobe.scalp
    pieces, bare = hair.dress_hair(rng, scalp, outfit.posed, style)
    outfit.pieces += pieces
    outfit.bare = outfit.wardrobe.to_skin @ bare
    outfit.volume = style.top
    outfit.tags["hair"] = ("bald:" if style.kind == "fringe" else "strands:") + style.kind


def _cover(rng: np.random.Generator, outfit: Outfit, male: bool) -> None:
    """A hat, cap, beanie, hood or headscarf, over short hair where hair shows."""
    wardrobe, posed = outfit.wardrobe, outfit.posed
    kind = str(rng.choice([*headwear.KINDS, "fedora"], p=[*(0.88 * np.array(headwear.ODDS)), 0.12]))
    if kind == "hijab" and male:
        kind = "beanie"
    if kind == "fedora" and wardrobe.hats:
        garment = wardrobe.hats[rng.integers(len(wardrobe.hats))]
        v = garment.hang(posed.vertices, posed.turns, outfit.figure.template)
        n = garment.normals(v)
        outfit.pieces.append(garment_piece("hat", "cloth", garment, v, n, n, (1.0, 0.0)))
    elif kind != "fedora":
        outfit.pieces += headwear.head_cover(rng, wardrobe.scalp, posed, outfit.over, kind, outfit.bulk)
    if kind in ("hood", "hijab"):
        outfit.hidden |= (outfit.figure.ears > 0.2)[outfit.figure.topology.mesh.tri].any(1)
    outfit.tags["hair"] = f"hat:{kind}" if kind != "hijab" else "cover"
    if kind not in ("hijab",):
        line = 0.755
        short = Style(
            "crop", "down", rng.uniform(0.002, 0.005), 0.002, 0.0, 120, 0.02, 0.002, 0.002, crown=line
        )
        if not male and rng.random() < 0.6 and kind != "hood":
            length = rng.uniform(0.15, 0.4)
            short = Style("long", "down", 0.005, 0.002, 0.0, 300, length, 0.003, 0.007, crown=line)
        outfit.pieces += hair.dress_hair(rng, wardrobe.scalp, posed, short)[0]


def add_beard(rng: np.random.Generator, outfit: Outfit, male: bool) -> None:
    """A beard for some men; where it grows is also where stubble may."""
    outfit.tags["beard"] = "none"
    wears, chest = rng.random() < 0.42, rng.random() < 0.2
    if male and wears:
        kind, pieces, mask = draw_beard(rng, outfit.figure, outfit.wardrobe.anchors, outfit.posed)
        outfit.tags["beard"] = kind
        outfit.pieces += pieces
        outfit.stubble = mask
    if male and chest:
        outfit.pieces += body_hair(rng, outfit.figure, outfit.wardrobe.anchors, outfit.posed)


def add_strips(rng: np.random.Generator, outfit: Outfit) -> None:
    """Eyebrows, lashes and teeth."""
    wardrobe, posed = outfit.wardrobe, outfit.posed
    rows = [("brow", "brow", wardrobe.brows, 0.95), ("lash", "brow", wardrobe.lashes, 0.6)]
    for role, material, choice, odds in [*rows, ("teeth", "plain", wardrobe.teeth, 0.6)]:
        if not choice or rng.random() > odds:
            continue
        garment = choice[rng.integers(len(choice))]
        v = garment.hang(posed.vertices, posed.turns, outfit.figure.template)
        n = garment.normals(v)
        forward = np.tile(posed.head_turn @ np.array([0, 0, 1], np.float32), (len(v), 1))
        piece = garment_piece(role, material, garment, v, n, unit(0.2 * n + forward), (0.0, 0.0))
        outfit.pieces.append(replace(piece, labelled=role == "teeth"))
        if material == "brow":
            outfit.textures[role] = garment.textures["diffuse"]


def add_extras(rng: np.random.Generator, outfit: Outfit) -> None:
    """Glasses (colour picture only: the label is the face behind), headphones, earbuds."""
    tags = []

    posed = outfit.posed

    def add(role: str, solid: Solid, labelled: bool, ahead: float) -> None:
        v = props.wear(solid.points, posed, ahead)
        n = unit(solid.normals @ posed.head_turn.T)
        pieces = pack(v, n, n, solid.uv, solid.points, solid.aux)
        outfit.pieces.append(Piece(role, "plain", pieces, solid.tri, labelled))

    def fit(solid: Solid) -> None:
        v, turn = outfit.wardrobe.anchors.bind(solid.points, 24, 0.06).hang(posed)
        n = unit(rotate(turn, solid.normals))
        pieces = pack(v, n, n, solid.uv, solid.points, solid.aux)
        outfit.pieces.append(Piece("phones", "plain", pieces, solid.tri))

    if rng.random() < 0.3:
        kind = str(rng.choice(["clear", "tinted", "sun"], p=[0.78, 0.08, 0.14]))
        tint = {"clear": 0.0, "tinted": rng.uniform(0.2, 0.55), "sun": rng.uniform(0.76, 1.0)}[kind]
        frame, lens = props.glasses(rng, tint)
        ahead = props.clearance(outfit.figure.template, posed, frame.points)
        add("glasses", frame, False, ahead)
        add("lens", lens, False, ahead)
        tags.append("glasses" if kind == "clear" else f"glasses:{kind}")
    covered = outfit.tags["hair"].startswith(("hat", "cover"))
    worn = rng.random()
    if worn < 0.13 and not covered:
        fit(props.headphones(rng, outfit.volume))
        tags.append("headphones")
    elif worn < 0.19 and not covered:
        fit(props.earbuds(rng))
        tags.append("earbuds")
    outfit.tags["extra"] = "+".join(tags) or "none"
