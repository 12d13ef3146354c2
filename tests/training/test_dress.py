"""Dressing: the same clothes on every frame of a moving body, sound geometry, things in hands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.synth import solids
from training.synth.gl import LAYOUT, Piece, Skin
from training.synth.meshes import Mesh
from training.synth.parts import PARTS, part_of
from training.synth.people.bodies import Topology, euler
from training.synth.people.figure import Figure
from training.synth.places.framing import draw_view
from training.synth.wear import garments, held, posed, props, scalp, shells, trims
from training.synth.wear.dress import Wardrobe, draw_hold, dress
from training.synth.wear.finish import draw_prop_looks
from training.synth.wear.posed import Anchors, prepare

ROLES = {
    "skin", "hand", "eye", "inside", "brow", "lash", "teeth", "hair", "beard", "hat", "cloth", "jacket",
    "tie", "cord", "cloth2", "cloth3", "scarf", "glasses", "lens", "phones", "held",
}  # fmt: skip
REST = slice(11, 16)  # rest position and masks; uv are 9:11


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


class SmallFigure(Figure):
    """The doll's eyes have no ring of skin to take labels from."""

    @cached_property
    def eye_ring(self) -> Any:
        import scipy.sparse as sp

        return np.zeros(0, np.int32), sp.csr_matrix((0, len(self.template)), dtype=np.float32)


@pytest.fixture(scope="module")
def doll() -> Iterator[Figure]:
    figure = SmallFigure(make_figure().topology)
    temples = [
        int(np.argmin(np.linalg.norm(figure.template - [x, 0.755, 0.057], axis=1))) for x in (-0.074, 0.074)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posed, "TEMPLES", tuple(temples))
        yield figure


@pytest.fixture(scope="module")
def wardrobe(doll: Figure, tmp_path_factory: pytest.TempPathFactory) -> Wardrobe:
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


def test_one_moving_body_wears_the_same_on_every_frame(doll, wardrobe):
    seen: set[str] = set()
    for seed in range(24):
        frames = [
            dress(
                np.random.default_rng(seed),
                wardrobe,
                *pose(doll, k),
                seed % 2,
                ("", "L:mug", "R:phone")[seed % 3],
            )
            for k in (1, 2)
        ]
        first, second = frames
        assert first.tags == second.tags
        assert [p.role for p in first.pieces] == [p.role for p in second.pieces]
        for a, b in zip(first.pieces, second.pieces, strict=True):
            assert (a.material, a.labelled) == (b.material, b.labelled)
            assert np.array_equal(a.tri, b.tri), a.role
            assert np.array_equal(a.vertices[:, REST], b.vertices[:, REST]), a.role
            assert np.array_equal(a.vertices[:, 9:11], b.vertices[:, 9:11]), a.role
            assert not np.array_equal(a.vertices[:, :3], b.vertices[:, :3]), a.role
        seen |= {p.role for p in first.pieces}
    assert seen <= ROLES
    assert {"hair", "beard", "hat", "cloth", "jacket", "glasses", "lens", "phones", "held", "hand"} <= seen


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(doll, wardrobe):
    body = pose(doll, 3)
    same = [dress(np.random.default_rng(5), wardrobe, *body, 1.0) for _ in range(2)]
    for a, b in zip(same[0].pieces, same[1].pieces, strict=True):
        assert a.vertices.tobytes() == b.vertices.tobytes()
    other = dress(np.random.default_rng(6), wardrobe, *body, 1.0)
    assert [len(p.vertices) for p in same[0].pieces] != [len(p.vertices) for p in other.pieces]


def test_pieces_are_sound(doll, wardrobe):
    for seed in range(10):
        person = dress(np.random.default_rng(seed), wardrobe, *pose(doll, seed), seed % 2)
        for piece in person.pieces:
            assert piece.vertices.shape[1] == sum(n for _, n in LAYOUT)
            assert np.isfinite(piece.vertices).all(), piece.role
            assert piece.tri.min() >= 0
            assert piece.tri.max() < len(piece.vertices)
            for columns in (slice(3, 6), slice(6, 9)):
                length = np.linalg.norm(piece.vertices[:, columns], axis=1)
                assert np.allclose(length, 1, atol=1e-3), piece.role
            assert 0 < part_of(piece.role) < len(PARTS)
            assert np.abs(piece.vertices[:, :3]).max() < 2.0
            assert piece.labelled != (piece.role in ("glasses", "lens", "brow", "lash"))


def test_without_extras_only_roles_that_look_colours_are_worn(doll, wardrobe):
    plain = object.__new__(Wardrobe)
    plain.__dict__.update(wardrobe.__dict__)
    plain.extras = False
    for seed in range(12):
        roles = {p.role for p in dress(np.random.default_rng(seed), plain, *pose(doll, 1), seed % 2).pieces}
        assert not roles & {"hand", "held", "tie", "cord", "cloth2", "cloth3", "scarf"}


def test_every_role_gets_a_look(doll, wardrobe):
    for seed in range(12):
        person = dress(np.random.default_rng(seed), wardrobe, *pose(doll, 1), seed % 2)
        rng = np.random.default_rng(9)
        base = {role: Skin() for role in ROLES - {"hand", "held", "tie", "cord", "cloth2", "cloth3", "scarf"}}
        looks = draw_prop_looks(rng, person, base)
        assert {p.role for p in person.pieces} | {"mic", "mic2"} <= set(looks)


def test_hair_labels_face_outward_and_are_smooth(doll, wardrobe):
    for seed in range(20):
        person = dress(np.random.default_rng(seed), wardrobe, *pose(doll, 1), 0.0)
        kind = person.tags["hair"]
        if not kind.startswith("strands") or kind.endswith(("pony", "bun")):
            continue
        volume = next(p for p in person.pieces if p.role == "hair")
        away = volume.vertices[:, :3] - person.head
        assert ((volume.vertices[:, 6:9] * away).sum(1) > 0).mean() > 0.98
        a, b, c = (volume.vertices[volume.tri[:, k], 6:9] for k in range(3))
        bend = np.degrees(np.arccos(np.clip([(a * b).sum(1), (b * c).sum(1)], -1, 1)))
        assert np.quantile(bend, 0.9) < 25


def test_clothes_end_where_they_should(doll, wardrobe):
    rest = doll.template
    still = prepare(doll, rest.copy(), np.tile(np.eye(3, dtype=np.float32), (len(doll.topology.bones), 1, 1)))
    for seed in range(10):
        rng = np.random.default_rng(seed)
        cut = shells.draw_cut(rng, False)
        pieces: list[Piece] = []
        deep, surface, near = shells.body_shell(rng, wardrobe.anchors, still, pieces, "cloth", cut)
        assert (deep[rest[:, 1] > 0.68] < 0).all()
        inside = deep > 0.01
        assert ((surface - rest)[inside] * still.normals[inside]).sum(1).mean() > 0.002
        assert np.array_equal(rest[near], pieces[0].vertices[:, 11:14])
        hands = np.unique(doll.topology.mesh.tri[doll.part_faces(("hand.L", "hand.R"))])
        assert (deep[hands][wardrobe.anchors.arm[hands] > 0.46] <= 0).all()


def test_a_loop_around_the_neck_goes_around_the_neck(doll, wardrobe):
    cut = shells.draw_cut(np.random.default_rng(1), False)
    loop = trims.contour(wardrobe.anchors, shells.neckline(replace(cut, neck=0.565, dip=0.0), doll.template))
    angle = np.unwrap(np.arctan2(loop[:, 0], loop[:, 2] - 0.02))
    assert angle[-1] - angle[0] > 5.5
    assert (np.hypot(loop[:, 0], loop[:, 2] - 0.02) > 0.03).all()


def test_fingers_close_and_the_rest_stays(doll):
    body = doll.template.copy()
    hands = held.Hands(doll)
    closed = hands.curl(body, "L", "mug")
    moved = np.linalg.norm(closed - body, axis=1) > 1e-6
    fingers = [k for k, b in enumerate(doll.topology.bones) if b.startswith("finger") and b.endswith(".L")]
    assert moved.any()
    assert not moved[~np.isin(doll.topology.bone_index, fingers).any(1)].any()
    tip = doll.topology.bone_index[:, 0] == doll.topology.bones.index("finger3-3.L")
    hand = hands.find(body, "L")
    assert ((closed[tip] - body[tip]).mean(0) @ hand.frame[:, 2]) > 0.003  # toward the palm's side


def test_a_hand_below_the_table_holds_nothing(doll):
    facing, eyes = np.array([0, 0, 1], np.float32), np.array([0, 0.73, 0.13], np.float32)
    low = doll.template.copy()
    assert held.Hands(doll).free(low, eyes, facing) == ""
    arm = [k for k, b in enumerate(doll.topology.bones) if b.endswith(".L")]
    up = low.copy()
    up[np.isin(doll.topology.bone_index[:, 0], arm)] += (-0.25, 0.3, 0.15)
    assert held.Hands(doll).free(up, eyes, facing) == "L"


def test_what_is_held_is_drawn_once_for_a_clip(doll, wardrobe):
    up, turn = doll.template.copy(), pose(doll, 1)[1]
    arm = [k for k, b in enumerate(doll.topology.bones) if b.endswith(".L")]
    up[np.isin(doll.topology.bone_index[:, 0], arm)] += (-0.25, 0.3, 0.15)
    turn[:] = np.eye(3)
    drawn = {draw_hold(np.random.default_rng(k), wardrobe, up, turn) for k in range(40)}
    assert "" in drawn
    things = {word.removeprefix("L:") for word in drawn - {""}}
    assert things
    assert things <= set(held.GRIPS)
    for word in drawn:
        person = dress(np.random.default_rng(1), wardrobe, up, turn, 1.0, word)
        assert person.tags["held"] == (word.removeprefix("L:") or "none")
        assert any(p.role == "held" for p in person.pieces) == bool(word)


@pytest.mark.parametrize("seed", range(8))
def test_a_microphone_stands_between_camera_and_person_and_is_not_the_person(seed):
    rng = np.random.default_rng(seed)
    head = np.array([0, 0.75, 0.05], np.float32)
    view, distance = draw_view(rng, head, 4 / 3)
    stand, grille = held.microphone(rng, head, view)
    z = -(grille.vertices[:, :3] @ view.view[:3, :3].T + view.view[:3, 3])[:, 2]
    assert 0.05 < z.mean() < distance
    assert {PARTS[part_of(p.role)] for p in (stand, grille)} == {"other"}


def test_solids_are_closed_and_finite():
    rng = np.random.default_rng(2)
    made = [held.thing_solid(rng, thing) for thing in held.GRIPS]
    made += [
        props.visor(rng, 0.008),
        props.earbuds(rng),
        *props.glasses(rng, 0.5),
        props.headphones(rng, 0.01),
    ]
    for solid in made:
        assert np.isfinite(solid.points).all()
        assert np.isfinite(solid.normals).all()
        assert solid.tri.max() < len(solid.points)
        assert len(solid.uv) == len(solid.aux) == len(solid.points)


def test_an_icosphere_is_closed_and_round():
    points, tri = scalp.icosphere(2)
    assert points.shape == (162, 3)
    assert np.allclose(np.linalg.norm(points, axis=1), 1, atol=1e-6)
    edge = np.sort(np.concatenate([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]]), 1)
    assert (np.unique(edge, axis=0, return_counts=True)[1] == 2).all()
