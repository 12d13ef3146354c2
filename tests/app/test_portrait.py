"""A real portrait, lit from either side: the cheek on the light's side gets brighter."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from live_relight.capture import open_source
from live_relight.cli import main
from live_relight.core import planes as plain
from live_relight.core import reference
from live_relight.core.arrange import PresentState, arrange, step
from live_relight.core.light import Light
from live_relight.core.present import fit
from live_relight.core.settings import Settings
from live_relight.relighter import Relighter
from live_relight.shade import guided

# Both cheeks of skimage.data.astronaut() (512 x 512): left and right as seen in the picture.
LEFT = (slice(124, 146), slice(186, 202))
RIGHT = (slice(124, 146), slice(246, 262))


def cheeks(image: np.ndarray) -> tuple[float, float]:
    return float(image[LEFT].mean()), float(image[RIGHT].mean())


def test_the_lit_cheek_is_on_the_lights_side(tmp_path: Path) -> None:
    portrait = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    source = tmp_path / "portrait.png"
    cv2.imwrite(str(source), portrait)
    lit = {}
    for az in (60, -60):
        target = tmp_path / f"{az}.png"
        assert main(["photo", str(source), str(target), "--light", f"key:az={az}", "--ambient", "0.5"]) == 0
        lit[az] = cv2.imread(str(target))
        assert lit[az].shape == portrait.shape
    before = cheeks(portrait)
    # Against the picture's own light, each cheek gains where the light is and not where it is not.
    gain = {
        az: [after / b for after, b in zip(cheeks(image), before, strict=True)] for az, image in lit.items()
    }
    assert gain[60][1] > 1.15 * gain[60][0], gain
    assert gain[-60][0] > 1.15 * gain[-60][1], gain
    # and between the two pictures the sides change places
    assert cheeks(lit[60])[1] > cheeks(lit[-60])[1] + 15
    assert cheeks(lit[-60])[0] > cheeks(lit[60])[0] + 15


def test_the_wall_is_not_lit(tmp_path: Path) -> None:
    portrait = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    source, target = tmp_path / "portrait.png", tmp_path / "out.png"
    cv2.imwrite(str(source), portrait)
    assert main(["photo", str(source), str(target), "--light", "key:az=60,power=2", "--ambient", "1"]) == 0
    out = cv2.imread(str(target)).astype(int)
    wall = (slice(20, 120), slice(330, 385))  # between hair and shuttle
    assert np.abs(out[wall] - portrait[wall]).mean() < 3.0


@pytest.mark.parametrize("look", ["key", "studio", "window", "auto"])
def test_no_halo_outside_the_person(look: str) -> None:
    """Relit from behind a dimmed room, the six pixels outside the person stay the room's, neither brighter
    nor darker; those that the camera itself mixed from both take their share of the light and no more."""
    source = open_source("demo", size=(1280, 720), pace=False)
    try:
        frames = [source.read() for _ in range(10)]
    finally:
        source.close()
    assert frames[-1] is not None
    image = frames[-1].image
    with Relighter(Settings(preset="studio" if look == "key" else look)) as relighter:
        geometry = relighter.geometry(image)
        key = [Light.of("key", az=60, power=1.6)] if look == "key" else None
        out = relighter.relight(image, key, geometry).astype(float)
        backdrop = reference.behind(arrange(relighter.look, step(PresentState(), fit(geometry), 0.0)))
    alpha = plain.apply(guided.matte(geometry), image / 255.0)
    alpha[:, 900:] = 0  # the shuttle model, which the network takes for somebody now and then
    person = alpha > 0.6
    gain = (out.sum(axis=2) + 1) / ((image * backdrop).sum(axis=2) + 1)
    outside, edge = _ring(alpha > 0.25), _ring(person)
    most = (1.03, 1.1, 1.06) if look == "key" else (1.04, 1.12, 1.08)  # a rim is at the edge itself
    assert np.percentile(gain[outside], 90) < most[0]
    assert np.percentile(gain[outside], 99) < most[1]
    assert np.percentile(gain[outside], 2) > 0.97
    assert gain[edge].mean() < most[2]
    assert np.percentile(gain[person], 90 if look == "auto" else 50) > 1.2  # while the person is lit


@pytest.mark.parametrize("learned", [0.0, 1.0])
def test_a_still_portrait_does_not_flicker(learned: float) -> None:
    """Under a camera's noise the light stays: what each patch of the person is multiplied by."""
    portrait = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1]).astype(float)
    rng, gains = np.random.default_rng(3), []
    with Relighter(Settings(preset="studio", learned=learned)) as relighter:
        for k in range(16):
            noisy = np.clip(portrait + rng.normal(0, 3, portrait.shape), 0, 255).astype(np.uint8)
            lit, geometry = relighter.follow(noisy, k / 30)
            if k >= 6:
                gains.append(patches(lit) / np.maximum(patches(noisy), 20))
        person = cv2.resize(geometry.alpha, (32, 32), interpolation=cv2.INTER_AREA) > 0.95
    change = np.diff(np.array(gains), axis=0)[:, person]
    assert person.sum() > 100
    assert np.sqrt(np.mean(change**2)) < 0.004
    assert np.percentile(np.abs(change), 99) < 0.02


def patches(image: np.ndarray) -> np.ndarray:
    """Mean brightness of 16 x 16 pixels each."""
    return image.mean(axis=2).reshape(32, 16, 32, 16).mean(axis=(1, 3))


def _ring(inside: np.ndarray) -> np.ndarray:
    """The six pixels outside, as a mask; not beside the picture's right third."""
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    ring = (distance > 0) & (distance <= 6)
    ring[:, 880:] = False
    return ring
