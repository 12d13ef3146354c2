"""The shadow of somebody on the walls behind: against rays cast one by one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.synth.gl import Lamps
from training.synth.places.cast import crossed, shade, share, walls
from training.synth.places.light import Environment
from training.synth.places.rooms import BEHIND, Figure, Room, Setting, build

SIZE = (64, 48)
TAN = (0.6, 0.45)
AWAY = 0.8
ENVIRONMENT = Environment("test", np.ones((4, 8, 3), np.float32), np.ones((4, 8, 3), np.float32))


def lamps_at(place: tuple[float, float, float], ambient: float = 0.5, strength: float = 1.0) -> Lamps:
    """One white lamp at a place and light from all round."""
    sh, where, power = np.zeros((9, 3)), np.zeros((3, 4)), np.zeros((3, 3))
    sh[0], where[0], power[0] = ambient, (*place, 1), 1
    return Lamps(*(np.float32(a) for a in (sh, where, power)), (strength, 1.0))


def doorway(lamps: Lamps, seed: int = 0) -> tuple[Setting, Room, Figure]:
    """A plain room with a flat rectangle in it."""
    cover = np.zeros(SIZE[::-1], np.float32)
    cover[16:40, 24:40] = 1
    figure = Figure(cover, AWAY)
    setting = Setting(*SIZE, TAN, lamps, "window", ENVIRONMENT, 1.0, figure)
    return setting, build(np.random.default_rng(seed), setting, True), figure


def test_a_wall_right_behind_is_right_behind() -> None:
    for seed in range(30):
        _, room, _ = doorway(lamps_at((0, 0, 0)), seed)
        assert BEHIND[0] <= -room.low[2] - AWAY <= BEHIND[1]


@pytest.mark.parametrize("place", [(-1.0, 0.2, 0.1), (0.4, 0.3, 0.1), (0.3, 0.1, -2.5)])
def test_a_place_is_dark_where_its_ray_meets_the_figure(place: tuple[float, float, float]) -> None:
    setting, room, figure = doorway(lamps_at(place), 3)
    at = walls(setting, room)
    found = crossed(figure, at, np.float32(place) - at, TAN, True)
    low, high = np.array([24, 16]) / SIZE * 2 - 1, np.array([40, 40]) / SIZE * 2 - 1
    wrong = 0
    for row in range(SIZE[1]):
        for column in range(SIZE[0]):
            start, end = at[row, column], np.float32(place)
            dark = False
            if (start[2] + AWAY) * (end[2] + AWAY) < 0:
                met = start + (end - start) * (-AWAY - start[2]) / (end[2] - start[2])
                x, y = met[0] / AWAY / TAN[0], -met[1] / AWAY / TAN[1]
                inside = low[0] < x < high[0] and low[1] < y < high[1]
                # What leaves the frame goes on as at its edge, which is empty here.
                dark = bool(inside)
            wrong += dark != (found[row, column] > 0.5)
    assert wrong < 0.005 * found.size
    assert (found > 0.5).any() == (place[2] > -2)  # a lamp behind the wall lights nothing


def test_the_shadow_takes_the_lamp_s_light_and_no_more() -> None:
    setting, room, figure = doorway(lamps_at((-0.6, 0.2, 0.3), 0.1))
    image = np.full((*SIZE[::-1], 3), 0.7, np.float32)
    out = shade(np.random.default_rng(1), image, setting, room, figure)
    assert out.max() <= 0.7 + 1e-6
    assert out.min() < 0.45
    beside = cv2.erode((figure.cover == 0).astype(np.uint8), np.ones((3, 3))) > 0
    dark = (out[..., 0] < 0.6) & beside
    assert dark[:, 40:].sum() > 3 * dark[:, :24].sum()  # the lamp is on the left
    part = share(setting, room, walls(setting, room))
    assert 0 < part.min() <= part.max() < 1


def test_nobody_throws_none() -> None:
    setting, room, figure = doorway(lamps_at((-0.6, 0.2, 0.3)))
    image = np.full((*SIZE[::-1], 3), 0.7, np.float32)
    nobody = Figure(np.zeros_like(figure.cover), AWAY)
    np.testing.assert_array_equal(shade(np.random.default_rng(1), image, setting, room, nobody), image)


def test_what_shines_by_itself_takes_no_shadow() -> None:
    setting, room, figure = doorway(lamps_at((-0.6, 0.2, 0.3), 0.1))
    image = np.full((*SIZE[::-1], 3), 5.0, np.float32)
    without = shade(np.random.default_rng(1), image, setting, room, figure)
    assert without.min() < 4
    for face in room.faces:
        height, width = face.image.shape[:2]
        face.glow.append((slice(0, height), slice(0, width), np.full(3, 5, np.float32)))
    np.testing.assert_allclose(
        shade(np.random.default_rng(1), image, setting, room, figure), image, rtol=1e-5
    )
