"""Pairs of pictures: a person under one light, and the same view with the application's lights. Linear and
clean: no sensor, no codec.

Light A is drawn by the generator (soft set-ups only). The lights of the application (`live_relight`'s Light)
stand round the subject's head as it places them and are real sources: by the inverse square, of their true
size, with shadows on the people (sources.py; none on the walls, where nothing is scored).
Power 1.0 is calibrated: on a white matt surface at the head that faces the
light it gives as much as light A gives to the visible person in the mean. Exactly: the mean, over pixels
with alpha > 0.5, of the luminance of light A's irradiance over pi, with shadows and occlusion, everything
white and without highlights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from live_relight.core.colour import linear_to_srgb
from live_relight.core.frames import Geometry
from live_relight.core.projection import head_point
from training.synth.gl import Lamps
from training.synth.make import Recipe
from training.synth.meshes import F32
from training.synth.places.backdrop import draw_backdrop
from training.synth.places.framing import draw_view, rotate, step_back
from training.synth.places.light import LUMA, draw_light
from training.synth.rigs import draw_rig, source_of
from training.synth.sample import Cast, Studio
from training.synth.shards import Sample
from training.synth.sources import Sources
from training.synth.stage import Frame, Scene, describe_lamps

SOFT = ("environment", "overcast", "window", "ceiling", "flat", "ring")
SOFTEST = 3.0  # texels of shadow softness below which a light A is too hard
UNEVEN = 0.5  # standard deviation over mean of a light A's irradiance on the person, above which it is
GREY = 0.18  # linear luminance of the person's median in A
TRIES = 40
BURNT = 98  # per cent of the person that stays below white, in A and in the truth
LEAST = 0.04  # of the picture that the person has to cover


class PairStudio(Studio):
    """A Studio whose samples are pairs. `samples`: points a source."""

    def __init__(self, *args: Any, samples: int = 32, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.samples, self.sources = samples, Sources(self.renderer)

    def _view(self, rng: np.random.Generator, company: list[Cast], lights: int, key: str) -> Sample:
        """One camera without a lens's distortion; one pair (`lights` is for Studio's sake)."""
        dressed = [self.looks_of(rng, cast) for cast in company]
        main = company[0].person
        view, distance = draw_view(rng, main.head, self.width / self.height)
        view = replace(step_back(view, np.concatenate([cast.points for cast in company])), lens=0.0)
        scene = Scene([actor for actor, _ in dressed], view, main.head, distance)
        frame = self.stage.draw(scene)
        if float((frame.alpha > 0.5).mean()) < LEAST:
            return Sample(key, {}, {})
        arrays, about = self._pair(rng, scene, frame)
        tags = {name: dressed[0][1].get(name) for name in ("tone", "hair", "extra")}
        body = {"people": len(company), "body": [cast.body for cast in company]}
        return Sample(key, arrays, {**about, **tags, **body, "distance": round(distance, 3)})

    def _pair(
        self, rng: np.random.Generator, scene: Scene, frame: Frame
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays as `write_pair` lists them, and words."""
        on = frame.alpha > 0.5
        first, given, back, words = self._draw_first(rng, scene, on)
        rig = draw_rig(rng)
        metre = float(np.median(frame.depth[on]))
        normal, depth = spread_out(frame, metre)
        fov = float(np.degrees(2 * np.arctan(scene.view.tan_half[0])))
        unit = float((given[on] @ LUMA).mean())
        blank = np.zeros((self.height, self.width, 3), np.uint8)
        head = head_point(Geometry(normal, depth, frame.alpha, blank), fov)
        sources = [source_of(light, head, metre, unit) for light in rig.lights]
        added, lit = self.sources.light(
            sources, scene.actors, scene.view, self.stage.seen, words.pop("subsurface"), self.samples
        )
        second = rig.ambient * first + added
        gain = exposure(first[on], second[on])
        truth = over(second * gain, rig.ambient * back * gain, frame.cover)
        arrays = {
            "picture": to_bytes(over(first * gain, back * gain, frame.cover)),
            "truth": np.minimum(truth, 6e4)[..., ::-1].astype(np.float16),
            "normal": normal,
            "depth": depth,
            "alpha": frame.alpha,
            "part": frame.part,
            "shading": self._shading_normals(),
            "given": (given / unit)[..., ::-1].astype(np.float16),
            "added": np.minimum(lit / unit, 6e4)[..., ::-1].astype(np.float16),
        }
        about = {
            "kind": rig.kind, "lights": [asdict(light) for light in rig.lights], "ambient": rig.ambient,
            "fov": round(fov, 4), "metre": round(metre, 4), "head": [round(v, 4) for v in head],
            "first": words, "samples": self.samples,
        }  # fmt: skip
        return arrays, about

    def _draw_first(
        self, rng: np.random.Generator, scene: Scene, on: NDArray[np.bool_]
    ) -> tuple[F32, F32, F32, dict[str, Any]]:
        """A soft light A, all linear RGB [H,W,3]: the people in it (where `on`), its irradiance on them, the
        backdrop; and words."""
        env = self.environments[rng.integers(len(self.environments))]
        turn = rotate(0, rng.normal(0, 8)) @ rotate(1, rng.uniform(-180, 180))
        for _ in range(TRIES):
            lamps, kind = draw_soft(lambda: draw_light(rng, env, turn, scene.distance))
            with self.sources.plaster():
                given = self.stage.light(scene, lamps)
            level = given[on] @ LUMA
            if level.std() <= UNEVEN * level.mean():
                break
        first = self.stage.light(scene, lamps)
        size = self.width, self.height
        back, place = draw_backdrop(rng, env, turn, *size, scene.view.tan_half, (lamps, kind))
        words = {"kind": kind, "backdrop": place, "subsurface": lamps.subsurface, **describe_lamps(lamps)}
        return first, given, back, words

    def _shading_normals(self) -> NDArray[np.int8]:
        """What was lit [H,W,3]: unit normals x 127 with wrinkles, weave and eyeballs, unlike the label's."""
        raw = np.frombuffer(self.renderer.resolved[1].read(), np.float16)
        return np.rint(raw.reshape(self.height, self.width, 4)[::-1, :, :3].astype(np.float32) * 127).astype(
            np.int8
        )


def draw_soft(draw: Callable[[], tuple[Lamps, str]]) -> tuple[Lamps, str]:
    """The first drawn light of a soft kind whose shadows are soft."""
    while True:
        lamps, kind = draw()
        hard = lamps.shadow[0] > 0 and lamps.shadow[1] < SOFTEST and lamps.power[0].any()
        if kind in SOFT and not hard:
            return lamps, kind


def exposure(first: F32, second: F32) -> float:
    """The gain that makes the median luminance of `first` mid-grey, or less where the person would burn out
    in either picture, linear RGB [N,3]: what is clipped says nothing about light."""
    brightest = max(float(np.percentile(colour.max(1), BURNT)) for colour in (first, second))
    return min(GREY / max(float(np.median(first @ LUMA)), 1e-6), 1 / max(brightest, 1e-6))


def over(colour: F32, back: F32, alpha: F32) -> F32:
    """People over a backdrop."""
    return np.asarray(back + (colour - back) * alpha[..., None], np.float32)


def to_bytes(linear: F32) -> NDArray[np.uint8]:
    """Linear RGB -> 8 bit sRGB, BGR."""
    return np.rint(linear_to_srgb(linear[..., ::-1]) * 255).astype(np.uint8)


def spread_out(frame: Frame, metre: float) -> tuple[F32, F32]:
    """Unit normals and depth in subject distances; where nobody is, those of the nearest person's pixel."""
    on = (frame.alpha > 0.02) & (frame.depth > 0)
    _, label = cv2.distanceTransformWithLabels(
        (~on).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    at = np.zeros(label.max() + 1, np.int64)
    at[label[on]] = np.flatnonzero(on)
    nearest = at[label]
    normal = frame.normal.reshape(-1, 3)[nearest]
    normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    depth = frame.depth.reshape(-1)[nearest] / metre
    return normal.astype(np.float32), depth.astype(np.float32)


def write_pair(folder: Path, sample: Sample) -> Path:
    """One npz, written beside and renamed. Arrays, all [H,W] and BGR:

    picture uint8 sRGB: light A; truth float16 linear; normal, depth, alpha float32: as core.frames.Geometry;
    part uint8; shading int8: the normals that were lit, x 127; given, added float16: irradiance of light A
    and of the new lights, 1 = what power 1 gives to a surface that faces it at the head; about: JSON.
    """
    path = folder / f"{sample.key}.npz"
    part = folder / f"{sample.key}.part.npz"
    np.savez_compressed(part, about=np.array(json.dumps(sample.about)), **sample.arrays)
    part.rename(path)
    return path


def make_pairs(studio: PairStudio, out: Path, recipe: Recipe) -> None:
    """`recipe.count` pairs into a folder, some views each of one geometry after the other. Those that are
    there already are kept. Views that hardly show anybody are left out."""
    index = made = 0
    with tqdm(total=recipe.count, unit="pair", dynamic_ncols=True) as bar:
        while made < recipe.count:
            there = [out / f"{index:07d}_{k}.npz" for k in range(recipe.views)]
            if not all(path.exists() for path in there):
                samples = studio.shoot(recipe.seed, index, recipe.views, 1)
                there = [write_pair(out, sample) for sample in samples if sample.arrays]
            made += len(there)
            index += 1
            bar.update(len(there))
