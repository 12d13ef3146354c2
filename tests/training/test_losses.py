"""Losses, metrics, baselines and schedules on cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training import metrics
from training.baselines import flat_normals, sphere_normals
from training.losses import (
    Weights,
    agreement_loss,
    angle_loss,
    gradient_loss,
    relief_loss,
    shade_loss,
    sureness_loss,
    teacher_loss,
    total_loss,
)
from training.schedule import PHASES, average_at, phase_at, rate_at


def truth_of(mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """A tilted plane under a pinhole camera, with the given mask [B,1,H,W]."""
    b, _, h, w = mask.shape
    camera = torch.tensor([[60.0, (w - 1) / 2, (h - 1) / 2]]).repeat(b, 1)
    n = torch.tensor([0.3, -0.2, 0.93])
    n = n / n.norm()
    u = (torch.arange(w) - camera[0, 1]) / camera[0, 0]
    v = (camera[0, 2] - torch.arange(h)) / camera[0, 0]
    facing = n[2] - n[0] * u.view(1, -1) - n[1] * v.view(-1, 1)
    log_depth = torch.log(n[2] / facing).expand(b, 1, h, w)
    normal = n.view(1, 3, 1, 1).expand(b, 3, h, w).contiguous()
    return {
        "normal": normal,
        "log_depth": log_depth,
        "alpha": mask,
        "mask": mask,
        "weight": mask,
        "hand": torch.zeros_like(mask),
        "camera": camera,
    }


def perfect(truth: dict[str, torch.Tensor]) -> torch.Tensor:
    logit = (truth["alpha"] * 2 - 1) * 40
    return torch.cat([truth["normal"], truth["log_depth"], logit], 1)


def test_perfect_predictions_cost_nothing():
    mask = torch.zeros(2, 1, 32, 48)
    mask[:, :, 8:24, 10:40] = 1
    total, terms = total_loss(perfect(truth_of(mask)), truth_of(mask), Weights())
    assert float(total) < 5e-3, terms


@pytest.mark.parametrize("ahead", [0.1, 0.3, 0.6])
def test_a_hand_that_does_not_stand_out_has_something_to_learn_from(ahead):
    truth = torch.zeros(1, 1, 48, 64)
    hand = torch.zeros_like(truth, dtype=torch.bool)
    hand[..., 16:32, 24:40] = True
    truth[hand] = -ahead
    flat = torch.zeros_like(truth, requires_grad=True)
    gradient_loss(flat, truth, torch.ones_like(truth)).backward()
    assert flat.grad is not None
    assert float(flat.grad[hand].min()) >= 0  # nearer is better, everywhere on it
    assert float(flat.grad[hand].sum()) > 0
    ones, still = torch.ones_like(truth), torch.zeros_like(truth)
    half = gradient_loss(still - 0.5 * ahead * hand, truth, ones)
    assert float(half) < 0.6 * float(gradient_loss(still, truth, ones))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_degenerate_masks_stay_finite(value):
    truth = truth_of(torch.full((1, 1, 32, 32), value))
    raw = torch.randn(1, 5, 32, 32, requires_grad=True)
    total, _ = total_loss(raw, truth, Weights())
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_joint_networks_terms_stay_finite(value):
    truth = truth_of(torch.full((1, 1, 32, 32), value))
    truth |= {"shade": torch.randn(1, 1, 32, 32), "shade_mask": truth["mask"]}
    raw = torch.randn(1, 7, 32, 32, requires_grad=True)
    total, terms = total_loss(raw, truth, Weights(angle=1.0))
    total.backward()
    assert {"sure", "shade", "angle"} <= set(terms)
    assert torch.isfinite(total)
    assert torch.isfinite(raw.grad).all()


def test_angle_loss_is_about_the_angle():
    degrees = torch.tensor([10.0, 30.0])
    turned = torch.stack([torch.sin(torch.deg2rad(degrees)), degrees * 0, torch.cos(torch.deg2rad(degrees))])
    facing = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    found = angle_loss(turned.view(1, 3, 1, 2), facing, torch.ones(1, 1, 1, 2))
    assert float(found) == pytest.approx(float(torch.deg2rad(degrees).mean()), rel=0.02)


def test_kappa_falls_as_the_angle_grows_and_leaves_normals_alone():
    kappas = torch.logspace(-2, 3, 400)
    best = []
    for degrees in (5.0, 15.0, 40.0):
        angle = torch.deg2rad(torch.tensor(degrees))
        pred = torch.stack([torch.sin(angle), angle * 0, torch.cos(angle)]).view(1, 3, 1, 1).requires_grad_()
        truth, one = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1), torch.ones(1, 1, 1, 1)
        losses = [sureness_loss(k.view(1, 1, 1, 1), pred, truth, one) for k in kappas]
        assert not losses[0].requires_grad
        best.append(float(kappas[int(torch.stack(losses).argmin())]))
    assert best[0] > 2 * best[1] > 4 * best[2]


def test_shade_loss_does_not_ask_for_the_level():
    truth, mask = torch.randn(2, 1, 16, 16), torch.ones(2, 1, 16, 16)
    assert float(shade_loss(truth + 0.7, truth, mask)) < 1e-6
    assert float(shade_loss(1.2 * truth, truth, mask)) > 0.05


def test_agreement_notices_a_wrong_slope():
    truth = truth_of(torch.ones(1, 1, 32, 48))
    right = agreement_loss(truth["log_depth"], truth["normal"], truth["camera"], truth["mask"])
    # Where the labels themselves part nothing is asked.
    step = truth["log_depth"].clone()
    step[..., step.shape[-1] // 2 :] += 0.5
    told = step, truth["normal"]
    asked = agreement_loss(step, truth["normal"], truth["camera"], truth["mask"], told)
    assert asked < right + 1e-6 < agreement_loss(step, truth["normal"], truth["camera"], truth["mask"])
    wrong = agreement_loss(-truth["log_depth"], truth["normal"], truth["camera"], truth["mask"])
    assert float(right) < 1e-2 < 0.2 < float(wrong)


def test_worse_predictions_cost_more():
    truth = truth_of(torch.ones(1, 1, 32, 48))
    tilted = truth["normal"] + torch.tensor([0.3, 0.0, 0.0]).view(1, 3, 1, 1)
    raw = perfect({**truth, "normal": tilted})
    assert total_loss(raw, truth, Weights())[1]["normal"] > 0.05


def test_a_face_smoothed_away_costs_relief():
    """Mean normals instead of a bump's: the angle is small, the relief is all gone."""
    truth = truth_of(torch.ones(1, 1, 32, 48))
    bump = torch.zeros(1, 3, 32, 48)
    bump[..., 8:16], bump[..., 16:24] = -0.3, 0.3
    bump[:, 1:] = 0
    turned = torch.nn.functional.normalize(truth["normal"] + bump, dim=1)
    flat = truth["normal"]
    none = relief_loss(turned, turned, truth["weight"])
    lost = relief_loss(flat, turned, truth["weight"])
    shifted = relief_loss(turned + torch.tensor([0.2, 0, 0]).view(1, 3, 1, 1), turned, truth["weight"])
    assert float(none) == 0
    assert float(lost) > 0.02
    assert float(shifted) < 1e-6  # the same relief, turned as a whole: the angle's own business


def test_schedules():
    assert rate_at(0.0) < 0.1
    assert rate_at(0.03) == pytest.approx(1.0)
    assert rate_at(1.0) == pytest.approx(0.01)
    rates = [rate_at(x) for x in np.linspace(0.05, 1, 50)]
    assert rates == sorted(rates, reverse=True)
    assert phase_at(0.0) == PHASES[0]
    assert phase_at(1.0) == PHASES[-1]
    assert all(w % 32 == 0 and h % 32 == 0 for phase in PHASES for w, h in phase.sizes)
    assert average_at(0) < 0.2 < 0.99 < average_at(100000) < 1


def test_metrics_on_known_values():
    mask = np.ones((4, 4), np.float32)
    up = flat_normals(mask)
    tilted = np.zeros_like(up)
    tilted[..., 0], tilted[..., 2] = np.sin(np.radians(20)), np.cos(np.radians(20))
    found = metrics.summarise([metrics.angles(tilted, up, mask)])
    assert found["mean"] == pytest.approx(20, abs=1e-3)
    assert (found["within_11.25"], found["within_22.5"]) == (0, 1)
    depth = np.linspace(1, 2, 16, dtype=np.float32).reshape(4, 4)
    assert metrics.depth_error(3 * depth, depth, mask) == pytest.approx(0, abs=1e-6)
    assert metrics.iou(mask, mask) == 1
    assert metrics.iou(mask * 0, mask) == 0


def test_sphere_baseline_on_a_sphere():
    y, x = np.mgrid[:80, :80]
    u, v = (x - 40) / 30, -(y - 40) / 30
    mask = ((u * u + v * v) < 1).astype(np.float32)
    z = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
    truth = np.stack([u, v, z], -1)
    truth = (truth / np.linalg.norm(truth, axis=-1, keepdims=True)).astype(np.float32)
    inner = ((u * u + v * v) < 0.8).astype(np.float32)
    assert metrics.summarise([metrics.angles(sphere_normals(mask), truth, inner)])["mean"] < 2


def test_a_teacher_is_met_where_it_says_the_same():
    mask = torch.zeros(2, 1, 8, 9)
    mask[..., 2:6, 3:7] = 1
    truth, told = truth_of(mask), torch.randn(2, 5, 8, 9)
    assert teacher_loss(told, told, truth) < 0.02
    farther, turned, thinner = told.clone(), told.clone(), told.clone()
    farther[:, 3] += 0.5  # of another mean alone: nobody can know
    assert teacher_loss(farther, told, truth) == pytest.approx(
        float(teacher_loss(told, told, truth)), abs=1e-5
    )
    turned[:, :3] *= -1
    thinner[:, 4] -= 3
    outside = told.clone()
    outside[..., 7, 8] += torch.tensor([9.0, -9.0, 9.0, 9.0, 0.0])
    assert teacher_loss(turned, told, truth) > 1.5
    assert teacher_loss(thinner, told, truth) > 0.2
    assert teacher_loss(thinner, told, truth, matte=0.0) == teacher_loss(told, told, truth, matte=0.0)
    assert teacher_loss(outside, told, truth) == teacher_loss(told, told, truth)
    assert torch.isfinite(teacher_loss(told, turned, truth_of(torch.zeros(2, 1, 8, 9))))


def test_a_teacher_is_not_asked_about_hands():
    mask = torch.ones(1, 1, 40, 48)
    truth, told = truth_of(mask), torch.randn(1, 5, 40, 48)
    truth["hand"][..., 10:14, 10:14] = 1
    beside, far = told.clone(), told.clone()
    beside[:, :4, 8:18, 6:18] = torch.randn(4, 10, 12)
    far[:, :4, 30:34, 36:40] = torch.randn(4, 4, 4)
    same = float(teacher_loss(told, told, truth))
    assert float(teacher_loss(beside, told, truth)) == pytest.approx(same, abs=1e-6)
    assert float(teacher_loss(far, told, truth)) > same + 1e-3
    matte = told.clone()
    matte[:, 4, 10:14, 10:14] += 3  # of the matte it is
    assert float(teacher_loss(matte, told, truth)) > same + 1e-4


def test_labels_of_shape_may_count_less_where_no_hand_is():
    truth = truth_of(torch.ones(1, 1, 40, 48))
    truth["hand"][..., 10:14, 10:14] = 1
    good = torch.cat([truth["normal"] * 5, truth["log_depth"], torch.full((1, 1, 40, 48), 9.0)], 1)
    beside, far = good.clone(), good.clone()
    beside[:, :4, 8:18, 6:18] = torch.randn(4, 10, 12)
    far[:, :4, 30:40, 34:46] = torch.randn(4, 10, 12)

    def cost(raw, share):
        return float(total_loss(raw, truth, Weights(elsewhere=share))[0])

    assert cost(far, 0.0) == pytest.approx(cost(good, 0.0), abs=1e-5)
    assert cost(good, 0.0) < cost(far, 0.2) < cost(far, 1.0)
    assert cost(beside, 0.0) > cost(beside, 1.0)  # the same errors, of fewer pixels
