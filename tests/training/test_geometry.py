"""Rendered truth against analytic truth: a sphere and a plane at known places."""

from __future__ import annotations

import numpy as np
import pytest

from training.synth.gl import Actor, Lamps, Piece, Renderer, Skin, View, pack
from training.synth.parts import OTHER
from training.synth.places.framing import step_back
from training.synth.places.light import basis, directions, project, shadow_matrix
from training.synth.stage import describe_camera
from training.synth.truth import disagreement, points_of

WIDTH, HEIGHT, TAN = 96, 64, (0.6, 0.4)


@pytest.fixture(scope="module")
def renderer():
    """One small renderer for all tests of this file."""
    made = Renderer(WIDTH, HEIGHT)
    yield made
    made.close()


def rays() -> np.ndarray:
    """Direction of each pixel's centre [H,W,3] with z = -1."""
    x = (np.arange(WIDTH) + 0.5) / WIDTH * 2 - 1
    y = 1 - (np.arange(HEIGHT) + 0.5) / HEIGHT * 2
    u, v = np.meshgrid(x * TAN[0], y * TAN[1])
    return np.stack([u, v, -np.ones_like(u)], -1)


def piece_of(points: np.ndarray, normals: np.ndarray, tri: np.ndarray, role: str = "thing") -> Piece:
    zero = np.zeros((len(points), 2), np.float32)
    return Piece(role, "plain", pack(points, normals, normals, zero, points, zero), tri.astype(np.int32))


def sphere(centre: tuple[float, float, float], radius: float, steps: int = 160) -> Piece:
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, steps), np.linspace(0, 2 * np.pi, 2 * steps), indexing="ij"
    )
    n = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), np.sin(theta) * np.sin(phi)], -1).reshape(-1, 3)
    width = 2 * steps
    i, j = np.meshgrid(np.arange(steps - 1), np.arange(width - 1), indexing="ij")
    a = (i * width + j).ravel()
    tri = np.concatenate([np.stack([a, a + 1, a + width], 1), np.stack([a + 1, a + width + 1, a + width], 1)])
    return piece_of(np.array(centre) + radius * n, n, tri)


def plane(normal: np.ndarray, through: np.ndarray) -> Piece:
    """A large rectangle with the given unit normal."""
    side = np.cross(normal, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    up = np.cross(side, normal)
    corners = np.array([through + 9 * (a * side + b * up) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    return piece_of(corners, np.tile(normal, (4, 1)), np.array([[0, 1, 2], [0, 2, 3]]))


def draw(renderer: Renderer, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    skin = Skin({"colour": (0.5, 0.5, 0.5), "shine": 0.0, "material": 0.0})
    things = renderer.upload([piece])
    view = View(np.eye(4, dtype=np.float32), TAN)
    out = renderer.draw(things, {piece.role: skin}, view)
    for thing in things:
        thing.release()
    return out


def test_sphere_depth_and_normals(renderer):
    centre, radius = np.array([0.05, -0.04, -1.2]), 0.3
    label, cover = draw(renderer, sphere((0.05, -0.04, -1.2), radius))
    ray = rays()
    unit = ray / np.linalg.norm(ray, axis=-1, keepdims=True)
    b = (unit * centre).sum(-1)
    inside = b * b - (centre @ centre - radius**2)
    t = b - np.sqrt(np.maximum(inside, 0))
    hit = unit * t[..., None]
    normal = (hit - centre) / radius
    well = (inside > 0) & (
        (normal * -unit).sum(-1) > 0.5
    )  # away from the silhouette, where 2x2 averages bend
    assert well.sum() > 300
    assert (cover[well] == 1).all()
    assert cover[inside < -0.02].max() == 0
    assert np.abs(label[..., 3][well] + hit[..., 2][well]).max() < 2e-3
    assert np.abs(label[..., 3][well] + hit[..., 2][well]).mean() < 3e-4
    cos = (label[..., :3] * normal).sum(-1)[well]
    assert np.degrees(np.arccos(np.clip(cos, -1, 1))).max() < 0.5


def test_plane_depth_and_normals(renderer):
    normal = np.array([0.3, 0.2, 0.9])
    normal /= np.linalg.norm(normal)
    through = np.array([0.0, 0.0, -1.5])
    label, cover = draw(renderer, plane(normal, through))
    ray = rays()
    z = (normal @ through) / (ray @ normal)
    assert (cover == 1).all()
    assert np.abs(label[..., 3] - z).max() < 1e-3
    assert np.degrees(np.arccos(np.clip((label[..., :3] @ normal).min(), -1, 1))) < 0.1


def test_unlabelled_pieces_leave_the_labels_alone(renderer):
    far, near = plane(np.array([0, 0, 1.0]), np.array([0, 0, -2.0])), sphere((0, 0, -1.0), 0.2, 40)
    glass = Piece("glass", near.material, near.vertices, near.tri, labelled=False)
    skin = Skin({"colour": (0.5, 0.5, 0.5), "shine": 0.0, "material": 0.0})
    things = renderer.upload([glass, far])
    view = View(np.eye(4, dtype=np.float32), TAN)
    label, _ = renderer.draw(things, {"glass": skin, "thing": skin}, view)
    for thing in things:
        thing.release()
    assert np.abs(label[..., 3] - 2.0).max() < 1e-3


def test_light_adds_up(renderer):
    """Two lamps together give the sum of each alone."""
    draw(renderer, sphere((0, 0, -1.2), 0.35, 60))
    view = View(np.eye(4, dtype=np.float32), TAN)
    place = np.array([[0.6, 0.2, 0.77, 0], [-0.7, 0.3, 0.65, 0], [0, 0, 0, 0]], np.float32)
    power = np.array([[1, 0.8, 0.6], [0.3, 0.4, 0.9], [0, 0, 0]], np.float32)
    sh = np.zeros((9, 3), np.float32)

    def lit(which: list[int]) -> np.ndarray:
        chosen = np.zeros_like(power)
        chosen[which] = power[which]
        matrix = shadow_matrix(np.array([0, 0, 1], np.float32), np.zeros(3, np.float32))
        return renderer.light(Lamps(sh, place, chosen, (0.0, 1.0)), view, matrix).astype(np.float32)[..., :3]

    assert np.abs(lit([0, 1]) - lit([0]) - lit([1])).max() < 2e-3


def test_uniform_light_has_uniform_irradiance():
    d, area = directions(32, 64)
    sh = project(np.full((32, 64, 3), 0.7, np.float32), d, area)
    normals = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    assert np.abs(basis(normals) @ sh - 0.7).max() < 5e-3


def grid(z: float, slope: float, half: float = 1.6, steps: int = 160) -> Piece:
    """A finely meshed plane z + slope x: the lens bends vertices, so the mesh must be fine."""
    x, y = np.meshgrid(np.linspace(-half, half, steps), np.linspace(-half, half, steps))
    points = np.stack([x, y, z + slope * x], -1).reshape(-1, 3)
    normal = np.array([-slope, 0, 1.0]) / np.hypot(slope, 1)
    i, j = np.meshgrid(np.arange(steps - 1), np.arange(steps - 1), indexing="ij")
    a = (i * steps + j).ravel()
    b = a + steps
    tri = np.concatenate([np.stack([a, a + 1, b], 1), np.stack([a + 1, b + 1, b], 1)])
    return piece_of(points, np.tile(normal, (len(points), 1)), tri)


@pytest.mark.parametrize("k", [-0.12, 0.04])
def test_the_lens_bends_what_the_label_s_camera_says(renderer, k):
    piece = grid(-1.5, 0.3)
    things = renderer.upload([piece])
    skin = Skin({"colour": (0.5, 0.5, 0.5), "shine": 0.0, "material": 0.0})
    view = View(np.eye(4, dtype=np.float32), TAN, k)
    label, cover = renderer.draw(things, {"thing": skin}, view)
    for thing in things:
        thing.release()
    assert (cover == 1).all()
    camera = describe_camera(view, WIDTH, HEIGHT)
    points = points_of(label[..., 3], camera)
    assert np.abs(points[..., 2] - (-1.5 + 0.3 * points[..., 0])).max() < 2e-3
    angles = disagreement(label[..., :3], label[..., 3], cover == 1, camera)
    assert len(angles) > 3000
    assert np.median(angles) < 0.2
    straight = points_of(label[..., 3], {**camera, "k": 0.0})  # the test can tell
    assert np.abs(straight[..., 2] - (-1.5 + 0.3 * straight[..., 0])).max() > 5e-3


def test_normals_agree_with_the_slope_of_depth(renderer):
    label, cover = draw(renderer, sphere((0.05, -0.04, -1.2), 0.3))
    camera = describe_camera(View(np.eye(4, dtype=np.float32), TAN), WIDTH, HEIGHT)
    angles = disagreement(label[..., :3], label[..., 3], cover == 1, camera, radius=1)
    assert len(angles) > 300
    assert np.median(angles) < 0.5


def test_what_stands_before_the_person_is_in_no_label(renderer):
    person, stand = sphere((0, 0, -1.2), 0.35, 60), sphere((0, 0, -0.7), 0.06, 40)
    stand = Piece("mic", stand.material, stand.vertices, stand.tri)
    skin = Skin({"colour": (0.5, 0.5, 0.5), "shine": 0.0, "material": 0.0})
    actors = [
        Actor(renderer.upload([person]), {"thing": skin}),
        Actor(renderer.upload([stand]), {"mic": skin}),
    ]
    _, alpha = renderer.draw_scene(actors, View(np.eye(4, dtype=np.float32), TAN))
    cover, part, _ = renderer.more()
    for actor in actors:
        for thing in actor.things:
            thing.release()
    middle = slice(HEIGHT // 2 - 2, HEIGHT // 2 + 2), slice(WIDTH // 2 - 2, WIDTH // 2 + 2)
    assert alpha[middle].max() == 0
    assert cover[middle].min() == 1
    assert (part[middle] == OTHER).all()
    assert (alpha == 1).sum() > 300
    assert (alpha <= cover).all()


def test_an_actor_s_place_moves_it(renderer):
    piece = sphere((0, 0, 0), 0.3, 60)
    skin = Skin({"colour": (0.5, 0.5, 0.5), "shine": 0.0, "material": 0.0})
    place = np.eye(4, dtype=np.float32)
    place[:3, 3] = (0.1, 0.05, -1.3)
    things = renderer.upload([piece])
    label, alpha = renderer.draw_scene(
        [Actor(things, {"thing": skin}, place)], View(np.eye(4, dtype=np.float32), TAN)
    )
    for thing in things:
        thing.release()
    wanted, cover = draw(renderer, sphere((0.1, 0.05, -1.3), 0.3, 60))
    np.testing.assert_array_equal(alpha, cover)
    np.testing.assert_allclose(label, wanted, atol=2e-3)


def test_the_camera_steps_back_from_a_hand_before_it():
    view = View(np.eye(4, dtype=np.float32), (0.7, 0.5))
    points = np.array([[0, 0, -0.8], [0.02, 0.0, -0.06], [2.0, 0, -0.05], [0, 0, 3.0]], np.float32)
    moved = step_back(view, points[:3])
    depth = -(points @ moved.view[:3, :3].T + moved.view[:3, 3])[:, 2]
    assert depth[1] == pytest.approx(0.16, abs=1e-5)
    assert step_back(view, points[[0, 2]]) is view  # what stands beside the camera is not seen


@pytest.mark.parametrize(("last", "wanted"), [(0.65, [0.16, 0.91]), (2.0, [-1.4, 0.7])])
def test_the_camera_goes_on_back_while_anything_is_cut(last, wanted):
    """Somebody behind the camera: one step of 0.6 metres ends inside. Who is still behind it is not seen."""
    view = View(np.eye(4, dtype=np.float32), (0.6, 0.45))
    points = np.array([[0, 0, -0.1], [0.01, 0, last], [0.01, 0, last - 0.1]], np.float32)
    if last == 2.0:
        points[2] = points[0]
    z = -(points[:, 2] + step_back(view, points).view[2, 3])
    np.testing.assert_allclose([z[1], z[0]], wanted, atol=2e-3)
