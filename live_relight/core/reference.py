"""The light pass in plain NumPy: what shaders/ must agree with, and the place to read how it works.

1. planes.py         the geometry as functions of the picture, so that it follows the picture's edges;
2. `surface`         place, normal and so on of every point that is lit, at any size;
3. shadow.py         how much of each lamp it sees;
4. `light_map`       brdf.py for every lamp: matt and glossy;
5. present.py        the light that is there already, and what evens it out;
6. `factor_map`      what that light does to the picture's encoded values: one factor a channel;
7. `gain`            factors of the person and of what is behind, mixed as the picture itself is mixed of
                     both along its edges, rolled off toward white; at the picture's size or half of it;
8. `composite`       picture times gain, at full size. Where the gain is half as large the person's edge is
                     worked out again at full size (shade/edges.py).

Light is worked out in linear light. The picture's transfer curve is taken as a power, I = v ** 2.2, so that
light times g is v times g ** (1 / 2.2): nothing has to be decoded and encoded for every pixel. sRGB's own
curve differs from that power by its straight piece near black, where webcams have noise.

Colours are in the picture's own order (BGR) throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import area, backdrop, brdf, environment, planes, present, shadow
from .frames import Geometry, Image, Map
from .lamps import Lamp, Shelf, lamps
from .look import Look
from .planes import LUMA, sample
from .projection import half_tangents, head_point

Floats = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

GAMMA = 2.2
DARKEST = 0.04
"""Linear base colour a channel below which a highlight grows no further: it is a share of the base."""
F0 = 0.04
"""Share that skin and cloth reflect of what comes straight at them."""
RIM = 1 / 64
"""From the silhouette to where a rim light ends, of the picture's longer side, besides what planes.softened
has blurred."""
SKY = 0.5
"""A hemisphere is this much brighter from its direction than from the side, and as much darker from below."""


def _unit(v: Floats) -> Floats:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6))


@dataclass(frozen=True, slots=True)
class Surface:
    """What is lit, h x w (x 3), camera space."""

    point: Floats
    normal: Floats
    soft: Floats
    """The normal without its fine relief, unit."""
    edged: Floats
    """The normal bent outward at the silhouette, unit."""
    soft_edged: Floats
    """The same of `soft`: bent apart from each other they would take a rim light's red away."""
    band: Floats
    """How near the silhouette is and how far the surface turns away toward it, 0..1."""
    view: Floats
    """Unit vector toward the camera."""


def surface(
    maps: Map, softened: Map, guide: Image, look: Look, frame: tuple[int, int] | None = None
) -> Surface:
    """At the guide's size (h x w x 3 uint8). maps, softened: planes.coefficients and planes.softened; frame:
    (width, height) of the whole picture where the guide's aspect is not quite its own."""
    g = guide.astype(np.float64) / 255.0
    h, w = g.shape[:2]
    n = _unit(np.stack([planes.apply(maps[i], g) for i in (2, 3, 4)], axis=-1))
    depth = np.clip(planes.apply(maps[1], g), 0.2, 5.0)
    tx, ty = half_tangents(frame or (w, h), look.fov)
    x = ((np.arange(w) + 0.5) / w * 2.0 - 1.0) * tx
    y = (1.0 - (np.arange(h) + 0.5) / h * 2.0) * ty
    p = np.stack([x[None] * depth, y[:, None] * depth, -depth], axis=-1)
    u, v = np.meshgrid((np.arange(w) + 0.5) / w, (np.arange(h) + 0.5) / h)
    soft = shadow.sample_at(softened, u, v)
    rows, columns = softened.shape[:2]
    reach = RIM * max(rows, columns)
    beside = [
        shadow.sample_at(softened, u + dx * reach / columns, v + dy * reach / rows)[..., 3]
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    out = np.stack([beside[1] - beside[0], beside[2] - beside[3], np.zeros((h, w))], axis=-1)
    bend = np.clip(2.0 - 0.5 * np.sum(beside, axis=0)[..., None], 0.0, 1.0)
    under, out = _unit(soft[..., :3]), _unit(out) * bend
    edged, soft_edged = (_unit(v * (1.0 - bend) + out) for v in (n, under))
    view, t = _unit(-p), bend[..., 0]
    band = t * t * (3.0 - 2.0 * t) * np.clip(2.0 - 2.0 * (n * view).sum(axis=-1), 0.0, 1.0)
    return Surface(p, n, under, edged, soft_edged, band, view)


def light_map(
    geometry: Geometry,
    guide: Image,
    look: Look,
    head: tuple[float, float, float] | None = None,
    frame: tuple[int, int] | None = None,
    steps: int = shadow.STEPS,
    shelf: Shelf | None = None,
) -> Floats:
    """Light on the surface at the guide's size (h x w x 3 uint8). `head`: where lights are placed round
    (None: the subject's). Shadows are worked out at half that size: they are soft. `shelf`: for area and env
    lights.

    Returns h x w x 4: linear BGR factor on the surface's own colour (matt), and the luma of what is added to
    it (glossy). Highlights take the colour of the matt light at their place: exact for one light, close for
    several, and a third less to read for every pixel of the picture.
    """
    size = guide.shape[1], guide.shape[0]
    there = surface(planes.coefficients(geometry), planes.softened(geometry), guide, look, frame)
    found = lamps(look, head or head_point(geometry, look.fov, frame or size))
    tangents = half_tangents(frame or size, look.fov)
    seen = _shadows(there, planes.occluder(geometry), found, tangents, steps)
    diffuse, specular = np.zeros_like(there.point), np.zeros(there.point.shape[:2])
    for lamp in found:
        matt, gloss = _lit(there, lamp, look, shelf)
        if lamp.slot >= 0:
            matt, gloss = matt * seen[..., lamp.slot, None], gloss * seen[..., lamp.slot]
        diffuse += matt * np.asarray(lamp.bgr)
        specular += gloss * (np.asarray(lamp.bgr) @ np.asarray(LUMA))
    return np.concatenate([diffuse, specular[..., None]], axis=-1)


def _shadows(
    there: Surface,
    occluder: Map,
    found: list[Lamp],
    tangents: tuple[float, float],
    steps: int,
) -> Floats:
    """h x w x 4: what is seen of the lamps that cast shadows, by their slots."""
    full = there.point.shape[1], there.point.shape[0]
    half = planes.half_of(full)
    depth, normal = sample(-there.point[..., 2], half), _unit(sample(there.normal, half))
    seen = np.ones((*depth.shape, 4))
    for lamp in found:
        if lamp.slot >= 0:
            seen[..., lamp.slot] = shadow.visibility(depth, normal, occluder, lamp, tangents, steps)
    return sample(shadow.settled(seen), full)


def _lit(there: Surface, lamp: Lamp, look: Look, shelf: Shelf | None) -> tuple[Floats, Floats]:
    """Matt (h x w x 3) and glossy (h x w) answer to a white lamp of power 1 without shadow."""
    p, shine = there.point, look.specular / 0.25
    seen_from = np.clip((there.normal * there.view).sum(axis=-1), 1e-3, 1.0)
    if lamp.mode == "env":
        assert shelf is not None
        env = shelf.environment(lamp.file)
        gloss = environment.specular(env, there.normal, there.view, look.roughness, F0, lamp.az)
        matt, under = (environment.irradiance(env, n, lamp.az) for n in (there.normal, there.soft))
        return _under_skin(matt, under, look), gloss @ np.asarray(LUMA) * shine * brdf.sure(seen_from)
    if lamp.corners is not None:
        assert shelf is not None
        seen = there.normal, there.view, lamp.corners, look.roughness, F0, shelf.table
        matt, under = (
            area.polygon_irradiance(p, n, lamp.corners) / lamp.unit for n in (there.normal, there.soft)
        )
        gloss = area.polygon_specular(p, *seen) / lamp.unit
        spread = _under_skin(matt[..., None], under[..., None], look)
        return spread, gloss * shine * brdf.sure(seen_from)
    if lamp.mode == "hemisphere":
        up, under = (1.0 + SKY * (n @ np.asarray(lamp.place))[..., None] for n in (there.normal, there.soft))
        return _under_skin(up, under, look), np.zeros(p.shape[:2])
    to = np.broadcast_to(np.asarray(lamp.place), p.shape) - (0.0 if lamp.mode == "directional" else p)
    d2 = np.maximum((to * to).sum(axis=-1), 1e-4)
    fall = np.ones_like(d2) if lamp.mode == "directional" else lamp.falloff(d2)
    toward = to / np.sqrt(d2)[..., None]
    if lamp.mode == "spot":
        beam = np.clip((-(toward @ np.asarray(lamp.axis)) - lamp.cone[0]) * lamp.cone[1], 0.0, 1.0)
        fall = fall * beam * beam * (3.0 - 2.0 * beam)
    rim = lamp.mode == "rim"
    if rim and lamp.slot < 0:  # along the silhouette alone: noses face sideways too
        fall = fall * there.band
    normal, under = (there.edged, there.soft_edged) if rim else (there.normal, there.soft)
    cosine, soft = (normal * toward).sum(axis=-1), (under * toward).sum(axis=-1)
    mixed = cosine[..., None] + (soft - cosine)[..., None] * (look.softness * brdf.SCATTER)
    matt = brdf.warm(brdf.horizon(mixed, np.minimum(lamp.spread + look.softness * brdf.GLOW, 1.0)))
    half = _unit(toward + there.view)
    nl, nv = np.clip(cosine, 0.0, 1.0), np.clip((normal * there.view).sum(axis=-1), 1e-3, 1.0)
    nh, lh = np.clip((normal * half).sum(axis=-1), 0.0, 1.0), (toward * half).sum(axis=-1)
    if look.diffuse == "oren-nayar":
        matt = matt * brdf.oren_nayar(nl, nv, (toward * there.view).sum(axis=-1), look.roughness)[..., None]
    alpha = look.roughness**2
    gloss = brdf.ggx(nl, nv, nh, lh, alpha, lamp.spread, F0) * shine * brdf.sure(nv)
    return matt * fall[..., None], gloss * fall


def _under_skin(matt: Floats, under: Floats, look: Look) -> Floats:
    """Matt light h x w x 3 that has spread under the surface, most in red. matt, under: h x w x 1 or 3, of
    the surface as it is and without its fine relief. White light gets no colder."""
    spread = matt + (under - matt) * (look.softness * brdf.SCATTER)
    return np.maximum(brdf.warm(spread) if matt.shape[-1] == 1 else spread, 0.0)


def factor_map(
    light: Floats, guide: Image, look: Look, evened: tuple[Floats, Floats] | None = None
) -> Floats:
    """h x w x 3: what the light makes of encoded values. light as from `light_map`; guide: the picture
    there, h x w x 3 uint8; evened: present.quotient for the light that is there and for ours, h x w each.

    With L the matt light, S the highlights (in the matt light's colour at their place) and B the guide in
    linear light: B (ambient q1 + L q2) + S over B, encoded. On black cloth a highlight from smooth normals
    reads as fog: it fades below mid-grey.
    """
    base = (guide.astype(np.float64) / 255.0) ** GAMMA
    diffuse, gloss = light[..., :3], light[..., 3:]
    here, ours = evened or (np.ones(light.shape[:2]), np.ones(light.shape[:2]))
    tint = diffuse / np.maximum(diffuse @ np.asarray(LUMA), 1e-3)[..., None]
    sheen = np.minimum(np.sqrt(base @ np.asarray(LUMA) / 0.18), 1.0)[..., None]
    total = look.ambient * here[..., None] + diffuse * ours[..., None]
    return np.asarray((total + gloss * tint * sheen / np.maximum(base, DARKEST)) ** (1.0 / GAMMA))


def behind(look: Look) -> Floats:
    """`factor_map` where nobody is: BGR."""
    tint = np.asarray(look.tint)[::-1]
    return np.asarray((look.backdrop * tint) ** (1.0 / GAMMA))


def shoulder(before: Floats, after: Floats) -> Floats:
    """Film-like roll-off: added light approaches white without clipping, in its own hue. A factor, ... x 1.

    before, after: ... x 3 encoded >= 0. With m the brightest channel, d = m(after) - m(before) that was added
    and r = 1 - m(before) the room there is, what is added becomes d / (1 + (d / r) ** 4) ** (1 / 4): slope 1
    until near r, so an untouched pixel stays and half the room is used as it is, and never more than r."""
    least = np.minimum(before.max(axis=-1, keepdims=True), 1.0)
    most = after.max(axis=-1, keepdims=True)
    added, room = np.maximum(most - least, 0.0), np.maximum(1.0 - least, 1e-3)
    kept = room * added / np.sqrt(np.sqrt(room**4 + added**4))
    return np.asarray(1.0 - (added - kept) / np.maximum(most, 1e-3))


def gain(image: Image, alpha_plane: Floats, contrast: Floats, factors: Floats, look: Look) -> Floats:
    """H x W x 3 factor on the encoded image (H x W x 3 uint8). contrast: planes.contrast; factors:
    `factor_map`; at any size (both sampled bilinearly)."""
    seen, size = image.astype(np.float64) / 255.0, (image.shape[1], image.shape[0])
    told = sample(contrast, size)
    alpha = planes.ends(planes.apply(alpha_plane, seen), told[..., 3])[..., None]
    share = planes.behind_share(alpha, told[..., :3])
    lit = sample(factors, size)
    g = lit + (behind(look) - lit) * share
    return np.asarray(g * shoulder(seen, seen * g))


def composite(image: Image, factor: Floats) -> Image:
    """image H x W x 3 uint8 times a factor h x w x 3, sampled bilinearly, clipped at white."""
    out = image * sample(factor, (image.shape[1], image.shape[0]))
    return np.asarray(np.rint(np.minimum(out, 255.0)), np.uint8)


def relight(
    image: Image,
    light_guide: Image,
    geometry: Geometry,
    look: Look,
    gain_guide: Image | None = None,
    steps: int = shadow.STEPS,
    shelf: Shelf | None = None,
    found: present.Present | None = None,
    sharp: Mask | None = None,
    correct: tuple[Sequence[Look], Callable[..., Floats]] | None = None,
) -> Image:
    """The whole pass. `light_guide`, `gain_guide`: the picture at the sizes of the light map and the gain
    (None: at full size); `shelf`: as in `light_map`; `found`: the light that is there; `sharp`: H x W, where
    the gain is worked out at full size whatever `gain_guide` is; `correct`: looks with
    some of the lights each, and what makes the light map out of theirs (h x w x 4: factors, and the share of
    the light that is there)."""
    if look.untouched:
        return image.copy()
    frame = (image.shape[1], image.shape[0])
    maps = planes.coefficients(geometry)
    normal = surface(maps, planes.softened(geometry), light_guide, look, frame).normal
    known = found or present.Present()
    if geometry.shading is not None:
        stops = sample(planes.shading(geometry), (light_guide.shape[1], light_guide.shape[0]))
        here, ours = (present.evened(stops, strength) for strength in look.evened)
    else:
        here, ours = (present.quotient(known, normal, strength) for strength in look.evened)
    if correct is None:
        light = light_map(geometry, light_guide, look, None, frame, steps, shelf)
        factors = factor_map(light, light_guide, look, (here, ours))
    else:
        share, maps_of = look.ambient * here[..., None], []
        for some in correct[0]:
            light = light_map(geometry, light_guide, some, None, frame, steps, shelf)
            part = factor_map(light, light_guide, look, (here, ours))
            maps_of.append(np.concatenate([part, share], axis=-1))
        factors = correct[1](*maps_of)[..., :3]
    if look.background_blur:
        edges = planes.contrast(geometry)
        image = backdrop.defocused(image, geometry, maps[0], edges, look.background_blur)
    mixed = maps[0], planes.contrast(geometry), factors, look
    made = composite(image, gain(image if gain_guide is None else gain_guide, *mixed))
    if sharp is not None and sharp.any():
        made[sharp] = composite(image, gain(image, *mixed))[sharp]
    return made
