"""Pictures that the light network learns from: people that training may see, under a light that is there,
and under lights of the application's.

Every view is lit by two lights that may be there and by three sources of ours, each on its own
(training/synth/sources.py): light adds up, so any set of the sources, of any power and colour, is a true
picture.
SETS of them are kept, each with what the application makes of it: its light map of the true geometry and of a
network's.

A shard (training/synth/shards.py) holds views; K sets each:

    picture, truth      [K,H,W,3]  uint8     sRGB BGR: as it is, and with the new lights
    normal, depth, alpha  [H,W,..] int8 x 127, float16 (subject distances, filled out), uint8 x 255: true
    normal_n, depth_n, alpha_n [K,H,W,..]    likewise, as the network sees `picture`
    factor_t, factor_n  [K,H,W,3]  float16   the application's light map (core/reference.py: factor_map)
    about.json          lights and ambient of each set, fov, heads that lights stand round
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from live_relight.core.frames import Geometry, Image
from live_relight.core.look import Look
from live_relight.core.present import fit
from live_relight.core.projection import head_point
from live_relight.core.shadow import MOST_STEPS
from training.light.rigs import draw_sources, draw_use
from training.relight import casting
from training.synth.meshes import F32
from training.synth.pairs import PairStudio, draw_soft, exposure, over, spread_out, to_bytes
from training.synth.places.backdrop import draw_backdrop
from training.synth.places.framing import rotate
from training.synth.places.light import LUMA, draw_light
from training.synth.rigs import source_of
from training.synth.shards import write_shard
from training.synth.stage import Frame, Scene

SETS = 4
UNEVEN = (0.5, 0.9)  # of the two lights that may be there, as pairs.UNEVEN
TRIES = 20
GEOMETRIES = 10  # a shard
BRIGHTEST = 6e4


class Application:
    """The application's geometry and light map, beside a renderer's context in the same thread."""

    def __init__(self, studio: PairStudio, network: str) -> None:
        from live_relight.geometry import open_estimator
        from live_relight.shade.opengl import OpenGLShader

        self._estimator, self._shader = open_estimator(network), OpenGLShader(on_grid=True)
        self._other = studio.renderer.gl
        self._other.__enter__()

    def see(self, picture: Image) -> Geometry:
        """The network's geometry at the picture's size."""
        found = self._estimator.estimate(picture)
        size = picture.shape[1], picture.shape[0]
        normal, depth, alpha = (cv2.resize(v, size) for v in (found.normal, found.depth, found.alpha))
        return Geometry(normal, depth, alpha, picture)

    def factors(self, geometry: Geometry, look: Look) -> F32:
        """The light map [H,W,3]."""
        size = geometry.guide.shape[1], geometry.guide.shape[0]
        self._shader.shade(geometry.guide, geometry, look, MOST_STEPS, fit(geometry))
        found = self._shader.light_map()
        self._other.__enter__()
        return np.asarray(cv2.resize(np.minimum(found[..., :3], BRIGHTEST), size), np.float32)

    def close(self) -> None:
        """Release both."""
        self._shader.close()
        self._estimator.close()
        self._other.__enter__()


class LightStudio(PairStudio):
    """A Studio whose samples are views as above."""

    application: Application

    def _pair(
        self, rng: np.random.Generator, scene: Scene, frame: Frame
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        on = frame.alpha > 0.5
        metre = float(np.median(frame.depth[on]))
        normal, depth = spread_out(frame, metre)
        fov = float(np.degrees(2 * np.arctan(scene.view.tan_half[0])))
        blank = np.zeros((self.height, self.width, 3), np.uint8)
        true = Geometry(normal, depth, frame.alpha, blank)
        head = head_point(true, fov)
        there = [self._draw_there(rng, scene, on, uneven) for uneven in UNEVEN]
        sources = draw_sources(rng)
        lit = [self._lit(scene, source_of(light, head, metre, 1.0), there[0][3]) for light in sources]
        found: dict[str, list[Any]] = {}
        about = []
        for k in range(SETS):
            first, back, unit, _ = there[k if k < 2 else int(rng.random() < 0.4)]
            use = draw_use(rng, sources)
            colours = [np.asarray(light.rgb, np.float32) * np.float32(unit) for light in use.lights]
            second = use.ambient * first + sum(
                lit[i] * colour for i, colour in zip(use.which, colours, strict=True)
            )
            gain = exposure(first[on], second[on])
            gain *= float(np.exp(rng.normal(0, 0.25))) if rng.random() < 0.5 else 1.0
            picture = to_bytes(over(first * gain, back * gain, frame.cover))
            truth = to_bytes(over(second * gain, use.ambient * back * gain, frame.cover))
            look = casting(Look(lights=use.lights, ambient=use.ambient, fov=fov))
            arrays, heads = self._worked_out(replace(true, guide=picture), look)
            for name, array in {"picture": picture, "truth": truth, **arrays}.items():
                found.setdefault(name, []).append(array)
            about.append({"lights": [asdict(v) for v in use.lights], "ambient": use.ambient, **heads})
        labels = {**packed(true, ""), **{name: np.stack(v) for name, v in found.items()}}
        return labels, {"sets": about, "fov": fov}

    def _worked_out(
        self, true: Geometry, look: Look
    ) -> tuple[dict[str, NDArray[Any]], dict[str, tuple[float, float, float]]]:
        """What the application makes of a picture: light maps, the network's geometry, heads."""
        guess, size = self.application.see(true.guide), (self.width, self.height)
        arrays, heads = packed(guess, "_n"), {}
        for key, geometry, fov in (("t", true, look.fov), ("n", guess, Look().fov)):
            arrays[f"factor_{key}"] = self.application.factors(geometry, replace(look, fov=fov)).astype(
                np.float16
            )
            heads[f"head_{key}"] = head_point(geometry, fov, size)
        return arrays, heads

    def _lit(self, scene: Scene, source: Any, subsurface: Any) -> F32:
        """What a white source of power 1 adds, linear RGB [H,W,3]."""
        white = replace(source, power=np.ones(3, np.float32))
        seen = self.stage.seen
        return self.sources.light([white], scene.actors, scene.view, seen, subsurface, self.samples)[0]

    def _draw_there(
        self, rng: np.random.Generator, scene: Scene, on: NDArray[np.bool_], uneven: float
    ) -> tuple[F32, F32, float, Any]:
        """A light that may be there: the people in it and the backdrop, linear RGB [H,W,3]; what power 1 is
        in it; how far light goes under skin. The first is soft, the second may be any."""
        env = self.environments[rng.integers(len(self.environments))]
        turn = rotate(0, rng.normal(0, 8)) @ rotate(1, rng.uniform(-180, 180))
        for _ in range(TRIES):
            soft = uneven == UNEVEN[0] or rng.random() < 0.5
            lamps, kind = (draw_soft if soft else lambda draw: draw())(
                lambda: draw_light(rng, env, turn, scene.distance)
            )
            with self.sources.plaster():
                level = self.stage.light(scene, lamps)[on] @ LUMA
            if level.std() <= uneven * level.mean():
                break
        first = self.stage.light(scene, lamps)
        size = self.width, self.height
        back, _ = draw_backdrop(rng, env, turn, *size, scene.view.tan_half, (lamps, kind))
        return first, back, float(level.mean()), lamps.subsurface


def packed(geometry: Geometry, ending: str) -> dict[str, NDArray[Any]]:
    """Normals, depth and alpha as shards hold them."""
    return {
        f"normal{ending}": np.rint(np.asarray(geometry.normal) * 127).astype(np.int8),
        f"depth{ending}": np.minimum(geometry.depth, BRIGHTEST).astype(np.float16),
        f"alpha{ending}": np.rint(np.asarray(geometry.alpha) * 255).astype(np.uint8),
    }


def draw(studio: LightStudio, out: Path, seed: int, shards: tuple[int, int]) -> None:
    """Shards A to B; those that are there are kept."""
    out.mkdir(parents=True, exist_ok=True)
    for number in range(*shards):
        path = out / f"shard_{number:05d}.tar"
        if path.exists():
            continue
        samples = (
            sample
            for k in range(number * GEOMETRIES, (number + 1) * GEOMETRIES)
            for sample in studio.shoot(seed, k, 2, 1)
            if sample.arrays
        )
        write_shard(path, samples)
        print(path.name, flush=True)
