"""The validator: are the labels of a data set sound?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.synth.shards import Shard, find_shards, read_shard


def check(folder: Path) -> list[str]:
    """One line per problem found, naming shard and row; an empty list if all is well."""
    problems = []
    for path in find_shards(folder):
        problems += [f"{path.name}: {text}" for text in check_shard(read_shard(path))]
    return problems


def check_shard(shard: Shard) -> list[str]:
    """Problems of one shard."""
    out = []
    for row in range(len(shard.alpha)):
        alpha = np.asarray(shard.alpha[row])
        depth = np.asarray(shard.depth[row], np.float32)
        normal = np.asarray(shard.normal[row], np.float32) / 127
        solid = alpha > 127
        length = np.linalg.norm(normal, axis=-1)
        if not np.isfinite(depth).all():
            out.append(f"label {row}: depth is not finite")
        if (depth[solid] <= 0).any():
            out.append(f"label {row}: {int((depth[solid] <= 0).sum())} covered pixels have no depth")
        if solid.any() and (np.abs(length[solid] - 1) > 0.02).mean() > 0.001:
            out.append(f"label {row}: normals are not unit vectors")
        if solid.any() and (normal[solid][:, 2] < -0.6).mean() > 0.01:
            out.append(f"label {row}: many normals point away from the camera")
    for k in range(len(shard.colour)):
        picture = np.asarray(shard.colour[k])
        if picture.max() < 4 or picture.std() < 0.5:
            out.append(f"picture {k}: black or empty")
    return out
