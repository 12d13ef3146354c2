"""What the generator leaves out to be quick changes no picture: each short way beside the long one."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest

from training.synth import meshes
from training.synth.gl import Piece, Renderer, Skin, View, pack
from training.synth.people.bodies import read_row
from training.synth.places.light import shadow_matrix
from training.synth.shards import Sample, write_shard
from training.synth.stage import needed, seen_places
from training.synth.tiles import TILE, middles
from training.synth.visible import may_show, near_first

SIZE = (96, 64)
VIEW = View(np.eye(4, dtype=np.float32), (0.75, 0.5), -0.05)
LOOK = Skin({"colour": (0.5, 0.5, 0.5), "shine": 0.1, "material": 0.0})


@pytest.fixture(scope="module")
def renderer():
    made = Renderer(*SIZE)
    yield made
    made.close()


def shards_of_glass(seed: int, count: int = 400, closed: bool = False) -> Piece:
    """Triangles anywhere around the camera, also behind it."""
    rng = np.random.default_rng(seed)
    corner = (rng.uniform(-2, 2, (count, 1, 3)) + rng.normal(0, 0.1, (count, 3, 3))).reshape(-1, 3)
    n = np.tile(np.float32([[0, 0, 1]]), (len(corner), 1))
    vertices = pack(corner, n, n, np.zeros((len(corner), 2)), corner, np.zeros((len(corner), 2)))
    return Piece(
        "phones", "plain", vertices, np.arange(3 * count, dtype=np.int32).reshape(-1, 3), True, closed
    )


def test_triangles_come_near_first_and_only_unseen_ones_are_left_out():
    piece = shards_of_glass(1)
    points = piece.vertices[:, :3]
    kept = near_first(points, piece.tri, VIEW)
    nearest = np.clip(-points[:, 2], 0, None)[kept].min(1)
    assert 20 < len(kept) < len(piece.tri)
    assert (np.diff(nearest) > -0.0011).all()  # the order is in millimetres
    gone = np.setdiff1d(piece.tri[:, 0], kept[:, 0])
    z = np.maximum(-points[:, 2], 1e-3)
    inside = (points[:, 2] < 0) & (np.abs(points[:, 0]) < 0.6 * z) & (np.abs(points[:, 1]) < 0.4 * z)
    assert not inside.reshape(-1, 3)[gone // 3].any()
    behind = points - np.float32([0, 0, 9])
    assert near_first(-behind, piece.tri, VIEW).size == 0


def test_a_box_is_left_out_only_if_nothing_in_it_is_seen():
    rng = np.random.default_rng(8)
    counts = {True: 0, False: 0}
    for _ in range(400):
        view = View(VIEW.view, VIEW.tan_half, float(rng.uniform(-0.12, 0.04)))
        low = rng.uniform(-2, 2, 3)
        ends = np.stack([low, low + rng.uniform(0.05, 0.6, 3)])
        corners = np.stack(np.meshgrid(*ends.T), -1).reshape(8, 3)
        within = rng.uniform(*ends, (300, 3))
        x, y, z = within[within[:, 2] < -0.05].T
        bent = 1 + view.lens * np.minimum((x * x + y * y) / (z * z), 2.5)
        seen = (np.abs(bent * x / z) < view.tan_half[0]) & (np.abs(bent * y / z) < view.tan_half[1])
        shown = may_show(corners.astype(np.float32), view)
        assert shown or not seen.any()
        counts[shown] += 1
    assert min(counts.values()) > 40


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_triangles_changes_no_pixel(renderer, seed):
    piece = shards_of_glass(seed)
    back = Piece(piece.role, piece.material, piece.vertices, piece.tri[::-1].copy())
    shown = []
    for one in (piece, back):
        things = renderer.upload([one])
        shown.append((*renderer.draw(things, {"phones": LOOK}, VIEW), *renderer.more()))
        for thing in things:
            thing.release()
    for first, second in zip(*shown, strict=True):
        np.testing.assert_array_equal(first, second)
    assert shown[0][1].max() == 1


def test_every_covered_pixel_is_in_a_tile_that_the_picture_contains():
    rng = np.random.default_rng(2)
    for width, height in ((96, 64), (70, 50), (33, 40)):
        cover = (rng.random((height, width)) > 0.98).astype(np.uint8)
        at = (middles(cover) + 1) / 2 * (width, height)
        assert (np.abs(middles(cover)) < 1).all()
        hit = np.zeros_like(cover)
        for x, y in at:
            low = (round(y - TILE / 2), round(x - TILE / 2))
            hit[low[0] : low[0] + TILE, low[1] : low[1] + TILE] = 1
        assert (hit >= cover).all()
        assert hit.mean() < 1 or cover.reshape(-1)[0] == 1 or len(at) > 4
    assert len(middles(np.zeros((64, 96), np.uint8))) == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_part_of_a_shadow_map_that_counts_is_the_same_as_in_the_whole(renderer, seed):
    things = renderer.upload([shards_of_glass(seed)])
    label, _ = renderer.draw(things, {"phones": LOOK}, VIEW)
    places = seen_places(label[..., 3], VIEW)
    assert np.abs(places[:, 2]).max() < 2.5
    toward = np.random.default_rng(seed).normal(size=3)
    matrix = shadow_matrix(toward.astype(np.float32), np.float32([0.4, 0.3, -1.0]), 4.0)
    maps, part = [], needed(places, matrix, 2.0)
    assert part != (-1.0, -1.0, 1.0, 1.0)
    for wanted in ((-1.0, -1.0, 1.0, 1.0), part):
        renderer.cast(things, matrix, wanted)
        size = renderer.shadow_map.size
        maps.append(np.frombuffer(renderer.shadow_map.read(), np.uint8).reshape(size[1], size[0], -1))
    at = (places @ matrix[:2, :3].T + matrix[:2, 3] + 1) / 2 * size
    x, y = at[((at > 0) & (at < size)).all(1)].astype(int).T
    assert len(x) > 50
    np.testing.assert_array_equal(maps[0][y, x], maps[1][y, x])
    for thing in things:
        thing.release()


def test_of_a_closed_piece_only_what_faces_the_lamp_casts(renderer):
    matrix = shadow_matrix(np.float32([0, 0, 1]), np.zeros(3, np.float32), 2.0)
    size = renderer.shadow_map.size
    maps = []
    for pieces in ([], [shards_of_glass(4)], [shards_of_glass(4, closed=True)]):
        things = renderer.upload(pieces)
        renderer.cast(things, matrix)
        maps.append(np.frombuffer(renderer.shadow_map.read(), np.uint8).reshape(size[1], size[0], -1))
        for thing in things:
            thing.release()
    both, front = ((maps[0] != one).any(-1).mean() for one in maps[1:])
    assert 0.2 * both < front < 0.9 * both


def test_one_row_of_a_bank_is_read_alone(tmp_path):
    rows = np.random.default_rng(3).normal(size=(5, 7, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", turn=np.zeros(4), vertices=rows)
    for k in range(5):
        np.testing.assert_array_equal(read_row(tmp_path / "a.npz", "vertices", k), rows[k])
    np.savez_compressed(tmp_path / "b.npz", vertices=rows)
    for path, row in ((tmp_path / "a.npz", 5), (tmp_path / "b.npz", 0)):
        with pytest.raises(ValueError, match="make the bank again"):
            read_row(path, "vertices", row)


def test_shards_are_what_tarfile_would_write(tmp_path):
    rng = np.random.default_rng(4)
    arrays = {
        "colour": rng.integers(0, 255, (2, 9, 7, 3), np.uint8),
        "depth": rng.random((9, 7)).astype("f2"),
    }
    write_shard(tmp_path / "a.tar", [Sample("k", arrays, {"people": 1})])
    with tarfile.open(tmp_path / "b.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, array in arrays.items():
            blob = io.BytesIO()
            np.save(blob, array)
            add(tar, f"k.{name}.npy", blob.getvalue())
        add(tar, "k.about.json", b'{"people": 1}')
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member without time or owner."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize(
    ("faces", "tri", "tri_uv"),
    [
        (("1 2 3 4", "2 3 4"), [[0, 1, 2], [0, 2, 3], [1, 2, 3]], [[0, 0, 0]] * 3),
        (("1/2 2/1 3/3", "1/1 3/2 4/3"), [[0, 1, 2], [0, 2, 3]], [[1, 0, 2], [0, 1, 2]]),
        (("1/2/1 2/1/1 3/3/1",), [[0, 1, 2]], [[1, 0, 2]]),
        (("1//1 2//1 3//1",), [[0, 1, 2]], [[0, 0, 0]]),
        (("1/2 2 3/3/1",), [[0, 1, 2]], [[1, 0, 2]]),
    ],
)
def test_obj_corners_in_every_form(tmp_path, faces, tri, tri_uv):
    points = ("v 0 0 0 1.0", "v 1 0 0", "v 1 1e-1 0", "v 0 1 -2", "vn 0 0 1", "vt 0 0 0", "vt 1 0", "vt 1 1")
    (tmp_path / "a.obj").write_text("\n".join((*points, *(f"f {face} " for face in faces))))
    mesh = meshes.read_obj(tmp_path / "a.obj")
    assert mesh.tri.tolist() == tri
    assert mesh.tri_uv.tolist() == tri_uv
    np.testing.assert_allclose(mesh.vertices[2:], [[1, 0.1, 0], [0, 1, -2]])
    assert mesh.uv.tolist() == [[0, 0], [1, 0], [1, 1]]


def test_small_vector_work_is_numpys(tmp_path):
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(2, 4, 5, 3))
    np.testing.assert_allclose(meshes.cross(a, b), np.cross(a, b))
    np.testing.assert_allclose(meshes.cross(a, b[0, 0]), np.cross(a, b[0, 0]))
    a[0, 0] = 0
    assert meshes.unit(a)[0, 0].tolist() == [0, 0, 1]
    np.testing.assert_allclose(np.linalg.norm(meshes.unit(a), axis=-1), 1, rtol=1e-6)
    mask, tri = rng.random(30) > 0.5, rng.integers(0, 30, (50, 3)).astype(np.int32)
    np.testing.assert_array_equal(meshes.every(mask, tri), mask[tri].all(1))
    np.testing.assert_array_equal(meshes.some(mask, tri), mask[tri].any(1))
