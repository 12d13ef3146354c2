"""What each key does, as a pure function from one state of the controls to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import LiveRelightError
from ..core.governor import LEARNED
from ..core.lamps import SHADOWLESS, crowded
from ..core.look import NUMBERS, Look

HELP = """\
1-8 tab     choose a light               a A   room light darker, brighter
left right  move it round                g G   backdrop darker, brighter
up down     higher, lower                v V   backdrop sharper, more blurred
+ -         brighter, dimmer             d D   even out less, more
w c         warmer, cooler               n     auto on or off
< >         nearer, farther              b     before / after
[ ]         smaller, larger              p r   next preset, preset as it was
space x     light, shadow on or off      s     save as preset 'mine'
h ?         this help                    q     quit"""

LACKS = {
    "dist": ("directional", *SHADOWLESS),
    "size": SHADOWLESS,
    "el": ("env",),
}
"""Fields that change nothing in some kinds of light."""
CALLED = {"dist": "distance", "size": "size", "el": "height"}


@dataclass(frozen=True, slots=True)
class ControlState:
    """Everything the keys can change."""

    look: Look
    preset: str
    selected: int = 0
    before: bool = False
    """Show the picture without any of our light."""
    quit: bool = False
    message: str = ""
    """Said once, then gone."""
    help: bool = False
    arranged: Look | None = None
    """What `auto` has made of the look; None: not known."""

    @property
    def shown(self) -> Look:
        return Look(fov=self.look.fov) if self.before else self.look

    @property
    def actual(self) -> Look:
        """With the numbers that are seen: `auto`'s where it is on."""
        return self.arranged or self.look if self.look.auto else self.look


def _selected(state: ControlState, **deltas: float) -> ControlState:
    lights = list(state.actual.lights)
    if not lights:
        return replace(state, message="this preset has no lights: press p for another")
    index = min(state.selected, len(lights) - 1)
    for name in deltas:
        if lights[index].kind in LACKS.get(name, ()):
            return replace(state, message=f"{lights[index].kind}: this light has no {CALLED[name]}")
    lights[index] = lights[index].moved(**deltas)
    # The status line has the other numbers.
    said = [f"size {lights[index].size:.2f}"] if "size" in deltas else []
    # By hand from here, and from what is seen: auto would put it back.
    said += ["auto is off"] if state.look.auto else []
    look = replace(state.actual, lights=tuple(lights), auto=False)
    return replace(state, selected=index, look=look, message=", ".join(said))


def _scaled_power(state: ControlState, factor: float) -> ControlState:
    lights = state.actual.lights
    if not lights:
        return _selected(state)
    now = lights[min(state.selected, len(lights) - 1)].power
    # Multiplying never reaches nothing and never leaves it: the last step goes to 0, the first to 0.05.
    wanted = max(now, 0.05) * factor if factor > 1 else now * factor
    wanted = wanted if wanted >= 0.05 else 0.0
    return _selected(state, power=wanted - now)


def _toggle(state: ControlState, name: str) -> ControlState:
    """'on' or 'shadow' of the chosen light."""
    lights = list(state.look.lights)
    if not lights:
        return _selected(state)
    index = min(state.selected, len(lights) - 1)
    if name == "shadow" and lights[index].kind in SHADOWLESS:
        return replace(state, message=f"{lights[index].kind}: this light casts no shadow")
    now = not getattr(lights[index], name)
    change: dict[str, Any] = {name: now}
    lights[index] = replace(lights[index], **change)
    message = f"{lights[index].kind}: shadow {'on' if now else 'off'}" if name == "shadow" else ""
    look = replace(state.look, lights=tuple(lights))
    return replace(state, look=look, message=(crowded(look) if now else "") or message)


def _warmed(state: ControlState, kelvin: float) -> ControlState:
    """Colour temperature of the chosen light; one that has a colour has none."""
    lights = state.look.lights
    if lights and (colour := lights[min(state.selected, len(lights) - 1)].color):
        return replace(state, message=f"this light is {colour}: warmer and cooler go by kelvin")
    return _selected(state, kelvin=kelvin)


def _number(state: ControlState, name: str, delta: float) -> ControlState:
    """A number of the look, moved and held within its limits."""
    low, most, _ = NUMBERS[name]
    now = getattr(state.look, name)
    start = {"background": state.actual.backdrop, "delight": 0.0}.get(name, 0.0) if now is None else now
    value = round(min(max(start + delta, low), most), 4)
    message = f"{name.replace('_', ' ')} {value:.2f}"
    changes: dict[str, Any] = {name: value}
    return replace(state, look=replace(state.look, **changes), message=message)


def _auto(state: ControlState) -> ControlState:
    now = not state.look.auto
    message = f"auto is {'on' if now else 'off'}"
    return replace(state, look=replace(state.look, auto=now), message=message)


def _room(state: ControlState, delta: float) -> ControlState:
    look = state.actual
    low, most, _ = NUMBERS["ambient"]
    ambient = min(max(look.ambient + delta, low), most)
    background = None if look.background is None else min(max(look.background + delta, low), most)
    said = f"room {ambient:.2f}" + (", auto is off" if look.auto else "")
    look = replace(look, ambient=ambient, background=background, auto=False)
    return replace(state, look=look, message=said)


def _next_light(state: ControlState) -> ControlState:
    count = len(state.look.lights)
    return replace(state, selected=(state.selected + 1) % count) if count else _selected(state)


SEPARATOR = " | "

ACTIONS: dict[str, Callable[[ControlState], ControlState]] = {
    "tab": _next_light,
    "left": lambda s: _selected(s, az=-5.0),
    "right": lambda s: _selected(s, az=5.0),
    "up": lambda s: _selected(s, el=5.0),
    "down": lambda s: _selected(s, el=-5.0),
    "+": lambda s: _scaled_power(s, 1.15),
    "=": lambda s: _scaled_power(s, 1.15),
    "-": lambda s: _scaled_power(s, 1 / 1.15),
    "w": lambda s: _warmed(s, -200.0),
    "c": lambda s: _warmed(s, 200.0),
    "<": lambda s: _selected(s, dist=-0.1),
    ">": lambda s: _selected(s, dist=0.1),
    "[": lambda s: _selected(s, size=-0.05),
    "]": lambda s: _selected(s, size=0.05),
    " ": lambda s: _toggle(s, "on"),
    "x": lambda s: _toggle(s, "shadow"),
    "g": lambda s: _number(s, "background", -0.05),
    "G": lambda s: _number(s, "background", 0.05),
    "v": lambda s: _number(s, "background_blur", -0.1),
    "V": lambda s: _number(s, "background_blur", 0.1),
    "d": lambda s: _number(s, "delight", -0.1),
    "D": lambda s: _number(s, "delight", 0.1),
    "n": _auto,
    "a": lambda s: _room(s, -0.05),
    "A": lambda s: _room(s, 0.05),
    "b": lambda s: replace(s, before=not s.before),
    "h": lambda s: replace(s, help=True),
    "?": lambda s: replace(s, help=True),
    "q": lambda s: replace(s, quit=True),
}


def press(
    state: ControlState,
    key: str,
    presets: Callable[[], list[str]],
    load: Callable[[str], Look],
    save: Callable[[str, Look], str],
) -> ControlState:
    """The state after `key`. `presets` lists names in order, `load` gives a preset's look, `save` keeps
    one and returns where. An unknown key says so and changes nothing."""
    state = replace(state, message="", help=False)
    if key in ACTIONS:
        return ACTIONS[key](state)
    if len(key) == 1 and key in "12345678":
        if int(key) <= len(state.look.lights):
            return replace(state, selected=int(key) - 1)
        return replace(state, message=f"there is no light {key}: {len(state.look.lights)} in this preset")
    try:
        if key == "p":
            return _next_preset(state, presets(), load)
        if key == "r":
            message = f"preset {state.preset} as it was"
            return replace(state, look=load(state.preset), selected=0, before=False, message=message)
        if key == "s":
            return replace(state, message=f"saved: {save('mine', state.look)}")
    except LiveRelightError as error:
        return replace(state, message=str(error))
    return replace(state, message=f"'{key}' does nothing: press h for the keys")


def _next_preset(state: ControlState, names: list[str], load: Callable[[str], Look]) -> ControlState:
    """The next one that loads: a broken file among the user's own is said and stepped over."""
    after = names.index(state.preset) + 1 if state.preset in names else 0
    broken = ""
    for name in [*names[after:], *names[:after]]:
        try:
            look = load(name)
        except LiveRelightError as error:
            broken = broken or str(error)
            continue
        # The status line may have no room for the preset.
        message = "; ".join(filter(None, (f"preset {name}", broken or crowded(look))))
        return replace(state, preset=name, look=look, selected=0, before=False, message=message)
    return replace(state, message=broken or "no presets")


def status_line(
    state: ControlState,
    fps: float,
    latency: float,
    dropped: int,
    quality: str = "high",
    width: int | None = None,
) -> str:
    """One line: preset, the chosen light, speed; quality where it is not `high`. `latency` seconds, 0 =
    unknown. `width`: characters there are; what matters least is left out for them, the preset first."""
    found = _chosen(state)
    room = f"room {state.actual.ambient:.2f}"
    # What is said, and how long it stays where there is little room.
    parts = [
        (state.preset, 0),
        ("BEFORE" if state.before else "", 5),
        (found, 4),
        (room if room != state.message else "", 1),
        (f"{fps:.1f} fps", 3),
        (f"{latency * 1e3:.0f} ms" if latency else "", 1),
        (f"{dropped} dropped" if dropped else "", 2),
        ({"high": "", LEARNED: "learned light"}.get(quality, f"quality {quality}"), 3),
        (state.message, 6),
    ]
    parts = [part for part in parts if part[0]]
    while width and len(parts) > 1 and len(SEPARATOR.join(text for text, _ in parts)) > width:
        parts.remove(min(parts, key=lambda part: part[1]))
    return SEPARATOR.join(text for text, _ in parts)


def _chosen(state: ControlState) -> str:
    """The light that the keys act on; '' where there is none."""
    lights = state.actual.lights
    if not lights:
        return ""
    index = min(state.selected, len(lights) - 1)
    light = lights[index]
    text = f"[{index + 1}/{len(lights)} {light.kind}] az {light.az:+.0f} el {light.el:+.0f}"
    text += f" dist {light.dist:.1f} power {light.power:.2f} {light.color or f'{light.kelvin:.0f} K'}"
    return text if light.on else f"{text} OFF"
