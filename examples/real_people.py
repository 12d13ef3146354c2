"""Before and after on real clips: one sheet a clip, the frame in the middle under each shipped preset, and
how much light leaks out along the outline.

`python examples/real_people.py FOLDER_OF_CLIPS docs/gallery`
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from live_relight import Look, Relighter, Settings
from live_relight.capture import open_source
from live_relight.core import planes, present, reference
from live_relight.core.arrange import PresentState, arrange, step
from live_relight.core.frames import Geometry

KINDS = (".mkv", ".mp4", ".gif")
LOOKS = ("studio", "window", "auto")
WIDTH = 640
PERSON, CLEAR, RING = 0.6, 0.25, 6
"""Alpha of what counts as the person, alpha up to which nothing of them is there, pixels."""
Image = npt.NDArray[np.uint8]


def middle(path: Path) -> Image:
    """The frame in the middle of a clip."""
    clip = open_source(str(path), pace=False)
    try:
        frames = [frame.image for frame in iter(clip.read, None)]
    finally:
        clip.close()
    return frames[len(frames) // 2]


def halo(image: Image, lit: Image, geometry: Geometry, look: Look) -> tuple[float, float, float]:
    """Encoded brightness just outside the person over what the backdrop's own setting makes of it: the tenth
    part that is darkest, the tenth that is brightest, and the mean right at the outline, where the camera
    itself has mixed both. 1: no halo."""
    alpha = planes.apply(planes.coefficients(geometry)[0], image / 255.0)
    gain = (lit.sum(axis=2) + 1.0) / ((image * reference.behind(look)).sum(axis=2) + 1.0)
    outside, edge = (gain[ring(alpha > level)] for level in (CLEAR, PERSON))
    low, high = np.percentile(outside, (10, 90))
    return float(low), float(high), float(edge.mean())


def ring(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The pixels just outside."""
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray((distance > 0) & (distance <= RING))


def label(panel: Image, text: str) -> Image:
    """A panel WIDTH wide with a name."""
    height = panel.shape[0] * WIDTH // panel.shape[1]
    way = cv2.INTER_AREA if panel.shape[1] > WIDTH else cv2.INTER_CUBIC
    panel = np.asarray(cv2.resize(panel, (WIDTH, height), interpolation=way), np.uint8)
    for colour, shift in (((0, 0, 0), 1), ((255, 255, 255), 0)):
        at = (12 + shift, height - 14 + shift)
        cv2.putText(panel, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA)
    return panel


def main(folder: Path, target: Path) -> None:
    """Writes the sheets, and the table to the standard output."""
    clips = sorted(path for path in folder.iterdir() if path.suffix in KINDS) if folder.is_dir() else []
    if not clips:
        sys.exit(f"{folder}: got no clips, expected a folder with some ({', '.join(KINDS)})")
    target.mkdir(parents=True, exist_ok=True)
    print("| clip | " + " | ".join(LOOKS) + " |\n|---|" + "---|" * len(LOOKS))
    for path in clips:
        image = middle(path)
        panels, cells = [label(image, "as the camera sees it")], []
        for name in LOOKS:
            with Relighter(Settings(preset=name), learned=1.0) as relighter:
                geometry = relighter.geometry(image, both_ways=True)
                lit = relighter.relight(image, geometry=geometry)
                there = step(PresentState(), present.fit(geometry), 0.0)
                look = arrange(relighter.look, there)  # `auto` sets the backdrop, too
                cells.append(" / ".join(f"{v:.2f}" for v in halo(image, lit, geometry, look)))
            panels.append(label(lit, name))
        sheet = np.vstack([np.hstack(panels[:2]), np.hstack(panels[2:])])
        cv2.imwrite(str(target / f"{path.stem}.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])
        print(f"| {path.stem} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
