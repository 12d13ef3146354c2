"""Places and light: set-ups, superposition in the light shader, backdrops."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest

from training.synth import gl
from training.synth.gl import Lamps, Piece, Renderer, Skin, View
from training.synth.places import backdrop, near
from training.synth.places.backdrop import defocus, draw_backdrop, shift
from training.synth.places.framing import rotate
from training.synth.places.light import (
    LUMA,
    Environment,
    draw_key,
    draw_lamps,
    draw_light,
    irradiance,
    shadow_matrix,
)
from training.synth.places.rooms import BACK, Setting, build, light_up, see
from training.synth.places.setups import ODDS, SETUPS

SIZE = (96, 72)
TAN = (0.6, 0.45)
AWAY = 0.8  # metres from the camera to the ball
RADIUS = 0.2
EYE = np.eye(4, dtype=np.float32)


@pytest.fixture(scope="module")
def environment() -> Environment:
    """A grey sky with a sun above dark ground."""
    picture = np.full((256, 512, 3), 0.5, np.float32)
    picture[128:] = (0.2, 0.15, 0.1)
    picture[40:50, 100:110] = 400
    return Environment("test", picture, cv2.resize(picture, (64, 32), interpolation=cv2.INTER_AREA))


def ball() -> Piece:
    """A sphere before the camera."""
    v, u = np.meshgrid(np.linspace(0, np.pi, 41), np.linspace(0, 2 * np.pi, 65), indexing="ij")
    way = np.stack([np.sin(v) * np.sin(u), np.cos(v), np.sin(v) * np.cos(u)], -1).reshape(-1, 3)
    at = np.arange(40)[:, None] * 65 + np.arange(64)
    tri = np.stack([at, at + 65, at + 1, at + 1, at + 65, at + 66], -1).reshape(-1, 3)
    place = way * RADIUS + [0, 0, -AWAY]
    zero = np.zeros((len(way), 2))
    return Piece("ball", "plain", gl.pack(place, way, way, zero, place * 0, zero), tri.astype(np.int32))


class Studio:
    """The ball in a renderer, lit by any lamps."""

    def __init__(self) -> None:
        self.renderer = Renderer(*SIZE)
        self.view = View(EYE, TAN)
        self.things = self.renderer.upload([ball()])
        self.labels = self.cover = np.zeros(0, np.float32)

    def paint(self, material: float, shine: float) -> None:
        """Choose the ball's finish: 0 cloth, 1 skin, 2 hair, 3 glossy."""
        values = {"colour": (0.6, 0.4, 0.3), "shine": shine, "material": material}
        self.labels, self.cover = self.renderer.draw(self.things, {"ball": Skin(values)}, self.view)

    def light(self, lamps: Lamps) -> np.ndarray:
        """Linear colour where the ball is whole."""
        toward = lamps.place[0, :3] + lamps.place[0, 3] * np.array([0, 0, AWAY], np.float32)
        matrix = shadow_matrix(toward, np.array([0, 0, -AWAY], np.float32))
        self.renderer.cast(self.things, matrix)
        bias = np.eye(4, dtype=np.float32)
        bias[2, 3] = -0.012
        raw = self.renderer.light(lamps, self.view, bias @ matrix)
        return raw[..., :3].astype(np.float32)[self.cover == 1]


@pytest.fixture(scope="module")
def studio():
    """One renderer for the file."""
    one = Studio()
    yield one
    one.renderer.close()


def lamps_of(bulbs: list[tuple[list[float], list[float]] | None], shadow: tuple[float, float]) -> Lamps:
    """Lamps without an environment; None leaves a place free."""
    place, power = np.zeros((3, 4), np.float32), np.zeros((3, 3), np.float32)
    place[:, 2] = 1
    for k, bulb in enumerate(bulbs):
        if bulb:
            place[k], power[k] = bulb
    return Lamps(np.zeros((9, 3), np.float32), place, power, shadow)


A = ([0.8, 0.3, 0.5, 0.0], [1.5, 1.0, 0.4])
B = ([-0.5, 0.2, -0.1, 1.0], [0.1, 0.3, 0.6])
C = ([0.1, -0.4, 0.0, 1.0], [0.3, 0.1, 0.2])


@pytest.mark.parametrize("material", [0.0, 1.0, 2.0, 3.0])
def test_light_adds_up(studio, material):
    studio.paint(material, 0.5)
    shadow = (0.9, 3.0)
    alone = [studio.light(lamps_of(one, shadow)) for one in ([A], [None, B], [None, None, C])]
    assert all(light.max() > 0.05 for light in alone)
    both = studio.light(lamps_of([A, B, C], shadow))
    assert np.abs(both - sum(alone)).max() < 3e-3 * both.max()


@pytest.mark.parametrize("material", [0.0, 1.0, 2.0, 3.0])
def test_light_is_linear_in_power(studio, material):
    studio.paint(material, 0.5)
    weak = studio.light(lamps_of([A, B], (0.9, 3.0)))
    strong = studio.light(lamps_of([(x, [8 * v for v in p]) for x, p in (A, B)], (0.9, 3.0)))
    assert np.abs(strong - 8 * weak).max() < 3e-3 * strong.max()


def test_the_shader_and_irradiance_agree_on_a_matt_ball(studio):
    studio.paint(3.0, 0.0)
    lamps = lamps_of([A, B, C], (0.0, 1.0))
    inside = studio.cover == 1
    normal, z = studio.labels[inside, :3], studio.labels[inside, 3:]
    y, x = np.nonzero(inside)
    ray = np.stack(
        [((x + 0.5) / SIZE[0] * 2 - 1) * TAN[0], (1 - (y + 0.5) / SIZE[1] * 2) * TAN[1], -np.ones(len(x))], 1
    )
    want = irradiance(lamps, normal, (ray * z).astype(np.float32))
    seen = studio.light(lamps)
    clear = (want.min(1) > 0.05) & (normal[:, 2] > 0.5)
    ratio = seen[clear] / want[clear]
    assert clear.sum() > 300
    assert np.abs(ratio / np.median(ratio, 0) - 1).max() < 0.2


def test_the_known_light_is_one_lamp_of_level_one_at_the_head():
    points = 0
    for seed in range(60):
        lamps = draw_key(np.random.default_rng(seed), 0.7)
        assert not lamps.sh.any()
        assert not lamps.power[1:].any()
        head = np.array([0, 0, -0.7], np.float32)
        way = lamps.place[0, :3] - lamps.place[0, 3] * head
        level = irradiance(lamps, (way / np.linalg.norm(way))[None], head)[0]
        assert level @ LUMA == pytest.approx(1, rel=0.02)
        points += lamps.place[0, 3] > 0.5
    assert 10 < points < 50


@pytest.mark.parametrize("kind", list(SETUPS))
def test_every_set_up_gives_sound_light(environment, kind, monkeypatch):
    monkeypatch.setattr("training.synth.places.light.ODDS", {kind: 1.0})
    face = np.array([[0, 0, 1], [0.6, 0, 0.8], [0, 0.6, 0.8]], np.float32)
    for seed in range(25):
        rng = np.random.default_rng(seed)
        lamps, name = draw_light(rng, environment, rotate(1, rng.uniform(0, 360)), rng.uniform(0.3, 1.8))
        assert name == kind
        for part in (lamps.sh, lamps.place, lamps.power):
            assert np.isfinite(part).all()
        assert (lamps.power >= 0).all()
        assert (lamps.sh[0] > 0).all()
        assert 0 <= lamps.shadow[0] <= 1
        light = irradiance(lamps, face, np.array([0, 0, -0.7], np.float32))
        assert (light >= 0).all()
        assert light.max() > 0.01


def test_set_ups_occur_with_their_odds(environment):
    assert sum(ODDS.values()) == pytest.approx(1)
    rng, turn = np.random.default_rng(0), rotate(1, 30)
    count = Counter(draw_light(rng, environment, turn, 0.7)[1] for _ in range(1500))
    for kind, odds in ODDS.items():
        assert abs(count[kind] / 1500 - odds) < 4 * np.sqrt(odds * (1 - odds) / 1500)


def test_light_is_a_function_of_the_seed(environment):
    turn = rotate(1, 77)
    for seed in range(20):
        first, second = (draw_light(np.random.default_rng(seed), environment, turn, 0.6) for _ in range(2))
        third = draw_lamps(np.random.default_rng(seed), environment, turn, 0.6)
        assert first[1] == second[1]
        for lamps in (second[0], third):
            assert lamps.power.tobytes() == first[0].power.tobytes()
            assert lamps.sh.tobytes() == first[0].sh.tobytes()


def test_white_balance_takes_colour_but_not_light(environment, monkeypatch):
    monkeypatch.setattr("training.synth.places.light.ODDS", {"ceiling": 1.0})
    spread = []
    for seed in range(40):
        lamps, _ = draw_light(np.random.default_rng(seed), environment, EYE[:3, :3], 0.7)
        light = irradiance(lamps, np.array([[0, 0, 1]], np.float32), np.array([0, 0, -0.7], np.float32))[0]
        spread.append(float(light.max() / light.min()))
    assert 1.0 < np.median(spread) < 2.0


def backdrops(environment: Environment, count: int, light: bool) -> list[tuple[np.ndarray, str]]:
    out = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        turn = rotate(1, rng.uniform(0, 360))
        lit = draw_light(rng, environment, turn, 0.7) if light else None
        out.append(draw_backdrop(rng, environment, turn, *SIZE, TAN, lit))
    return out


def test_backdrops_are_sound_and_have_structure(environment):
    drawn = backdrops(environment, 120, True)
    assert {kind for _, kind in drawn} == set(backdrop.KINDS)
    flat = 0
    for image, _ in drawn:
        assert image.shape == (SIZE[1], SIZE[0], 3)
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= 0
        assert image.max() > 0
        luma = image @ LUMA
        flat += luma.std() < 0.02 * luma.mean()
    assert flat < 4


def test_backdrops_without_a_light_have_mean_one(environment):
    for image, _ in backdrops(environment, 12, False):
        assert 0.5 < float((image @ LUMA).mean()) < 1.01


def test_backdrops_are_functions_of_the_seed(environment):
    for (first, _), (second, _) in zip(
        backdrops(environment, 12, True), backdrops(environment, 12, True), strict=True
    ):
        assert first.tobytes() == second.tobytes()


def test_what_stands_near_is_at_the_sides_and_moves_nothing_else(environment, monkeypatch):
    """Drawn always and never: the same pictures but for things at the sides, black more often than not."""
    drawn = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(near, "ODDS", dict.fromkeys(backdrop.KINDS, share))
        monkeypatch.setattr(backdrop, "_draw_blur", lambda rng, width: 0.0)
        drawn.append(backdrops(environment, 90, True))
    changed = np.zeros(SIZE[::-1])
    darker = count = 0
    for (without, kind), (beside, same) in zip(*drawn, strict=True):
        assert kind == same
        assert np.isfinite(beside).all()
        assert beside.min() >= 0
        differs = np.abs(beside - without).max(2) > 0.01 * without.mean()
        changed += differs
        if differs.any():
            count += 1
            darker += beside[differs].mean() < without[differs].mean()
    assert count > 60
    assert darker > 0.6 * count
    third = SIZE[0] // 3
    sides = (changed[:, :third].mean() + changed[:, -third:].mean()) / 2
    assert sides > 1.2 * changed[:, third:-third].mean() > 0
    assert changed[-8:].mean() > 2 * changed[:8].mean()  # they stand on the floor


def test_the_room_is_as_bright_as_the_light_on_the_person(environment):
    levels = []
    for power in (1.0, 4.0):
        sh = np.zeros((9, 3), np.float32)
        sh[0] = power
        lamps = Lamps(sh, np.zeros((3, 4), np.float32), np.zeros((3, 3), np.float32), (0, 1))
        image, _ = draw_backdrop(
            np.random.default_rng(3), environment, EYE[:3, :3], *SIZE, TAN, (lamps, "flat")
        )
        levels.append(float(image.mean()))
    assert levels[1] / levels[0] == pytest.approx(4, rel=0.1)


def test_a_lamp_on_the_right_lights_the_wall_s_right(environment):
    lamps = lamps_of([([1.2, 0.3, -1.0, 1.0], [1, 1, 1])], (0.0, 1.0))
    setting = Setting(*SIZE, TAN, lamps, "window", environment, 1.0)
    for seed in range(6):
        room = build(np.random.default_rng(seed), setting, True)
        for face in room.faces:
            face.image[:] = 0.5
        light_up(np.random.default_rng(0), setting, room)
        image = see(setting, room)
        assert (image >= 0).all()
        wall = room.faces[BACK].image
        if room.low[0] < -1.5 and room.high[0] > 1.5:
            assert wall[:, wall.shape[1] // 2 :].mean() > 1.2 * wall[:, : wall.shape[1] // 2].mean()


@pytest.mark.parametrize("radius", [0.5, 1.0, 2.0, 4.0, 9.0])
def test_defocus_keeps_the_light_and_spreads_it(radius):
    image = np.zeros((72, 96, 3), np.float32)
    image[36, 48] = 100
    blurred = defocus(image, radius)
    assert blurred.sum() == pytest.approx(300, rel=0.05)
    if radius > 1.5:
        y, x = np.nonzero(blurred[..., 0] > 0.5 * blurred.max())
        assert np.ptp(x) == pytest.approx(2 * radius, abs=3.5)
        assert np.ptp(y) == pytest.approx(2 * radius, abs=3.5)


def test_shift_moves_right_and_down():
    image = np.zeros((40, 50, 3), np.float32)
    image[20, 20] = 1
    assert shift(image, 3, 2)[22, 23, 0] == pytest.approx(1)
