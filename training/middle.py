"""A crop as a camera sees it that looks at the crop's middle.

A part of a picture does not say which part it is: the same face, cut out of a wide picture's left or right,
has normals up to forty degrees apart in the axes of the camera that took it. A network that sees crops and
whole pictures can only shrug its shoulders at both. So what it says of a crop counts in the axes of a camera
at the same place that looks at the crop's middle; of whole pictures nothing changes.

Cameras are (f, cx, cy) in pixels, centres of pixels at whole numbers, y down, as in data.py.
"""

from __future__ import annotations

import torch
from torch import Tensor


def axes(camera: Tensor, size: tuple[int, int]) -> Tensor:
    """[B,3,3]: the axes of cameras [B,3] to those of cameras that look at the middle of `size` (width,
    height), by the shortest way (Rodrigues' rotation of the middle's ray onto -z)."""
    f, cx, cy = camera.unbind(1)
    x, y = ((size[0] - 1) / 2 - cx) / f, (cy - (size[1] - 1) / 2) / f
    c = torch.rsqrt(1 + x * x + y * y)  # cosine of the turn
    x, y, k = x * c, y * c, 1 / (1 + c)
    rows = [1 - x * x * k, -x * y * k, x, -x * y * k, 1 - y * y * k, y, -x, -y, c]
    return torch.stack(rows, 1).view(-1, 3, 3)


def nearer(camera: Tensor, turn: Tensor, size: tuple[int, int]) -> Tensor:
    """[B,1,H,W]: log of the distance along the turned axis over that along the camera's own, by pixel."""
    f, cx, cy = (camera[:, k].view(-1, 1, 1) for k in range(3))
    u = (torch.arange(size[0], device=camera.device).view(1, 1, -1) - cx) / f
    v = (cy - torch.arange(size[1], device=camera.device).view(1, -1, 1)) / f
    out = (turn[:, 2, k].view(-1, 1, 1) for k in range(3))
    a, b, c = out
    return torch.log((c - a * u - b * v).clamp_min(0.05))[:, None]


def to_camera(normal: Tensor, log_depth: Tensor, camera: Tensor) -> tuple[Tensor, Tensor]:
    """Normals [B,3,H,W] and log of distance [B,1,H,W] from the axes of the camera that looks at the middle
    into those of `camera` [B,3]."""
    size = (normal.shape[3], normal.shape[2])
    turn = axes(camera, size)
    return torch.einsum("bji,bjhw->bihw", turn, normal), log_depth - nearer(camera, turn, size)


def to_middle(normal: Tensor, log_depth: Tensor, camera: Tensor) -> tuple[Tensor, Tensor]:
    """The other way round."""
    size = (normal.shape[3], normal.shape[2])
    turn = axes(camera, size)
    return torch.einsum("bij,bjhw->bihw", turn, normal), log_depth + nearer(camera, turn, size)
