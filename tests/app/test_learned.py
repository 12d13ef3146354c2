"""Who hears the light network: `photo` and `video`, and whoever asks; not the live pipeline."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from live_relight import app
from live_relight.capture.fit import Fit
from live_relight.capture.video import VideoSource
from live_relight.cli import main
from live_relight.core import governor
from live_relight.core.errors import EstimatorError, LiveRelightError, UsageError
from live_relight.core.frames import Frame
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.settings import Settings, load_settings
from live_relight.core.temporal import Smoothing
from live_relight.geometry import light_net
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.geometry.imported import check_name
from live_relight.geometry.light_net import LightNet
from live_relight.pipeline import Pipeline
from live_relight.relighter import Relighter
from live_relight.shade.opengl import OpenGLShader
from live_relight.shade.passes import Passes
from live_relight.sinks.null import NullSink
from tests.capture.clips import bars, write_clip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How far it was heard, time after time."""
    found: list[float] = []

    real = Passes.draw_learned

    def draw(self, boxes, said, strength, beside):
        found.append(strength)
        real(self, boxes, said, strength, beside)

    monkeypatch.setattr(Passes, "draw_learned", draw)
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def picture() -> np.ndarray:
    rng = np.random.default_rng(4)
    return cv2.GaussianBlur(rng.integers(40, 220, (96, 128, 3)).astype(np.uint8), (5, 5), 0)


def photo(folder: Path, name: str, *options: str) -> np.ndarray:
    cv2.imwrite(str(folder / "in.png"), picture())
    out = folder / name
    assert main(["photo", str(folder / "in.png"), str(out), "--engine", "analytic", *options]) == 0
    return cv2.imread(str(out)).astype(int)


def test_a_photo_hears_it_unless_told_otherwise(tmp_path: Path, asked: list[float]) -> None:
    with_it = photo(tmp_path, "a.png")
    assert asked == [1.0]
    without = photo(tmp_path, "b.png", "--learned", "0")
    half = photo(tmp_path, "c.png", "--learned", "0.5")
    assert asked == [1.0, 0.5]
    assert np.abs(with_it - without).max() > 4
    assert np.abs(with_it - without).mean() > np.abs(half - without).mean() > 0


def test_so_does_every_frame_of_a_video(tmp_path: Path, asked: list[float]) -> None:
    path = write_clip(tmp_path / "in.mp4", [bars(128, 96)] * 3)
    assert main(["video", str(path), str(tmp_path / "out.mp4"), "--engine", "analytic"]) == 0
    assert asked == [1.0] * 3


def test_a_program_asks_for_it(asked: list[float]) -> None:
    with Relighter(Settings(engine="analytic")) as relighter:
        relighter.relight(picture())
    assert asked == []
    with Relighter(Settings(engine="analytic", learned=0.7)) as relighter:
        relighter.relight(picture(), [Light.of("key")])
        relighter.follow(picture(), 0.0)
    assert asked == [0.7, 0.7]


def test_nothing_of_it_is_opened_where_the_quality_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(light_net, "LightNet", refuse)
    monkeypatch.setattr(light_net, "check", refuse)
    words = ["run", "--source", "demo", "--frames", "2", "--engine", "analytic", "--sink", "null"]
    words += ["--sink", f"web:{free_port()}"]
    assert main([*words, "--quality", "high"]) == 0
    assert main([*words, "--learned", "0"]) == 0


def test_live_it_is_made_ready_before_the_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a governed run, so that no frame waits for it later."""
    opened, frames = list[str](), list[int]()
    real, send = LightNet.__init__, NullSink.send

    def init(self: LightNet, path: Path | None = None, **more: Any) -> None:
        opened.append(f"{path} {len(frames)}")
        real(self, path, **more)

    monkeypatch.setattr(LightNet, "__init__", init)
    monkeypatch.setattr(NullSink, "send", lambda self, frame: (frames.append(1), send(self, frame))[1])
    words = ["run", "--source", "demo", "--frames", "2", "--engine", "analytic", "--sink", "null"]
    assert main(words) == 0
    assert opened == []  # nobody watches: every frame is done at `high`
    frames.clear()
    assert main([*words, "--sink", f"web:{free_port()}"]) == 0
    assert len(frames) == 2
    assert opened == [f"{light_net.shipped(light_net.LIVE)} 0"]


def test_live_it_is_heard_where_that_is_asked_for(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("learned = 1.0\n")
    assert load_settings(config).learned == 1.0
    made = {}
    for name, more in (("with", ["--config", str(config)]), ("without", [])):
        words = [
            "run",
            "--source",
            "demo",
            "--frames",
            "3",
            "--engine",
            "analytic",
            "--quality",
            "high",
            *more,
        ]
        assert main([*words, "--sink", f"file:{tmp_path / name}.mp4"]) == 0
        clip = VideoSource(tmp_path / f"{name}.mp4", Fit(), pace=False)
        frame = clip.read()
        clip.close()
        assert frame is not None
        made[name] = frame.image.astype(int)
    assert np.abs(made["with"] - made["without"]).mean() > 0.05


def test_a_preset_may_hold_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[float]) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["presets", "save", "soft", "--learned", "0.25"]) == 0
    photo(tmp_path, "a.png", "--preset", "soft")
    assert asked == [0.25]


def test_it_is_listed_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines", "info", "light"]) == 0
    assert "corrects how lights fall" in capsys.readouterr().out
    assert main(["engines", "info", "light-live"]) == 0
    assert "pixels = " in capsys.readouterr().out
    assert main(["engines"]) == 0
    assert "live, where there is room for it" in capsys.readouterr().out


def test_a_damaged_one_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = light_net.shipped()
    bad = tmp_path / "light.onnx"
    bad.write_bytes(real.read_bytes()[:-1] + b"x")
    bad.with_suffix(".toml").write_text(real.with_suffix(".toml").read_text())
    with pytest.raises(EstimatorError, match="differs from its card"):
        LightNet(bad)


def test_out_of_range_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture())
    assert main(["photo", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--learned", "1.5"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "learned" in said
    assert not (tmp_path / "b.png").exists()
    for wrong in (5.0, -1.0, float("nan")):
        with pytest.raises(LiveRelightError, match="learned"):
            Relighter(learned=wrong)


def test_a_missing_one_is_said_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(light_net, "shipped", lambda name="light": tmp_path / f"{name}.onnx")
    words = ["run", "--source", "demo", "--sink", f"file:{tmp_path / 'a.mp4'}", "--engine", "analytic"]
    assert main([*words, "--frames", "2", "--learned", "1"]) != 0
    assert "light-live.onnx" in capsys.readouterr().err
    assert not (tmp_path / "a.mp4").exists()
    assert main([*words, "--frames", "2"]) == 0
    assert "light network" not in capsys.readouterr().err
    assert main([*words, "--frames", "2", "--sink", f"web:{free_port()}"]) == 0
    assert "without the light network" in capsys.readouterr().err


def test_its_session_ends_with_the_relighter(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = list[bool]()
    real = LightNet.close
    monkeypatch.setattr(LightNet, "close", lambda self: (real(self), closed.append(True))[1])
    with Relighter(Settings(engine="analytic"), learned=1.0) as relighter:
        relighter.relight(picture())
        assert closed == []
    assert closed == [True]


def test_onnx_runtime_is_not_needed_to_start() -> None:
    words = "import sys; sys.modules['onnxruntime'] = None; from live_relight.cli import main; "
    line = words + "sys.exit(main(['presets', 'list']))"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_imported_network_may_have_its_name() -> None:
    for name in (light_net.NAME, light_net.LIVE):
        with pytest.raises(UsageError, match="light"):
            check_name(name)


@pytest.mark.parametrize("where", ["__init__", "stops"])
def test_one_that_fails_in_mid_stream_is_gone_without(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **more: object) -> None:
        raise EstimatorError("the light network", "broken")

    monkeypatch.setattr(LightNet, where, fail)
    shader = OpenGLShader(light_net=light_net.live)
    look = Look((Light.of("key"),), ambient=0.5)
    pipeline = Pipeline(AnalyticEstimator(), shader, [], lambda: look, Smoothing(), "auto", learns=True)
    pipeline._governor = governor.GovernorState(governor.LEARNED, changed=0.0)
    try:
        for k in range(4):
            pipeline._last = Frame(picture(), k / 30, k)
            out = pipeline.process(Frame(picture(), (k + 1) / 30, k + 1), {})
            assert out.image.mean() > 10
    finally:
        shader.close()
    assert len(pipeline.notes) == 1
    assert "broken" in pipeline.notes[0]
    assert pipeline.quality == "high"


def test_a_look_that_it_has_nothing_to_say_to_does_not_wait_for_it() -> None:
    looks = [Look((Light.of("rim"),), 0.5), Look((Light.of("key"),), 0.5, learned=0.0)]
    shader = OpenGLShader(light_net=light_net.live)
    try:
        for look in looks:
            pipeline = Pipeline(
                AnalyticEstimator(), shader, [], lambda look=look: look, Smoothing(), "auto", learns=True
            )
            pipeline._governor = governor.GovernorState(governor.LEARNED, changed=0.0)
            pipeline._last = Frame(picture(), 0.0, 0)
            pipeline._govern(Frame(picture(), 1 / 30, 1), 1.0, 0.001)
            assert pipeline.quality == "high"
    finally:
        shader.close()


@pytest.mark.parametrize(("asked", "rehearsed"), [("1", True), ("0", False)])
def test_presets_are_rehearsed_as_they_will_be_heard(
    asked: str, rehearsed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--learned` holds for every preset, so no key is to wait for a compiler."""
    levels = list[str]()
    monkeypatch.setattr(app, "rehearse", lambda *given: levels.extend(given[4]))
    words = ["run", "--source", "demo", "--frames", "1", "--engine", "analytic", "--quality", "high"]
    assert main([*words, "--sink", "null", "--learned", asked]) == 0
    assert ("learned" in levels) == rehearsed


@pytest.mark.parametrize("where", ["__init__", "stops"])
def test_a_bench_does_not_measure_what_is_gone(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*args: object, **more: object) -> None:
        raise EstimatorError("the light network", "broken")

    monkeypatch.setattr(LightNet, where, fail)
    words = ["bench", "--frames", "2", "--size", "320x180", "--engine", "analytic"]
    assert main([*words, "--learned", "1"]) == 1
    said = capsys.readouterr()
    assert "broken" in said.err
    assert "fps" not in said.out
    assert main(words) == 0
