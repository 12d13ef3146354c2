"""Stored pictures of every preset and every kind of light, so that a change of look is seen.

`make golden` draws them anew: look at them before they are committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from live_relight import presets
from live_relight.core import present, reference
from live_relight.core.arrange import PresentState, arrange, step
from live_relight.core.light import KINDS, Light
from live_relight.core.look import Look
from live_relight.shade.opengl import OpenGLShader
from live_relight.shelf import FileShelf
from tests.golden.scenes import SCENES

pytestmark = [pytest.mark.golden, pytest.mark.gl]
PICTURES = Path(__file__).parent / "pictures"
TOLERANCE = 2  # rasterisers round differently

DIM = 0.15
LIGHTS: dict[str, tuple[Light, ...]] = {
    "key": (Light.of("key"),),
    "key-small": (Light.of("key", az=-55, size=0.05),),
    "key-no-shadow": (Light.of("key", az=-55, shadow=False),),
    "fill": (Light.of("fill", power=1.0),),
    "rim": (Light.of("rim", power=1.5),),
    "rim-shadow": (Light.of("rim", power=1.5, shadow=True),),
    "point": (Light.of("point", az=30, el=50, dist=0.6),),
    "near": (Light.of("point", az=35, el=25, dist=0.3, size=0.12, shadow=True),),
    "directional": (Light.of("directional", kelvin=4000),),
    "spot": (Light.of("spot", cone=25),),
    "area-rect": (Light.of("area"),),
    "area-disk": (Light.of("area", az=-60, shape="disk", size=0.5, aspect=2.0),),
    "ambient": (Light.of("ambient", power=0.8),),
    **{f"env-{name}": (Light.of("env", file=name),) for name in ("softboxes", "window", "neon", "sunset")},
    "env-turned": (Light.of("env", file="window", az=180),),
}
LOOKS = {name: Look(lights, DIM) for name, lights in LIGHTS.items()} | {
    "blurred": Look((Light.of("key"),), 0.5, background=0.6, background_blur=0.7),
    "tinted": Look((Light.of("key"),), 0.5, background=0.5, background_tint="#3050ff"),
    "polished": Look((Light.of("key"),), DIM, specular=1.0, roughness=0.25),
    "hard-lambert": Look((Light.of("key"),), DIM, softness=0.0, specular=0.0),
    "oren-nayar": Look((Light.of("key"),), DIM, diffuse="oren-nayar", roughness=1.0),
    "evened": Look((Light.of("key"),), 0.5, delight=1.0),
    **{f"preset-{name}": presets.load(name).look for name in presets.ORDER},
}


@pytest.fixture(scope="module")
def shader() -> Iterator[OpenGLShader]:
    made = OpenGLShader()
    yield made
    made.close()


def test_every_kind_is_here() -> None:
    assert {light.kind for lights in LIGHTS.values() for light in lights} == set(KINDS)


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("scene", SCENES)
def test_looks_as_it_did(
    shader: OpenGLShader, scene: str, name: str, update_golden: bool, tmp_path: Path
) -> None:
    image, geometry = SCENES[scene]()
    if scene == "ball" and name.startswith("rim"):  # which follows a silhouette
        geometry = replace(geometry, alpha=(geometry.depth < 1.09).astype(np.float32))
    there = step(PresentState(), present.fit(geometry), 0.0)
    look = arrange(LOOKS[name], there)
    out = shader.shade(image, geometry, look, present=there.present)
    if not look.background_blur:
        plain = reference.relight(image, image, geometry, look, shelf=FileShelf(), found=there.present)
        assert np.abs(out.astype(int) - plain).max() <= TOLERANCE
    stored = PICTURES / f"{scene}-{name}.png"
    if update_golden:
        PICTURES.mkdir(exist_ok=True)
        cv2.imwrite(str(stored), out)
        return
    expected = cv2.imread(str(stored))
    assert expected is not None, f"{stored} is missing: make golden"
    difference = np.abs(out.astype(int) - expected)
    cv2.imwrite(str(tmp_path / "difference.png"), np.clip(difference * 40, 0, 255).astype(np.uint8))
    assert difference.max() <= TOLERANCE, f"see {tmp_path / 'difference.png'} (forty times too bright)"
