from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core.errors import UsageError
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.settings import dump_preset, load_preset, load_settings, parse_size

GOOD = """
source = "demo"
sink = ["web:9000", "file:a.mp4"]
size = "640x360"
fps = 25
ambient = 0.7

[smoothing]
rest = 0.2

[[light]]
kind = "key"
az = -45

[[light]]
kind = "rim"
on = false
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_settings_are_read(tmp_path: Path) -> None:
    s = load_settings(written(tmp_path, GOOD))
    assert (s.source, s.sink, s.size, s.fps) == ("demo", ("web:9000", "file:a.mp4"), "640x360", 25.0)
    assert s.smoothing.rest == 0.2
    assert s.smoothing.enabled
    assert s.light is not None
    assert s.light[0] == Light.of("key", az=-45.0)
    assert not s.light[1].on


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("soruce = 'demo'", 1, "did you mean 'source'"),
        ("source = 'demo'\nfps = 'fast'", 2, "a number"),
        ("mirror = 1", 1, "true or false"),
        ("[smoothing]\nrset = 1", 2, "did you mean 'rest'"),
        ("smoothing = 3", 1, "a table"),
        ("[smoothing]\ncut = 'a'", 2, "a number"),
        ("[[light]]\nkind = 'key'\n\n[[light]]\nkind = 'fill'\naz = 400", 6, "-180..180"),
        ("[[light]]\nkind = 'key'\n[[light]]\nkind = 'fil'", 4, "did you mean 'fill'"),
        ("[[light]]\nkind = 'key'\nazz = 3", 3, "did you mean 'az'"),
        ("[[light]]\naz = 3", 1, "no kind"),
        ("[light]\nkind = 'key'", 1, "[[light]]"),
        ("source = \nfps = 3", 1, "not TOML"),
        ("sink = 3", 1, "list of texts"),
        ("fps = true", 1, "a number"),
        ("\nfps = -1", 2, "0.1..1000"),
        (f"\nfps = 1{'0' * 400}", 2, "a number"),
        (f"fps = 0x1{'0' * 5000}", 1, "a number"),
        ("\nsize = 'abc'", 2, "1280x720"),
        ("\nengine = 'open-vino'", 2, "did you mean 'openvino'"),
        ("\nambient = 99", 2, "0..4"),
        ("background = nan", 1, "0..4"),
        ("fov = 1", 1, "10..150"),
        ("specular = 2", 1, "0..1"),
        ("\n[smoothing]\nrest = nan", 3, "rest, got nan, expected 0..1"),
        ("\n[smoothing]\nstill = 0.5", 2, "moving, got 0.06, expected above 0.5"),
        ("\nsmoothing = {cut = 0}", 2, "cut, got 0, expected above 0"),
        ("[[light]]\nkind = 'key'\ncolor = '#-1-1-1'", 3, "#rrggbb"),
    ],
)
def test_mistakes_name_key_file_and_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as error:
        load_settings(path)
    message = str(error.value)
    assert said in message
    assert str(path) in message
    assert f":{line}" in message or f"line {line}" in message
    assert message.count(str(path)) == 1
    assert "\n" not in message


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_settings(tmp_path / "none.toml")
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="readable TOML"):
        load_settings(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"fps = 1{'0' * 5000}", "digits"),
        (f"source = {'[' * 3000}", "nested too deep"),
        ("a\0 = 1", "not TOML"),
    ],
    ids=["long", "deep", "nul"],
)
def test_toml_made_to_break_the_reader(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=said) as error:
        load_settings(path)
    assert len(str(error.value)) < 300


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """Opening a FIFO would block, reading a device might never end."""
    os.mkfifo(tmp_path / "fifo.toml")
    for path, got in (
        (tmp_path / "fifo.toml", "a FIFO"),
        (tmp_path, "a folder"),
        (Path("/dev/zero"), "a device"),
    ):
        with pytest.raises(UsageError, match=f"got {got}"):
            load_preset(path)
    for name in ("a\0b.toml", "x" * 300):
        with pytest.raises(UsageError):
            load_preset(Path(name))
    with (tmp_path / "big.toml").open("wb") as big:
        big.truncate(20_000_000)
    with pytest.raises(UsageError, match="more than 16 MB"):
        load_preset(tmp_path / "big.toml")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbfsource = 'demo'\n")
    assert load_settings(path).source == "demo"


@given(st.text())
def test_any_description_is_read_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "described.toml"
    path.write_bytes(dump_preset(Look(), text).encode())
    assert load_preset(path).description == text


def test_preset_round_trip(tmp_path: Path) -> None:
    look = Look(
        (Light.of("key", color="#ff8800", shadow=True), Light.of("rim", on=False)), 0.4, 0.3, 0.1, fov=80.0
    )
    path = tmp_path / "mine.toml"
    path.write_text(dump_preset(look, 'a "quoted" \\ one'))
    preset = load_preset(path)
    assert preset.look == look
    assert preset.description == 'a "quoted" \\ one'
    assert preset.name == "mine"


def test_preset_with_a_wrong_look_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("ambient = -3\n")
    with pytest.raises(UsageError, match=r"p\.toml:1: ambient"):
        load_preset(path)


@pytest.mark.parametrize(
    "text", ["", "1280", "1280x", "1280*720", "-2x5", "8x8", "99999x99999", "1280x720x3", "٣٢٠x١٨٠"]
)
def test_wrong_sizes(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


def test_size() -> None:
    assert parse_size("1280x720") == (1280, 720)
    assert parse_size(" 640X360 ") == (640, 360)
