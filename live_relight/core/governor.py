"""Keeps the frame rate: how fine light and geometry are worked out, as a pure step over what frames took.

Where a frame takes longer than the source leaves for it, shadows are marched in fewer steps first; then the
light is half as wide and high where it is at the picture's size, which is everywhere on a card and along the
person's edge without one; then the network is run on a smaller picture, and the filters follow it; at last
on every second frame only, and between them its word is moved with the picture. Where
there has been room for a while it climbs back, one level at a time, and waits longer after each climb that
did not hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from . import shadow

LEVELS = ("low", "medium", "high")
"""What a user may ask for."""
RUNGS = ("sparse", "low", "medium", "coarse", "lean", "high")
"""What the governor goes through: 'lean' is 'high' with fewer steps a shadow, 'coarse' is 'lean' with
smaller light (FINE), 'sparse' is 'low' with the network in every second frame (EVERY)."""
LEARNED = "learned"
"""Above them all, where there is room for it: 'high', and the light network is heard."""
EVERY = {"sparse": 2}
"""Frames from one that the network looks at to the next, where not in every one (carry.py)."""
SHARES = {"sparse": 0.5, "low": 0.5, "medium": 0.62, "coarse": 1.0, "lean": 1.0, "high": 1.0, LEARNED: 1.0}
"""Area of the network's input, as a share of the network's usual one."""
STEPS = {
    "sparse": 3,
    "low": 3,
    "medium": 4,
    "coarse": 6,
    "lean": 6,
    "high": shadow.STEPS,
    LEARNED: shadow.STEPS,
}
"""Steps a shadow is marched in; a card takes more at `high` (`shadow_steps`)."""
FINE = ("lean", "high", LEARNED)
"""Levels with a light map at the picture's size on a card; without one, with the person's edge at it, in
place of half of it."""
COST = {"sparse": 0.63, "low": 0.7, "medium": 0.81, "coarse": 0.92, "lean": 0.96, "high": 1.0, LEARNED: 1.17}
"""What a frame takes at a level, as a share of `high` (docs/performance.md), without a card."""
GEOMETRY = {"sparse": 0.36, "low": 0.55, "medium": 0.7, "coarse": 1.0, "lean": 1.0, "high": 1.0, LEARNED: 1.0}
"""The same of its first half, the network."""
LIGHT = {"sparse": 0.68, "low": 0.7, "medium": 0.75, "coarse": 0.84, "lean": 0.96, "high": 1.0, LEARNED: 1.65}
"""The same of its second half."""

PASSED = ("medium", "coarse", "lean")
"""Rungs that are passed over where they would not save enough; `sparse` is only gone to where `low` was seen
not to do."""
FULL, ROOM, AMPLE = 0.97, 0.80, 0.72
"""Load from which to step down; load that a climb may at most lead to, and one to LEARNED."""
SETTLE = 1.5
"""Seconds after a change before another step down: what was measured before does not count."""
PATIENCE, LONGEST = 8.0, 120.0
"""Seconds of room before a climb, at first and at most."""
MEMORY = 1.0
"""Seconds over which load is averaged."""
CALM = 0.2
"""Seconds that a frame counts for at most: one that a camera held back says little of how busy we are."""
STILL, BOTH, CALMED = 1.0, 2, 20.0
"""Seconds from which on a frame says nothing: a camera or a sink blocked, or the program was stopped; how
many that took so long are left out (two are on the way where the halves go side by side) in how many
seconds."""
MOST = 2.0
"""Load that one frame counts as at most."""
FADE = 1.0
"""Seconds in which the light network comes and goes: nobody is to see the light jump."""
TAUGHT = 4.0
"""How many times as long it waits to hear the light network after each time that it was too much: a light
that comes and goes is worse than none that is learned."""


def heard(share: float, level: str, seconds: float) -> float:
    """How far the light network is heard, 0..1, `seconds` after it was by `share`, at a level."""
    way = min(max(seconds, 0.0), CALM) / FADE
    return min(share + way, 1.0) if level == LEARNED else max(share - way, 0.0)


def shadow_steps(level: str, card: bool) -> int:
    """Steps a shadow is marched in at a level, with a card that draws or without."""
    return shadow.MOST_STEPS if card and level in ("high", LEARNED) else STEPS[level]


class Busy(NamedTuple):
    """What a frame takes of the time there is from one to the next: seconds, or as a share of that. Where its
    halves go side by side, each has all of that time."""

    whole: float = 0.0
    """One half after the other; or, side by side, what all threads took, shared out over the cores."""
    geometry: float = 0.0
    """The first half, where they go side by side."""
    light: float = 0.0
    """The second."""

    def at(self, level: str, now: str) -> Busy:
        """What it would be at a level, of what it is at the level `now`."""
        ratios = (table[level] / table[now] for table in (COST, GEOMETRY, LIGHT))
        return Busy(*(part * ratio for part, ratio in zip(self, ratios, strict=True)))


IDLE = Busy()


@dataclass(frozen=True, slots=True)
class GovernorState:
    """What one step hands to the next."""

    level: str = "high"
    loads: Busy = IDLE
    """Time that frames took over the time there was, averaged."""
    changed: float | None = None
    """When the level last changed, or the first frame came; seconds on any clock."""
    climbed: float | None = None
    """When it last climbed."""
    patience: float = PATIENCE
    hope: float = PATIENCE
    """Seconds of room before LEARNED."""
    before: Busy = IDLE
    """Loads when it climbed to LEARNED."""
    still: int = 0
    """Frames of STILL since `stood`."""
    stood: float | None = None
    """When such a frame came after CALMED without one."""

    @property
    def load(self) -> float:
        """1 = no room left."""
        return max(self.loads)


def step(
    state: GovernorState, now: float, busy: Busy, interval: float, rungs: tuple[str, ...] = RUNGS
) -> GovernorState:
    """One frame further. `busy`: seconds it took; `interval`: seconds from frame to frame, as the source
    gives them; `rungs`: RUNGS, with LEARNED on top or without. The argument is not changed."""
    changed = state.changed
    if changed is None:  # the first frame opens files and compiles shaders: it says nothing
        return replace(state, changed=now)
    if now < changed:  # the light network fades out: what it takes is not the level's
        return state
    if interval > STILL:  # the camera stood still
        return state
    if max(busy) > STILL:
        if state.stood is None or now - state.stood > CALMED:
            return replace(state, still=1, stood=now)
        if state.still < BOTH:
            return replace(state, still=state.still + 1)
    state = replace(state, loads=_averaged(state.loads, busy, interval))
    load = state.load
    rested, index = now - changed, rungs.index(state.level)
    if load > FULL and index > 0 and rested > SETTLE:
        if state.level == LEARNED:
            return silenced(replace(state, hope=state.hope * TAUGHT), now)
        # A climb that is taken back soon was one too many.
        failed = state.climbed is not None and now - state.climbed < 2 * state.patience
        patience = min(2 * state.patience, LONGEST) if failed else state.patience
        index -= 1
        while rungs[index] in PASSED and max(state.loads.at(rungs[index], state.level)) > FULL:
            index -= 1  # too little: straight on
        return _moved(replace(state, patience=patience), rungs[index], now)
    if index + 1 < len(rungs) and rested > state.patience:
        above = rungs[index + 1]
        if max(state.loads.at(above, state.level)) >= (AMPLE if above == LEARNED else ROOM):
            return state
        if above == LEARNED:
            return _moved(replace(state, before=state.loads), above, now) if rested > state.hope else state
        return _moved(replace(state, climbed=now), above, now)
    return state


def silenced(state: GovernorState, now: float) -> GovernorState:
    """Down from LEARNED, as loaded as before it; nothing counts until the light network has faded out."""
    return replace(state, level="high", loads=state.before, changed=now + FADE)


def _moved(state: GovernorState, level: str, now: float) -> GovernorState:
    return replace(state, level=level, loads=state.loads.at(level, state.level), changed=now)


def _averaged(loads: Busy, busy: Busy, interval: float) -> Busy:
    """One frame further. The first one is taken as it is."""
    weight = min(max(*busy, interval), CALM) / MEMORY if any(loads) else 1.0
    new = (min(part / max(interval, 1e-6), MOST) for part in busy)
    return Busy(*(old + (part - old) * weight for old, part in zip(loads, new, strict=True)))
