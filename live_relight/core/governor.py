"""Keeps the frame rate: how fine the geometry is worked out, as a pure step over what frames took.

Where a frame takes longer than the source leaves for it, shadows are marched in fewer steps first; then the
network is run on a smaller picture, and the light map and the filters follow it, because they work on the
network's grid. Where there has been room for a while
it climbs back, one level at a time, and waits longer after each climb that did not hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LEVELS = ("low", "medium", "high")
"""What a user may ask for."""
RUNGS = ("low", "medium", "lean", "high")
"""What the governor goes through: 'lean' is 'high' with fewer steps a shadow."""
SHARES = {"low": 0.5, "medium": 0.62, "lean": 1.0, "high": 1.0}
"""Area of the network's input, as a share of the network's usual one."""
STEPS = {"low": 3, "medium": 4, "lean": 4, "high": 6}
"""Steps a shadow is marched in."""
COST = {"low": 0.7, "medium": 0.81, "lean": 0.96, "high": 1.0}
"""What a frame takes at a level, as a share of `high` (docs/performance.md)."""

FULL, ROOM = 0.97, 0.80
"""Load from which to step down; load that a climb may at most lead to."""
SETTLE = 1.5
"""Seconds after a change before another step down: what was measured before does not count."""
PATIENCE, LONGEST = 8.0, 120.0
"""Seconds of room before a climb, at first and at most."""
MEMORY = 1.0
"""Seconds over which load is averaged."""


@dataclass(frozen=True, slots=True)
class GovernorState:
    """What one step hands to the next."""

    level: str = "high"
    load: float = 0.0
    """Time that frames took over the time there was, averaged; 1 = no room left."""
    changed: float | None = None
    """When the level last changed, or the first frame came; seconds on any clock."""
    climbed: float | None = None
    """When it last climbed."""
    patience: float = PATIENCE


def step(state: GovernorState, now: float, busy: float, interval: float) -> GovernorState:
    """One frame further. `busy`: seconds it took; `interval`: seconds from frame to frame, as the source
    gives them. The argument is not changed."""
    load = min(busy / max(interval, 1e-6), 4.0)
    changed = state.changed
    if changed is None:  # the first frame opens files and compiles shaders: it says nothing
        return replace(state, changed=now)
    weight = min(max(busy, interval) / MEMORY, 1.0)
    load = state.load + (load - state.load) * weight if state.load else load
    state = replace(state, load=load)
    rested, index = now - changed, RUNGS.index(state.level)
    if load > FULL and index > 0 and rested > SETTLE:
        # A climb that is taken back soon was one too many.
        failed = state.climbed is not None and now - state.climbed < 2 * state.patience
        patience = min(2 * state.patience, LONGEST) if failed else state.patience
        below = RUNGS[index - 1]
        if below == "lean" and load * COST[below] > FULL:  # too little: straight on
            below = RUNGS[index - 2]
        return _moved(replace(state, patience=patience), below, now)
    if index + 1 < len(RUNGS) and rested > state.patience:
        above = RUNGS[index + 1]
        if load * COST[above] / COST[state.level] < ROOM:
            return _moved(replace(state, climbed=now), above, now)
    return state


def _moved(state: GovernorState, level: str, now: float) -> GovernorState:
    expected = state.load * COST[level] / COST[state.level]
    return replace(state, level=level, load=expected, changed=now)
