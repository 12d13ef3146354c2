"""Dressing: the same clothes on every frame of a moving body, sound geometry, things in hands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.doll import blob, build, garment, make_doll, make_figure, make_wardrobe, pose  # noqa: F401
from training.synth.gl import Piece, Skin
from training.synth.meshes import vertex_normals
from training.synth.parts import PARTS, part_of
from training.synth.people.poses import euler
from training.synth.places.framing import draw_view
from training.synth.things import LAYOUT
from training.synth.wear import held, props, scalp, shells, trims
from training.synth.wear.dress import Wardrobe, draw_hold, dress
from training.synth.wear.finish import draw_prop_looks
from training.synth.wear.posed import prepare

ROLES = {
    "skin", "hand", "eye", "inside", "brow", "lash", "teeth", "hair", "beard", "hat", "cloth", "jacket",
    "tie", "cord", "cloth2", "cloth3", "scarf", "glasses", "lens", "phones", "held",
}  # fmt: skip
REST = slice(11, 16)  # rest position and masks; uv are 9:11


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


def test_labels_even_the_eyes_out_and_leave_their_shape(doll):
    rest, mesh = doll.template, doll.topology.mesh
    exact = vertex_normals(rest, mesh.tri, doll.touch)
    label = doll.label_normals(exact)
    np.testing.assert_allclose(np.linalg.norm(label, axis=1), 1, atol=1e-4)
    np.testing.assert_array_equal(label[doll.eye_weight == 0], exact[doll.eye_weight == 0])
    turn = euler(20.0, -50.0, 15.0)
    np.testing.assert_allclose(doll.label_normals(exact @ turn.T), label @ turn.T, atol=2e-5)
    balls = np.unique(mesh.tri[doll.part_faces(("eye_front",))])
    front = balls[(exact[balls, 2] > 0.6) & (rest[balls, 0] > 0)]
    up, down = (front[np.argmax(k * exact[front, 1])] for k in (1, -1))
    # It bulges: light from above finds its upper side, as on the eyeball, if less so.
    assert 0.3 < label[up, 1] - label[down, 1] < exact[up, 1] - exact[down, 1]
    assert label[front, 2].min() > 0.3
    # One place of the face, whatever mesh it belongs to, has one label: no seam between lid and eyeball.
    near = np.flatnonzero((doll.eye_weight > 0.99) & (np.linalg.norm(rest - rest[front[0]], axis=1) < 0.003))
    assert len(near) > 1
    assert (label[near] @ label[front[0]]).min() > 0.97


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


def test_what_goes_around_the_neck_faces_outward_outside():
    angle = np.arange(40) * 2 * np.pi / 40
    loop = np.stack([0.07 * np.sin(angle), np.full(40, 0.6), trims.NECK[1] + 0.07 * np.cos(angle)], 1)
    turn = np.linspace(0, 2 * np.pi, 9)
    profiles = {  # out, up
        "up inside, down outside": ([0.01, 0.01, 0.02, 0.02], [0.0, 0.03, 0.03, 0.0]),
        "up outside, down inside": ([0.02, 0.02, 0.01, 0.01], [0.0, 0.03, 0.03, 0.0]),
        "outward and down": ([0.0, 0.01, 0.03, 0.05], [0.05, 0.03, 0.0, -0.06]),
        "a ring": (0.02 + 0.01 * np.cos(turn), 0.01 * np.sin(turn)),
        "a ring, backward": (0.02 + 0.01 * np.cos(turn), -0.01 * np.sin(turn)),
    }
    for name, (out, up) in profiles.items():
        rows = (np.tile(np.float64([v]), (40, 1)) for v in (out, up))
        solid = trims.around(loop, *rows)
        away = (solid.points - [0, 0, trims.NECK[1]]) * [1, 0, 1]
        far = np.linalg.norm(away, axis=1)
        outer = far > np.quantile(far, 0.7)
        way = away[outer] / far[outer, None]
        assert ((solid.normals[outer] * way).sum(1) > 0).mean() > 0.9, name


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
