"""The camera model: pure in its seed, any finite light in, 8 bits out, and each fault does what it should."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.synth.camera.codec import h264, mjpeg, subsample
from training.synth.camera.lens import motion_blur
from training.synth.camera.sensor import encode, expose, exposure, gaussian, shoot, shoot_clip, tone_table
from training.synth.camera.webcam import Camera, draw_camera, noise_level

STILL = (0.0, 0.0)
SIZE = (48, 64)  # height, width


def flat(value: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((*size, 3), value, np.float32)


def scene(seed: int = 0, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """Smooth coloured blobs with some texture: linear light around 0.2."""
    rng = np.random.default_rng(seed)
    wide = cv2.GaussianBlur(rng.standard_normal((*size, 3)).astype(np.float32), (0, 0), 8) * 8
    fine = cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), 1)[..., None]
    return np.exp(-1.8 + 0.5 * wide + 0.5 * fine).astype(np.float32)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def take(camera: Camera, picture: np.ndarray, seed: int = 0) -> np.ndarray:
    return shoot(np.random.default_rng(seed), picture, camera, STILL)


@pytest.mark.parametrize("seed", range(12))
def test_same_seed_same_bytes(seed):
    picture = scene(seed)
    first, again = (shoot(np.random.default_rng(seed), picture) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != shoot(np.random.default_rng(seed + 100), picture).tobytes()


@pytest.mark.parametrize("codec", ["none", "mjpeg", "h264"])
def test_clips_are_pure_in_the_seed(codec):
    camera = replace(Camera(electrons=500, hunting=0.5, trail=0.5), codec=codec, quality=30, chroma="420")
    clips = [shoot_clip(np.random.default_rng(4), [scene(1)] * 4, camera) for _ in range(2)]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*clips, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 1e-30, 1e-6, 0.2, 1.0, 1e4, 1e30, -1.0, float("nan"), float("inf")]),
    st.integers(1, 70),
    st.integers(1, 70),
)
def test_any_light_and_size_gives_8_bits_of_the_same_size(seed, value, height, width):
    picture = np.random.default_rng(seed).random((height, width, 3), np.float32)
    picture[: height // 2 + 1] = value
    out = shoot(np.random.default_rng(seed), picture)
    assert out.dtype == np.uint8
    assert out.shape == picture.shape
    assert out.flags["C_CONTIGUOUS"]


def test_a_picture_of_nan_is_black_not_a_crash():
    assert take(Camera(), flat(np.nan)).max() == 0


@given(st.integers(0, 2**32 - 1), st.floats(0, 100, allow_nan=False))
def test_drawn_cameras_are_within_bounds(seed, level):
    camera = draw_camera(np.random.default_rng(seed), level)
    assert camera == draw_camera(np.random.default_rng(seed), level)
    assert 0 <= camera.dim <= 1
    assert camera.electrons > 20
    assert 0.4 <= camera.scale <= 1.6
    assert camera.codec != "h264" or (16 <= camera.quality <= 51 and camera.chroma == "420")
    assert 0 <= camera.trail < 1
    assert np.allclose(np.reshape(camera.matrix, (3, 3)).sum(1), 1)
    assert all(np.isfinite(v) for f in fields(camera) if isinstance(v := getattr(camera, f.name), float))


def test_dark_scenes_get_noisier_smoother_cameras():
    dark, bright = (
        [draw_camera(np.random.default_rng(s), level) for s in range(300)] for level in (0.02, 0.25)
    )

    def ratio(name: str) -> float:
        return float(np.mean([getattr(c, name) for c in dark]) / np.mean([getattr(c, name) for c in bright]))

    assert ratio("electrons") < 0.7
    assert min(ratio(name) for name in ("smear", "chroma_smear", "trail")) > 1.2


def test_an_ideal_camera_is_srgb():
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 48, 0).repeat(3, 2)
    assert np.abs(take(Camera(electrons=1e12), ramp) - np.round(encode(ramp) * 255)).max() <= 1
    table = tone_table(Camera(headroom=3.0, knee=0.3))
    assert (np.diff(table.astype(int)) >= 0).all()


def test_exposure_is_the_gain_of_expose():
    picture, alpha = scene(3), np.ones((96, 128), np.float32)
    gain = exposure(np.random.default_rng(5), picture, alpha)
    assert np.array_equal(expose(np.random.default_rng(5), picture, alpha), picture * np.float32(gain))


def test_exposure_spares_a_bright_face_before_a_dark_wall():
    picture, alpha = flat(0.01, (96, 128)), np.zeros((96, 128), np.float32)
    picture[30:60, 50:80], alpha[30:60, 50:80] = 4.0, 1.0
    shown = [4.0 * exposure(np.random.default_rng(s), picture, alpha) for s in range(200)]
    assert 0.4 < np.median(shown) < 1.3
    assert max(shown) < 4


def test_noise_grows_in_the_dark_relative_to_the_signal():
    camera = Camera(electrons=800, headroom=4.0)
    # Undo the tone curve: relative noise of the light.
    ratios = []
    for level in (0.04, 0.16, 0.64):
        shown = take(camera, flat(level, (96, 128)))[..., 1] / 255
        light = ((shown + 0.055) / 1.055) ** 2.4
        ratios.append(light.std() / light.mean())
    assert ratios[0] > 1.6 * ratios[1] > 2.5 * ratios[2]
    # Photon noise: the relative noise falls with the root of the light.
    assert ratios[1] == pytest.approx(np.sqrt(1 / (0.16 * 800)), rel=0.15)


def test_noise_level_is_what_a_middle_grey_shows():
    camera = Camera(electrons=900, read=2.0)
    shown = take(camera, flat(0.18, (192, 256)))[..., 1].astype(float)
    assert shown.std() == pytest.approx(noise_level(camera.electrons, camera.read), rel=0.1)


def test_gaussian_numbers_are_normal():
    numbers = gaussian(np.random.default_rng(0), (200_000,))
    assert abs(numbers.mean()) < 0.01
    assert numbers.std() == pytest.approx(1, abs=0.01)
    assert (numbers**4).mean() == pytest.approx(3, abs=0.1)


def test_smoothing_removes_noise_and_keeps_edges():
    step = flat(0.05)
    step[:, 32:] = 0.5
    noisy = Camera(electrons=600)
    smooth = replace(noisy, smear=2 * noise_level(600, 2), passes=2)
    plain, calm = take(noisy, step)[..., 1].astype(float), take(smooth, step)[..., 1].astype(float)
    assert calm[:, 36:].std() < 0.7 * plain[:, 36:].std()
    assert calm[:, 33].mean() - calm[:, 30].mean() > 0.95 * (plain[:, 33].mean() - plain[:, 30].mean())


def test_sharpening_overshoots_at_an_edge():
    step = flat(0.1)
    step[:, 32:] = 0.3
    plain, sharp = take(Camera(), step), take(Camera(sharpen=1.0), step)
    low, high = int(plain[:, :20].min()), int(plain[:, 44:].max())
    assert plain.max() <= high + 1
    assert sharp[:, 32].mean() > high + 10
    assert sharp[:, 31].mean() < low - 10
    assert abs(sharp[:, 50].mean() - plain[:, 50].mean()) < 1


@pytest.mark.parametrize(("chroma", "across", "down"), [("444", 1, 1), ("422", 2, 1), ("420", 2, 2)])
def test_subsampling_takes_chroma_only(chroma, across, down):
    picture = np.random.default_rng(0).integers(60, 200, (48, 64, 3), np.uint8)
    out = subsample(picture, chroma)
    assert np.array_equal(out[..., 0], picture[..., 0])

    def kept(way: int) -> float:
        steps = [np.diff(p[..., 1:].astype(float), axis=way).std() for p in (out, picture)]
        return steps[0] / steps[1]

    assert (kept(1) < 0.5) == (across == 2)
    assert (chroma == "444") == np.array_equal(out, picture)
    if chroma == "422":  # nothing is mixed between rows
        rows = [subsample(picture[k : k + 1], chroma)[0] for k in range(48)]
        assert np.array_equal(np.stack(rows), out)
    assert (kept(0) < 0.5) == (down == 2)


@pytest.mark.parametrize("seed", range(3))
def test_more_compression_more_error(seed):
    picture = cv2.cvtColor(np.uint8(encode(scene(seed)) * 255), cv2.COLOR_RGB2YCrCb)
    jpeg = [error(mjpeg(picture, quality, "420"), picture) for quality in (95, 70, 40, 15)]
    video = [error(h264([picture], crf)[0], picture) for crf in (12, 24, 34, 44)]
    for errors in (jpeg, video):
        assert errors == sorted(errors)
        assert errors[-1] > 2 * errors[0] > 0


def test_h264_codes_differences_between_frames():
    """A still scene: the second frame is predicted from the first, so it repeats its artefacts."""
    picture = cv2.cvtColor(np.uint8(encode(scene(2)) * 255), cv2.COLOR_RGB2YCrCb)
    first, second = h264([picture, picture], 36)
    assert error(first, second) < 0.3 * error(first, picture)
    with pytest.raises(ValueError, match="even"):
        h264([picture[:31]], 30)


@pytest.mark.parametrize("codec", ["none", "mjpeg", "h264"])
def test_clip_frames_differ_in_noise_but_share_white_balance(codec):
    camera = Camera(electrons=300, white=(1.3, 0.95, 0.7), codec=codec, quality={"h264": 14}.get(codec, 97))
    clip = np.stack(shoot_clip(np.random.default_rng(0), [flat(0.2, (96, 128))] * 5, camera)).astype(float)
    assert clip.shape == (5, 96, 128, 3)
    means = clip.mean((1, 2))
    assert np.abs(means - means[0]).max() < 1.5
    assert (means[:, 0] > means[:, 1] + 15).all()
    assert (means[:, 1] > means[:, 2] + 15).all()
    between = (clip[1:] - clip[:-1]).std()
    assert between > 0.8 * clip[0, ..., 1].std()  # independent frames would give 1.4


def test_a_hunting_camera_drifts_smoothly_and_little():
    calm = Camera(electrons=1e9)
    shots = {
        hunting: np.stack(
            shoot_clip(np.random.default_rng(3), [flat(0.2)] * 24, replace(calm, hunting=hunting))
        ).mean((1, 2, 3))
        for hunting in (0.0, 0.6)
    }
    assert np.ptp(shots[0.0]) < 0.1
    assert 1 < np.ptp(shots[0.6]) < 40
    assert np.abs(np.diff(shots[0.6])).max() < 5


def test_smoothing_over_time_calms_still_pictures():
    noisy = Camera(electrons=300)
    spread = []
    for trail in (0.0, 0.7):
        clip = shoot_clip(np.random.default_rng(1), [flat(0.2)] * 10, replace(noisy, trail=trail))
        spread.append([frame[..., 1].std() for frame in clip])
    assert np.mean(spread[1]) < 0.75 * np.mean(spread[0])
    assert spread[1][0] == pytest.approx(np.mean(spread[1][4:]), rel=0.35)  # a clip starts in mid-stream


def test_motion_blur_smears_along_its_way_and_keeps_the_light():
    dot = flat(0.0)
    dot[24, 32] = 1
    moved = motion_blur(dot, (8.0, 0.0))[..., 1]
    assert moved.sum() == pytest.approx(1, abs=1e-4)
    assert np.count_nonzero(moved[24] > 0.01) in range(8, 11)
    assert moved[np.arange(48) != 24].max() < 1e-4
    assert np.array_equal(motion_blur(dot, STILL), dot)


def test_balance_takes_a_cast_away_and_vignette_the_corners():
    warm = scene(4) * np.float32([1.5, 1.0, 0.5])
    cast = [float(np.ptp(take(Camera(balance=b), warm).mean((0, 1)))) for b in (0.0, 0.5, 1.0)]
    assert cast[0] > 1.5 * cast[1] > 1.5 * cast[2]
    dark = take(Camera(vignette=0.3), flat(0.3))
    assert int(dark[0, 0, 1]) < int(dark[24, 32, 1]) - 15


def test_low_resolution_loses_detail():
    detail = [
        np.abs(np.diff(take(Camera(scale=scale), scene(5))[..., 1].astype(float), axis=1)).mean()
        for scale in (1.0, 0.7, 0.4)
    ]
    assert detail[0] > 1.1 * detail[1] > 1.2 * detail[2]
