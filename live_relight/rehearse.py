"""Draws looks once before anybody watches: a driver compiles a shader when it first draws with it, and some
engines a network when it first runs at a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .core.governor import FINE, LEARNED, SHARES
from .core.look import Look
from .core.present import Present
from .core.stages import Estimator
from .geometry.analytic import sphere
from .shade.opengl import OpenGLShader
from .shade.targets import Size


def rehearse(
    shader: OpenGLShader, estimator: Estimator, looks: Sequence[Look], size: Size, levels: Sequence[str]
) -> None:
    """Pictures of `size` (width, height) of a made-up scene, a ball before the camera: every look at each of
    the quality `levels`, the first look at the first level and at `learned` with each light turned off too.

    Where OpenGL runs on the processor this takes from the first press of a key the 0.1 to 1 second that it
    would stop the picture for (Mesa keeps what it compiled on disk: the first time on a machine). A card,
    whose first frames are measured (ways.py), is left alone. The size matters, and the geometry's: what is
    compiled depends on whether a side is a power of two. OpenVINO compiles the network for each size here as
    well, at every start.
    """
    if not shader.on_grid:
        return
    image = np.full((size[1], size[0], 3), 128, np.uint8)
    done: set[tuple[Size, float]] = set()
    for level in levels:
        geometry, learned = sphere(estimator.estimate(image, SHARES[level]).size), float(level == LEARNED)
        if (geometry.size, learned) in done:  # fewer steps and a coarser edge are no other programs
            continue
        first = level in (levels[0], LEARNED)
        more = [other for look in looks[:1] for other in turned(look)] if first else []
        done.add((geometry.size, learned))
        for look in dict.fromkeys([*looks, *more]):
            if learned and look.learned is None:  # on its way there and back lights are drawn in two parts
                shader.shade(image, geometry, replace(look, learned=learned), present=Present())
            else:
                shader.shade(image, geometry, look, present=Present(), fine=level in FINE)


def turned(look: Look) -> list[Look]:
    """The look with each of its lights in turn switched the other way, on or off."""
    lights = look.lights
    return [
        replace(look, lights=(*lights[:k], replace(light, on=not light.on), *lights[k + 1 :]))
        for k, light in enumerate(lights)
    ]
