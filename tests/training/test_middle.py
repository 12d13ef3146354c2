"""A crop as a camera sees it that looks at the crop's middle."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.losses import Weights, agreement_loss, total_loss
from training.middle import axes, nearer, to_camera, to_middle

WIDTH, HEIGHT = 24, 16
places = st.floats(-60, 80)
cameras = st.tuples(st.floats(12, 200), places, places).map(lambda c: torch.tensor([c]))


def rays(camera: torch.Tensor) -> torch.Tensor:
    """[3,H,W] through every pixel, one unit along -z."""
    f, cx, cy = camera[0]
    u = ((torch.arange(WIDTH) - cx) / f).expand(HEIGHT, WIDTH)
    v = ((cy - torch.arange(HEIGHT)) / f)[:, None].expand(HEIGHT, WIDTH)
    return torch.stack([u, v, -torch.ones(HEIGHT, WIDTH)])


@settings(max_examples=50, deadline=None)
@given(cameras)
def test_the_middle_s_ray_becomes_the_axis_and_nothing_else_is_bent(camera):
    turn = axes(camera, (WIDTH, HEIGHT))[0]
    f, cx, cy = camera[0]
    ray = torch.stack([((WIDTH - 1) / 2 - cx) / f, (cy - (HEIGHT - 1) / 2) / f, torch.tensor(-1.0)])
    assert torch.allclose(turn @ (ray / ray.norm()), torch.tensor([0.0, 0.0, -1.0]), atol=1e-5)
    assert torch.allclose(turn @ turn.T, torch.eye(3), atol=1e-5)
    assert torch.det(turn) == pytest.approx(1, abs=1e-5)


@settings(max_examples=50, deadline=None)
@given(cameras)
def test_distances_are_those_along_the_turned_axis(camera):
    turn, points = axes(camera, (WIDTH, HEIGHT)), rays(camera) * 2.0
    along = -torch.einsum("ij,jhw->ihw", turn[0], points)[2]
    told = torch.exp(nearer(camera, turn, (WIDTH, HEIGHT))[0, 0]) * 2.0
    seen = along > 0.2  # elsewhere it is bounded: no lens sees that far round
    assert torch.allclose(told[seen], along[seen], rtol=1e-4)


@settings(max_examples=30, deadline=None)
@given(cameras, st.integers(0, 2**16))
def test_there_and_back_is_where_it_was(camera, seed):
    chance = torch.Generator().manual_seed(seed)
    normal = torch.nn.functional.normalize(torch.randn(1, 3, HEIGHT, WIDTH, generator=chance), dim=1)
    depth = torch.randn(1, 1, HEIGHT, WIDTH, generator=chance)
    back = to_camera(*to_middle(normal, depth, camera), camera)
    assert torch.allclose(back[0], normal, atol=1e-5)
    assert torch.allclose(back[1], depth, atol=1e-4)


def test_a_whole_picture_is_left_alone():
    camera = torch.tensor([[30.0, (WIDTH - 1) / 2, (HEIGHT - 1) / 2]])
    normal, depth = torch.randn(1, 3, HEIGHT, WIDTH), torch.randn(1, 1, HEIGHT, WIDTH)
    made = to_camera(normal, depth, camera)
    assert torch.allclose(made[0], normal, atol=1e-6)
    assert torch.allclose(made[1], depth, atol=1e-6)


def test_what_faces_the_eye_faces_it_in_every_crop():
    """A patch that faces the eye is told as (0, 0, 1) wherever in the picture it was cut out."""
    for cx, cy in ((-40.0, 5.0), (70.0, -20.0), (11.5, 7.5)):
        camera = torch.tensor([[40.0, cx, cy]])
        towards = torch.nn.functional.normalize(-rays(camera), dim=0)[None]
        told, _ = to_middle(towards, torch.zeros(1, 1, HEIGHT, WIDTH), camera)
        middle = told[0, :, HEIGHT // 2 - 1 : HEIGHT // 2 + 1, WIDTH // 2 - 1 : WIDTH // 2 + 1].mean((1, 2))
        assert torch.allclose(middle, torch.tensor([0.0, 0.0, 1.0]), atol=0.01)


def test_the_loss_asks_for_the_middle_s_axes():
    """A plane in a crop from the side: what is right in the middle's axes costs nothing, what is right in the
    camera's own does."""
    camera = torch.tensor([[40.0, -30.0, 20.0]])
    normal = torch.nn.functional.normalize(torch.tensor([0.2, -0.3, 1.0]), dim=0)
    facing = -(normal.view(3, 1, 1) * rays(camera)).sum(0)
    normal = normal.view(1, 3, 1, 1).expand(1, 3, HEIGHT, WIDTH)
    depth = -torch.log(facing)[None, None]
    ones = torch.ones(1, 1, HEIGHT, WIDTH)
    truth = {"normal": normal, "log_depth": depth, "camera": camera}
    truth |= dict.fromkeys(("alpha", "mask", "weight"), ones)
    assert agreement_loss(depth, normal, camera, ones) < 0.02
    logit = torch.full((1, 1, HEIGHT, WIDTH), 20.0)
    right = total_loss(torch.cat([*to_middle(normal, depth, camera), logit], 1), truth, Weights())[0]
    wrong = total_loss(torch.cat([normal, depth, logit], 1), truth, Weights())[0]
    assert right < 0.02 < wrong
