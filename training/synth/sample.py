"""One geometry, several pictures: pure functions of a seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth import people
from training.synth.backdrop import draw_backdrop
from training.synth.dress import Person, Wardrobe, dress
from training.synth.figure import Figure
from training.synth.framing import draw_view, rotate
from training.synth.gl import Drawable, Lamps, Renderer, View
from training.synth.light import LUMA, Environment, draw_lamps, read_environment, shadow_matrix
from training.synth.look import draw_looks, texture_tone
from training.synth.meshes import F32
from training.synth.sensor import expose, shoot

NOBODY = 0.06  # share of views without a person


@dataclass(frozen=True)
class Labels:
    """Truth of one view.

    normal: [H,W,3] int8, unit normal x 127, camera axes, zero where nobody is; depth: [H,W]
    float16 z-distance in metres, 0 where nobody is; alpha: [H,W] uint8 coverage x 255.
    """

    normal: NDArray[np.int8]
    depth: NDArray[np.float16]
    alpha: NDArray[np.uint8]


@dataclass(frozen=True)
class Shot:
    """One view: its labels, its pictures [R][H,W,3] uint8 sRGB, and words about it."""

    labels: Labels
    pictures: list[NDArray[np.uint8]]
    about: dict[str, str | float]


@dataclass(frozen=True)
class Stock:
    """Which assets a split may use: environment and garment choices, and the bank of bodies."""

    environments: list[Environment]
    skins: list[Path]
    bank: Path
    bodies: tuple[int, int]


class Studio:
    """Everything one process needs to make samples; `close` releases the renderer."""

    def __init__(
        self, assets: Path, bank: Path, bodies: tuple[int, int], size: tuple[int, int], held_out: bool
    ) -> None:
        self.width, self.height = size
        figure = Figure(people.read_topology(bank / "topology.npz"))
        self.wardrobe = Wardrobe(assets, figure)
        files = sorted((assets / "hdri").glob("*/*.exr"))
        if not files:
            raise FileNotFoundError(f"{assets}: no environments found; expected hdri/*/*.exr below it")
        # Every fifth environment, every fourth skin, suit and brow belongs to the held-out people.
        self.stock = Stock(
            [read_environment(p) for p in pick(files, 5, held_out)],
            pick(self.wardrobe.skins, 4, held_out),
            bank,
            bodies,
        )
        self.wardrobe.skins = self.stock.skins
        self.wardrobe.suits = pick(self.wardrobe.suits, 4, held_out)
        self.wardrobe.brows = pick(self.wardrobe.brows, 4, held_out)
        self.wardrobe.hair = pick(self.wardrobe.hair, 5, held_out)
        self.tones = {p: texture_tone(p) for p in self.stock.skins}
        self.renderer = Renderer(*size)

    def close(self) -> None:
        """Release the renderer."""
        self.renderer.close()

    def shoot(self, seed: int, index: int, views: int, lights: int) -> list[Shot]:
        """Geometry number `index`: `views` cameras and wardrobes' colours, `lights` pictures of each."""
        rng = np.random.default_rng([seed, 2, index])
        low, high = self.stock.bodies
        body = low + int(rng.integers(high - low))
        vertices, turn, about = people.read_body(self.stock.bank, body)
        male = about["gender"] > 0.5
        person = dress(rng, self.wardrobe, vertices, turn, about["gender"])
        things = self.renderer.upload(person.pieces)
        try:
            return [self._view(rng, person, things, male, lights, body) for _ in range(views)]
        finally:
            for thing in things:
                thing.release()

    def _view(
        self,
        rng: np.random.Generator,
        person: Person,
        things: list[Drawable],
        male: bool,
        lights: int,
        body: int,
    ) -> Shot:
        """One camera: G-buffer once, light and develop `lights` times."""
        looks, tags = draw_looks(rng, person, self.stock.skins, self.tones, male)
        view, distance = draw_view(rng, person.head, self.width / self.height)
        nobody = rng.random() < NOBODY
        label, alpha = self.renderer.draw([] if nobody else things, looks, view)
        normal, depth = label[..., :3], label[..., 3]
        cover = 1.0 - _occluder(rng, self.width, self.height)
        pictures = []
        for _ in range(lights):
            pictures.append(self._picture(rng, things, view, distance, person, normal, depth, alpha, cover))
        if (cover < 1).any():
            alpha = alpha * cover
        labels = Labels(
            np.round(normal * 127 * (alpha > 0.02)[..., None]).astype(np.int8),
            np.where(alpha > 0.02, depth, 0).astype(np.float16),
            np.round(alpha * 255).astype(np.uint8),
        )
        facing = view.view[:3, :3] @ person.facing
        yaw = float(np.degrees(np.arctan2(facing[0], facing[2])))
        about = {**person.tags, **tags, "distance": round(distance, 3), "yaw": round(yaw, 1), "body": body}
        about["tan"] = round(float(view.tan_half[0]), 5)
        about["cover"] = round(float(alpha.mean()), 3)
        return Shot(labels, pictures, about)

    def _picture(
        self,
        rng: np.random.Generator,
        things: list[Drawable],
        view: View,
        distance: float,
        person: Person,
        normal: F32,
        depth: F32,
        alpha: F32,
        cover: F32,
    ) -> NDArray[np.uint8]:
        """Light, backdrop, compositing and camera for one picture."""
        env = self.stock.environments[rng.integers(len(self.stock.environments))]
        turn = rotate(0, rng.normal(0, 8)) @ rotate(1, rng.uniform(-180, 180))
        lamps = draw_lamps(rng, env, turn, distance)
        front = self._light(things, view, lamps, person)
        colour = front * crevices(rng, depth, alpha)[..., None]
        back, _ = draw_backdrop(rng, env, turn, self.width, self.height, view.tan_half)
        level = float((colour @ LUMA * alpha).sum() / max(float(alpha.sum()), 1.0)) or 0.2
        back *= np.float32(level * np.exp(rng.normal(0.0, 0.8)))
        soft = alpha if rng.random() < 0.5 else cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.3, 0.7))
        picture = colour * soft[..., None] + back * (1 - soft[..., None])
        if (cover < 1).any():
            shade = np.float32(level) * np.float32(rng.uniform(0.02, 1.0)) * np.ones(3, np.float32)
            picture = picture * cover[..., None] + shade * (1 - cover[..., None])
        return shoot(rng, expose(rng, picture, alpha))

    def _light(self, things: list[Drawable], view: View, lamps: Lamps, person: Person) -> F32:
        """Shade the current G-buffer; linear RGB [H,W,3], zero where nobody is."""
        rot = view.view[:3, :3]
        from_camera = np.linalg.inv(view.view)
        centre = person.head - np.array([0, 0.2, 0], np.float32)
        toward = lamps.place[0, :3]
        if lamps.place[0, 3] > 0.5:
            toward = toward - (view.view @ np.array([*centre, 1], np.float32))[:3]
        matrix = shadow_matrix(rot.T @ toward, centre)
        if lamps.shadow[0] > 0 and lamps.power[0].any():
            self.renderer.cast(things, matrix)
        bias = np.eye(4, dtype=np.float32)
        bias[2, 3] = -0.012
        raw = self.renderer.light(lamps, view, (bias @ matrix @ from_camera).astype(np.float32))
        return raw[..., :3].astype(np.float32)


def pick(items: list, every: int, held_out: bool) -> list:
    """Split a list: each `every`-th item is held out. A list too short to split is shared."""
    out = [x for k, x in enumerate(items) if (k % every == every - 1) == held_out]
    return out or list(items)


def crevices(rng: np.random.Generator, depth: F32, alpha: F32) -> F32:
    """Cheap ambient occlusion [H,W]: darker where the surface lies behind its surroundings."""
    if not (alpha > 0.5).any():
        return np.ones_like(depth)
    metres = depth[alpha > 0.5]
    filled = np.where(alpha > 0.5, depth, np.median(metres) + 0.15).astype(np.float32)
    out = np.ones_like(depth)
    for size, reach in ((9, 0.012), (31, 0.05)):
        behind = np.clip((filled - cv2.blur(filled, (size, size))) / reach, 0, 1)
        out *= 1 - rng.uniform(0.1, 0.6) * behind
    return out


def _occluder(rng: np.random.Generator, width: int, height: int) -> F32:
    """Sometimes a microphone, a mug or a screen's edge before the person: its coverage [H,W]."""
    out = np.zeros((height, width), np.float32)
    if rng.random() > 0.04:
        return out
    x, y = int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.7, 1.0) * height)
    size = int(rng.uniform(0.03, 0.08) * width)
    cv2.ellipse(out, (x, y), (size, int(size * rng.uniform(0.8, 1.8))), rng.uniform(-40, 40), 0, 360, 1.0, -1)
    end = (int(rng.uniform(-0.3, 1.3) * width), int(1.2 * height))
    cv2.line(out, (x, y), end, 1.0, max(2, size // 3))
    return cv2.GaussianBlur(out, (0, 0), 0.8)
