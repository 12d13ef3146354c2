"""Relighting's ground truth: sources against what light does on paper, pairs of the doll, scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from live_relight.core.colour import linear_to_srgb
from live_relight.core.light import Light
from tests.training.doll import make_doll, make_wardrobe  # noqa: F401
from tests.training.test_studio import studio  # noqa: F401
from training import relight
from training.relight_report import METHODS, TRUE
from training.synth import solids
from training.synth.gl import Actor, Piece, Renderer, Skin, View, pack
from training.synth.make import Recipe
from training.synth.pairs import PairStudio, exposure, make_pairs, write_pair
from training.synth.rigs import Rig, draw_rig, source_of
from training.synth.shards import Sample
from training.synth.sources import Source, Sources
from training.synth.stage import seen_places

SIZE = (96, 64)
NO_WRAP = (0.0, 0.0, 0.0)


def piece(points: np.ndarray, tri: np.ndarray, normals: np.ndarray) -> Piece:
    zero = np.zeros((len(points), 2), np.float32)
    # rest = 0 everywhere: noise and creases are the same for every pixel
    vertices = pack(points, normals, normals, zero, np.zeros_like(points), zero)
    return Piece("thing", "plain", vertices, tri.astype(np.int32))


def wall(z: float, half: float, at: tuple[float, float] = (0, 0)) -> Piece:
    """A square that faces the camera, `z` metres behind it (negative)."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * half + np.float32(at)
    points = np.concatenate([corners, np.full((4, 1), z)], 1).astype(np.float32)
    facing = np.tile(np.float32([[0, 0, 1]]), (4, 1))
    return piece(points, np.array([[0, 1, 2], [0, 2, 3]]), facing)


def ball(z: float, radius: float) -> Piece:
    solid = solids.ellipsoid(np.array([0.0, 0.0, z]), np.full(3, radius), 40)
    return piece(solid.points, solid.tri, solid.normals)


class Scenery:
    """A renderer with sources; `light` draws pieces and returns what sources give on white."""

    def __init__(self) -> None:
        self.renderer = Renderer(*SIZE)
        self.sources = Sources(self.renderer)
        self.view = View(np.eye(4, dtype=np.float32), (0.6, 0.4))

    def light(self, pieces: list[Piece], sources: list[Source], samples: int = 16) -> np.ndarray:
        with self.renderer.gl:  # other tests of this thread have contexts too
            return self._light(pieces, sources, samples)

    def _light(self, pieces: list[Piece], sources: list[Source], samples: int) -> np.ndarray:
        looks = {"thing": Skin({"colour": (0.5, 0.5, 0.5), "shine": 0.0, "material": 0.0})}
        actor = Actor(self.renderer.upload(pieces), looks)
        label, _ = self.renderer.draw_scene([actor], self.view)
        places = seen_places(label[..., 3], self.view)
        _, white = self.sources.light(sources, [actor], self.view, places, NO_WRAP, samples)
        for thing in actor.things:
            thing.release()
        return white


@pytest.fixture(scope="module")
def scenery():
    made = Scenery()
    yield made
    made.renderer.close()


def lamp(at, power=1.0, target=(0, 0, -1), **rest) -> Source:
    return Source(np.float32(at), np.float32(target), np.full(3, power, np.float32), **rest)


def test_a_facing_surface_at_the_target_gets_the_power(scenery):
    for source in (
        lamp((0, 0, 0.2), 0.7),
        lamp((0.0, 0.0, -0.3), 0.7, width=0.5, height=0.5),
        lamp((0.0, 0.0, -0.3), 0.7, width=0.6, height=0.3, round=False, flat=True),
    ):
        lit = scenery.light([wall(-1, 0.3)], [source])
        assert lit[SIZE[1] // 2, SIZE[0] // 2] == pytest.approx([0.7] * 3, rel=0.01)


def test_light_falls_by_distance_squared_and_cosine(scenery):
    lit = scenery.light([wall(-1, 0.6)], [lamp((0, 0, -0.5))])
    x = ((np.arange(SIZE[0]) + 0.5) / SIZE[0] * 2 - 1) * 0.6
    row = lit[SIZE[1] // 2, :, 1]
    y = (1 - (SIZE[1] // 2 + 0.5) / SIZE[1] * 2) * 0.4
    far = x * x + y * y + 0.25
    inside = np.abs(x) < 0.55
    assert row[inside] == pytest.approx((0.25 * 0.5 / far**1.5)[inside], rel=0.02)


def test_a_ball_is_lit_by_its_cosine(scenery):
    lit = scenery.light([ball(-1, 0.25)], [lamp((30, 0, -1))])
    row = lit[SIZE[1] // 2, :, 1]
    x = ((np.arange(SIZE[0]) + 0.5) / SIZE[0] * 2 - 1) * 0.6
    bright, dark = (int(np.argmin(np.abs(x - s * 0.2))) for s in (1, -1))
    assert row[bright] > 0.6
    assert row[dark] == 0


def test_a_shadow_has_no_light_and_its_edge_is_as_soft_as_the_source_is_large(scenery):
    blind = wall(-0.7, 0.06)
    widths = {}
    for size in (0.0, 0.1, 0.3):
        source = lamp((0.3, 0, -0.2), width=size, height=size)
        free = scenery.light([wall(-1, 0.6)], [source], 64)
        lit = scenery.light([wall(-1, 0.6), blind], [source], 64)
        # The blind hides part of the wall from the camera; its shadow falls to the left of it.
        share = (lit / np.maximum(free, 1e-6))[SIZE[1] // 2, :, 1]
        shadow = share[: SIZE[0] // 2 - 8]
        widths[size] = int(((shadow > 0.05) & (shadow < 0.95)).sum())
        if size == 0.0:
            assert shadow.min() == 0
            assert shadow.max() == pytest.approx(1, abs=0.01)
    assert widths[0.0] < widths[0.1] < widths[0.3]


@pytest.mark.parametrize(
    ("material", "given", "seen"),
    [
        (0.0, (0.6, 0.0, 0.8), (0.6, 0.0, 0.8)),
        (0.0, (-0.6, 0.0, -0.8), (0.6, 0.0, 0.8)),  # from behind: cloth is the other way round there
        (2.0, (-0.6, 0.0, -0.8), (-0.6, 0.0, 0.8)),  # hair is a volume: as what is before it
        (0.0, (0.995, 0.0, -0.0998), (1.0, 0.0, 0.0)),  # interpolated a little too far: edge-on
    ],
)
def test_labels_of_what_is_seen_from_behind(scenery, material, given, seen):
    points = np.float32([[-0.3, -0.3, -1], [0.3, -0.3, -1], [0.3, 0.3, -1], [-0.3, 0.3, -1]])
    sheet = piece(points, np.array([[0, 1, 2], [0, 2, 3]]), np.tile(np.float32([given]), (4, 1)))
    looks = {"thing": Skin({"colour": (0.5, 0.5, 0.5), "shine": 0.0, "material": material})}
    with scenery.renderer.gl:
        actor = Actor(scenery.renderer.upload([sheet]), looks)
        label, _ = scenery.renderer.draw_scene([actor], scenery.view)
        for thing in actor.things:
            thing.release()
    assert label[SIZE[1] // 2, SIZE[0] // 2, :3] == pytest.approx(seen, abs=0.03)


def test_sources_add_up(scenery):
    pair = [lamp((0.4, 0.1, -0.2), 0.5, width=0.2, height=0.2), lamp((-0.5, 0.3, 0.1), 0.8)]
    pieces = [wall(-1, 0.6), ball(-0.8, 0.12)]
    both = scenery.light(pieces, pair, 12)
    each = sum(scenery.light(pieces, [source], 12) for source in pair)
    assert both == pytest.approx(each, abs=1e-4)
    assert both.max() > 0.5


def test_a_light_becomes_a_source_round_the_head():
    light = Light.of("key", az=90, el=0, dist=1.5, power=2.0, size=0.4, color="#ffffff")
    source = source_of(light, (0.1, 0.2, -1.0), 0.6, 0.5)
    assert source.centre == pytest.approx([0.06 + 0.9, 0.12, -0.6], abs=1e-6)
    assert source.power == pytest.approx([1.0, 1.0, 1.0], rel=1e-3)
    assert (source.width, source.height, source.flat) == (pytest.approx(0.24), pytest.approx(0.24), False)
    panel = source_of(Light.of("area", size=0.5, aspect=2.0), (0, 0, -1), 1.0, 1.0)
    assert (panel.width, panel.height, panel.round, panel.flat) == (0.5, 1.0, False, True)
    with pytest.raises(ValueError, match="env"):
        source_of(Light.of("env"), (0, 0, -1), 1.0, 1.0)


def test_rigs_are_drawn_of_both_kinds():
    rigs = [draw_rig(np.random.default_rng(seed)) for seed in range(60)]
    assert {rig.kind for rig in rigs} == {"add", "replace"}
    assert {light.kind for rig in rigs for light in rig.lights} == {"key", "fill", "rim", "area"}
    assert all(rig.ambient == (1.0 if rig.kind == "add" else 0.0) for rig in rigs)


def test_exposure_keeps_the_median_or_what_is_bright():
    even = np.full((100, 3), 0.6, np.float32)
    assert exposure(even, even) == pytest.approx(0.3)
    assert exposure(even, even * 10) == pytest.approx(1 / 6)


@pytest.fixture(scope="module")
def pairs(studio):  # noqa: F811
    """The doll's Studio as one that makes pairs."""
    made = object.__new__(PairStudio)
    made.__dict__ |= studio.__dict__
    made.samples, made.sources = 12, Sources(studio.renderer)
    return made


@pytest.fixture
def of_rig(pairs, monkeypatch):
    """`of_rig(lights, ambient)`: the same view of the doll under other lights, at an exposure of 1."""

    def shoot(lights: tuple[Light, ...], ambient: float) -> dict[str, np.ndarray]:
        kind = "add" if ambient else "replace"
        monkeypatch.setattr("training.synth.pairs.draw_rig", lambda rng: Rig(kind, lights, ambient))
        monkeypatch.setattr("training.synth.pairs.exposure", lambda first, second: 1.0)
        with pairs.renderer.gl:
            samples = pairs.shoot(3, 1, 1, 1)
        assert samples[0].arrays
        return {**samples[0].arrays, "about": samples[0].about}

    return shoot


def test_adding_a_light_is_the_sum_of_both(of_rig):
    lights = (Light.of("key", az=50, power=0.8), Light.of("fill"))
    alone, added, instead = of_rig((), 1.0), of_rig(lights, 1.0), of_rig(lights, 0.0)
    sum_of = alone["truth"].astype(np.float32) + instead["truth"]
    assert added["truth"] == pytest.approx(sum_of, rel=5e-3, abs=2e-3)
    assert np.abs(linear_to_srgb(alone["truth"].astype(np.float32)) - alone["picture"] / 255).max() < 1 / 255
    person = alone["alpha"] > 0.5
    assert instead["added"][person].max() > 0.3


def test_power_one_gives_a_facing_surface_what_the_first_light_gives_on_average(of_rig):
    pair = of_rig((Light.of("point", az=0, el=0, dist=10.0, power=1.0, color="#ffffff"),), 0.0)
    person = pair["alpha"] > 0.5
    luma = np.array([0.0722, 0.7152, 0.2126])
    assert (pair["given"][person].astype(np.float32) @ luma).mean() == pytest.approx(1, abs=5e-3)
    metre, head = pair["about"]["metre"], pair["about"]["head"]
    facing = person & (pair["shading"][..., 2] > 124) & (np.abs(pair["depth"] + head[2]) < 0.1)
    facing &= np.arange(SIZE[1])[:, None] < SIZE[1] * 0.6
    lit = pair["added"][facing].astype(np.float32)
    assert metre > 0.2
    assert len(lit) > 10
    assert np.percentile(lit[:, 1], 90) == pytest.approx(1, abs=0.06)


def test_geometry_is_in_subject_distances_and_whole(of_rig):
    pair = of_rig((), 1.0)
    person = pair["alpha"] > 0.5
    assert np.median(pair["depth"][person]) == pytest.approx(1, abs=1e-3)
    assert pair["depth"].min() > 0.1
    assert np.linalg.norm(pair["normal"], axis=-1) == pytest.approx(1, abs=1e-4)


def test_psnr_of_the_truth_is_infinite_and_of_a_known_error_is_known():
    rng = np.random.default_rng(0)
    truth = rng.random((8, 9, 3)).astype(np.float32)
    where = np.ones((8, 9), bool)
    where[0] = False
    assert relight.psnr(truth, truth, where) == float("inf")
    wrong = truth.copy()
    wrong[0] += 5
    assert relight.psnr(wrong, truth, where) == float("inf")
    assert relight.psnr(truth + np.float32(0.1), truth, where) == pytest.approx(20, abs=1e-3)


def test_pairs_are_written_read_and_scored(pairs, tmp_path):
    with pairs.renderer.gl:
        make_pairs(pairs, tmp_path, Recipe(3, 3, *SIZE, views=1, held_out=True))
    files = sorted(tmp_path.glob("*.npz"))
    before = [path.read_bytes() for path in files]
    assert len(files) == 3
    make_pairs(pairs, tmp_path, Recipe(3, 3, *SIZE, views=1, held_out=True))  # all there: nothing is drawn
    assert [path.read_bytes() for path in sorted(tmp_path.glob("*.npz"))] == before
    first = next(iter(relight.read_pairs(tmp_path)))
    assert first.picture.shape == (SIZE[1], SIZE[0], 3)
    assert first.look.fov == first.about["fov"]
    text = relight.score(tmp_path, "analytic", tmp_path / "sheet.png")
    assert all(name in text for name in METHODS)
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_perfect_light_scores_above_the_untouched_picture(of_rig, pairs, tmp_path):
    pair = of_rig((Light.of("key", az=60),), 1.0)
    about = pair.pop("about")
    path = write_pair(tmp_path, Sample("one", pair, about))
    read = next(iter(relight.read_pairs(path.parent)))
    row = relight.score_pair(read, {TRUE: linear_to_srgb(read.truth), "b": read.picture / np.float32(255)})
    assert row.whole[TRUE] == float("inf") == row.inner[TRUE]
    assert row.whole["b"] < 40
    times, instead = relight.limits(replace(read, added=0 * read.added))
    assert np.abs(times - read.picture / 255).max() < 2 / 255
    person = read.geometry.alpha > 0.99
    assert np.abs(instead - read.picture / 255)[person].max() < 2 / 255


def test_a_folder_without_pairs_is_told_in_one_line(tmp_path, capsys):
    assert relight.main(["score", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
