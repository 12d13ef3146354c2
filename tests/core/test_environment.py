"""Environments light as direct integration says, from the side that their picture says."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live_relight.core import brdf, environment, surroundings
from live_relight.core.environment import Environment, directions, irradiance, make, radiance, specular
from live_relight.core.errors import LiveRelightError, UsageError
from live_relight.core.light import Light
from live_relight.core.planes import LUMA
from live_relight.core.surroundings import BUILT_IN

Floats = npt.NDArray[np.float64]
ROUND = directions(40, 20).reshape(-1, 3)
VIEW = np.array([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def made() -> dict[str, Environment]:
    return {name: make(paint(), name) for name, paint in BUILT_IN.items()}


def solid(height: int) -> Floats:
    """height x 1: share of all directions of a pixel, times the width."""
    return -np.diff(np.sin(np.linspace(np.pi / 2, -np.pi / 2, height + 1)))[:, None] / 2


def patch(az: float, el: float, size: float = 15.0) -> Floats:
    """64 x 128 x 3: black but for a round patch of white."""
    seen = directions(128, 64) @ Light("directional", az=az, el=el).direction
    return np.repeat((seen > np.cos(np.radians(size)))[..., None].astype(float), 3, axis=2)


def decode(path: Path) -> npt.NDArray[np.float32]:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise UsageError(f"environment {path}", "something that does not decode")
    return np.asarray(pixels, np.float32)


# Matt


def test_uniform_light_is_exactly_one() -> None:
    even = make(np.full((50, 100, 3), 0.3))
    np.testing.assert_allclose(irradiance(even, ROUND, 33), 1.0, atol=1e-6)
    for roughness in (0.1, 0.37, 1.0):
        np.testing.assert_allclose(radiance(even, ROUND, roughness, -70), 1.0, atol=1e-6)


@settings(max_examples=15)
@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8), st.integers(0, 2**31))
def test_matt_light_is_the_integral_of_a_smooth_environment(terms: list[float], seed: int) -> None:
    toward = directions(128, 64)
    bumps = np.random.default_rng(seed).normal(size=(8, 3))
    bumps /= np.linalg.norm(bumps, axis=-1, keepdims=True)
    picture = 0.2 + sum(
        (1 + term) * np.exp(1.5 * (toward @ bump - 1)) for term, bump in zip(terms, bumps, strict=True)
    )
    picture = picture[..., None] * np.array([0.4, 1.0, 1.4])
    picture /= (picture @ np.asarray(LUMA) * solid(64)).sum() / 128
    cosine = np.maximum(np.einsum("hwc,nc->nhw", toward, ROUND[::7]), 0.0)
    direct = np.einsum("nhw,hwc,hx->nc", cosine, picture, solid(64)) / 128 * 4
    found = irradiance(make(picture), ROUND[::7])
    np.testing.assert_allclose(found, direct, rtol=0.03)


@pytest.mark.parametrize("name", BUILT_IN)
def test_matt_light_is_near_the_integral_of_any(made: dict[str, Environment], name: str) -> None:
    picture = BUILT_IN[name]()
    picture /= (picture @ np.asarray(LUMA) * solid(64)).sum() / 128
    cosine = np.maximum(np.einsum("hwc,nc->nhw", directions(128, 64), ROUND), 0.0)
    direct = np.einsum("nhw,hwc,hx->nc", cosine, picture, solid(64)) / 128 * 4
    found = irradiance(made[name], ROUND)
    assert found.min() >= 0.0
    # Nine harmonics leave out what only small lights have; the mean over a ball is what one sees.
    assert np.abs(found - direct).mean() < 0.05 * direct.mean()
    assert np.abs(found - direct).max() < 0.12 * direct.max()


def test_matt_light_is_never_negative() -> None:
    spot = make(patch(30, 10, 3.0))
    found = irradiance(spot, ROUND)
    assert found.min() >= 0.0
    toward = ROUND @ Light("directional", az=30, el=10).direction
    assert found[toward < -0.3].max() < 0.25 * np.sqrt(found.max())


# Which way round


@pytest.mark.parametrize(("az", "el"), [(0, 0), (90, 0), (-90, 20), (45, -30), (180, 0), (0, 80)])
def test_light_comes_from_where_the_picture_has_it(az: float, el: float) -> None:
    env = make(patch(az, el))
    toward = Light("directional", az=az, el=el).direction
    assert ROUND[irradiance(env, ROUND)[:, 0].argmax()] @ toward > 0.97
    assert radiance(env, toward, 0.2).min() > 10 * radiance(env, -toward, 0.2).max()
    # In a mirror it is half way between us and the light.
    facing = toward + VIEW
    if np.linalg.norm(facing) > 0.5:
        facing /= np.linalg.norm(facing)
        assert specular(env, facing, VIEW, 0.2, 0.04).min() > 1.0


def test_the_centre_of_the_picture_is_the_camera_and_right_is_right() -> None:
    middle, right = np.zeros((32, 64, 3)), np.zeros((32, 64, 3))
    middle[14:18, 30:34] = 1.0
    right[14:18, 46:50] = 1.0
    front, side = irradiance(make(middle), np.eye(3)), irradiance(make(right), np.eye(3))
    assert front[2].min() > 5 * front[:2].max()
    assert side[0].min() > 5 * side[1:].max()


@given(st.floats(-180, 180), st.floats(-180, 180))
def test_turning_the_environment_is_turning_the_surface_back(az: float, by: float) -> None:
    env = make_once()
    back = environment.turned(ROUND, by)
    np.testing.assert_allclose(irradiance(env, ROUND, az + by), irradiance(env, back, az), atol=1e-6)
    np.testing.assert_allclose(radiance(env, ROUND, 0.3, az + by), radiance(env, back, 0.3, az), atol=1e-4)


def make_once() -> Environment:
    return surroundings.load("neon", decode)


@pytest.mark.parametrize("az", [-150.0, -40.0, 75.0])
def test_az_is_a_lights_azimuth(az: float) -> None:
    env = make(patch(0, 0))
    toward = Light("directional", az=az).direction
    assert ROUND[irradiance(env, ROUND, az)[:, 0].argmax()] @ toward > 0.97
    np.testing.assert_allclose(
        radiance(env, toward, 0.1, az), radiance(env, np.array([0.0, 0.0, 1.0]), 0.1), rtol=1e-5
    )


# Glossy


def lobe(normal: Floats, view: Floats, roughness: float, count: int = 160) -> tuple[Floats, Floats, Floats]:
    """Directions of a GGX lobe on an even grid of its own distribution, with their half vectors and the
    chance of each: toward, half (n x 3), chance (n)."""
    a2 = roughness**4
    u, v = np.meshgrid((np.arange(count) + 0.5) / count, (np.arange(count) + 0.5) / count)
    nh = np.sqrt((1 - u) / (1 + (a2 - 1) * u)).ravel()
    turn = 2 * np.pi * v.ravel()
    side = np.cross(normal, [0.36, 0.48, 0.8])
    side /= np.linalg.norm(side)
    round_it = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * np.cross(normal, side)
    half = nh[:, None] * normal + np.sqrt(1 - nh * nh)[:, None] * round_it
    vh = half @ view
    chance = a2 / (nh * nh * (a2 - 1) + 1) ** 2 / np.pi * nh / (4 * np.maximum(vh, 1e-9))
    return 2 * vh[:, None] * half - view, half, np.where(vh > 0, chance, np.inf)


def seen(picture: Floats, toward: Floats) -> Floats:
    """The nearest pixel of a picture in those directions."""
    h, w = picture.shape[:2]
    column = ((np.arctan2(toward[:, 0], toward[:, 2]) / (2 * np.pi) + 0.5) * w).astype(int) % w
    row = ((0.5 - np.arcsin(np.clip(toward[:, 1], -1, 1)) / np.pi) * h).astype(int)
    return picture[np.minimum(row, h - 1), column]


@pytest.mark.parametrize("roughness", [0.1, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("name", ["window", "sunset"])
def test_blurred_light_is_the_integral_of_the_lobe(
    made: dict[str, Environment], name: str, roughness: float
) -> None:
    picture = BUILT_IN[name]()
    picture /= (picture @ np.asarray(LUMA) * solid(64)).sum() / 128
    direct = []
    for d in ROUND[::9]:
        toward, _, _ = lobe(d, d, roughness)
        weight = np.maximum(toward @ d, 0.0)
        direct.append(weight @ seen(picture, toward) / weight.sum())
    error = np.abs(radiance(made[name], ROUND[::9], roughness) - direct)
    assert error.mean() < 0.03 * np.mean(direct)
    # At 0.1 a lobe is narrower than a pixel of the map, and edges are sharp.
    assert error.max() < (0.25 if roughness < 0.2 else 0.06) * np.max(direct)


@pytest.mark.parametrize("roughness", [0.1, 0.3, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("f0", [0.04, 0.9])
def test_reflectance_is_that_of_the_light_pass(roughness: float, f0: float) -> None:
    for nv in (0.06, 0.15, 0.3, 0.6, 1.0):
        view, normal = np.array([np.sqrt(1 - nv * nv), 0.0, nv]), np.array([0.0, 0.0, 1.0])
        toward, half, chance = lobe(normal, view, roughness)
        nl = toward @ normal
        lit = brdf.ggx(np.clip(nl, 0, 1), np.array(nv), half[:, 2], half @ view, roughness**2, 0.0, f0)
        share = np.where(nl > 0, lit / np.pi / chance, 0.0).mean()
        scale, bias = environment.reflectance(np.array(nv), roughness)
        assert f0 * scale + bias == pytest.approx(share, abs=0.03 if f0 < 0.1 else 0.07)


# The split sum's mean error by environment: lobes are skewed where a surface turns away from us, which shows
# most with one narrow light behind the person in a dark room.
GLOSSY = {"window": 0.15, "overcast": 0.15, "sunset": 0.15, "softboxes": 0.36}


@pytest.mark.parametrize("roughness", [0.2, 0.35, 0.5, 0.8])
@pytest.mark.parametrize("name", GLOSSY)
def test_glossy_light_is_near_the_whole_integral(
    made: dict[str, Environment], name: str, roughness: float
) -> None:
    picture = BUILT_IN[name]()
    picture /= (picture @ np.asarray(LUMA) * solid(64)).sum() / 128
    normals = ROUND[ROUND[:, 2] > 0.15][::3]
    direct = np.zeros_like(normals)
    for i, normal in enumerate(normals):
        toward, half, chance = lobe(normal, VIEW, roughness, 96)
        nl, nv = toward @ normal, normal[2]
        lit = brdf.ggx(np.clip(nl, 0, 1), nv, half @ normal, half @ VIEW, roughness**2, 0.0, 0.04)
        share = np.where(nl > 0, lit / np.pi / chance, 0.0) / len(chance)
        direct[i] = share @ seen(picture, toward)
    error = np.abs(specular(made[name], normals, VIEW, roughness, 0.04) - direct)
    facing = normals[:, 2] > 0.8
    assert error[facing].mean() < 0.14 * direct[facing].mean()
    assert error.mean() < GLOSSY[name] * direct.mean()


def test_glossy_light_is_finite_where_the_surface_turns_away(made: dict[str, Environment]) -> None:
    for roughness in (0.1, 0.5, 1.0):
        found = specular(made["sunset"], ROUND, VIEW, roughness, 0.04)
        assert np.isfinite(found).all()
        assert found.min() >= 0.0


# Scale


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_is_finite_and_normalised(made: dict[str, Environment], name: str) -> None:
    env = made[name]
    assert all(np.isfinite(level).all() and level.min() >= 0.0 for level in env.levels)
    toward = directions(64, 32)
    lumas = irradiance(env, toward) @ np.asarray(LUMA)
    assert (lumas * solid(32)).sum() / 64 == pytest.approx(1.0, abs=0.02)
    assert env.sh[0] @ np.asarray(LUMA) == pytest.approx(1.0, abs=1e-5)


def test_built_ins_are_distinct_and_what_they_say(made: dict[str, Environment]) -> None:
    balls = {name: irradiance(env, ROUND) for name, env in made.items()}
    for name, ball in balls.items():
        assert all(np.abs(ball - other).mean() > 0.1 for key, other in balls.items() if key != name)
    left, right = np.array([-1.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0])
    window, neon = made["window"], made["neon"]
    assert irradiance(window, left)[1] > 3 * irradiance(window, right)[1]
    assert irradiance(window, left)[0] > irradiance(window, left)[2]  # cool
    assert irradiance(window, right)[2] > 1.5 * irradiance(window, right)[0]  # warm
    assert irradiance(neon, left)[2] > 2 * irradiance(neon, left)[1]  # magenta
    assert irradiance(neon, right)[1] > irradiance(neon, right)[2]  # cyan
    assert irradiance(made["sunset"], right)[2] > 2 * irradiance(made["sunset"], right)[0]
    up = irradiance(made["overcast"], np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]))
    assert up[0].min() > 3 * up[1].max()
    boxes = made["softboxes"]
    assert irradiance(boxes, VIEW).min() > 1.8 * irradiance(boxes, -VIEW).max()


@given(st.floats(1e-3, 1e4), st.integers(0, 2**31))
@settings(max_examples=5)
def test_units_do_not_matter_but_colour_does(unit: float, seed: int) -> None:
    picture = np.random.default_rng(seed).random((16, 32, 3))
    one, other = make(picture), make(picture * unit)
    np.testing.assert_allclose(one.sh, other.sh, atol=1e-5)
    np.testing.assert_allclose(one.levels[3], other.levels[3], rtol=1e-4)
    mean = (picture * solid(16)[..., None]).sum(axis=(0, 1))
    np.testing.assert_allclose(one.sh[0] / one.sh[0].sum(), mean / mean.sum(), rtol=1e-5)


def test_a_sun_of_one_pixel_is_spread_and_nothing_of_it_lost() -> None:
    picture = np.full((256, 512, 3), 0.1)
    picture[70, 300] = 1e5
    env = make(picture)
    limit = environment.PEAK + 2 * environment.SPREAD
    assert environment.PEAK < max(level.max() for level in env.levels) < limit
    toward = directions(512, 256)[70, 300]
    assert ROUND[irradiance(env, ROUND)[:, 0].argmax()] @ toward > 0.97
    assert irradiance(env, toward).max() == pytest.approx(4.0, abs=0.4)  # all of it from there: 4


# Files


def test_a_radiance_file_is_read_and_kept_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "room.hdr"
    cv2.imwrite(str(path), patch(90, 0).astype(np.float32) + 0.01)
    env = surroundings.load(str(path), decode)
    assert irradiance(env, np.eye(3))[0].min() > 2.0
    assert surroundings.load(str(path), decode) is env
    cv2.imwrite(str(path), patch(0, 80).astype(np.float32) + 0.01)
    os.utime(path, ns=(1, 1))
    assert irradiance(surroundings.load(str(path), decode), np.eye(3))[1].min() > 2.0
    assert surroundings.load("window", decode) is surroundings.load("window", decode)


def test_only_a_few_are_kept(tmp_path: Path) -> None:
    for i in range(surroundings.KEPT + 2):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), np.full((4, 8, 3), 10 * i + 1, np.uint8))
        surroundings.load(str(path), decode)
    assert len(surroundings._ready) <= surroundings.KEPT


def test_broken_values_are_cleaned_and_large_pictures_reduced() -> None:
    picture = np.ones((1024, 2048, 3), np.float16)
    picture[::64, ::64] = np.nan
    picture[1::64, 1::64] = -5.0
    picture[300, 700] = np.inf
    env = make(picture)
    assert all(np.isfinite(level).all() and level.min() >= 0.0 for level in env.levels)
    assert {level.shape for level in env.levels} == {(65, 129, 3), (33, 65, 3), (17, 33, 3)}


@given(st.integers(1, 70), st.integers(1, 40))
@settings(max_examples=10)
def test_reducing_loses_no_light(width: int, height: int) -> None:
    picture = np.random.default_rng(width).random((height, width, 3))
    small = environment.reduced(picture, (32, 16))
    before = (picture * solid(height)[..., None]).sum(axis=(0, 1)) / width
    after = (small * solid(16)[..., None]).sum(axis=(0, 1)) / 32
    np.testing.assert_allclose(after, before, rtol=1e-3 if height % 16 == 0 else 0.15)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("softbox", "no such file.*did you mean 'softboxes'"),
        ("nowhere/room.hdr", "no such file"),
        ("/", "a folder"),
        ("a\0b", "NUL"),
        ("square.png", "got 64x64, expected twice as wide as high"),
        ("strip.png", "got 300x40"),
        ("black.png", "a black picture"),
        ("text.hdr", "does not decode"),
        ("empty.png", "does not decode"),
    ],
)
def test_bad_files_are_one_line(
    tmp_path: Path, name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("square.png", np.full((64, 64, 3), 9, np.uint8))
    cv2.imwrite("strip.png", np.full((40, 300, 3), 9, np.uint8))
    cv2.imwrite("black.png", np.zeros((40, 80, 3), np.uint8))
    Path("text.hdr").write_text("#?RADIANCE\nnothing\n")
    Path("empty.png").touch()
    with pytest.raises(LiveRelightError, match=words) as error:
        surroundings.load(name, decode)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2
