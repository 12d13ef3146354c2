"""Clips relit frame after frame: what is smoothed, and what `photo` and `video` say before they begin."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from live_relight import relighter as door
from live_relight.cli import build_parser, main, settings_of
from live_relight.core.errors import LiveRelightError
from live_relight.core.frames import Frame, Geometry
from live_relight.core.present import Present
from live_relight.core.settings import Settings
from live_relight.relighter import Relighter


@pytest.fixture
def ball() -> np.ndarray:
    return np.full((96, 128, 3), 120, np.uint8)


def leaning(balance: float) -> Present:
    """Light from the right for a positive `balance`, from the left for a negative one."""
    return Present((1.0, balance, *[0.0] * 7), 0.2, confidence=1.0)


def test_auto_does_not_jump_from_side_to_side(ball: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture's light wobbles round the middle: taken one by one the key would change sides."""
    fits = [leaning(-0.12 if k % 2 else 0.12) for k in range(12)]
    assert fits[0].balance > 0.2 > -0.2 > fits[1].balance

    def sides(follow: bool) -> list[float]:
        given, seen = iter(fits), list[float]()
        monkeypatch.setattr(door.present, "fit", lambda geometry: next(given))
        with Relighter(Settings(engine="analytic", preset="auto")) as relighter:
            shade = relighter._shader.shade

            def listen(image, geometry, look, *rest):  # type: ignore[no-untyped-def]
                seen.append(next(light.az for light in look.lights if light.kind == "key"))
                return shade(image, geometry, look, *rest)

            relighter._shader.shade = listen  # type: ignore[method-assign]
            for k in range(len(fits)):
                relighter.follow(ball, k / 30) if follow else relighter.relight(ball)
        return seen

    assert min(np.abs(np.diff(sides(False)))) > 60
    followed = sides(True)
    assert max(np.abs(np.diff(followed))) < 5
    assert min(followed) > 0


def test_a_geometry_serves_another_picture_of_the_same_size() -> None:
    """As it did before estimators handed on half of theirs: a frame later, or a picture changed since."""
    first = np.full((240, 320, 3), 60, np.uint8)
    cv2.circle(first, (150, 120), 70, (200, 210, 220), -1)
    second = np.roll(first, 10, axis=1)
    with Relighter(Settings(engine="onnx", preset="studio")) as relighter:
        geometry = relighter.geometry(first)
        assert geometry.half is not None or geometry.size[0] * 2 > 320
        given = replace(geometry, half=cv2.resize(first, (160, 120), interpolation=cv2.INTER_AREA))
        np.testing.assert_array_equal(
            relighter.relight(second, geometry=given),
            relighter.relight(second, geometry=replace(geometry, half=None)),
        )


def test_geometry_is_steadied_and_forgotten(ball: np.ndarray) -> None:
    rng = np.random.default_rng(0)

    class Trembling:
        name = "trembling"

        def estimate(self, image: np.ndarray, share: float = 1.0) -> Geometry:
            found = plain.estimate(image, share)
            noise = rng.normal(0, 0.05, found.depth.shape).astype(np.float32)
            return Geometry(found.normal, found.depth + noise, found.alpha, found.guide)

        def close(self) -> None: ...

    with Relighter(Settings(engine="analytic")) as relighter:
        plain, relighter._estimator = relighter._estimator, Trembling()  # type: ignore[assignment]
        on = plain.estimate(ball).alpha > 0.9
        steady = [relighter.follow(ball, k / 30)[1].depth[on] for k in range(12)]
        raw = [relighter.geometry(ball).depth[on] for _ in range(12)]
        assert np.diff(steady[4:], axis=0).std() < 0.5 * np.diff(raw[4:], axis=0).std()
        relighter.restart()
        first = relighter.follow(ball, 0.0)[1].depth[on]
        assert (first - steady[-1]).std() > 0.6 * np.diff(raw, axis=0).std()


def frames(count: int) -> list[Frame]:
    """Pictures of one clip, that move."""
    rng = np.random.default_rng(1)
    wall = rng.integers(40, 200, (96, 128, 3)).astype(np.uint8)
    return [Frame(np.ascontiguousarray(np.roll(wall, 3 * k, 1)), k / 30, k) for k in range(count)]


def test_a_clip_is_what_follow_makes_of_its_frames() -> None:
    clip = frames(8)
    with Relighter(Settings(engine="onnx:fast", preset="auto")) as relighter:
        relighter.follow(clip[3].image, 0.0)  # of another clip: forgotten
        made = list(relighter.clip(clip, both_ways=True))
        relighter.restart()
        plain = [relighter.follow(frame.image, frame.time, both_ways=True) for frame in clip]
    assert [frame for frame, _, _ in made] == clip
    for (_, image, geometry), (lit, steady) in zip(made, plain, strict=True):
        np.testing.assert_array_equal(image, lit)
        np.testing.assert_array_equal(geometry.depth, steady.depth)


def test_what_ends_a_clip_early_leaves_nothing_at_work() -> None:
    clip, before = frames(9), {thread.name for thread in threading.enumerate()}

    def broken() -> Iterator[Frame]:
        yield from clip[:3]
        raise LiveRelightError("clip", "a frame that does not decode")

    with Relighter(Settings(engine="analytic")) as relighter:
        with pytest.raises(LiveRelightError, match="does not decode"):
            list(relighter.clip(broken()))
        made = relighter.clip(clip)
        assert next(made)[0] is clip[0]
        for call in (relighter.geometry, relighter.relight):
            with pytest.raises(LiveRelightError, match=r"during clip\(\)"):
                call(clip[0].image)
        made.close()
        relighter.relight(clip[0].image)
        wrong = [clip[0], Frame(np.zeros((4, 4), np.uint8), 0.1, 1)]
        with pytest.raises(LiveRelightError, match="a NumPy array"):
            list(relighter.clip(wrong))
        assert len(list(relighter.clip(clip))) == 9
        assert {thread.name for thread in threading.enumerate()} - before <= {"guided_0"}
        assert "geometry" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("end", ["sys.exit(3)", "pass", "raise RuntimeError('mine')"])
@pytest.mark.parametrize("within", [True, False])
def test_a_program_that_leaves_a_clip_unfinished_ends_as_it_wants(end: str, within: bool) -> None:
    """Its thread is at work in a library then."""
    script = f"""
import sys, numpy as np
from live_relight.core.frames import Frame
from live_relight import Relighter, Settings
frames = [Frame(np.full((270, 480, 3), 90, np.uint8), k / 30, k) for k in range(50)]
def use(relighter):
    made = relighter.clip(frames, both_ways=True)
    next(made)
    next(made)
    globals()["kept"] = made
    {end}
if {within}:
    with Relighter(Settings(engine="onnx:fast")) as relighter:
        use(relighter)
else:
    use(Relighter(Settings(engine="onnx:fast")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == {"p": 0, "s": 3, "r": 1}[end[0]], done.stderr
    assert "terminate called" not in done.stderr
    assert ("RuntimeError: mine" in done.stderr) == (end[0] == "r")


def test_a_clip_is_for_the_thread_that_made_the_relighter() -> None:
    with Relighter(Settings(engine="analytic")) as relighter:
        made = relighter.clip(frames(5))
        next(made)
        with ThreadPoolExecutor(1) as pool, pytest.raises(LiveRelightError, match="from another thread"):
            pool.submit(next, made).result()
        relighter.relight(frames(1)[0].image)
    with pytest.raises(LiveRelightError, match="after close"):
        relighter.clip(frames(2))


def test_what_is_left_out_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ball: np.ndarray
) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), ball)
    (tmp_path / "c.toml").write_text('mirror = true\nsize = "320x180"\n')
    lights = [word for _ in range(5) for word in ("--light", "key")]
    args = ["--engine", "analytic", "--config", str(tmp_path / "c.toml"), *lights]
    assert main(["photo", str(tmp_path / "in.png"), str(tmp_path / "out.png"), *args]) == 0
    said = capsys.readouterr().err
    assert "5 lights ask for shadows" in said
    assert "size, mirror in the configuration" in said
    assert main(["photo", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--engine", "analytic"]) == 0
    assert "live-relight:" not in capsys.readouterr().err


def test_a_file_s_mirror_can_be_overruled(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("mirror = true\n")
    words = ["run", "--config", str(tmp_path / "c.toml")]
    for more, wanted in (([], True), (["--no-mirror"], False), (["--mirror"], True)):
        assert settings_of(build_parser().parse_args([*words, *more])).mirror is wanted
    assert settings_of(build_parser().parse_args(["run"])).mirror is False


def test_a_saved_preset_finds_its_panorama_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "elsewhere").mkdir()
    cv2.imwrite(str(tmp_path / "pano.png"), np.full((32, 64, 3), 90, np.uint8))
    monkeypatch.chdir(tmp_path)
    save = ["presets", "save", "hall", "--light", "env:file=pano.png", "--light", "env:file=window,on=0"]
    assert main(save[:5]) == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    capsys.readouterr()
    assert main(["presets", "show", "hall"]) == 0
    assert str(tmp_path / "pano.png") in capsys.readouterr().out
    assert main(["presets", "save", "built", "--light", "env:file=window"]) == 0
    assert main(["presets", "show", "built"]) == 0
    assert 'file = "window"' in capsys.readouterr().out
