"""Makes the bundled demo clip: a portrait of a real person, moving a little as in front of a webcam.

The picture is `skimage.data.astronaut()`: Eileen Collins, by NASA, in the public domain. She is cut out
(a hand-drawn outline, refined by GrabCut), the wall behind is painted in, and she sways, leans and turns in
front of it. Run from the checkout: `python examples/make_demo_clip.py live_relight/media/demo.mp4`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from live_relight.core.frames import Frame
from live_relight.sinks.file import FileSink

SIZE = (1280, 720)
FPS = 30.0
FRAMES = 150
# Outline of head, collar ring and shoulders in the 1280 x 720 crop, clockwise from the bottom left.
OUTLINE = [
    (105, 719), (165, 620), (240, 545), (285, 520), (283, 470), (312, 455), (335, 400),
    (390, 372), (452, 370), (452, 330), (420, 300), (388, 240), (385, 190), (400, 140),
    (470, 85), (520, 50), (580, 38), (650, 55), (710, 100), (745, 160), (752, 220),
    (735, 280), (700, 330), (672, 345), (640, 430), (700, 480), (745, 540), (768, 590),
    (820, 620), (865, 680), (880, 719),
]  # fmt: skip


def portrait() -> np.ndarray:
    """720 x 1280 x 3 uint8 BGR: head and shoulders."""
    crop = skimage.data.astronaut()[:288, :, ::-1]
    return cv2.resize(np.ascontiguousarray(crop), SIZE, interpolation=cv2.INTER_CUBIC)


def cut_out(image: np.ndarray) -> np.ndarray:
    """H x W float32 alpha of the person."""
    outline = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(outline, [np.array(OUTLINE, np.int32)], 1)
    sure = cv2.erode(outline, np.ones((33, 33), np.uint8), borderValue=1)
    maybe = cv2.dilate(outline, np.ones((29, 29), np.uint8))
    mask = np.full(outline.shape, cv2.GC_BGD, np.uint8)
    mask[maybe == 1] = cv2.GC_PR_BGD
    mask[outline == 1] = cv2.GC_PR_FGD
    mask[sure == 1] = cv2.GC_FGD
    cv2.setRNGSeed(0)
    cv2.grabCut(image, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    hard = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(hard)
    hard = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    hard = cv2.morphologyEx(hard, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    return np.clip(cv2.GaussianBlur(hard.astype(np.float32), (0, 0), 2.2) * 1.6 - 0.45, 0.0, 1.0)


def wall(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The backdrop with the person painted out: nearby wall, spread inwards."""
    hole = (alpha > 0.02).astype(np.uint8)
    cv2.fillPoly(hole, [np.array(OUTLINE, np.int32)], 1)  # also what GrabCut gave to the wall by mistake
    hole = cv2.dilate(hole, np.ones((29, 29), np.uint8))
    small = cv2.resize(image, (320, 180), interpolation=cv2.INTER_AREA)
    filled = cv2.inpaint(
        small, cv2.resize(hole, (320, 180), interpolation=cv2.INTER_NEAREST), 8, cv2.INPAINT_TELEA
    )
    filled = cv2.resize(cv2.GaussianBlur(filled, (0, 0), 4), SIZE, interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 6)[..., None]
    return np.clip(image * (1 - soft) + filled * soft, 0, 255).astype(np.uint8)


def motion(phase: float) -> tuple[np.ndarray, np.ndarray]:
    """cv2.remap maps at `phase` 0..1 of a loop: the person sways and leans as a whole, and the head turns."""
    x, y = np.meshgrid(np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32))
    turn = 2 * np.pi * phase
    sway, tilt = 20 * np.sin(turn), np.radians(1.8) * np.sin(turn + 0.6)
    zoom = 1 + 0.012 * np.sin(2 * turn)
    px, py = 560.0, 740.0
    dx, dy = (x - px - sway) / zoom, (y - py) / zoom
    u = px + dx * np.cos(tilt) + dy * np.sin(tilt)
    v = py - dx * np.sin(tilt) + dy * np.cos(tilt)
    # What is near the camera moves more when the head turns: the face, most of all the nose.
    near = np.exp(-(((u - 565) / 130) ** 2) - ((v - 270) / 150) ** 2)
    u -= 9 * np.sin(turn + 1.1) * near
    v -= 4 * np.sin(2 * turn) * near
    return u.astype(np.float32), v.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    image = portrait()
    alpha = cut_out(image)
    behind = wall(image, alpha).astype(np.float32)
    sink = FileSink(parser.parse_args().out, size=SIZE, fps=FPS)
    for i in range(FRAMES):
        u, v = motion(i / FRAMES)
        person = cv2.remap(image, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        a = cv2.remap(alpha, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[..., None]
        frame = np.clip(np.rint(behind + (person - behind) * a), 0, 255).astype(np.uint8)
        sink.send(Frame(frame, i / FPS, i))
    sink.close()


if __name__ == "__main__":
    main()
