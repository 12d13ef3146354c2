"""One geometry, several pictures: pure functions of a seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from training.synth.gl import Actor, Renderer
from training.synth.meshes import F32
from training.synth.people.bodies import read_body, read_topology
from training.synth.people.figure import Figure
from training.synth.people.look import draw_looks, texture_tone
from training.synth.places.framing import draw_view, rotate, step_back
from training.synth.places.light import Environment, read_environment
from training.synth.shards import Sample
from training.synth.stage import Scene, Stage, describe_camera
from training.synth.wear.dress import Person, Wardrobe, draw_prop_looks, dress
from training.synth.wear.held import microphone as microphone_at

NOBODY = 0.06  # share of views without a person
MICROPHONE = 0.08  # share of views with one on a stand before the person
COMPANY = (0.87, 0.1, 0.03)  # one, two, three people


@dataclass(frozen=True)
class Cast:
    """Somebody dressed and uploaded: `person` in its own space, `place` [4,4] into the scene."""

    person: Person
    actor: Actor
    male: bool
    age: float
    body: int

    @cached_property
    def points(self) -> F32:
        """Every vertex in the scene [N,3]."""
        own = np.concatenate([thing.points for thing in self.actor.things])
        return np.asarray(own @ self.actor.place[:3, :3].T + self.actor.place[:3, 3], np.float32)


class Studio:
    """Everything one process needs to make samples; `close` releases the renderer."""

    def __init__(
        self, assets: Path, bank: Path, bodies: tuple[int, int], size: tuple[int, int], held_out: bool
    ) -> None:
        self.width, self.height = size
        figure = Figure(read_topology(bank / "topology.npz"))
        self.wardrobe = Wardrobe(assets, figure, extras=True)
        files = sorted((assets / "hdri").glob("*/*.exr"))
        if not files:
            raise FileNotFoundError(f"{assets}: no environments found; expected hdri/*/*.exr below it")
        # Every fifth environment and hair style, every fourth skin, suit and brow is the held-out people's.
        self.environments: list[Environment] = [read_environment(p) for p in pick(files, 5, held_out)]
        self.wardrobe.skins = pick(self.wardrobe.skins, 4, held_out)
        self.wardrobe.suits = pick(self.wardrobe.suits, 4, held_out)
        self.wardrobe.brows = pick(self.wardrobe.brows, 4, held_out)
        self.wardrobe.hair = pick(self.wardrobe.hair, 5, held_out)
        self.tones = {p: texture_tone(p) for p in self.wardrobe.skins}
        self.bank, self.bodies = bank, bodies
        self.renderer = Renderer(*size)
        self.stage = Stage(self.renderer, self.environments)

    def close(self) -> None:
        """Release the renderer."""
        self.renderer.close()

    def shoot(self, seed: int, index: int, views: int, lights: int) -> list[Sample]:
        """Geometry number `index`: `views` cameras and wardrobes' colours, `lights` pictures of each."""
        rng = np.random.default_rng([seed, 2, index])
        company = [self._somebody(rng, k) for k in range(int(rng.choice(3, p=COMPANY)) + 1)]
        try:
            return [self._view(rng, company, lights, f"{index:07d}_{k}") for k in range(views)]
        finally:
            for cast in company:
                for thing in cast.actor.things:
                    thing.release()

    def _somebody(self, rng: np.random.Generator, number: int) -> Cast:
        """A body of the bank, dressed; the first one stands at the origin, others beside or behind."""
        low, high = self.bodies
        body = low + int(rng.integers(high - low))
        vertices, turn, about = read_body(self.bank, body)
        person = dress(rng, self.wardrobe, vertices, turn, about["gender"])
        place = np.eye(4, dtype=np.float32)
        if number:
            place[:3, :3] = rotate(1, rng.normal(0, 35))
            side = (1 if (number % 2) == (rng.random() < 0.5) else -1) * rng.uniform(0.28, 0.8)
            place[:3, 3] = (side, rng.normal(0, 0.08), -rng.uniform(-0.05, 1.3))
        actor = Actor(self.renderer.upload(person.pieces), {}, place)
        return Cast(person, actor, about["gender"] > 0.5, about["age"], body)

    def looks_of(self, rng: np.random.Generator, cast: Cast) -> tuple[Actor, dict[str, Any]]:
        """Colours for one wardrobe, and words about them."""
        looks, tags = draw_looks(rng, cast.person, self.wardrobe.skins, self.tones, cast.male, cast.age)
        looks = draw_prop_looks(rng, cast.person, looks)
        return Actor(cast.actor.things, looks, cast.actor.place), {**cast.person.tags, **tags}

    def _view(self, rng: np.random.Generator, company: list[Cast], lights: int, key: str) -> Sample:
        """One camera: G-buffer once, light and develop `lights` times."""
        dressed = [self.looks_of(rng, cast) for cast in company]
        main = company[0].person
        view, distance = draw_view(rng, main.head, self.width / self.height)
        view = step_back(view, np.concatenate([cast.points for cast in company]))
        nobody = bool(rng.random() < NOBODY)
        actors = [] if nobody else [actor for actor, _ in dressed]
        microphone = bool(rng.random() < MICROPHONE)
        stand = microphone_at(rng, main.head, view) if microphone else []
        things = self.renderer.upload(stand)
        if microphone:
            actors.append(Actor(things, dressed[0][0].looks))
        try:
            scene = Scene(actors, view, main.head, distance)
            frame = self.stage.draw(scene)
            shots = [self.stage.picture(rng, scene, frame) for _ in range(lights)]
            key_light, relit = self.stage.relight(rng, scene, frame)
        finally:
            for thing in things:
                thing.release()
        facing = view.view[:3, :3] @ main.facing
        about: dict[str, Any] = {
            **dressed[0][1],
            "people": 0 if nobody else len(company),
            "microphone": microphone,
            "body": [cast.body for cast in company],
            "sex": "male" if company[0].male else "female",
            "age": round(company[0].age, 3),
            "distance": round(distance, 3),
            "yaw": round(float(np.degrees(np.arctan2(facing[0], facing[2]))), 1),
            "pitch": round(float(np.degrees(np.arcsin(np.clip(facing[1], -1, 1)))), 1),
            "cover": round(float(frame.alpha.mean()), 3),
            "tan": round(float(view.tan_half[0]), 5),
            "camera": describe_camera(view, self.width, self.height),
            "lights": [shot.light for shot in shots],
            "key": key_light,
        }
        arrays = {"colour": np.stack([shot.colour for shot in shots]), **frame.labels(), "relit": relit}
        return Sample(key, arrays, about)


def pick(items: list, every: int, held_out: bool) -> list:
    """Split a list: each `every`-th item is held out. A list too short to split is shared."""
    out = [x for k, x in enumerate(items) if (k % every == every - 1) == held_out]
    return out or list(items)
