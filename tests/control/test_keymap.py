from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight import presets
from live_relight.control.controls import Controls
from live_relight.control.keymap import ACTIONS, HELP, ControlState, press, status_line
from live_relight.control.terminal import decode, split_unfinished
from live_relight.core.arrange import PresentState, arrange
from live_relight.core.errors import LiveRelightError
from live_relight.core.frames import Frame, Image
from live_relight.core.light import KINDS, Light
from live_relight.core.look import Look
from live_relight.core.present import Present
from live_relight.core.settings import Settings
from live_relight.core.temporal import Smoothing
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.pipeline import Pipeline
from live_relight.relighter import Relighter

NAMES = ["studio", "window", "off"]


def load(name: str) -> Look:
    return presets.load(name).look


def save(name: str, look: Look) -> str:
    return f"{name}.toml"


class Still:
    """A shader that changes nothing."""

    name, steadies, coarsens, halves = "still", False, False, True

    def ready(self, geometry):
        return geometry

    def shade(self, image: Image, *rest: object) -> Image:
        return image

    def close(self) -> None: ...


def pressed(*keys: str, state: ControlState | None = None) -> ControlState:
    state = state or ControlState(load("studio"), "studio")
    for key in keys:
        state = press(state, key, lambda: NAMES, load, save)
    return state


def test_keys_change_the_chosen_light_only() -> None:
    before = pressed()
    after = pressed("2", "right", "up", "+", "w")
    assert after.selected == 1
    assert after.look.lights[0] == before.look.lights[0]
    old, new = before.look.lights[1], after.look.lights[1]
    assert new.az == old.az + 5
    assert new.el == old.el + 5
    assert new.power > old.power
    assert new.kelvin < old.kelvin


def test_a_light_with_a_colour_says_that_it_has_no_kelvin() -> None:
    look = Look((Light.of("key", color="#ff8800"),))
    for key in "wc":
        after = pressed(key, state=ControlState(look, "mine"))
        assert after.look == look
        assert "#ff8800" in after.message


def test_keys_go_as_far_as_the_options() -> None:
    state = ControlState(Look(ambient=3.0, background=3.0), "mine")
    assert pressed("A", "G", state=state).look.ambient == pytest.approx(3.05)
    assert pressed("A", "G", state=state).look.background == pytest.approx(3.1)
    assert pressed(*"A" * 40, state=state).look.ambient == 4.0


def test_a_shadow_that_there_is_no_room_for_is_said() -> None:
    lights = (*(Light.of("key", power=2.0) for _ in range(4)), Light.of("fill"))
    after = pressed("5", "x", state=ControlState(Look(lights), "mine"))
    assert after.message == "5 lights ask for shadows, the 4 brightest cast them; without: fill 5"
    assert pressed("x", state=after).message == "fill: shadow off"


def test_opposite_keys_take_each_other_back() -> None:
    for a, b in (
        ("left", "right"),
        ("up", "down"),
        ("w", "c"),
        ("<", ">"),
        (" ", " "),
        ("b", "b"),
        ("a", "A"),
        ("[", "]"),
        ("x", "x"),
    ):
        assert pressed(a, b).look.lights[0] == pressed().look.lights[0]
        assert abs(pressed(a, b).look.ambient - pressed().look.ambient) < 1e-9


def test_dimmer_goes_out_and_brighter_comes_back() -> None:
    dark = pressed(*["-"] * 60)
    assert dark.look.lights[0].power == 0.0
    assert pressed("+", state=dark).look.lights[0].power > 0.0


def test_presets_go_round() -> None:
    assert [pressed(*["p"] * n).preset for n in range(4)] == ["studio", "window", "off", "studio"]


def test_broken_presets_are_said_and_stepped_over() -> None:
    def fragile(name: str) -> Look:
        if name != "studio":
            raise LiveRelightError(name, "broken")
        return load(name)

    start = ControlState(load("studio"), "studio")
    for names in ([*NAMES, "studio"], ["window", "off", "studio"]):
        after = press(start, "p", lambda n=names: n, fragile, save)
        assert after.preset == "studio"
        assert after.message == "preset studio; window, got broken"
    assert press(start, "p", lambda: ["off"], fragile, save).message == "off, got broken"
    assert press(start, "p", list, load, save).message == "no presets"


def test_reset_brings_the_preset_back() -> None:
    assert pressed("right", "right", "+", "r").look == load("studio")


def test_before_shows_the_picture_untouched() -> None:
    assert pressed("b").shown.untouched
    assert not pressed("b", "b").shown.untouched


def test_lights_that_are_not_there_say_so() -> None:
    assert "no light 7" in pressed("7").message
    assert "no lights" in pressed("p", "p", "right").message
    assert "press h" in pressed("z").message


def test_save_and_its_failure_are_said() -> None:
    assert "mine.toml" in pressed("s").message

    def broken(name: str, look: Look) -> str:
        raise LiveRelightError("disk", "full")

    assert "full" in press(pressed(), "s", lambda: NAMES, load, broken).message


@given(st.lists(st.sampled_from([*ACTIONS, *"12345678prsx", "enter", "\u00e9"]), max_size=60))
def test_any_sequence_of_keys_leaves_a_valid_state(keys: list[str]) -> None:
    state = pressed(*keys)
    assert state.preset in NAMES
    line = status_line(state, 29.97, 0.043, 2)
    assert "\n" not in line
    assert "30.0 fps | 43 ms" in line
    assert "2 dropped" in line
    for width in (200, 80, 60, 10):
        short = status_line(state, 29.97, 0.043, 2, "lean", width)
        assert len(short) <= width or " | " not in short
        assert set(short.split(" | ")) <= {*line.split(" | "), "quality lean"}
        if state.message:
            assert state.message in short  # what was just said stays longest


def test_in_eighty_columns_the_light_and_the_rate_are_there() -> None:
    line = status_line(pressed(), 29.97, 0.043, 0, "lean", 79)
    assert "az +" in line
    assert "30.0 fps" in line
    assert "quality lean" in line


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("p", "preset window"),
        ("pr", "preset window as it was"),
        ("]", "size 0.30"),
        ("[", "size 0.20"),
        ("[[[[[[[", "size 0.00"),
        ("A", "room 0.60"),
        ("a", "room 0.50"),
    ],
)
def test_in_eighty_columns_every_key_says_what_it_did(keys: str, said: str) -> None:
    start = ControlState(Look((Light.of("key", size=0.25),), ambient=0.55), "studio")
    after = pressed(*keys, state=start)
    line = status_line(after, 29.97, 0.043, 0, "lean", 79)
    assert line.split(" | ").count(said) == 1
    assert len(line) <= 79
    assert status_line(after, 29.97, 0.043, 0).split(" | ").count(said) == 1


def test_the_help_fits_eighty_columns_and_has_every_key() -> None:
    assert max(map(len, HELP.splitlines())) <= 79
    words = HELP.split()
    names = {" ": "space", "=": "+"}  # one key, with and without shift
    assert {names.get(key, key) for key in (*ACTIONS, *"prs")} <= set(words)


def test_terminal_sequences() -> None:
    assert decode("\x1b[A\x1b[Bq\tz") == ["up", "down", "q", "tab", "z"]
    assert decode("\x1bOC\x1b[1;5D\x1b[3~w") == ["right", "w"]
    assert decode("\x1b") == []


@given(st.text(max_size=20))
def test_decoding_takes_anything(text: str) -> None:
    for key in decode(text):
        assert len(key) > 1 or key.isprintable()


def test_a_sequence_cut_in_two_waits_for_its_rest() -> None:
    assert split_unfinished("a\x1b") == ("a", "\x1b")
    assert split_unfinished("a\x1b[1;") == ("a", "\x1b[1;")
    assert split_unfinished("a\x1b[A") == ("a\x1b[A", "")
    assert split_unfinished("abc") == ("abc", "")


def test_the_looks_own_numbers() -> None:
    assert pressed("V", "V").look.background_blur == 0.2
    assert pressed("V", "v", "v").look.background_blur == 0.0
    assert pressed("D").look.delight == 0.1
    assert pressed("g").look.background == pressed().look.backdrop - 0.05
    assert all(pressed(*[key] * 80).look for key in "gGvVdD[]")  # never out of range
    assert not pressed("x").look.lights[0].shadow


MOVES: dict[str, tuple[str, dict[str, float]]] = {
    "]": ("has no size", {"size": 1.0}),
    "<": ("has no distance", {"dist": -0.5}),
    "up": ("has no height", {"el": 40.0}),
}


@pytest.mark.gl
@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_change_nothing_in_a_kind_of_light_say_so_and_leave_it(kind: str) -> None:
    frame = np.full((48, 64, 3), 90, np.uint8)
    light = Light.of(kind, az=30.0, el=20.0)
    state = ControlState(Look((light,), auto=True), "mine")
    with Relighter(Settings(engine="analytic")) as relighter:
        lit = relighter.relight(frame, [light])
        for key, (said, change) in MOVES.items():
            after = pressed(key, state=state)
            seen = bool((relighter.relight(frame, [light.moved(**change)]) != lit).any())
            assert (said not in after.message) == seen, f"{key}: {after.message}"
            assert (after.look != state.look) == seen


def test_a_light_from_all_round_says_that_it_casts_no_shadow() -> None:
    state = ControlState(Look((Light.of("env"),)), "mine")
    assert pressed("x", state=state).message == "env: this light casts no shadow"
    assert pressed("x", state=state).look == state.look


def test_a_new_size_and_the_end_of_auto_are_said_together() -> None:
    state = ControlState(Look((Light.of("key", size=0.25),), auto=True), "mine")
    assert pressed("]", state=state).message == "size 0.30, auto is off"


def test_moving_a_light_by_hand_ends_auto() -> None:
    auto = pressed("n")
    assert auto.look.auto
    moved = pressed("right", state=auto)
    assert not moved.look.auto
    assert "auto is off" in moved.message
    assert not pressed("n", state=auto).look.auto


def test_the_hand_goes_on_from_what_auto_made() -> None:
    look = replace(load("studio"), auto=True)
    lights = (replace(look.lights[0], az=-40.0, power=0.31), *look.lights[1:])
    drawn = replace(look, lights=lights, ambient=0.83, background=0.7)
    state = ControlState(look, "studio", arranged=drawn)
    assert "az -40" in status_line(state, 30.0, 0.0, 0)
    assert "room 0.83" in status_line(state, 30.0, 0.0, 0)
    moved = pressed("right", state=state).look
    assert (moved.lights[0].az, moved.lights[0].power, moved.ambient) == (-35.0, 0.31, 0.83)
    assert moved.background == 0.7
    assert not moved.auto
    assert pressed("+", state=state).look.lights[0].power == pytest.approx(0.31 * 1.15)
    room = pressed("A", state=state)
    assert (room.look.ambient, room.look.lights[0].az) == (pytest.approx(0.88), -40.0)
    assert room.message == "room 0.88, auto is off"
    unknown = pressed("right", state=replace(state, arranged=None)).look
    assert unknown.lights[0].az == look.lights[0].az + 5
    by_hand = replace(state, look=replace(look, auto=False))
    assert by_hand.actual is by_hand.look


def test_keys_one_after_the_other_go_on_from_what_auto_makes() -> None:
    """Also where no frame was drawn between them."""
    look = presets.load("auto").look
    controls = Controls(look, "auto")
    assert controls.now().arranged is None
    there = PresentState(Present((1.0, -1.0, *[0.0] * 7), 0.05, 0.1, 1.0), 0.0, -1.0)
    controls.there = lambda: there
    drawn = arrange(look, there)
    assert drawn.lights[0].az < 0 < look.lights[0].az
    assert controls.now().actual == drawn
    darker = controls.press("g").look
    assert darker.auto
    assert darker.background == pytest.approx(drawn.backdrop - 0.05)
    controls.press("d")
    moved = controls.press("right").look
    assert moved.lights[0].az == drawn.lights[0].az + 5
    assert moved.lights[0].power == pytest.approx(drawn.lights[0].power, rel=0.2)
    assert (moved.ambient, moved.background) == (drawn.ambient, darker.background)
    assert controls.now().arranged is None


def test_a_key_under_auto_goes_on_from_the_last_frame() -> None:
    look = presets.load("auto").look
    controls, found = Controls(look, "auto"), AnalyticEstimator()
    pipeline = Pipeline(found, Still(), [], controls.look, Smoothing())
    controls.there = lambda: pipeline.there
    pipeline.process(Frame(np.full((120, 160, 3), 25, np.uint8), 0.1, 1), {})
    drawn = controls.now().actual
    assert drawn.ambient != look.ambient
    moved = controls.press("right").look
    assert moved.lights[0].az == drawn.lights[0].az + 5
    assert (moved.lights[0].power, moved.ambient) == (drawn.lights[0].power, drawn.ambient)


def test_a_preset_whose_surroundings_are_gone_is_said_and_stepped_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end the run in mid-stream."""
    monkeypatch.setattr(presets, "user_folder", lambda: tmp_path)
    (tmp_path / "broken.toml").write_text('[[light]]\nkind = "env"\nfile = "/nowhere/gone.hdr"\n')
    controls = Controls(load("off"), "off")  # `broken` comes after it
    state = controls.press("p")
    assert "gone.hdr" in state.message
    assert state.preset == "studio"
