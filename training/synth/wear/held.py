"""Hands: curled fingers and what they hold; and a microphone on its stand before the person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synth.gl import Piece, View, pack
from training.synth.meshes import F32, I32, unit
from training.synth.people.figure import Figure
from training.synth.people.poses import rotation
from training.synth.solids import Solid, box, lathe, merge, tube

GRIPS = {  # thing: bend of the three finger joints and of the thumb, degrees
    "phone": ((22, 30, 25), 25), "mug": ((38, 42, 30), 30), "glass": ((38, 42, 30), 30),
    "bottle": ((42, 46, 30), 32), "pen": ((42, 50, 30), 35), "book": ((18, 24, 20), 25),
    "tablet": ((18, 22, 20), 22), "marker": ((46, 55, 40), 35),
}  # fmt: skip
UPRIGHT = ("mug", "glass", "bottle")


@dataclass(frozen=True)
class Hand:
    """A posed hand: wrist, palm, knuckle (of the index finger) [3]; frame [3,3] with columns across (to the
    thumb), along (to the fingertips), out of the palm; size: over the template's."""

    wrist: F32
    palm: F32
    knuckle: F32
    frame: F32
    size: float


class Hands:
    """Finds and closes the hands of posed bodies."""

    def __init__(self, figure: Figure) -> None:
        index, weight = figure.topology.bone_index, figure.topology.bone_weight
        self.weight: dict[str, tuple[I32, F32]] = {}
        for k, name in enumerate(figure.topology.bones):
            if name.startswith(("wrist", "metacarpal", "finger")):
                share = (weight * (index == k)).sum(1)
                on = np.flatnonzero(share > 0).astype(np.int32)
                self.weight[name] = on, share[on].astype(np.float32)

    def middle(self, vertices: F32, bone: str) -> F32:
        """The middle [3] of a bone's vertices."""
        on, weight = self.weight[bone]
        return (weight @ vertices[on] / weight.sum()).astype(np.float32)

    def joint(self, vertices: F32, bone: str, before: str) -> F32:
        """The middle [3] of the vertices that two bones share."""
        on, weight = self.weight[bone]
        other, share = self.weight[before]
        both, i, j = np.intersect1d(on, other, assume_unique=True, return_indices=True)
        if not len(both):
            return self.middle(vertices, bone)
        shared = weight[i] * share[j]
        return (shared @ vertices[both] / shared.sum()).astype(np.float32)

    def find(self, vertices: F32, side: str) -> Hand:
        """The frame of the hand `side` ("L" or "R") of a posed body [V,3]."""
        names = ("wrist", "finger2-1", "finger5-1", "metacarpal3")
        wrist, index, little, palm = (self.middle(vertices, f"{name}.{side}") for name in names)
        reach = 0.5 * (index + little) - wrist
        along = unit(reach)
        across = unit(index - little - along * ((index - little) @ along))
        out = np.cross(along, across) * (1 if side == "L" else -1)
        size = float(np.clip(np.linalg.norm(reach) / 0.0955, 0.7, 1.4))
        return Hand(wrist, palm, index, np.stack([across, along, out], 1).astype(np.float32), size)

    def free(self, vertices: F32, head: F32, facing: F32) -> str:
        """The hand that could hold something in view: "L", "R" or "" (neither is up before the trunk).

        head [3]: between the eyes; facing [3]: where the chest faces.
        """
        found = {}
        for side in ("L", "R"):
            away = self.find(vertices, side).palm - head
            reach = float(np.linalg.norm(away))
            ahead = float(away @ unit(facing * np.array([1, 0, 1], np.float32)))
            aside = float(np.abs(np.cross(facing, away)[1]))
            if -0.4 < away[1] < 0.15 and ahead > 0.1 and 0.17 < reach < 0.8 and aside < 0.38:
                found[side] = reach
        return min(found, key=lambda side: found[side]) if found else ""

    def curl(self, vertices: F32, side: str, thing: str) -> F32:
        """The body [V,3] with the fingers of one hand closed around a thing."""
        bend, thumb = GRIPS[thing]
        hand, out = self.find(vertices, side), vertices.astype(np.float64)
        close = np.cross(hand.frame[:, 1], hand.frame[:, 2])
        inward = unit(hand.frame[:, 1] * (1 if side == "R" else -1) + 0.4 * close)
        for finger in range(1, 6):
            turn, shift = np.eye(3), np.zeros(3)
            before = f"metacarpal{finger - 1}.{side}" if finger > 1 else f"wrist.{side}"
            for joint in range(3):
                bone = f"finger{finger}-{joint + 1}.{side}"
                on, weight = self.weight[bone]
                angle = (
                    thumb * (0.7, 0.5, 0.4)[joint] if finger == 1 else bend[joint] * (1 + 0.06 * (finger - 3))
                )
                step, pivot = (
                    rotation(inward if finger == 1 else close, angle),
                    self.joint(vertices, bone, before),
                )
                # A joint moves with the bones before it: T_new(v) = T_old(pivot + step (v - pivot)).
                shift = turn @ (pivot - step @ pivot) + shift
                turn = turn @ step
                out[on] += weight[:, None] * (vertices[on] @ turn.T + shift - vertices[on])
                before = bone
        return out.astype(np.float32)


def draw_thing(rng: np.random.Generator, hand: Hand) -> str:
    """What this hand may hold: cups only if they stay roughly upright."""
    level = float(hand.frame[1, 0])  # how far the thumb's side points up
    things = list(GRIPS) if level > 0.72 else [k for k in GRIPS if k not in UPRIGHT]
    odds = np.array([{"phone": 4.0, "mug": 4.0, "pen": 1.5}.get(k, 1.0) for k in things])
    return things[int(rng.choice(len(things), p=odds / odds.sum()))]


def thing_solid(rng: np.random.Generator, thing: str) -> Solid:
    """A thing in the hand's frame: x to the thumb, y along the fingers, z out of the palm; metres."""
    u = rng.uniform
    if thing in ("phone", "tablet", "book"):
        half = {
            "phone": [u(0.033, 0.039), u(0.068, 0.08), u(0.0035, 0.006)],
            "tablet": [u(0.075, 0.09), u(0.1, 0.125), u(0.003, 0.005)],
            "book": [u(0.06, 0.08), u(0.09, 0.12), u(0.006, 0.018)],
        }[thing]
        solid = box(np.array(half), 0.008 if thing != "book" else 0.001)
        lean = rotation(np.array([0, 0, 1.0]), u(-20, 35)) @ rotation(np.array([1.0, 0, 0]), u(-12, 5))
        place = [0.0, 0.045, 0.020 + half[2]] if thing == "phone" else [half[0] - 0.03, 0.06, 0.022 + half[2]]
        return solid.moved(lean, np.array(place))
    if thing in ("pen", "marker"):
        radius, length = (0.0045, 0.075) if thing == "pen" else (0.008, 0.065)
        t = np.linspace(-1, 1, 8)[:, None]
        path = t * length * unit(np.array([1.0, u(-0.2, 0.5), u(0.2, 0.7)])) + np.array([0.02, 0.05, 0.03])
        return tube(path, radius * np.array([0.3, 0.9, 1, 1, 1, 1, 1, 0.8]), False, 8)
    r, h = {"mug": (u(0.036, 0.044), u(0.04, 0.052)), "glass": (u(0.03, 0.038), u(0.05, 0.07))}.get(
        thing, (u(0.028, 0.036), u(0.09, 0.11))
    )
    wall = [
        [0, -1],
        [0.9, -1],
        [0.9, -1],
        [1, -0.93],
        [1, 0],
        [1, 1],
        [1, 1],
        [0.9, 1],
        [0.9, 1],
        [0.86, 0.6],
        [0, 0.6],
    ]
    if thing == "bottle":
        wall = [
            [0, -1],
            [0.95, -1],
            [1, -0.95],
            [1, 0.3],
            [0.95, 0.42],
            [0.42, 0.72],
            [0.38, 0.95],
            [0.42, 0.95],
            [0.42, 1.05],
            [0, 1.05],
        ]
    if thing == "glass":
        wall = [[a * (0.9 + 0.1 * b), b] for a, b in wall]
    body = lathe(np.array(wall) * [r, h], 24)
    parts = [body]
    if thing == "mug":
        t = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 9)
        side = u(0.6, 2.6)
        arc = np.stack([r + 0.024 * np.cos(t), 0.62 * h * np.sin(t), 0 * t], 1)
        ring = tube(arc, 0.0048, False, 7)
        c, s = np.cos(side), np.sin(side)
        parts.append(ring.moved(np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]), np.zeros(3)))
    upright = np.array([[0, 1.0, 0], [-1.0, 0, 0], [0, 0, 1.0]])  # the axis y goes to the thumb, x
    return merge(parts).moved(upright, np.array([0.012, 0.035, 0.018 + r]))


def hold(hand: Hand, solid: Solid, role: str = "held") -> Piece:
    """The thing in the posed hand, part of the person."""
    v = (hand.palm + (solid.points * hand.size) @ hand.frame.T).astype(np.float32)
    n = unit(solid.normals @ hand.frame.T)
    return Piece(role, "plain", pack(v, n, n, solid.uv, solid.points, np.zeros_like(solid.aux)), solid.tri)


def microphone(rng: np.random.Generator, head: F32, view: View) -> list[Piece]:
    """A microphone on a stand or an arm between camera and person, in person space.

    Pieces of the roles mic (stand) and mic2 (head): before the person, not of it.
    """
    eye = -view.view[:3, :3].T @ view.view[:3, 3]
    toward = eye - head
    far = float(np.linalg.norm(toward))
    toward = unit(toward)
    right, up = view.view[0, :3], np.array([0, 1.0, 0])
    gap = float(np.clip(rng.uniform(0.1, 0.32), 0.0, far - 0.25))
    span = 1.0 * view.tan_half[0] * (far - gap)
    spot = head + toward * gap + right * rng.normal(0, 0.35) * span * 0.8 - up * rng.uniform(0.08, 0.2)
    yaw = np.stack([right, up, np.cross(right, up)], 1)
    tilt = (
        yaw
        @ rotation(np.array([1.0, 0, 0]), rng.uniform(-40, 60))
        @ rotation(np.array([0, 0, 1.0]), rng.normal(0, 25))
    )
    r, h = rng.uniform(0.018, 0.032), rng.uniform(0.035, 0.085)
    top = rng.uniform(0.3, 1.0)
    head_profile = np.array(
        [[0, 1 + 0.3 * top], [0.6, 1 + 0.26 * top], [1, 1], [1, 0.0], [1, 0.0], [0.9, -0.05], [0, -0.05]]
    )
    body_profile = np.array([[0.96, 0.0], [0.96, -0.8], [0.9, -0.9], [0.5, -1.0], [0, -1.0]])
    heads, stand = (
        [lathe(head_profile * [r, h], 20).moved(tilt, spot)],
        [lathe(body_profile * [r, h], 20).moved(tilt, spot)],
    )
    if rng.random() < 0.3:  # a ring of elastic around it, or the disc of a pop filter
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack([2.0 * r * np.cos(angle), 0 * angle, 2.0 * r * np.sin(angle)], 1)
        stand += [
            tube(ring + np.array([0, s * 0.5 * h, 0]), 0.003, True, 6).moved(tilt, spot) for s in (-1, -0.2)
        ]
    start = spot - tilt[:, 1] * h
    side = float(rng.choice([-1, 1]))
    joint = start + right * side * rng.uniform(0.0, 0.45) - up * rng.uniform(0.05, 0.3)
    t = np.linspace(0, 1, 8)[:, None]
    bow = start * (1 - t) + joint * t + t * (1 - t) * np.array([0, -0.1, 0]) * rng.random()
    foot = joint - up * 0.9 + right * side * rng.uniform(0, 0.4)
    path = np.concatenate([bow, np.linspace(joint, foot, 5)[1:]])
    stand.append(tube(path, rng.uniform(0.005, 0.011), False, 8))
    pieces = []
    for role, solid in (("mic", merge(stand)), ("mic2", merge(heads))):
        n = unit(solid.normals)
        zero = np.zeros_like(solid.aux)
        pieces.append(Piece(role, "plain", pack(solid.points, n, n, zero, solid.points, zero), solid.tri))
    return pieces
