"""What MediaPipe's mesh says, in the axes of the camera that took the picture."""

from __future__ import annotations

import numpy as np
import pytest

from training.peers import line_of_sight
from training.real import FOV, camera_of

CAMERA = np.array([200.0, 127.5, 95.5], np.float32)


@pytest.mark.parametrize("where", [(127.5, 95.5), (20.0, 95.5), (127.5, 10.0), (240.0, 180.0)])
def test_a_face_that_looks_into_the_lens_has_normals_toward_it(where: tuple[float, float]) -> None:
    turn = line_of_sight(*where, CAMERA)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    place = np.array([(where[0] - 127.5) / 200, (95.5 - where[1]) / 200, -1.0]) * 0.8  # metres from the lens
    toward = -place / np.linalg.norm(place)
    np.testing.assert_allclose(turn @ np.array([0.0, 0.0, 1.0]), toward, atol=1e-6)


def test_up_stays_up_of_what_is_straight_above() -> None:
    side = line_of_sight(127.5, 10.0, CAMERA) @ np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(side, [1, 0, 0], atol=1e-6)


def test_the_field_of_view_is_across_the_longer_side_of_the_whole_frame() -> None:
    focal = camera_of((256, 192), 4 / 3)[0]
    assert np.degrees(2 * np.arctan(128 / focal)) == pytest.approx(FOV)
    cut = camera_of((256, 192), 16 / 9)[0]  # the middle of a wide frame: its sides are gone
    assert cut == pytest.approx(focal * 4 / 3)
    assert camera_of((256, 192), 1.0)[0] == pytest.approx(focal)  # a square one lost its top and bottom
    upright = camera_of((256, 192), 9 / 16)[0]  # 256 of its 455 rows are there
    assert np.degrees(2 * np.arctan(256 * 16 / 9 / 2 / upright)) == pytest.approx(FOV)
