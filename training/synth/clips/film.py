"""Clips: one dressed person in motion, one camera, one place; labels for every frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from training.synth.camera.sensor import draw_camera, exposure, shoot_clip
from training.synth.clips import clipbank
from training.synth.gl import Actor, Lamps, View
from training.synth.meshes import F32
from training.synth.places.backdrop import draw_backdrop, shift
from training.synth.places.framing import draw_view, rotate, step_back
from training.synth.places.light import LUMA, draw_light
from training.synth.places.rooms import Figure
from training.synth.sample import Cast, Studio
from training.synth.shards import Sample
from training.synth.stage import Scene, compose, describe_camera, describe_lamps
from training.synth.wear.dress import draw_hold, dress

WALLS = ("room", "wall")  # backdrops that take a shadow
SKIPPED = ("albedo",)  # labels that clips do without: the stills have them


def film(studio: Studio, seed: int, index: int) -> Sample:
    """Clip number `index`: arrays with the frame first, as in shards.py."""
    vertices, turns, motion = clipbank.read_clip(studio.bank, index, studio.bank)
    rng = np.random.default_rng([seed, 6, index])
    draws = [int(n) for n in rng.integers(0, 2**31, 3)]
    env = studio.environments[rng.integers(len(studio.environments))]
    turn = rotate(0, rng.normal(0, 8)) @ rotate(1, rng.uniform(-180, 180))
    shots: list[F32] = []
    labels: list[dict[str, Any]] = []
    alphas: list[F32] = []
    about: dict[str, Any] = {}
    for t in range(len(vertices)):
        # The same draws for every frame: only the body moves.
        clothes, colours, light = (np.random.default_rng([seed, 7, index, d]) for d in draws)
        if t == 0:
            hold = draw_hold(np.random.default_rng(draws), studio.wardrobe, vertices[0], turns[0])
        person = dress(clothes, studio.wardrobe, vertices[t], turns[t], motion["gender"], hold)
        actor = Actor(studio.renderer.upload(person.pieces), {})
        cast = Cast(person, actor, motion["gender"] > 0.5, motion["age"], index)
        try:
            actor, tags = studio.looks_of(colours, cast)
            if t == 0:
                view, distance = draw_view(rng, person.head, studio.width / studio.height)
                view = step_back(view, vertices[:, ::5].reshape(-1, 3), 0.2)
                lamps, kind = draw_light(rng, env, turn, distance)
                about = {**tags, **describe_lamps(lamps), "kind": kind, "environment": env.name}
                about["tan"], about["distance"] = round(float(view.tan_half[0]), 5), round(distance, 3)
                about["camera"] = describe_camera(view, studio.width, studio.height)
                head = person.head
            shake = motion["shake"][t]
            scene = Scene([actor], shaken(view, shake), head, distance)
            frame = studio.stage.draw(scene)
            if t == 0 or about["backdrop"] in WALLS:
                # The same room in every frame, but for the shadow that moves on its walls; the camera shakes
                # what it sees afterwards.
                room, size = np.random.default_rng([seed, 8, index]), (studio.width, studio.height)
                still = shift(frame.cover, -shake[0] * studio.width, -shake[1] * studio.width)
                back, about["backdrop"] = draw_backdrop(
                    room, env, turn, *size, view.tan_half, (lamps, kind), Figure(still, distance)
                )
            factor = np.float32(motion["light"][t])
            colour = studio.stage.light(scene, scaled(lamps, factor))
            shots.append(
                compose(
                    light,
                    colour,
                    shift(back, shake[0] * studio.width, shake[1] * studio.width) * factor,
                    frame,
                )
            )
            labels.append({k: v for k, v in frame.labels().items() if k not in SKIPPED})
            alphas.append(frame.alpha)
        finally:
            for thing in cast.actor.things:
                thing.release()
    gain = exposure(rng, shots[0], alphas[0])
    exposed = [shot * np.float32(gain) for shot in shots]
    camera = draw_camera(rng, float((exposed[0] @ LUMA).mean()))
    motions = [(0.0, 0.0)] * len(exposed)  # what blurs is the person, and that is not drawn yet
    pictures = shoot_clip(rng, exposed, camera, motions)
    arrays = {"colour": np.stack(pictures)}
    arrays |= {name: np.stack([label[name] for label in labels]) for name in labels[0]}
    return Sample(f"{index:07d}", arrays, {**about, "people": 1, "motion": motion, "frames": len(shots)})


def shaken(view: View, shake: list[float]) -> View:
    """The camera turned by a hair: `shake` is the picture's shift as shares of its width (x, y; y down)."""
    wide = 2 * view.tan_half[0]
    yaw, pitch = -np.degrees(np.arctan(shake[0] * wide)), -np.degrees(np.arctan(shake[1] * wide))
    move = np.eye(4, dtype=np.float32)
    move[:3, :3] = rotate(1, yaw) @ rotate(0, pitch)
    return replace(view, view=(move @ view.view).astype(np.float32))


def scaled(lamps: Lamps, factor: float) -> Lamps:
    """All light times a factor."""
    return replace(lamps, sh=lamps.sh * np.float32(factor), power=lamps.power * np.float32(factor))
