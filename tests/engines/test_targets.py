"""What `engines build` compiles for: the targets that are named, and those where none is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from live_relight.cli import main
from live_relight.core.errors import UsageError
from live_relight.geometry import build, cards, trt_library
from tests.engines.place import needs_wheels


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "live-relight" / "plans"


@pytest.fixture
def classical(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """TensorRT 10 and a card, with a stand-in for the compiling: the targets that were compiled for."""
    api, made = SimpleNamespace(Runtime=object), list[str]()
    found = trt_library.Library("tensorrt", "10.9", "a test", api, trt_library.Log(None, [], []))
    driver = cards.Driver("13.0", (cards.Card("RTX 4070", (8, 9), 1),), "")
    monkeypatch.setattr(trt_library, "require", lambda: found)
    monkeypatch.setattr(cards, "find", lambda: driver)

    def compile_plan(library: object, source: object, target: str, *rest: object) -> bytes:
        made.append(target)
        return b"plan"

    monkeypatch.setattr(build, "compile_plan", compile_plan)
    return made


def test_targets_are_named_once_and_checked() -> None:
    assert build.parse_targets("SM89, sm86,sm89") == ("sm89", "sm86")
    for text, said in (("sm98", "did you mean 'sm89'"), ("", "known: ampere"), ("sm86,", "known: ampere")):
        with pytest.raises(UsageError, match=said):
            build.parse_targets(text)


def test_the_classical_library_compiles_for_the_card_that_is_there(
    classical: list[str], cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["engines", "build"]) == 0
    assert classical == ["current"]
    assert "current-sm89" in capsys.readouterr().out
    monkeypatch.setattr(cards, "find", lambda: cards.Driver("", (), "no NVIDIA driver"))
    assert main(["engines", "build"]) == 1
    err = capsys.readouterr().err
    assert "compiling with TensorRT 10.9, got no NVIDIA driver, expected a card in this machine" in err
    assert "--target" not in err


def test_all_targets_are_checked_before_the_first_is_compiled(
    classical: list[str], cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["engines", "build", "--target", "ampere,sm75"]) == 2
    assert "--target, got sm75, expected ampere or current" in capsys.readouterr().err
    assert classical == []


def test_a_frames_plan_that_run_does_not_use_is_said(
    classical: list[str], cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for target, frame in (("current", True), ("ampere", False), ("ampere", True)):
        words = ["--frame", "640x480"] if frame else ["--size", "64x64"]
        assert main(["engines", "build", "--target", target, *words]) == 0
        said = "--target ampere is for programs of your own: `run` uses plans for current"
        assert (said in capsys.readouterr().err) == (frame and target == "ampere")


@needs_wheels
def test_a_frames_plan_for_a_newer_card_is_said_not_to_be_used(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "compile_plan", lambda *args: b"plan")
    assert main(["engines", "build", "fast", "--target", "ampere,sm89", "--frame", "640x480"]) == 0
    said = capsys.readouterr()
    assert "--target sm89 is for programs of your own: `run` uses plans for ampere and sm75" in said.err
    assert len(said.out.splitlines()) == 2


@needs_wheels
def test_without_a_target_there_is_a_plan_for_every_card(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "compile_plan", lambda *args: b"plan")
    assert main(["engines", "build", "fast", "--frame", "640x480"]) == 0
    said = capsys.readouterr()
    assert ["sm75" in line for line in said.out.splitlines()] == [False, True]
    assert "of your own" not in said.err
