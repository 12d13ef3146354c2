"""Data drawn on a card: all stills of a folder in its memory, batches cut there. device.py says where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from training.data import BARE, EDGE_ON, HAND, LUMA, SKIN, Pool, hand_of, head_of

F32 = NDArray[np.float32]
SAMPLES = 2
"""Points a pixel each way when a crop is brought to its size (`_points` is written for two): what shrinks is
averaged, not picked."""


class DevicePool:
    """All stills of a folder in a device's memory, and random batches cut there: what data.draw_batch does
    one picture at a time, for all of a batch at once. About 0.3 MB a picture.

    Crops are sampled bilinearly at SAMPLES x SAMPLES points a pixel where data.py takes the mean of whole
    pixels; a crop that is the whole picture at its own size or at half of it is the same to rounding.
    """

    def __init__(self, folder: Path, device: torch.device, part: tuple[int, int] = (0, 1)) -> None:
        """`part` (k, n): every n-th record from the k-th on, so that several processes share the data."""
        pool = Pool.open(folder)
        records = [record for shard in pool.shards.values() for record in shard][part[0] :: part[1]]
        shape = records[0]["alpha"].shape
        records = [record for record in records if record["alpha"].shape == shape]
        self.size, self.device = (shape[1], shape[0]), device
        count = [len(record["colour"]) for record in records]
        self.owner = torch.from_numpy(np.repeat(np.arange(len(records)), count)).to(device)
        self.head, self.hand = (
            np.array([find(record) for record in records], np.float32) for find in (head_of, hand_of)
        )
        self.tan = np.array([float(record.about["tan"]) for record in records], np.float32)
        self.colour = torch.empty((sum(count), *shape, 3), dtype=torch.uint8, device=device)
        kinds = {"normal": torch.int8, "albedo": torch.uint8, "alpha": torch.uint8, "part": torch.uint8}
        self.maps = {
            name: torch.empty((len(records), *records[0][name].shape), dtype=kind, device=device)
            for name, kind in {**kinds, "depth": torch.float16}.items()
        }
        nobody = [k for k, record in enumerate(records) if not record["alpha"].any()]
        self.nobody = np.flatnonzero(np.isin(np.repeat(np.arange(len(records)), count), nobody))
        at = 0
        for k, record in enumerate(records):
            self.colour[at : at + count[k]] = _tensor(record["colour"])
            at += count[k]
            for name, store in self.maps.items():
                store[k] = _tensor(record[name])

    def __len__(self) -> int:
        """Pictures."""
        return len(self.colour)

    def boxes(
        self,
        rng: np.random.Generator,
        owners: NDArray[np.int64],
        want: tuple[int, int],
        heads: float,
        hands: float = 0.0,
    ) -> F32:
        """[B,4] boxes x, y, w, h of the wanted aspect, drawn as data's crop_box, head_box and hand_box do."""
        width, height = self.size
        n, aspect = len(owners), want[0] / want[1]
        whole = np.array([min(width, height * aspect), min(height, width / aspect)])
        tight = rng.random(n) < 0.35
        wh = whole * np.where(tight, rng.uniform(0.5, 1.0, n), rng.uniform(0.9, 1.0, n))[:, None]
        xy = rng.random((n, 2)) * (np.array([width, height]) - wh)
        column, row, size = self.head[owners].T
        head = rng.random(n) < heads
        near = head & (size > 0)
        h = np.minimum(size * rng.uniform(1.2, 3.0, n), whole[1])
        if hands > 0:
            held = self.hand[owners].T
            chosen = ~head & (rng.random(n) < hands) & (held[2] > 0)
            column, row = (np.where(chosen, b, a) for a, b in ((column, held[0]), (row, held[1])))
            h = np.where(chosen, np.minimum(held[2] * rng.uniform(1.7, 4.0, n), whole[1]), h)
            near = near | chosen
        sides = np.stack([h * aspect, h], 1)
        corner = np.stack([column, row], 1) - sides / 2
        corner += np.stack([rng.uniform(-0.3, 0.3, n), rng.uniform(-0.2, 0.3, n)], 1) * sides
        corner = np.clip(corner, 0, np.array([width, height]) - sides)
        made = np.where(near[:, None], np.hstack([corner, sides]), np.hstack([xy, wh]))
        return np.asarray(made, np.float32)

    def draw(
        self,
        rng: np.random.Generator,
        batch: int,
        size: tuple[int, int],
        heads: float = 0.0,
        empty: float = 0.0,
        hands: float = 0.0,
    ) -> dict[str, Tensor]:
        """A random augmented batch as in data.py."""
        places = rng.integers(0, len(self), batch)
        if empty > 0 and len(self.nobody):
            places = np.where(rng.random(batch) < empty, rng.choice(self.nobody, batch), places)
        chosen = torch.from_numpy(places).to(self.device)
        owners = self.owner[chosen].cpu().numpy()
        box = self.boxes(rng, owners, size, heads, hands)
        gamma = np.where(rng.random(batch) < 0.5, np.exp(rng.normal(0, 0.25, batch)), 1.0)
        mirror = rng.random(batch) < 0.5
        found = self.cut(chosen, box, size, gamma.astype(np.float32), mirror)
        found["image"] = self.disturbed(rng, found["image"], gamma.astype(np.float32))
        return found

    def cut(
        self, chosen: Tensor, box: F32, size: tuple[int, int], gamma: F32, mirror: NDArray[np.bool_]
    ) -> dict[str, Tensor]:
        """Pictures `chosen` [B] with their labels in `box` [B,4] at `size` (width, height); `gamma` is only
        heeded in the labels' shade, the picture is as it was."""
        owner = self.owner[chosen]
        place = self._points(box, size, mirror)
        maps = {name: store[owner] for name, store in self.maps.items()}
        cover = maps["alpha"].float()[:, None] / 255
        normal = maps["normal"].permute(0, 3, 1, 2).float() / 127 * cover
        depth = maps["depth"].float()[:, None] * cover
        skin = torch.from_numpy(np.stack([BARE, HAND], 1)).to(self.device)
        skin = skin[maps["part"].long()].permute(0, 3, 1, 2).float()
        albedo = (maps["albedo"].permute(0, 3, 1, 2).float() / 255) ** 2
        stack = torch.cat(
            [self.colour[chosen].permute(0, 3, 1, 2).float() / 255, normal, depth, cover, skin, albedo], 1
        )
        fine = F.grid_sample(stack, place, mode="bilinear", padding_mode="border", align_corners=False)
        parts = F.avg_pool2d(fine, SAMPLES).split([3, 3, 1, 1, 1, 1, 3], 1)
        image, normal, depth, alpha, bare, hand, albedo = parts
        camera = self._camera(owner.cpu().numpy(), box, size, mirror)
        sign = torch.from_numpy(np.where(mirror, -1.0, 1.0).astype(np.float32)).to(self.device)
        normal = torch.cat([normal[:, :1] * sign.view(-1, 1, 1, 1), normal[:, 1:]], 1)
        length = normal.norm(dim=1, keepdim=True)
        # Where a shrunk pixel mixes very different normals or depths the mean is nobody's: leave it out.
        sound = _facing(normal, camera) > EDGE_ON * length
        mask = ((alpha > 0.5) & (length > 0.75 * alpha) & sound).float()
        found = {
            "image": image,
            "normal": normal / length.clamp_min(1e-4) * mask,
            "log_depth": _log_depth(depth / alpha.clamp_min(1e-3), mask),
            "alpha": alpha,
            "mask": mask,
            "weight": mask * (1 + (SKIN - 1) * bare),
            "hand": hand,
            "camera": camera,
        }
        return found | _shade(image, albedo, alpha, mask, torch.from_numpy(gamma).to(self.device))

    def disturbed(self, rng: np.random.Generator, image: Tensor, gamma: F32) -> Tensor:
        """As data.disturb, every picture of the batch for itself; noise comes from torch's own generator."""
        n = len(image)

        def column(values: NDArray[np.float64]) -> Tensor:
            return torch.from_numpy(np.asarray(values, np.float32)).to(self.device).view(n, -1, 1, 1)

        image = image.clamp(0, 1) ** column(gamma)
        image = image * column(np.where(rng.random((n, 1)) < 0.3, rng.uniform(0.8, 1.15, (n, 3)), 1.0))
        grey = column(np.asarray(rng.random(n) < 0.1, np.float64))
        image = torch.lerp(image, image.mean(1, keepdim=True).expand_as(image), grey)
        noise = np.where(rng.random(n) < 0.3, rng.uniform(0, 0.04, n), 0.0)
        return (image + torch.randn_like(image) * column(noise)).clamp(0, 1)

    def _points(self, box: F32, size: tuple[int, int], mirror: NDArray[np.bool_]) -> Tensor:
        """[B,h*S,w*S,2] where to sample, -1..1 over the stored pictures: pairs of points that are as far
        apart as pixels shrink, one and the same where they do not."""
        x0, y0, w, h = (torch.from_numpy(box[:, k].copy()).to(self.device).view(-1, 1) for k in range(4))
        shrink = (w / size[0]).clamp_min(1.0)
        apart = (shrink - 1) / (2 * shrink)  # of a pixel of the crop
        side = torch.tensor([-1.0, 1.0], device=self.device)
        across, down = (
            (torch.arange(n, device=self.device).repeat_interleave(2) + 0.5 + side.repeat(n) * apart) / n
            for n in size
        )
        flip = torch.from_numpy(mirror.copy()).to(self.device).view(-1, 1)
        x = (x0 + torch.where(flip, 1 - across, across) * w) / self.size[0] * 2 - 1
        y = (y0 + down * h) / self.size[1] * 2 - 1
        b, rows, columns = len(box), y.shape[1], x.shape[1]
        return torch.stack([x[:, None].expand(b, rows, columns), y[:, :, None].expand(b, rows, columns)], -1)

    def _camera(
        self, owners: NDArray[np.int64], box: F32, size: tuple[int, int], mirror: NDArray[np.bool_]
    ) -> Tensor:
        """[B,3] focal length and principal point in pixels of the crop."""
        zoom = size[0] / box[:, 2]
        focal = self.size[0] / 2 / self.tan[owners] * zoom
        x = (self.size[0] / 2 - box[:, 0]) * zoom - 0.5
        y = (self.size[1] / 2 - box[:, 1]) * size[1] / box[:, 3] - 0.5
        x = np.where(mirror, size[0] - 1 - x, x)
        return torch.from_numpy(np.stack([focal, x, y], 1).astype(np.float32)).to(self.device)


def _tensor(values: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.array(values))


def _facing(normal: Tensor, camera: Tensor) -> Tensor:
    """As data.facing, [B,1,H,W] of normals [B,3,H,W] and camera [B,3]."""
    f, cx, cy = (camera[:, k].view(-1, 1, 1, 1) for k in range(3))
    x = (torch.arange(normal.shape[3], device=normal.device).view(1, 1, 1, -1) - cx) / f
    y = (cy - torch.arange(normal.shape[2], device=normal.device).view(1, 1, -1, 1)) / f
    along = normal[:, 2:] - normal[:, :1] * x - normal[:, 1:2] * y
    return along / torch.sqrt(1 + x * x + y * y)


def _log_depth(metres: Tensor, mask: Tensor) -> Tensor:
    """Log of depth [B,1,H,W] over each picture's median where mask is set, else 0."""
    on = mask > 0
    middle = torch.where(on, metres, torch.nan).flatten(1).nanmedian(1).values.nan_to_num(1.0)
    logs = torch.log(metres.clamp_min(1e-2) / middle.clamp_min(1e-2).view(-1, 1, 1, 1))
    return torch.where(on, logs, 0.0)


def _shade(image: Tensor, albedo: Tensor, alpha: Tensor, mask: Tensor, gamma: Tensor) -> dict[str, Tensor]:
    """Shade and where it is known, as data.shading."""
    weights = torch.from_numpy(LUMA).to(image.device).view(1, 3, 1, 1)
    luma = (image.clamp_min(0) ** 2.2 * weights).sum(1, keepdim=True)
    paint = (albedo * weights).sum(1, keepdim=True) / alpha.clamp_min(0.05)
    known = (alpha > 0.95) & (image.amax(1, keepdim=True) < 0.97) & (luma > 2e-3) & (paint > 0.012)
    shade = torch.where(known, torch.log(luma.clamp_min(1e-4) / paint.clamp_min(1e-4)), 0.0)
    return {"shade": shade * gamma.view(-1, 1, 1, 1), "shade_mask": known.float() * mask}
