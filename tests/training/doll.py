"""A doll that stands in for anny's body, and what it can wear: no assets are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.synth import solids
from training.synth.meshes import Mesh
from training.synth.people.bodies import Topology
from training.synth.people.figure import Figure
from training.synth.people.poses import euler
from training.synth.wear import garments, held, posed, scalp
from training.synth.wear.dress import Wardrobe
from training.synth.wear.posed import Anchors


def blob(centre: tuple[float, float, float], radii: tuple[float, float, float], rows: int) -> solids.Solid:
    return solids.ellipsoid(np.array(centre), np.array(radii), rows)


def make_figure() -> Figure:
    """A doll with the template's landmarks: head, neck, trunk, arms and hands with bones, eyes, a mouth."""
    bits: list[tuple[solids.Solid, str, str]] = [
        (blob((0, 0.73, 0.055), (0.078, 0.118, 0.095), 26), "head", "head"),
        (blob((0, 0.60, 0.02), (0.055, 0.07, 0.055), 16), "body", "neck01"),
        (blob((0, 0.32, 0.03), (0.17, 0.27, 0.10), 30), "body", "spine01"),
    ]
    for sign, side in ((1, "L"), (-1, "R")):
        line = np.array([[0.14, 0.54, 0.01], [0.3, 0.36, 0.025], [0.43, 0.24, 0.18]]) * [sign, 1, 1]
        for k, bone in enumerate((f"upperarm01.{side}", f"lowerarm01.{side}")):
            path = np.linspace(line[k], line[k + 1], 14)
            bits.append((solids.tube(path, 0.04, False, 12), "body", bone))
        bits.append(
            (blob((sign * 0.43, 0.235, 0.19), (0.025, 0.02, 0.02), 6), f"hand.{side}", f"wrist.{side}")
        )
        for f in range(5):
            spot = np.array([sign * (0.445 + 0.008 * f), 0.20 - 0.006 * f, 0.25 - 0.012 * f])
            if f:
                bits.append(
                    (
                        blob(tuple(spot - [0, -0.01, 0.02]), (0.009,) * 3, 4),
                        f"hand.{side}",
                        f"metacarpal{f}.{side}",
                    )
                )
            for j in range(3):
                place = spot + (j + 1) * np.array([sign * 0.007, -0.012, 0.016])
                bits.append(
                    (blob(tuple(place), (0.01,) * 3, 5), f"hand.{side}", f"finger{f + 1}-{j + 1}.{side}")
                )
        bits.append((blob((sign * 0.031, 0.728, 0.127), (0.012,) * 3, 8), "eye_front", "head"))
    bits.append((blob((0, 0.66, 0.1), (0.02, 0.01, 0.02), 6), "mouth_cavity", "head"))
    return build(bits)


def build(bits: list[tuple[solids.Solid, str, str]]) -> Figure:
    names = list(dict.fromkeys(part for _, part, _ in bits))
    parts = ["none", *dict.fromkeys([*names, "eye_back", "eye_cavity", "tongue", "hand.L", "hand.R"])]
    bones = list(dict.fromkeys(bone for _, _, bone in bits))
    body = solids.merge([solid for solid, _, _ in bits])
    part = np.concatenate([np.full(len(s.tri), parts.index(p), np.uint8) for s, p, _ in bits])
    bone = np.concatenate([np.full(len(s.points), bones.index(b), np.int32) for s, _, b in bits])
    uv = body.points[:, :2].copy()
    mesh = Mesh(body.points, uv, body.tri, body.tri)
    # Half of every vertex follows the bone before, so that joints are shared as on a real body.
    index = np.stack([bone, np.maximum(bone - 1, 0)], 1)
    weight = np.tile(np.float32([[0.8, 0.2]]), (len(bone), 1))
    return Figure(Topology(mesh, part, parts, bones, index, weight))


@pytest.fixture(scope="module", name="doll")
def make_doll() -> Iterator[Figure]:
    figure = make_figure()
    temples = [
        int(np.argmin(np.linalg.norm(figure.template - [x, 0.755, 0.057], axis=1))) for x in (-0.074, 0.074)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posed, "TEMPLES", tuple(temples))
        yield figure


@pytest.fixture(scope="module", name="wardrobe")
def make_wardrobe(doll: Figure, tmp_path_factory: pytest.TempPathFactory) -> Wardrobe:
    """Without MakeHuman's assets: one hair mesh, one suit and strips made here."""
    made = object.__new__(Wardrobe)
    made.figure, made.extras = doll, True
    made.anchors = Anchors(doll)
    made.scalp = scalp.Scalp(made.anchors)
    made.hands = held.Hands(doll)
    made.to_skin = made.scalp.onto(doll.template)
    folder = tmp_path_factory.mktemp("garments")
    made.hair = [garment(folder, "wig", doll, lambda p: p[:, 1] > 0.76, 0.15, True)]
    made.suits = [
        garment(folder, "suit", doll, lambda p: (p[:, 1] < 0.55) & (np.abs(p[:, 0]) < 0.2), 0.1, False)
    ]
    made.brows = [
        garment(
            folder, "brow", doll, lambda p: (np.abs(p[:, 1] - 0.745) < 0.02) & (p[:, 2] > 0.1), 0.01, False
        )
    ]
    made.hats, made.lashes, made.teeth, made.skins, made.shoes = [], [], [], [], []
    return made


def garment(folder: Path, name: str, doll: Figure, where: Any, out: float, hairy: bool) -> garments.Garment:
    """A shell of part of the doll as an OBJ with its .mhclo, in decimetres as MakeHuman has them."""
    rest, tri = doll.template, doll.topology.mesh.tri
    keep = where(rest)[tri].all(1) & (doll.topology.part != doll.topology.parts.index("eye_front"))[:]
    used, local = solids.compact(tri[keep], len(rest))
    away = solids.face_normals(rest, tri)[used] * out
    lines = [f"v {x} {y} {z}" for x, y, z in rest[used] * 10] + [f"vt {x} {y}" for x, y in rest[used][:, :2]]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in local + 1]
    (folder / name).mkdir()
    (folder / name / f"{name}.obj").write_text("\n".join(lines))
    rows = [f"{v} {v} {v} 1 0 0 {o[0]} {o[1]} {o[2]}" for v, o in zip(used, away, strict=True)]
    (folder / name / f"{name}.mhclo").write_text("\n".join(["verts 0", *rows]))
    made = garments.load_garment(folder / name / f"{name}.mhclo", rest, hairy)
    return replace(made, textures={"diffuse": Path("brow.png")} if name == "brow" else {})


def pose(doll: Figure, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The doll with its bones turned at random (about the middle of the neck)."""
    rng = np.random.default_rng(seed)
    turn = np.stack([euler(*rng.normal(0, 12, 3)) for _ in doll.topology.bones]).astype(np.float32)
    each = doll.turns(turn)
    root = np.array([0, 0.58, 0.02], np.float32)
    return (root + np.einsum("vij,vj->vi", each, doll.template - root)).astype(np.float32), turn
