"""Batches for training: random crops of shards, mirrored, resized and disturbed.

A batch is a dict of float32 tensors: image [B,3,H,W] sRGB 0..1, normal [B,3,H,W], log_depth
[B,1,H,W] (log of z over the person's median), alpha [B,1,H,W], mask [B,1,H,W] (1 where
geometry is trusted), weight [B,1,H,W] (the mask, SKIN where there is skin: faces and hands are what people
look at, and few pixels of a picture), shade [B,1,H,W] (natural log of linear luma over the luma of the
surface's own colour, whatever the level), shade_mask [B,1,H,W] (1 where that is known), hand [B,1,H,W] (a
hand's coverage), camera [B,3] = (f, cx, cy) in pixels of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.synth.parts import PARTS
from training.synth.shards import Record, find_shards, read_shard

SKIN = 3.0
BARE = np.isin(np.arange(len(PARTS)), [PARTS.index(p) for p in ("skin", "eyes", "mouth", "hand")])
FACE = np.isin(np.arange(len(PARTS)), [PARTS.index(p) for p in ("eyes", "mouth")])
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear RGB, Rec. 709
EDGE_ON = 0.03
"""Cosine to the ray from the eye up to which a label counts as none: the renderer turns normals that look
away until they are just edge-on; what thin things show of their inner side is nobody's normal."""
HAND = np.arange(len(PARTS)) == PARTS.index("hand")
HEAD_METRES = 0.24  # an adult's head, chin to crown
HAND_METRES = 0.19  # an adult's hand, wrist to fingertip
HAND_PIXELS = 40  # of a picture of 256 x 192; a hand of fewer is not looked at


@dataclass
class Pool:
    """All pictures of a folder of shards; `refresh` picks up shards that were finished meanwhile."""

    folder: Path
    shards: dict[Path, list[Record]]
    index: list[tuple[Record, int]]
    """Every picture: its record, and which of the record's pictures."""
    nobody: list[int]
    """Places in `index` of the pictures that show nobody."""

    @staticmethod
    def open(folder: Path) -> Pool:
        """Map every complete shard."""
        pool = Pool(folder, {}, [], [])
        pool.refresh()
        return pool

    def refresh(self) -> int:
        """Add new shards; returns the number of pictures."""
        for path in find_shards(self.folder):
            if path not in self.shards:
                self.shards[path] = read_shard(path)
                for record in self.shards[path]:
                    if not record["alpha"].any():
                        self.nobody += [len(self.index) + k for k in range(len(record["colour"]))]
                    self.index += [(record, k) for k in range(len(record["colour"]))]
        return len(self.index)


def middle_box(have: tuple[int, int], want: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest box (x, y, w, h) of the wanted aspect in the middle of a picture `have` = (width, height):
    the camera looks at its middle, so labels mean there what they mean in the whole."""
    aspect = want[0] / want[1]
    w, h = min(have[0], have[1] * aspect), min(have[1], have[0] / aspect)
    return (have[0] - w) / 2, (have[1] - h) / 2, w, h


def crop_box(
    rng: np.random.Generator, have: tuple[int, int], want: tuple[int, int], tight: bool
) -> tuple[float, ...]:
    """A box (x, y, w, h) of the wanted aspect inside a picture `have` = (width, height).

    `tight` allows crops down to half the size; otherwise it is the largest that fits, or nearly.
    """
    aspect = want[0] / want[1]
    w, h = (have[0], have[0] / aspect) if have[0] / aspect <= have[1] else (have[1] * aspect, have[1])
    k = rng.uniform(0.5, 1.0) if tight else rng.uniform(0.9, 1.0)
    w, h = w * k, h * k
    return rng.uniform(0, have[0] - w), rng.uniform(0, have[1] - h), w, h


def head_box(
    rng: np.random.Generator, record: Record, want: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """A box of the wanted aspect round a face, 1.2 to 3 heads high, somewhat off its middle; None where no
    eye and no mouth is seen. Faces fill few pixels of a whole picture, and are what people look at."""
    column, row, head = head_of(record)
    if not head:
        return None
    return _box_round(rng, record, want, (column, row), head * rng.uniform(1.2, 3.0))


def hand_box(
    rng: np.random.Generator, record: Record, want: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """As head_box, round a hand, 1.7 to 4 hands high, so that what it stands before is seen too."""
    column, row, hand = hand_of(record)
    if not hand:
        return None
    return _box_round(rng, record, want, (column, row), hand * rng.uniform(1.7, 4.0))


def head_of(record: Record) -> tuple[float, float, float]:
    """Column and row of the face's middle and the head's height, in pixels; height 0 where no eye and no
    mouth is seen."""
    face = FACE[record["part"]]
    if np.count_nonzero(face) < 6:
        return 0.0, 0.0, 0.0
    rows, columns = np.nonzero(face)
    return float(columns.mean()), float(rows.mean()), _pixels(record, face, HEAD_METRES)


def hand_of(record: Record) -> tuple[float, float, float]:
    """Column and row of a place on a hand, and a hand's length there, in pixels; length 0 where none is seen
    to speak of."""
    hand = HAND[record["part"]]
    if np.count_nonzero(hand) < HAND_PIXELS * hand.size / (256 * 192):
        return 0.0, 0.0, 0.0
    columns, rows = np.nonzero(hand.T)  # in order from the left: of two hands not between them
    at = len(rows) // 2
    return float(columns[at]), float(rows[at]), _pixels(record, hand, HAND_METRES)


def _pixels(record: Record, part: NDArray[np.bool_], metres: float) -> float:
    """How long `metres` are in a picture where a part of it, h x w, is."""
    far = max(float(np.median(record["depth"][part].astype(np.float32))), 0.1)
    return metres * part.shape[1] / 2 / float(record.about["tan"]) / far


def _box_round(
    rng: np.random.Generator, record: Record, want: tuple[int, int], middle: tuple[float, float], high: float
) -> tuple[float, float, float, float]:
    """A box of the wanted aspect `high` pixels high, or as high as the picture lets it be, somewhat off
    `middle`."""
    height, width = record["part"].shape
    h = min(high, height, width * want[1] / want[0])
    w = h * want[0] / want[1]
    x = middle[0] - w / 2 + rng.uniform(-0.3, 0.3) * w
    y = middle[1] - h / 2 + rng.uniform(-0.2, 0.3) * h
    return min(max(x, 0.0), width - w), min(max(y, 0.0), height - h), w, h


def crop(image: NDArray, box: tuple[float, ...]) -> NDArray[np.float32]:
    """A box (x, y, w, h) of a picture [H,W,...] as float32, corners rounded to pixels."""
    x, y, w, h = box
    x0, y0, x1, y1 = round(x), round(y), max(round(x + w), round(x) + 2), max(round(y + h), round(y) + 2)
    return np.ascontiguousarray(image[y0:y1, x0:x1], np.float32)


def scale(part: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize to (width, height), averaging when shrinking; at most four channels."""
    return cv2.resize(
        part, size, interpolation=cv2.INTER_AREA if size[0] < part.shape[1] else cv2.INTER_LINEAR
    )


def load_item(
    rng: np.random.Generator,
    record: Record,
    k: int,
    size: tuple[int, int],
    augment: bool,
    mirror: bool | None = None,
    head: bool = False,
    hand: bool = False,
    shaded: bool = True,
    middle: bool = False,
) -> dict[str, NDArray[np.float32]]:
    """Picture k of a sample with its labels at `size` (width, height); arrays are channels-last float32.
    `head`, `hand`: only a head, or a hand, with what is round it, where there is one. `shaded`: with shade
    and its mask, which only a joint network learns. `middle`: `middle_box` instead of one drawn at random."""
    colour = record["colour"][k]
    height, width = colour.shape[:2]
    box = (0.0, 0.0, float(width), float(height))
    near = hand_box(rng, record, size) if hand else head_box(rng, record, size) if head else None
    if near is not None:
        box = near
    elif middle:
        box = middle_box((width, height), size)
    elif augment or (width, height) != size:
        box = crop_box(rng, (width, height), size, augment and rng.random() < 0.35)
    cover = crop(record["alpha"], box) / 255
    weighted = scale(np.dstack([crop(record["normal"], box) * (cover / 127)[..., None], cover]), size)
    depth = scale(crop(record["depth"], box) * cover, size)
    alpha = weighted[..., 3]
    length = np.linalg.norm(weighted[..., :3], axis=-1, keepdims=True)
    zoom = size[0] / box[2]
    focal = width / 2 / float(record.about["tan"]) * zoom
    camera = np.array([focal, (width / 2 - box[0]) * zoom - 0.5, (height / 2 - box[1]) * zoom - 0.5])
    # Where a shrunk pixel mixes very different normals or depths the mean is nobody's: leave it out.
    sound = facing(weighted[..., :3], camera) > EDGE_ON * length[..., 0]
    mask = ((alpha > 0.5) & (length[..., 0] > 0.75 * alpha) & sound).astype(np.float32)
    skin = np.dstack([crop(BARE[record["part"]], box), crop(HAND[record["part"]], box)])
    bare, hand = np.moveaxis(scale(skin, size), 2, 0)
    normal = weighted[..., :3] / np.maximum(length, 1e-4) * mask[..., None]
    metres = np.where(mask > 0, depth / np.maximum(alpha, 1e-3), 1.0)
    middle = float(np.median(metres[mask > 0])) if mask.any() else 1.0
    log_depth = np.where(mask > 0, np.log(np.maximum(metres, 1e-2) / middle), 0.0)
    image = scale(crop(colour, box), size) / 255
    gamma = float(np.exp(rng.normal(0, 0.25))) if augment and rng.random() < 0.5 else 1.0
    fields = {
        "image": image,
        "normal": normal,
        "log_depth": log_depth,
        "alpha": alpha,
        "mask": mask,
        "weight": mask * (1 + (SKIN - 1) * bare),
        "hand": hand,
    }
    if shaded:
        shade, known = shading(image, scale((crop(record["albedo"], box) / 255) ** 2, size), alpha)
        # A picture to a power has its light and its paint to that power.
        fields |= {"shade": shade * gamma, "shade_mask": known * mask}
    if mirror if mirror is not None else (augment and rng.random() < 0.5):
        fields = {name: a[:, ::-1] for name, a in fields.items()}
        fields["normal"] = fields["normal"] * np.array([-1, 1, 1], np.float32)
        camera[1] = size[0] - 1 - camera[1]
    if augment:
        fields["image"] = disturb(rng, fields["image"], gamma)
    return {**fields, "camera": camera}


def facing(normal: NDArray[np.float32], camera: NDArray[np.float64]) -> NDArray[np.float32]:
    """Normals [H,W,3] of any length along the rays to the eye [H,W]: 1 faces it, 0 is edge-on. camera: focal
    length and principal point (f, cx, cy) in pixels, centres of pixels at whole numbers."""
    f, cx, cy = camera
    x = ((np.arange(normal.shape[1]) - cx) / f).astype(np.float32)
    y = ((cy - np.arange(normal.shape[0])) / f).astype(np.float32)[:, None]
    along = normal[..., 2] - normal[..., 0] * x - normal[..., 1] * y
    return np.asarray(along / np.sqrt(1 + x * x + y * y), np.float32)


def shading(
    image: NDArray[np.float32], albedo: NDArray[np.float32], alpha: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log of the light [H,W] on a surface of linear colour `albedo` [H,W,3] that looks like `image` [H,W,3]
    (0..1, decoded with a power of 2.2, as the application does), and 1 where that can be told: wholly the
    person, neither burnt out nor black. Where an edge of the person is mixed in nothing is known."""
    luma = (image**2.2) @ LUMA
    paint = albedo @ LUMA / np.maximum(alpha, 0.05)
    known = (alpha > 0.95) & (image.max(-1) < 0.97) & (luma > 2e-3) & (paint > 0.012)
    shade = np.where(known, np.log(np.maximum(luma, 1e-4) / np.maximum(paint, 1e-4)), 0.0)
    return shade.astype(np.float32), known.astype(np.float32)


def disturb(
    rng: np.random.Generator, image: NDArray[np.float32], gamma: float | None = None
) -> NDArray[np.float32]:
    """Cheap extra variety per visit: brightness (to the power `gamma`; None: drawn), colour cast, grey,
    noise."""
    if gamma is None:
        gamma = float(np.exp(rng.normal(0, 0.25))) if rng.random() < 0.5 else 1.0
    if gamma != 1.0:
        image = np.clip(image, 0, 1) ** np.float32(gamma)
    if rng.random() < 0.3:
        image = image * rng.uniform(0.8, 1.15, 3).astype(np.float32)
    if rng.random() < 0.1:
        image = np.repeat(image.mean(-1, keepdims=True), 3, -1)
    if rng.random() < 0.3:
        image = image + rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, 0.04))
    return np.clip(image, 0, 1)


def make_batch(items: list[dict[str, NDArray[np.float32]]]) -> dict[str, Tensor]:
    """Stack items into tensors [B,C,H,W]."""
    out = {}
    for name in items[0]:
        stack = np.stack([np.asarray(item[name], np.float32) for item in items])
        if name != "camera":
            stack = stack[..., None] if stack.ndim == 3 else stack
            stack = stack.transpose(0, 3, 1, 2)
        out[name] = torch.from_numpy(np.ascontiguousarray(stack))
    return out


def draw_batch(
    rng: np.random.Generator,
    pool: Pool,
    batch: int,
    size: tuple[int, int],
    heads: float = 0.0,
    shaded: bool = True,
    empty: float = 0.0,
    hands: float = 0.0,
) -> dict[str, Tensor]:
    """A random augmented batch; a share `heads` of it, 0..1, only heads and what is round them, a share
    `hands` of the rest only hands, a share `empty` of nobody, besides what comes by chance; `shaded` as
    load_item's."""
    items = []
    for k in rng.integers(0, len(pool.index), batch):
        if empty > 0 and pool.nobody and rng.random() < empty:
            k = pool.nobody[int(rng.integers(len(pool.nobody)))]
        record, picture = pool.index[int(k)]
        head = heads > 0 and rng.random() < heads
        hand = not head and hands > 0 and rng.random() < hands
        items.append(load_item(rng, record, picture, size, True, head=head, hand=hand, shaded=shaded))
    return make_batch(items)
