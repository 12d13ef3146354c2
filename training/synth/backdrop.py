"""What is behind the person: environments out of focus, painted rooms, walls, blur, clutter."""

from __future__ import annotations

import cv2
import numpy as np

from training.synth.clutter import add_clutter
from training.synth.light import LUMA, Environment
from training.synth.look import draw_cloth, linear
from training.synth.meshes import F32

KINDS = ("environment", "room", "wall", "texture")


def draw_backdrop(
    rng: np.random.Generator,
    env: Environment,
    turn: F32,
    width: int,
    height: int,
    tan_half: tuple[float, float],
) -> tuple[F32, str]:
    """A linear picture [H,W,3] of mean luminance about 1, and its kind."""
    kind = str(rng.choice(KINDS, p=[0.36, 0.44, 0.12, 0.08]))
    if kind == "environment":
        image = _environment(rng, env, turn, width, height, tan_half)
    elif kind == "room":
        image = _room(rng, env, width, height)
    elif kind == "wall":
        image = _wall(rng, width, height)
    else:
        image = _texture(rng, width, height)
    if rng.random() < (0.55 if kind == "room" else 0.4):
        add_clutter(rng, image)
    if rng.random() < 0.7:
        image = cv2.GaussianBlur(image, (0, 0), float(np.exp(rng.uniform(-0.7, 1.9))) * width / 256)
    mean = max(float((image @ LUMA).mean()), 1e-4)
    return np.minimum(image / mean, 12).astype(np.float32), kind


def _environment(
    rng: np.random.Generator,
    env: Environment,
    turn: F32,
    width: int,
    height: int,
    tan_half: tuple[float, float],
) -> F32:
    """Perspective crop of the environment behind the person; half the time turned at random."""
    if rng.random() < 0.5:
        a = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]], np.float32)
    zoom = rng.uniform(0.5, 1.0)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(1, -1, height))
    d = np.stack([x * tan_half[0] * zoom, y * tan_half[1] * zoom, -np.ones_like(x)], -1) @ turn
    d /= np.linalg.norm(d, axis=-1, keepdims=True)
    h, w = env.picture.shape[:2]
    u = (np.arctan2(d[..., 0], d[..., 2]) / (2 * np.pi) % 1.0) * w - 0.5
    v = (0.5 - np.arcsin(np.clip(d[..., 1], -1, 1)) / np.pi) * h - 0.5
    return cv2.remap(
        env.picture, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_WRAP
    )


def _wall(rng: np.random.Generator, width: int, height: int) -> F32:
    """A plain wall with a gradient of light, sometimes a corner."""
    colour = _paint(rng)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    slope = rng.normal(0, 0.3, 2)
    shade = np.clip(1 + slope[0] * x + slope[1] * y, 0.15, 3)
    image = (colour * shade[..., None]).astype(np.float32)
    if rng.random() < 0.4:
        at = int(rng.integers(0, width))
        image[:, at:] *= np.float32(rng.uniform(0.5, 1.5))
    return image


def _paint(rng: np.random.Generator) -> F32:
    """A wall colour, linear."""
    if rng.random() < 0.6:
        return (rng.uniform(0.25, 0.85) * (1 + rng.uniform(-0.12, 0.12, 3))).astype(np.float32)
    return draw_cloth(rng)


def _texture(rng: np.random.Generator, width: int, height: int) -> F32:
    """Multi-scale colour noise: leaves, curtains, crowds, anything."""
    out = np.zeros((height, width, 3), np.float32)
    for level in range(2, 7):
        h, w = max(2, height >> level), max(2, width >> level)
        grain = rng.random((h * (3 if rng.random() < 0.2 else 1), w, 3)).astype(np.float32)
        out += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC) * rng.uniform(0, 1)
    out = np.clip(out - out.min(), 0, None) / max(float(np.ptp(out)), 1e-3)
    return (out ** rng.uniform(1, 3) * draw_cloth(rng) * 3 + 0.02).astype(np.float32)


def _room(rng: np.random.Generator, env: Environment, width: int, height: int) -> F32:
    """A wall with furniture painted from far to near."""
    image = _wall(rng, width, height)
    floor = int(height * rng.uniform(0.6, 1.1))
    if floor < height:
        image[floor:] = _paint(rng) * rng.uniform(0.3, 1)
    things = (_shelf, _window, _frame, _door, _screen, _lamp, _plant, _curtain, _boxes)
    for k in rng.choice(len(things), int(rng.integers(1, 6))):
        things[k](rng, image, env)
    if rng.random() < 0.3:
        _chair(rng, image)
    return image


def _rect(
    rng: np.random.Generator, image: F32, w: tuple[float, float], h: tuple[float, float]
) -> tuple[int, ...]:
    """A random rectangle x0, y0, x1, y1 with sides as shares of the picture."""
    height, width = image.shape[:2]
    bw, bh = int(width * rng.uniform(*w)) + 2, int(height * rng.uniform(*h)) + 2
    x, y = int(rng.uniform(-0.3, 0.95) * width), int(rng.uniform(-0.3, 0.7) * height)
    return x, y, x + bw, y + bh


def _fill(image: F32, box: tuple[int, ...], colour: F32) -> None:
    x0, y0, x1, y1 = box
    image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = colour


def _shelf(rng: np.random.Generator, image: F32, env: Environment) -> None:
    """Boards with books."""
    box = _rect(rng, image, (0.2, 0.8), (0.3, 1.2))
    wood = draw_cloth(rng)
    _fill(image, box, wood * np.float32(0.4))
    rows = int(rng.integers(2, 6))
    step = max((box[3] - box[1]) // rows, 8)
    for y in range(box[1], box[3] - 4, step):
        x = box[0] + 2
        while x < box[2] - 3:
            w, h = int(rng.integers(2, 9)), int(step * rng.uniform(0.5, 0.9))
            if rng.random() < 0.85:
                _fill(image, (x, y + step - h, min(x + w, box[2] - 2), y + step - 2), draw_cloth(rng))
            x += w
        _fill(image, (box[0], y + step - 2, box[2], y + step), wood)


def _window(rng: np.random.Generator, image: F32, env: Environment) -> None:
    """A bright window with bars and a view, or a dark one at night."""
    box = _rect(rng, image, (0.15, 0.5), (0.3, 0.8))
    h, w = env.picture.shape[:2]
    y, x = int(rng.integers(0, h // 2)), int(rng.integers(0, w - 64))
    bw, bh = box[2] - box[0], box[3] - box[1]
    outside = cv2.resize(env.picture[y : y + 64, x : x + 64], (bw, bh)) * np.float32(
        np.exp(rng.normal(0.8, 0.9))
    )
    x0, y0 = max(box[0], 0), max(box[1], 0)
    x1, y1 = min(box[2], image.shape[1]), min(box[3], image.shape[0])
    if x1 > x0 and y1 > y0:
        image[y0:y1, x0:x1] = np.minimum(outside, 8)[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
    bar = _paint(rng)
    cv2.rectangle(image, box[:2], box[2:], bar.tolist(), 2)
    if rng.random() < 0.5:
        middle = (box[0] + box[2]) // 2
        _fill(image, (middle - 1, box[1], middle + 1, box[3]), bar)
    if rng.random() < 0.3:  # blinds
        for y in range(box[1], box[3], int(rng.integers(3, 8))):
            _fill(image, (box[0], y, box[2], y + 2), bar)


def _frame(rng: np.random.Generator, image: F32, env: Environment) -> None:
    """A picture or poster."""
    box = _rect(rng, image, (0.08, 0.3), (0.1, 0.4))
    _fill(image, box, draw_cloth(rng))
    inner = (box[0] + 2, box[1] + 2, box[2] - 2, box[3] - 2)
    _fill(image, inner, draw_cloth(rng))
    for _ in range(int(rng.integers(0, 4))):
        centre = (int(rng.integers(box[0], box[2])), int(rng.integers(box[1], box[3])))
        cv2.circle(image, centre, int(rng.integers(1, 9)), draw_cloth(rng).tolist(), -1)


def _door(rng: np.random.Generator, image: F32, env: Environment) -> None:
    """A door or a wardrobe to the floor."""
    box = _rect(rng, image, (0.12, 0.35), (0.8, 1.5))
    colour = _paint(rng)
    _fill(image, box, colour)
    inner = (box[0] + 4, box[1] + 6, box[2] - 4, (box[1] + box[3]) // 2)
    _fill(image, inner, colour * np.float32(rng.uniform(0.6, 0.95)))


def _screen(rng: np.random.Generator, image: F32, env: Environment) -> None:
    """A monitor or television, lit or black."""
    box = _rect(rng, image, (0.15, 0.45), (0.12, 0.35))
    _fill(image, box, np.full(3, 0.01, np.float32))
    inner = (box[0] + 2, box[1] + 2, box[2] - 2, box[3] - 2)
    _fill(image, inner, draw_cloth(rng) * np.float32(rng.uniform(0, 3)))


def _lamp(rng: np.random.Generator, image: F32, env: Environment) -> None:
    """A bright lamp with a glow."""
    height, width = image.shape[:2]
    centre = (int(rng.integers(0, width)), int(rng.integers(0, height * 2 // 3)))
    glow = np.zeros((height, width), np.float32)
    cv2.ellipse(glow, centre, (int(rng.integers(4, 22)), int(rng.integers(4, 18))), 0, 0, 360, 1.0, -1)
    warm = linear(np.array([1.0, rng.uniform(0.75, 1), rng.uniform(0.4, 1)], np.float32)) * rng.uniform(2, 8)
    image += (glow[..., None] + 0.6 * cv2.GaussianBlur(glow, (0, 0), 25)[..., None]) * warm.astype(np.float32)


def _plant(rng: np.random.Generator, image: F32, env: Environment) -> None:
    """A cloud of leaves."""
    height, width = image.shape[:2]
    cx, cy, spread = rng.uniform(0, width), rng.uniform(0.2, 0.9) * height, rng.uniform(10, 45)
    for _ in range(int(rng.integers(15, 60))):
        p = rng.normal([cx, cy], spread)
        green = np.array([rng.uniform(0.01, 0.1), rng.uniform(0.05, 0.3), rng.uniform(0.01, 0.06)])
        axes = (int(rng.integers(3, 14)), int(rng.integers(1, 5)))
        cv2.ellipse(
            image, (int(p[0]), int(p[1])), axes, float(rng.uniform(0, 180)), 0, 360, green.tolist(), -1
        )


def _curtain(rng: np.random.Generator, image: F32, env: Environment) -> None:
    """Vertical folds of cloth."""
    box = _rect(rng, image, (0.1, 0.5), (1.2, 2.0))
    x0, x1 = max(box[0], 0), min(box[2], image.shape[1])
    if x1 > x0:
        fold = 0.7 + 0.3 * np.sin(np.arange(x1 - x0) / rng.uniform(1.5, 6) + rng.uniform(0, 6))
        image[:, x0:x1] = (draw_cloth(rng) * fold[None, :, None]).astype(np.float32)


def _boxes(rng: np.random.Generator, image: F32, env: Environment) -> None:
    """Clutter: boxes, cushions, blobs of any colour."""
    for _ in range(int(rng.integers(2, 9))):
        if rng.random() < 0.5:
            _fill(image, _rect(rng, image, (0.03, 0.25), (0.03, 0.3)), draw_cloth(rng))
        else:
            height, width = image.shape[:2]
            centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            axes = (int(rng.integers(3, 40)), int(rng.integers(3, 30)))
            cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, draw_cloth(rng).tolist(), -1)


def _chair(rng: np.random.Generator, image: F32) -> None:
    """The back of an office chair, shaded round, near the middle."""
    height, width = image.shape[:2]
    w, h = rng.uniform(0.22, 0.55) * width, rng.uniform(0.35, 0.9) * height
    cx, top = width * rng.normal(0.5, 0.12), height * rng.uniform(0.15, 0.6)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    u, v = (x - cx) / (w / 2), (y - top - h / 2) / (h / 2)
    power = rng.uniform(3, 7)
    inside = (np.abs(u) ** power + np.abs(v) ** power) < 1
    shade = np.clip(0.75 - rng.uniform(-0.4, 0.4) * u - 0.25 * v, 0.1, 1.5)[..., None]
    colour = draw_cloth(rng) if rng.random() < 0.5 else np.full(3, rng.uniform(0.005, 0.03), np.float32)
    image[inside] = (colour * shade)[inside]
    if rng.random() < 0.4:  # head rest
        head = (np.abs(u * 1.9) ** power + np.abs((v + 1.25) * 4) ** power) < 1
        image[head] = (colour * shade * 0.9)[head]
