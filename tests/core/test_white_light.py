"""White light leaves a surface no colder than it came: skin lets red run furthest, and what a lit fold loses
of it would read as a blue, wet spot. And a tint leaves the room its shading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core import brdf, reference
from live_relight.core.frames import Geometry, Image
from live_relight.core.light import Light
from live_relight.core.look import MOST_TINT, Look
from tests.golden.scenes import ball_on_wall, head

WHITE = "#ffffff"


@pytest.mark.parametrize("kind", ["rim", "key", "fill", "point", "directional", "spot", "ambient"])
@pytest.mark.parametrize("scene", [ball_on_wall, head])
def test_white_lights_are_never_colder_than_they_came(
    kind: str, scene: Callable[[], tuple[Image, Geometry]]
) -> None:
    _, geometry = scene()
    geometry = replace(geometry, alpha=(geometry.depth < 1.09) * geometry.alpha)  # not the ball's wall
    light = Light.of(kind, power=1.5, color=WHITE)
    made = reference.light_map(geometry, geometry.guide, Look((light,), softness=1.0))[..., :3]
    assert made.max() > 0.1
    assert (made[..., 2] >= made[..., 1] - 1e-9).all()
    assert (made[..., 1] >= made[..., 0] - 1e-9).all()


def test_a_rim_light_is_white_where_it_is_bright() -> None:
    """Both normals are bent outward alike: with the soft one left as it was, red was a half less there."""
    _, geometry = head()
    light = Light.of("rim", power=1.5, color=WHITE)
    made = reference.light_map(geometry, geometry.guide, Look((light,)))[..., :3]
    bright = made[..., 1] > 0.5 * made[..., 1].max()
    red, blue = made[bright][:, 2].mean(), made[bright][:, 0].mean()
    assert red < 1.25 * blue


@given(st.lists(st.floats(-1, 2), min_size=3, max_size=3))
def test_warm_only_adds_and_only_to_green_and_red(matt: list[float]) -> None:
    made = brdf.warm(np.array(matt))
    assert made[0] == matt[0]
    assert (made >= matt).all()
    assert made[2] >= made[1] >= made[0]


@given(st.integers(0, 0xFFFFFF))
def test_no_channel_of_a_tint_grows_beyond_the_most(colour: int) -> None:
    tint = Look(background_tint=f"#{colour:06x}").tint
    assert max(tint) <= MOST_TINT + 1e-9


def test_a_pale_tint_keeps_the_rooms_luma() -> None:
    red, green, blue = Look(background_tint="#c0d8ff").tint
    assert 0.2126 * red + 0.7152 * green + 0.0722 * blue == pytest.approx(1.0)
