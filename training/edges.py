"""The person's edge against the truth: a room dimmed behind rendered people, as the application does it and
as it would be with the true layers.

    python -m training.edges --assets ASSETS --bank BANK [--count 24] [--engine onnx:base] [--matte true]

Each picture is a person over a backdrop of 1280x720, blurred, noisy and compressed. The application dims what
is behind to LEFT of its light; the truth is the same layers with the backdrop at LEFT, blurred alike. Told is
within NEAR pixels of the true edge: dB, and how much too bright outside, too bright and too dark on the
person's side it is (means of 255, what is of the other sign counting 0). Where the network took something
else for the person, or lost a part of them, is left out: that is the matte's, not the edge's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from live_relight.core.colour import linear_to_srgb
from live_relight.core.frames import Geometry, Image
from live_relight.core.look import Look
from live_relight.core.planes import LUMA
from training.told import in_one_line

F32 = NDArray[np.float32]
SIZE = (1280, 720)
LEFT = 0.15
"""Of the backdrop's light."""
NEAR = 7
"""Pixels to either side of the edge that count."""
FAR = 10, 41
"""Pixels from the edge at which a wrong matte is another fault, and the square round it that is left out."""
BLURS = (0.7, 1.2, 1.8)
"""Standard deviations of the lens in pixels, taken in turns."""
NOISE, QUALITY = 1.2, 88
"""Of 255, and JPEG's."""
BRIGHTEST = 0.9
"""Linear, 97th percentile of the backdrop: walls do not burn out."""
LEAST = 0.12
"""Of the picture that the person covers."""


@dataclass(frozen=True)
class Layers:
    """Linear BGR [H,W,3]: the person's light times cover, the backdrop's times what is left; cover [H,W]."""

    person: F32
    behind: F32
    cover: F32

    def together(self, left: float) -> F32:
        """sRGB-encoded 0..1 with that much of the backdrop's light."""
        return np.asarray(linear_to_srgb(np.clip(self.person + left * self.behind, 0, 1)), np.float32)

    def distance(self) -> F32:
        """Pixels from the edge [H,W], positive on the person."""
        on = (self.cover > 0.5).astype(np.uint8)
        inside, outside = (cv2.distanceTransform(m, cv2.DIST_L2, 5) for m in (on, 1 - on))
        return np.asarray(inside - outside, np.float32)


def seen(colour: F32, back: F32, cover: F32, blur: float) -> Layers:
    """Layers as a lens with that blur sees them. colour, back: linear BGR [H,W,3]; cover [H,W]."""

    def soft(image: F32) -> F32:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), blur))

    covered = soft(cover)
    return Layers(soft(colour * cover[..., None]), soft(back) * (1 - covered[..., None]), covered)


def photographed(layers: Layers, rng: np.random.Generator) -> Image:
    """What a camera makes of them: noise and JPEG."""
    noisy = 255 * layers.together(1.0) + rng.normal(0, NOISE, (*layers.cover.shape, 3))
    picture = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    _, stored = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR), np.uint8)


def true_matte(geometry: Geometry, cover: F32) -> Geometry:
    """The same geometry with the true cover for its matte."""
    alpha = cv2.resize(cover, geometry.size, interpolation=cv2.INTER_AREA)
    return Geometry(geometry.normal, geometry.depth, alpha, geometry.guide)


def counted(layers: Layers, alpha: F32) -> NDArray[np.bool_]:
    """Pixels near the edge where the network's matte [h,w] is about right."""
    distance = layers.distance()
    size = layers.cover.shape[1], layers.cover.shape[0]
    wrong = (cv2.resize(alpha, size) > 0.5) != (layers.cover > 0.5)
    lost = cv2.dilate((wrong & (np.abs(distance) > FAR[0])).astype(np.uint8), np.ones((FAR[1], FAR[1])))
    return np.asarray((np.abs(distance) < NEAR) & (lost == 0))


def measures(picture: Image, layers: Layers, where: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """dB, too bright outside, too bright and too dark on the person's side; see the head of this file."""
    error = picture.astype(np.float32) / 255 - layers.together(LEFT)
    luma, distance = 255 * (error @ np.asarray(LUMA, np.float32)), layers.distance()
    outside, person = where & (distance < -2), where & (distance > -1)
    decibel = float(-10 * np.log10(max(float((error[where] ** 2).mean()), 1e-12)))
    bright, dark = np.maximum(luma, 0), np.maximum(-luma, 0)
    return decibel, float(bright[outside].mean()), float(bright[person].mean()), float(dark[person].mean())


def people(args: argparse.Namespace) -> Iterator[list[NDArray[np.float16]]]:
    """Light on somebody, the backdrop's, and cover, float16, rendered one after the other."""
    from training.synth.make import choose_device

    choose_device("cpu")
    from training.synth.pairs import PairStudio, exposure
    from training.synth.shards import Sample
    from training.synth.stage import Frame, Scene

    class Studio(PairStudio):
        """Keeps the layers apart."""

        def _pair(self, rng: np.random.Generator, scene: Scene, frame: Frame) -> tuple[dict, dict]:
            on = frame.alpha > 0.5
            first, _, back, _ = self._draw_first(rng, scene, on)
            gain = exposure(first[on], first[on])
            back = back * gain
            back = back * min(1.0, BRIGHTEST / max(float(np.percentile(back, 97)), 1e-6))
            layers = {"colour": first * gain, "back": np.minimum(back, 1)}
            return {**{k: v[..., ::-1] for k, v in layers.items()}, "cover": frame.cover}, {"on": on.mean()}

    studio = Studio(args.assets, args.bank, (0, args.bodies), SIZE, False, samples=4)
    made = index = 0
    try:
        while made < args.count:
            samples: list[Sample] = studio.shoot(args.seed, index, 1, 1)
            index += 1
            for sample in samples:
                if sample.arrays and sample.about["on"] > LEAST:
                    made += 1
                    yield tuple(
                        sample.arrays[name].astype(np.float32) for name in ("colour", "back", "cover")
                    )  # type: ignore[misc]
    finally:
        studio.close()


def run(args: argparse.Namespace) -> None:
    """The table's one line."""
    from live_relight.geometry import open_estimator
    from live_relight.shade.opengl import OpenGLShader

    rng, found = np.random.default_rng(1), []
    drawn = list(people(args))  # before there is a second OpenGL
    estimator, shader = open_estimator(args.engine), OpenGLShader()
    try:
        for k, somebody in enumerate(drawn):
            colour, back, cover = (part.astype(np.float32) for part in somebody)
            layers = seen(colour, back, cover, BLURS[k % len(BLURS)])
            picture = photographed(layers, rng)
            geometry = estimator.estimate(picture)
            where = counted(layers, geometry.alpha)
            if args.matte == "true":
                geometry = true_matte(geometry, layers.cover)
            made = shader.shade(picture, geometry, Look(background=LEFT))
            found.append(measures(made, layers, where))
    finally:
        estimator.close()
        shader.close()
    words = ("dB", "too bright outside", "too bright on the person's side", "too dark there")
    means = np.mean(found, axis=0)
    print(f"{len(found)} people: " + ", ".join(f"{w} {v:.2f}" for w, v in zip(words, means, strict=True)))


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="training.edges", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--assets", type=Path, required=True, metavar="DIR")
    parser.add_argument("--bank", type=Path, required=True, metavar="DIR", help="bodies of synth make")
    parser.add_argument("--bodies", type=int, default=3200, help="how many that are")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--engine", default="onnx:base")
    parser.add_argument("--matte", choices=("network", "true"), default="network")
    run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
