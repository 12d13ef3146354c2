"""From a drawn scene to pictures: light, backdrop, compositing, camera; and the labels beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.camera.sensor import expose, shoot
from training.synth.gl import SHADOW_SIZE, Actor, Lamps, Renderer, View
from training.synth.meshes import F32
from training.synth.parts import OTHER
from training.synth.places.backdrop import draw_backdrop
from training.synth.places.framing import rotate
from training.synth.places.light import Environment, draw_key, draw_light, shadow_matrix
from training.synth.places.rooms import Figure

ALIKE = 0.12
"""How often the room has the colour of what somebody wears, or of their skin or hair: nothing but shape tells
them apart then, and a matte that goes by colour loses a shoulder."""


@dataclass(frozen=True)
class Scene:
    """Who is seen from where. head [3]: middle of the main person's head; distance: its metres away."""

    actors: Sequence[Actor]
    view: View
    head: F32
    distance: float


@dataclass(frozen=True)
class Frame:
    """One G-buffer, read back. All [H,W]-shaped.

    normal [H,W,3] unit, camera axes; depth: metres along the optical axis, 0 = nobody; alpha: coverage by
    people, cover: by anything drawn, both 0..1; part number; albedo [H,W,3] uint8, square root of linear.
    """

    normal: F32
    depth: F32
    alpha: F32
    cover: F32
    part: NDArray[np.uint8]
    albedo: NDArray[np.uint8]

    def labels(self) -> dict[str, NDArray[Any]]:
        """As shards.py stores them."""
        on = self.alpha > 0.02
        return {
            "normal": np.rint(self.normal * np.float32(127)).astype(np.int8) * on[..., None],
            "depth": np.where(on, self.depth, 0).astype(np.float16),
            "alpha": np.round(self.alpha * 255).astype(np.uint8),
            "albedo": self.albedo * on[..., None],
            "part": np.where(on | (self.part == OTHER), self.part, 0).astype(np.uint8),
        }


@dataclass(frozen=True)
class Shot:
    """One picture [H,W,3] uint8 sRGB and the light that lit it."""

    colour: NDArray[np.uint8]
    light: dict[str, Any]


class Stage:
    """Lights and develops what `renderer` drew last."""

    def __init__(self, renderer: Renderer, environments: list[Environment]) -> None:
        self.renderer, self.environments = renderer, environments
        self.width, self.height = renderer.out
        self.seen = np.zeros((0, 3), np.float32)

    def draw(self, scene: Scene) -> Frame:
        """The G-buffer of a scene."""
        label, alpha = self.renderer.draw_scene(scene.actors, scene.view)
        cover, part, albedo = self.renderer.more()
        self.seen = seen_places(label[..., 3], scene.view)
        normal, depth = cv2.cvtColor(label, cv2.COLOR_RGBA2RGB), cv2.extractChannel(label, 3)
        return Frame(normal, depth, alpha, cover, part, albedo)

    def picture(self, rng: np.random.Generator, scene: Scene, frame: Frame) -> Shot:
        """Light, backdrop, compositing and camera for one picture."""
        env = self.environments[rng.integers(len(self.environments))]
        turn = rotate(0, rng.normal(0, 8)) @ rotate(1, rng.uniform(-180, 180))
        lamps, kind = draw_light(rng, env, turn, scene.distance)
        colour = self.light(scene, lamps)
        tan_half = scene.view.tan_half
        figure = Figure(frame.cover, scene.distance)
        size = self.width, self.height
        back, place = draw_backdrop(rng, env, turn, *size, tan_half, (lamps, kind), figure)
        back = alike(rng.spawn(1)[0], colour, back, frame)
        picture = compose(rng, colour, back, frame)
        words = {"kind": kind, "environment": env.name, "backdrop": place, **describe_lamps(lamps)}
        return Shot(shoot(rng, expose(rng, picture, frame.alpha)), words)

    def relight(
        self, rng: np.random.Generator, scene: Scene, frame: Frame
    ) -> tuple[dict[str, Any], NDArray[np.float16]]:
        """The person under one known light and nothing else: its description, and linear colour [H,W,3] where
        somebody is (not premultiplied)."""
        lamps = draw_key(rng, scene.distance)
        lit = self.light(scene, lamps) * (frame.alpha > 0.02)[..., None]
        return describe_lamps(lamps), np.minimum(lit, 6e4).astype(np.float16)

    def light(self, scene: Scene, lamps: Lamps) -> F32:
        """Shade the current G-buffer; linear RGB [H,W,3], zero where nothing is."""
        view, head = scene.view, scene.head
        centre = head - np.array([0, 0.2, 0], np.float32)
        toward = lamps.place[0, :3]
        if lamps.place[0, 3] > 0.5:
            toward = toward - (view.view @ np.array([*centre, 1], np.float32))[:3]
        matrix = shadow_matrix(view.view[:3, :3].T @ toward, centre)
        if lamps.shadow[0] > 0 and lamps.power[0].any():
            self.renderer.cast(scene.actors, matrix, needed(self.seen, matrix, lamps.shadow[1]))
        bias = np.eye(4, dtype=np.float32)
        bias[2, 3] = -0.012
        return self.renderer.light(lamps, view, (bias @ matrix @ np.linalg.inv(view.view)).astype(np.float32))


def seen_places(depth: F32, view: View) -> F32:
    """Places [N,3] in the scene of every other pixel of a depth map [H,W] in metres that shows anything."""
    few = depth[::2, ::2]
    row, column = np.nonzero(few > 0)
    z = few[row, column]
    height, width = depth.shape
    x = ((2 * column + 0.5) / width * 2 - 1).astype(np.float32) * np.float32(view.tan_half[0])
    y = (1 - (2 * row + 0.5) / height * 2).astype(np.float32) * np.float32(view.tan_half[1])
    p, q = x, y
    for _ in range(3):  # undoes the lens, as light.frag does
        stretch = 1 + np.float32(view.lens) * np.minimum(p * p + q * q, 2.5)
        p, q = x / stretch, y / stretch
    return np.asarray((np.stack([p * z, q * z, -z], 1) - view.view[:3, 3]) @ view.view[:3, :3], np.float32)


def needed(places: F32, light_from_scene: F32, softness: float) -> tuple[float, float, float, float]:
    """The part of a shadow map (left, low, right, high, -1..1) that shading `places` [N,3] may look at."""
    if not len(places):
        return -1.0, -1.0, 1.0, 1.0
    at = light_from_scene[:2, :3] @ places.T
    # What pixels between these show is near them; the probes spread by a few texels.
    margin = 0.06 * float(np.linalg.norm(light_from_scene[0, :3])) + 2 * (softness + 2) / SHADOW_SIZE
    low, high = at.min(1) + light_from_scene[:2, 3] - margin, at.max(1) + light_from_scene[:2, 3] + margin
    left, bottom, right, top = np.clip([*low, *high], -1, 1).tolist()
    return left, bottom, right, top


def alike(rng: np.random.Generator, colour: F32, back: F32, frame: Frame) -> F32:
    """The backdrop, with odds of ALIKE in the mean colour of the part of the person that a random place
    shows; linear RGB [H,W,3] both. What is drawn on it stays drawn."""
    if rng.random() > ALIKE:
        return back
    row, column = np.nonzero(frame.alpha > 0.95)
    if not len(row):
        return back
    k = int(rng.integers(len(row)))
    same = (frame.part == frame.part[row[k], column[k]]) & (frame.alpha > 0.95)
    target = colour[same].mean(0) * np.exp(rng.normal(0, 0.15, 3) * 0.5 + rng.normal(0, 0.15))
    gain = np.clip(target / np.maximum(back.mean((0, 1)), 1e-5), 0.05, 20)
    return np.asarray(back * gain, np.float32)


def compose(rng: np.random.Generator, colour: F32, back: F32, frame: Frame) -> F32:
    """People over a backdrop in the same units; edges as sharp as the lens makes them."""
    alpha = frame.cover
    soft = alpha if rng.random() < 0.5 else cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.3, 0.7))
    out = cv2.subtract(colour, back)
    cv2.multiply(out, cv2.merge([soft, soft, soft]), out)
    return np.asarray(cv2.add(out, back, out), np.float32)


def describe_lamps(lamps: Lamps) -> dict[str, Any]:
    """Numbers of a light as JSON can hold them; axes and units as in gl.Lamps."""
    lit = [k for k in range(3) if lamps.power[k].any()]
    return {
        "sh": np.round(lamps.sh, 4).tolist(),
        "place": np.round(lamps.place[lit], 4).tolist(),
        "power": np.round(lamps.power[lit], 4).tolist(),
        "shadow": [round(float(v), 3) for v in lamps.shadow],
    }


def describe_camera(view: View, width: int, height: int) -> dict[str, float]:
    """Intrinsics in pixels (pixel centres at +0.5, y down) and Brown's radial k, x_d = x (1 + k r^2)."""
    fx, fy = width / 2 / view.tan_half[0], height / 2 / view.tan_half[1]
    return {
        "fx": round(fx, 3),
        "fy": round(fy, 3),
        "cx": width / 2,
        "cy": height / 2,
        "k": round(view.lens, 5),
    }
