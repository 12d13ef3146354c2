"""Clips: one body posed over a few frames, small on disk.

The first frame is stored in float32, the others as whole steps of `STEP` from it: differences over
time and along the list of vertices, packed with zlib. Axes and units are those of `people`: y up,
facing +z, metres.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.synth.clips.motion import Motion, draw_motion
from training.synth.clips.reach import Stance
from training.synth.meshes import F32, I32
from training.synth.people import bodies

STEP = 2.0**-16  # metres: half a step, 0.008 mm, is the largest error; it turns normals by 0.05 degrees
FRAMES = (8, 24)
RATES = (12.5, 15.0, 20.0, 24.0, 25.0, 30.0)
FACES = 1_000_000  # clip k has face FACES + k of a bank's relief, apart from those of its bodies
# Places on the template's skin (metres, y up, facing +z); those to the side are on the person's left.
PLACES = {
    "chin": (0.0, 0.618, 0.138),
    "bridge": (0.0, 0.729, 0.151),
    "jaw": (0.060, 0.665, 0.083),
    "side": (0.064, 0.783, 0.100),
}


def squeeze(vertices: F32) -> tuple[F32, NDArray[np.uint8]]:
    """Pack [T,V,3] float32 metres: the first frame and the bytes of the others' differences."""
    steps = np.round((vertices - vertices[:1]) / STEP).astype(np.int32)
    change = np.diff(np.diff(steps, axis=0), axis=1, prepend=0)  # neighbours in the list are near in space
    folded = np.where(change < 0, -2 * change - 1, 2 * change)
    if folded.size and folded.max() > 65535:
        raise ValueError(
            f"a vertex moves {folded.max() * STEP / 2:.1f} m away from its neighbour within a frame"
        )
    flat = np.ascontiguousarray(folded.transpose(0, 2, 1)).astype("<u2").view(np.uint8).reshape(-1, 2)
    raw = np.ascontiguousarray(flat.T).tobytes()  # all low bytes, then all high bytes
    return vertices[0].copy(), np.frombuffer(zlib.compress(raw, 1), np.uint8)


def stretch(first: F32, packed: NDArray[np.uint8], frames: int) -> F32:
    """Undo `squeeze`: [T,V,3] float32."""
    raw = zlib.decompress(packed.tobytes())
    flat = np.ascontiguousarray(np.frombuffer(raw, np.uint8).reshape(2, -1).T).view("<u2").astype(np.int32)
    folded = flat.reshape(frames - 1, 3, len(first)).transpose(0, 2, 1)
    change: I32 = np.where(folded & 1, -(folded + 1) // 2, folded // 2)
    steps = change.cumsum(1).cumsum(0)
    out = np.repeat(first[None], frames, 0)
    out[1:] += (steps * STEP).astype(np.float32)
    return out


def pose(model: Any, shape: NDArray, local: NDArray, face: NDArray, turns: NDArray) -> dict[str, Any]:
    """anny's answer for one shape [11], local changes [L], faces [T,52] and poses [T,J,4,4]."""
    import torch

    frames = len(face)
    pack = [np.tile(shape, (frames, 1)), np.tile(local, (frames, 1)), face, turns]
    tensors = [torch.as_tensor(x, dtype=torch.float32) for x in pack]
    with torch.inference_mode():
        return model(
            phenotype_kwargs=tensors[0],
            local_changes_kwargs=tensors[1],
            facial_actions=tensors[2],
            pose_parameters=tensors[3],
        )


def find_stance(model: Any, shape: NDArray, local: NDArray) -> Stance:
    """Joints and marks of this body before it is posed, in anny's axes."""
    still = np.tile(np.eye(4), (1, len(model.bone_labels), 1, 1))
    out = pose(model, shape, local, np.zeros((1, len(model.facial_action_labels))), still)
    joints = out["bone_poses"][0, :, :3, 3].double().numpy()
    body = out["vertices"][0].double().numpy()
    template = bodies.to_world(model.template_vertices.numpy())
    marks = {n: body[np.argmin(((template - np.array(p)) ** 2).sum(1))] for n, p in PLACES.items()}
    return Stance(dict(zip(model.bone_labels, joints, strict=True)), marks)


def pose_clip(model: Any, seed: int, clip: int) -> tuple[F32, F32, dict[str, Any]]:
    """Clip number `clip`: vertices [T,V,3], bone turns [T,J,3,3], about. A pure function of (seed, clip).

    A clip is posed in one batch (sums differ with the batch size, so that is part of the recipe).
    """
    rng = np.random.default_rng([seed, 3, clip])
    shape, local, info = bodies.draw_shape(rng, model.local_change_labels)
    frames, fps = int(rng.integers(FRAMES[0], FRAMES[1] + 1)), float(rng.choice(RATES))
    stance = find_stance(model, shape, local)
    motion = draw_motion(rng, model.facial_action_labels, model.bone_labels, frames, fps, stance)
    out = pose(model, shape, local, motion.face, motion.pose)
    turn = out["bone_poses"][..., :3, :3] @ out["rest_bone_poses"][..., :3, :3].transpose(-1, -2)
    vertices = bodies.to_world(out["vertices"].numpy())
    return vertices, bodies.turn_to_world(turn.numpy()), describe(info, motion, frames, fps)


def describe(info: dict[str, float], motion: Motion, frames: int, fps: float) -> dict[str, Any]:
    """What a clip's reader should know: body, words, rate, and per frame the camera's shake and light."""
    curves = {"shake": motion.shake.round(6).tolist(), "light": motion.light.round(5).tolist()}
    return {**info, **motion.words, "frames": frames, "fps": fps, **curves}


def complete(folder: Path, first: int, last: int) -> bool:
    """Whether the clips `first` to `last` - 1 are all there."""
    return all((folder / f"clip_{k:05d}.npz").exists() for k in range(first, last))


def write_clips(folder: Path, seed: int, first: int, count: int, model: Any) -> None:
    """Pose the clips `first` to `first + count - 1` that are not in `folder` yet; each is whole or absent."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(first, first + count):
        target = folder / f"clip_{k:05d}.npz"
        if target.exists():
            continue
        vertices, turn, about = pose_clip(model, seed, k)
        start, packed = squeeze(vertices)
        part = target.with_suffix(".part")
        with part.open("wb") as out:
            np.savez(out, first=start, packed=packed, turn=turn, about=np.array(json.dumps(about)))
        part.rename(target)


def read_clip(folder: Path, k: int, bank: Path | None = None) -> tuple[F32, F32, dict[str, Any]]:
    """Clip number `k`: vertices [T,V,3] and bone turns [T,J,3,3], float32, y up, facing +z, metres; about.

    bank: a folder whose relief (`relief.write_relief`) gives the clip a scanned face, one for all frames.

    about: what `bodies.draw_shape` says of the body, the motion's words, frames, fps, shake
    ([T][2], share of the picture's width) and light ([T], factor).
    """
    with np.load(folder / f"clip_{k:05d}.npz") as blob:
        turn, about = blob["turn"], json.loads(str(blob["about"]))
        vertices = stretch(blob["first"], blob["packed"], len(turn))
    if bank is not None:
        vertices = bodies.with_relief(bank, FACES + k, vertices, turn)
    return vertices, turn, about
