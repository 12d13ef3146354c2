"""The look that lights make together. Pure values; the pipeline swaps one Look for the next."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .colour import REC709_LUMA, hex_to_rgb
from .errors import UsageError
from .light import MAX_LIGHTS, Light

DIFFUSE = ("lambert", "oren-nayar")
MOST_TINT = 2.5
"""Linear factor that a tint multiplies a channel of the backdrop by, at most."""
GENTLE = 1.0
"""Strength at which our lights are corrected for the shading that is there."""

# name: (lowest, highest, what it is, for people)
NUMBERS: dict[str, tuple[float, float, str]] = {
    "ambient": (0.0, 4.0, "light already there: 1 untouched, 0 dark"),
    "background": (0.0, 4.0, "the same for what is behind the person"),
    "specular": (0.0, 1.0, "strength of highlights"),
    "roughness": (0.1, 1.0, "of the surface: 0.1 polished, 1 matt"),
    "softness": (0.0, 1.0, "of skin: how far light spreads under it"),
    "delight": (0.0, 1.0, "how much of the shading that is already there is taken away first"),
    "learned": (
        0.0,
        1.0,
        "how far the light network is heard; by itself: photo and video 1, run as there is room",
    ),
    "background_blur": (0.0, 1.0, "0 sharp, 1 as far out of focus as it goes"),
    "fov": (10.0, 150.0, "field of view of the camera, degrees"),
}
TEXTS = ("diffuse", "background_tint")
FLAGS = ("auto",)
"""With NUMBERS and the lights, every field of a Look."""


@dataclass(frozen=True, slots=True)
class Look:
    """Everything the light pass needs besides the picture and its geometry."""

    lights: tuple[Light, ...] = ()
    ambient: float = 1.0
    """Scale of the light already on the person: 1 = untouched, 0 = dark."""
    background: float | None = None
    """The same for what is not the person; None follows `ambient`."""
    specular: float = 0.05
    """Strength of highlights on skin and cloth, 0..1. 0.25 is F0 = 0.04, as skin's; the default is less,
    because normals smoother than skin spread a highlight into haze."""
    roughness: float = 0.5
    """Of the surface, 0.1..1: width of the highlights (GGX, alpha = roughness ** 2) and how flat matt parts
    look (Oren-Nayar)."""
    diffuse: str = "lambert"
    """How the matt part answers: `lambert`, or `oren-nayar`, flatter with roughness, as cloth is. Rendered
    people are met slightly better by the first (docs/relight.md)."""
    softness: float = 0.5
    """Light that spreads under skin, 0..1: shadows' edges on the form are softer, and most so in red."""
    delight: float | None = None
    """How much of the shading that is already in the picture is evened out, 0..1; None is 0. Our lights are
    corrected for it all the same (`corrected`)."""
    corrected: float = GENTLE
    """Strength at which our lights are corrected for the shading that is there, at least (core/present.py):
    no option, for measurements."""
    learned: float | None = None
    """How far the light network's word on how our lights fall is taken, 0..1 (core/told.py). None: wholly
    in `photo` and `video`; live as there is room for it (core/governor.py)."""
    auto: bool = False
    """Key and fill follow the light that the picture has: side, ratio and exposure (core/present.py)."""
    background_blur: float = 0.0
    background_tint: str = ""
    """sRGB '#rrggbb' that the backdrop is coloured with; empty: as it is."""
    fov: float = 65.0
    """Horizontal field of view of the camera in degrees, as a webcam's."""

    def __post_init__(self) -> None:
        if len(self.lights) > MAX_LIGHTS:
            raise UsageError("lights", str(len(self.lights)), f"at most {MAX_LIGHTS}")
        if sum(light.kind == "env" for light in self.lights) > 1:
            raise UsageError("lights", "several env lights", "at most one")
        for name, (low, high, _) in NUMBERS.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise UsageError(name, f"{value:g}", f"{low:g}..{high:g}")
        if self.diffuse not in DIFFUSE:
            raise UsageError("diffuse", f"'{self.diffuse}'", " or ".join(DIFFUSE))
        if self.background_tint:
            try:
                hex_to_rgb(self.background_tint)
            except ValueError:
                raise UsageError("background_tint", f"'{self.background_tint}'", "#rrggbb") from None

    @property
    def backdrop(self) -> float:
        return self.ambient if self.background is None else self.background

    @property
    def evened(self) -> tuple[float, float]:
        """Strengths of present.quotient for the light that is there, and for our lights."""
        strength = self.delight or 0.0
        return strength, max(strength, self.corrected)

    @property
    def tint(self) -> tuple[float, float, float]:
        """Linear RGB factor on the backdrop, of luma 1 but for strong colours: no channel grows by more than
        MOST_TINT, or a wall's blue clips and its shading is lost."""
        if not self.background_tint:
            return (1.0, 1.0, 1.0)
        rgb = hex_to_rgb(self.background_tint)
        luma = max(sum(k * v for k, v in zip(REC709_LUMA, rgb, strict=True)), 1e-3)
        white = max(luma, max(rgb) / MOST_TINT)
        return (rgb[0] / white, rgb[1] / white, rgb[2] / white)

    @property
    def lit(self) -> tuple[int, ...]:
        """Places in `lights` of those that add anything."""
        return tuple(k for k, light in enumerate(self.lights) if light.on and light.power > 0.0)

    @property
    def active(self) -> tuple[Light, ...]:
        """The lights that add anything."""
        return tuple(self.lights[k] for k in self.lit)

    @property
    def untouched(self) -> bool:
        """True when the picture leaves the light pass as it came."""
        as_it_is = self.ambient == 1.0 and self.backdrop == 1.0 and not self.delight and not self.auto
        return as_it_is and not (self.active or self.background_blur or self.background_tint)
