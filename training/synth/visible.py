"""Which triangles a camera may see, and in which order they are best drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synth.meshes import F32, I32

if TYPE_CHECKING:
    from training.synth.gl import View

MARGIN = 1.02  # of the field of view that is kept, against rounding


def may_show(corners: F32, view: View) -> bool:
    """Whether a box with these corners [8,3], in the space that `view` looks at, may be seen."""
    x, y, z = view.view[:3, :3] @ corners.T + view.view[:3, 3:]
    # A barrel lens draws in what a straight one would leave outside.
    wide, tall = (MARGIN * tan / (1 + 2.5 * min(view.lens, 0.0)) for tan in view.tan_half)
    beyond = (z, x + wide * z, -x + wide * z, y + tall * z, -y + tall * z)
    return not any(bool((side > 0).all()) for side in beyond)


def near_first(points: F32, tri: I32, view: View) -> I32:
    """The triangles [K,3] of `tri` [F,3] that are not all to one side of the picture, near to far.

    points: [N,3] in the space that `view` looks at. What is drawn first hides what comes later, and a hidden
    pixel is not shaded.
    """
    seen = points @ view.view[:3, :3].T + view.view[:3, 3]
    x, y, z = np.ascontiguousarray(seen.T)
    ahead = np.maximum(-z, 1e-3)
    ray = (x * x + y * y) / (ahead * ahead)
    bent = 1 + view.lens * np.minimum(ray, 2.5)  # as mesh.vert does it
    wide, tall = (ahead * np.float32(MARGIN * t) for t in view.tan_half)
    x, y = x * bent, y * bent
    out = (x < -wide) * np.uint8(1) | (x > wide) * np.uint8(2)
    out |= (y < -tall) * np.uint8(4) | (y > tall) * np.uint8(8) | (z > 0) * np.uint8(16)
    a, b, c = tri.T
    keep = np.flatnonzero((out[a] & out[b] & out[c]) == 0)
    if not len(keep):
        return tri[:0]
    a, b, c = a[keep], b[keep], c[keep]
    # Millimetres: sorting 16 bits is a radix sort.
    near = np.clip(-1000 * z, 0, 65535).astype(np.uint16)
    depth = np.minimum(np.minimum(near[a], near[b]), near[c])
    return tri[keep[np.argsort(depth, kind="stable")]]
