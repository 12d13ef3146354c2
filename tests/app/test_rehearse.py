"""What a driver compiles is compiled before the first frame, and nothing but it changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from live_relight import presets
from live_relight.core import governor
from live_relight.core.frames import Geometry, Image
from live_relight.core.look import Look
from live_relight.core.present import Present
from live_relight.geometry import light_net
from live_relight.geometry.analytic import sphere
from live_relight.rehearse import rehearse, turned
from live_relight.shade.opengl import OpenGLShader

pytestmark = pytest.mark.gl


class Quarter:
    """An estimator that sees a ball, at a quarter of the picture's width and less."""

    name = "ball"

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        h, w = image.shape[:2]
        return sphere((round(w / 4 * share**0.5), round(h / 4 * share**0.5)))

    def close(self) -> None: ...


def programs(shader: OpenGLShader) -> set[object]:
    """What the shader has compiled."""
    return set(shader._painter._programs)


def test_no_preset_and_no_quality_makes_a_new_program_after_it() -> None:
    shader = OpenGLShader(on_grid=True)
    try:
        rehearse(shader, Quarter(), presets.shipped_looks(), (640, 360), governor.RUNGS)
        before = programs(shader)
        assert len(before) > 4
        image, geometry = np.full((360, 640, 3), 90, np.uint8), sphere((160, 96))
        for look in presets.shipped_looks():
            for quality, steps in governor.STEPS.items():
                shader.shade(image, geometry, look, steps, Present(), fine=quality in governor.FINE)
        studio = presets.shipped_looks()[0]
        for k, light in enumerate(studio.lights):
            lights = (*studio.lights[:k], replace(light, on=False), *studio.lights[k + 1 :])
            shader.shade(image, geometry, replace(studio, lights=lights), present=Present())
        assert programs(shader) == before
        look = presets.load("studio").look
        shader.shade(image, geometry, replace(look, diffuse="oren-nayar"))
        assert programs(shader) > before  # the count counts
    finally:
        shader.close()


def test_the_light_network_s_parts_of_a_look_are_rehearsed_too() -> None:
    shader = OpenGLShader(on_grid=True, light_net=light_net.live)
    levels = (*governor.RUNGS[::-1], governor.LEARNED)
    studio = presets.load("studio").look
    try:
        rehearse(shader, Quarter(), [studio, *presets.shipped_looks()], (640, 360), levels)
        before = programs(shader)
        assert any("learned.frag" in str(key) for key in before)
        image, geometry = np.full((360, 640, 3), 90, np.uint8), sphere((160, 96))
        for look in [*presets.shipped_looks(), *turned(studio)]:
            for learned in (0.4, 1.0):
                shader.shade(image, geometry, replace(look, learned=learned), present=Present())
        assert programs(shader) == before
    finally:
        shader.close()


def test_what_was_rehearsed_is_not_seen() -> None:
    look, geometry = presets.load("window").look, sphere((160, 96))
    image = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    pictures = []
    for looks in ([], presets.shipped_looks()):
        shader = OpenGLShader(on_grid=True)
        try:
            rehearse(shader, Quarter(), looks, (640, 360), ("high", "low"))
            pictures.append(shader.shade(image, geometry, look))
        finally:
            shader.close()
    np.testing.assert_array_equal(*pictures)


def test_a_card_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shader = OpenGLShader(on_grid=False, refine="cpu")
    try:
        monkeypatch.setattr(shader, "shade", None)
        rehearse(shader, Quarter(), presets.shipped_looks(), (640, 360), ("high",))
    finally:
        shader.close()


def test_every_look_is_drawn_at_every_size_of_the_geometry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver compiles for a size, too: whether it is a power of two counts."""
    drawn = []
    shader = OpenGLShader(on_grid=True)

    def note(image: Image, geometry: Geometry, look: Look, **rest: object) -> Image:
        drawn.append((geometry.size, look))
        return image

    monkeypatch.setattr(shader, "shade", note)
    looks = presets.shipped_looks()
    try:
        rehearse(shader, Quarter(), [looks[1], *looks], (640, 360), governor.RUNGS[::-1])
    finally:
        shader.close()
    sizes = {Quarter().estimate(np.zeros((360, 640, 3), np.uint8), governor.SHARES[q]).size
             for q in governor.RUNGS}  # fmt: skip
    assert len(sizes) == 3
    assert {(size, look) for size in sizes for look in looks} <= set(drawn)
    assert len(drawn) == len(set(drawn)) == 3 * len(looks) + len(looks[1].lights)


def test_the_user_s_presets_are_left_alone(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "live-relight" / "presets"
    folder.mkdir(parents=True)
    (folder / "window.toml").write_text("lights = 3")
    monkeypatch.setattr(presets, "user_folder", lambda: folder)
    assert [look.untouched for look in presets.shipped_looks()] == [False, False, False, True]
