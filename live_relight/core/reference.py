"""The light pass in plain NumPy: what shaders/ must agree with, and the place to read how it works.

1. `fill_outside`    carries the person's surface a little beyond the silhouette;
2. `coefficients`    guided filter (He, Sun, Tang 2013; fast form He & Sun 2015): each geometry map q is
                     written as q = a . I + b, with a, b from a small window, so that evaluating it with the
                     full-size picture I brings q up along the picture's edges instead of blurring over them;
3. `light_map`       Lambert and Blinn-Phong for every light, at any size;
4. `factor_map`      what that light does to the picture's encoded values: one factor a channel;
5. `gain`            factors of the person and of what is behind, mixed by the soft alpha along the
                     picture's edges, rolled off toward white; at the picture's size or half of it;
6. `composite`       picture times gain, at full size.

Light is worked out in linear light. The picture's transfer curve is taken as a power, I = v ** 2.2, so that
light times g is v times g ** (1 / 2.2): nothing has to be decoded and encoded for every pixel. sRGB's own
curve differs from that power by its straight piece near black, where webcams have noise.

Colours are in the picture's own order (BGR) throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .colour import REC709_LUMA
from .frames import Geometry, Image, Map
from .look import Look
from .projection import half_tangents, head_point

Floats = npt.NDArray[Any]

# Radius in pixels, and regularisation in units of guide variance. Alpha, on the geometry's own grid, follows
# fine edges; normals and depth only strong ones, so that make-up and cloth patterns do not become relief, and
# on a grid half as fine: it is smooth anyway and costs a quarter.
ALPHA_FILTER = (2, 2e-4)
SHAPE_FILTER = (1, 1e-2)
FILL_RADIUS = 2
ALPHA_LOW, ALPHA_HIGH = 0.5, 0.95  # the lower end is high: a lit sliver of bright wall is a halo
LUMA = REC709_LUMA[::-1]  # BGR
GAMMA = 2.2
DARKEST = 0.02
"""Linear base colour a channel below which a highlight grows no further: it is a share of the base."""
SHININESS = 20.0
MAX_FALLOFF = 4.0

PLANES = ("alpha", "depth", "normal x", "normal y", "normal z")


def box_mean(values: Floats, radius: int) -> Floats:
    """Mean over (2 radius + 1)^2 pixels, edges repeated. h x w or h x w x c."""
    k = 2 * radius + 1
    pad = [(radius, radius), (radius, radius)] + [(0, 0)] * (values.ndim - 2)
    p = np.pad(values.astype(np.float64), pad, mode="edge")
    for axis in (0, 1):
        total = np.cumsum(p, axis=axis)
        total = np.insert(total, 0, 0.0, axis=axis)
        n = total.shape[axis]
        p = np.take(total, range(k, n), axis) - np.take(total, range(n - k), axis)
    return np.asarray(p / (k * k))


def fill_outside(normal: Floats, depth: Floats, alpha: Floats) -> Floats:
    """h x w x 4: depth and normal, from maps h x w x 3, h x w, h x w. Outside the mask the network's shape
    means nothing: replace it by the person's nearby shape, or by a surface facing the camera where nobody is
    near, so that light does not break at the silhouette."""
    solid = np.clip(alpha * 2.0 - 0.8, 0.0, 1.0) ** 2
    maps = np.concatenate([depth[..., None], normal], axis=-1)
    weight = box_mean(box_mean(solid, FILL_RADIUS), FILL_RADIUS)[..., None]
    spread = box_mean(box_mean(maps * solid[..., None], FILL_RADIUS), FILL_RADIUS)
    facing = np.array([1.0, 0.0, 0.0, 1.0])
    filled = (spread + facing * 1e-3) / (weight + 1e-3)
    return np.asarray(filled + (maps - filled) * solid[..., None])


def guided(guide: Floats, target: Floats, radius: int, eps: float) -> Floats:
    """h x w x 3 guide in 0..1, h x w target: h x w x 4 (a for the guide's three channels, b)."""
    mean_i = box_mean(guide, radius)
    mean_t = box_mean(target, radius)
    cov_it = box_mean(guide * target[..., None], radius) - mean_i * mean_t[..., None]
    outer = guide[..., :, None] * guide[..., None, :]
    h, w = target.shape
    cov_ii = box_mean(outer.reshape(h, w, 9), radius).reshape(h, w, 3, 3)
    cov_ii -= mean_i[..., :, None] * mean_i[..., None, :]
    a = np.linalg.solve(cov_ii + eps * np.eye(3), cov_it[..., None])[..., 0]
    b = mean_t - (a * mean_i).sum(axis=-1)
    return box_mean(np.concatenate([a, b[..., None]], axis=-1), radius)


def guided_by_luma(guide: Floats, target: Floats, radius: int, eps: float) -> Floats:
    """As `guided`, but only the guide's luma counts: a is one number, spread over the channels. For shape
    it follows fewer of the colours that are paint and not relief."""
    luma = guide @ np.asarray(LUMA)
    mean_i, mean_t = box_mean(luma, radius), box_mean(target, radius)
    a = (box_mean(luma * target, radius) - mean_i * mean_t) / (
        box_mean(luma * luma, radius) - mean_i**2 + eps
    )
    a, b = box_mean(a, radius), box_mean(mean_t - a * mean_i, radius)
    return np.concatenate([a[..., None] * np.asarray(LUMA), b[..., None]], axis=-1)


def halved(values: Floats) -> Floats:
    """Means of 2 x 2, h x w (x c). A side that is odd stays: everything is then done at full size."""
    h, w = values.shape[:2]
    if h % 2 or w % 2:
        return values.astype(np.float64)
    return np.asarray(values.reshape(h // 2, 2, w // 2, 2, *values.shape[2:]).mean(axis=(1, 3)))


def coefficients(geometry: Geometry) -> Map:
    """5 x h x w x 4 float32 at the geometry's size, planes as in PLANES; shape's come from half of it (the
    fast guided filter of He and Sun, 2015)."""
    g = geometry.guide.astype(np.float64) / 255.0
    size = geometry.size
    shape = [halved(v) for v in (geometry.normal, geometry.depth, geometry.alpha)]
    filled = fill_outside(*shape)
    planes = [guided(g, geometry.alpha.astype(np.float64), *ALPHA_FILTER)]
    small = halved(g)
    planes += [sample(guided_by_luma(small, filled[..., i], *SHAPE_FILTER), size) for i in range(4)]
    return np.stack(planes).astype(np.float32)


def sample(values: Floats, size: tuple[int, int]) -> Floats:
    """Bilinear resampling of h x w (x c) to `size` (width, height): texel centres at +0.5, edges clamped,
    as OpenGL's LINEAR filter samples a texture."""
    h, w = values.shape[:2]
    y = np.clip((np.arange(size[1]) + 0.5) / size[1] * h - 0.5, 0, h - 1)
    x = np.clip((np.arange(size[0]) + 0.5) / size[0] * w - 0.5, 0, w - 1)
    y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
    y1, x1 = np.minimum(y0 + 1, h - 1), np.minimum(x0 + 1, w - 1)
    tail = (1,) * (values.ndim - 2)
    fy, fx = (y - y0).reshape(-1, 1, *tail), (x - x0).reshape(1, -1, *tail)
    top = values[y0][:, x0] * (1 - fx) + values[y0][:, x1] * fx
    low = values[y1][:, x0] * (1 - fx) + values[y1][:, x1] * fx
    return np.asarray(top * (1 - fy) + low * fy)


def apply(plane: Floats, guide: Floats) -> Floats:
    """a . I + b at the guide's size. plane h x w x 4; guide H x W x 3 in 0..1."""
    c = sample(plane, (guide.shape[1], guide.shape[0]))
    return np.asarray((c[..., :3] * guide).sum(axis=-1) + c[..., 3])


def matte(plane: Floats, guide: Floats) -> Floats:
    """Full-size alpha: the guided value with its soft ends pulled to exactly 0 and 1."""
    t = np.clip((apply(plane, guide) - ALPHA_LOW) / (ALPHA_HIGH - ALPHA_LOW), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


@dataclass(frozen=True, slots=True)
class Lamp:
    """A light as the shader takes it."""

    position: tuple[float, float, float]
    """Camera space, subject distances; a unit direction toward the light for a directional one."""
    mode: float
    """0 directional, 1 point, 2 ambient."""
    bgr: tuple[float, float, float]
    """Linear colour times power."""
    wrap: float
    """Half angular size of the source as a cosine: how far beyond the terminator it reaches."""
    reference: float
    """Squared distance at which falloff is 1."""


def lamps(look: Look, head: tuple[float, float, float]) -> list[Lamp]:
    """The active lights, placed round the head."""
    found = []
    for light in look.active:
        direction = light.direction
        mode = {"directional": 0.0, "ambient": 2.0}.get(light.kind, 1.0)
        at = direction if mode == 0.0 else np.asarray(head) + direction * light.dist
        distance = light.dist if mode == 1.0 else 1.0
        wrap = min(0.5 * light.size / distance, 1.0)
        r, g, b = light.rgb
        position = (float(at[0]), float(at[1]), float(at[2]))
        found.append(Lamp(position, mode, (b, g, r), wrap, light.dist**2))
    return found


def _unit(v: Floats) -> Floats:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6))


def light_map(
    planes: Map,
    guide: Image,
    look: Look,
    head: tuple[float, float, float],
    frame: tuple[int, int] | None = None,
) -> Floats:
    """Light on the surface at the guide's size (h x w x 3 uint8). `frame`: (width, height) of the whole
    picture where the guide's aspect is not quite its own.

    Returns h x w x 4: linear BGR factor on the surface's own colour (Lambert), and the luma of what is
    added to it (normalised Blinn-Phong). Highlights take the colour of the diffuse light at their place:
    exact for one light, close for several, and a third less to read for every pixel of the picture.
    """
    g = guide.astype(np.float64) / 255.0
    h, w = g.shape[:2]
    n = _unit(np.stack([apply(planes[i], g) for i in (2, 3, 4)], axis=-1))
    depth = np.clip(apply(planes[1], g), 0.2, 5.0)
    tx, ty = half_tangents(frame or (w, h), look.fov)
    x = ((np.arange(w) + 0.5) / w * 2.0 - 1.0) * tx
    y = (1.0 - (np.arange(h) + 0.5) / h * 2.0) * ty
    p = np.stack([x[None] * depth, y[:, None] * depth, -depth], axis=-1)
    view = _unit(-p)
    diffuse, specular = np.zeros_like(p), np.zeros((h, w))
    # F0 = 0.04 (skin, cloth) at strength 0.25; (m + 8) / 8 normalises the lobe
    # (Akenine-Moeller et al., Real-Time Rendering)
    strength = 0.16 * look.specular * (SHININESS + 8.0) / 8.0
    for lamp in lamps(look, head):
        colour = np.asarray(lamp.bgr)
        if lamp.mode == 2.0:
            diffuse += colour
            continue
        to = np.broadcast_to(np.asarray(lamp.position), p.shape) - (p if lamp.mode == 1.0 else 0.0)
        d2 = np.maximum((to * to).sum(axis=-1), 1e-4)
        fall = np.minimum(lamp.reference / d2, MAX_FALLOFF) if lamp.mode == 1.0 else np.ones_like(d2)
        toward = to / np.sqrt(d2)[..., None]
        cosine = (n * toward).sum(axis=-1)
        lambert = np.clip((cosine + lamp.wrap) / (1.0 + lamp.wrap), 0.0, 1.0) * fall
        half = _unit(toward + view)
        gloss = np.clip((n * half).sum(axis=-1), 0.0, 1.0) ** SHININESS * np.clip(cosine, 0.0, 1.0) * fall
        diffuse += lambert[..., None] * colour
        specular += gloss * (colour @ np.asarray(LUMA)) * strength
    return np.concatenate([diffuse, specular[..., None]], axis=-1)


def factor_map(light: Floats, guide: Image, look: Look) -> Floats:
    """h x w x 3: what the light makes of encoded values. light as from `light_map`; guide: the picture
    there, h x w x 3 uint8.

    With L the diffuse light, S the highlights (in the diffuse light's colour at their place) and B the guide
    in linear light: B (ambient + L) + S over B, encoded. On black cloth a highlight from smooth normals reads
    as fog: it fades below mid-grey.
    """
    base = (guide.astype(np.float64) / 255.0) ** GAMMA
    diffuse, gloss = light[..., :3], light[..., 3:]
    tint = diffuse / np.maximum(diffuse @ np.asarray(LUMA), 1e-3)[..., None]
    sheen = np.minimum(np.sqrt(base @ np.asarray(LUMA) / 0.18), 1.0)[..., None]
    total = look.ambient + diffuse + gloss * tint * sheen / np.maximum(base, DARKEST)
    return np.asarray(total ** (1.0 / GAMMA))


def behind(look: Look) -> float:
    """`factor_map` where nobody is."""
    return float(look.backdrop ** (1.0 / GAMMA))


def shoulder(before: Floats, after: Floats) -> Floats:
    """Film-like roll-off: added light approaches white without clipping, in its own hue. A factor, ... x 1.

    before, after: ... x 3 encoded >= 0. With m the brightest channel, d = m(after) - m(before) that was added
    and r = 1 - m(before) the room there is, what is added becomes d / sqrt(1 + (d / r) ** 2): slope 1 where
    little is added, so an untouched pixel stays, and never more than r."""
    least = np.minimum(before.max(axis=-1, keepdims=True), 1.0)
    most = after.max(axis=-1, keepdims=True)
    added, room = np.maximum(most - least, 0.0), np.maximum(1.0 - least, 1e-3)
    kept = room * added / np.sqrt(room * room + added * added)
    return np.asarray(1.0 - (added - kept) / np.maximum(most, 1e-3))


def gain(image: Image, alpha_plane: Floats, factors: Floats, look: Look) -> Floats:
    """H x W x 3 factor on the encoded image (H x W x 3 uint8). factors: `factor_map` at any size (sampled
    bilinearly)."""
    seen = image.astype(np.float64) / 255.0
    alpha = matte(alpha_plane, seen)[..., None]
    g = behind(look) + (sample(factors, (image.shape[1], image.shape[0])) - behind(look)) * alpha
    return np.asarray(g * shoulder(seen, seen * g))


def composite(image: Image, factor: Floats) -> Image:
    """image H x W x 3 uint8 times a factor h x w x 3, sampled bilinearly, clipped at white."""
    out = image * sample(factor, (image.shape[1], image.shape[0]))
    return np.asarray(np.rint(np.minimum(out, 255.0)), np.uint8)


def relight(
    image: Image, light_guide: Image, geometry: Geometry, look: Look, gain_guide: Image | None = None
) -> Image:
    """The whole pass. `light_guide`, `gain_guide`: the picture at the sizes of the light map and the gain
    (None: at full size)."""
    if look.untouched:
        return image.copy()
    planes = coefficients(geometry)
    frame = (image.shape[1], image.shape[0])
    light = light_map(planes, light_guide, look, head_point(geometry, look.fov), frame)
    factors = factor_map(light, light_guide, look)
    return composite(image, gain(image if gain_guide is None else gain_guide, planes[0], factors, look))
