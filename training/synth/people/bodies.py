"""Bodies: anny's parametric human with random shape, expression and pose, kept in a bank.

Axes: anny is z up and faces -y; everything that leaves this file is y up and faces +z (metres),
which are also MakeHuman's own axes. The whole MakeHuman base mesh (19,158 vertices, helpers
included) is posed, because garments hang on its helper vertices.
"""

from __future__ import annotations

import json
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.synth.meshes import F32, Mesh
from training.synth.people.poses import draw_pose
from training.synth.people.relief import read_relief

CHUNK = 16  # bodies posed at a time: part of the recipe, since sums differ with the batch size


def load_model() -> Any:
    """anny with every shape and facial action on the full base mesh (minutes the first time)."""
    import anny
    from anny.models.model_data import TopologyConfig

    return anny.Anny(
        local_changes="all",
        facial_actions="all",
        phenotypes="all",
        skinning_method="lbs",
        topology=TopologyConfig(base_mesh="makehuman", remove_unattached_vertices=False),
    )


def to_world(v: NDArray) -> F32:
    """anny axes (x left, z up, facing -y) -> (x, y up, z toward the viewer)."""
    return np.stack([v[..., 0], v[..., 2], -v[..., 1]], -1).astype(np.float32)


def turn_to_world(rot: NDArray) -> F32:
    """The same change of axes for rotation matrices [...,3,3]."""
    change = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)
    return (change @ rot @ change.T).astype(np.float32)


def draw_shape(
    rng: np.random.Generator, local_labels: list[str]
) -> tuple[NDArray, NDArray, dict[str, float]]:
    """Random phenotype [11], local changes [L] in -1..1, and a description.

    anny's gender is 0 for a man and 1 for a woman; the description's is the other way round (1 is
    a man), as everyone who reads it expects. age: 1/3 child, 2/3 young adult, 1 old.
    """
    male = float(np.clip(rng.choice([0.0, 1.0]) + rng.normal(0, 0.15), 0, 1))
    age = float(rng.uniform(0.46, 1.0))
    race = rng.dirichlet([0.6, 0.6, 0.6])
    shape = [1 - male, age, rng.uniform(0.2, 0.9), rng.beta(1.6, 1.6), rng.uniform(0.25, 0.75)]
    shape += [rng.uniform(0.2, 0.9), rng.uniform(0, 0.9), rng.uniform(0.2, 1), *race]
    local = np.clip(rng.normal(0, 0.22, len(local_labels)), -0.8, 0.8)
    where = {name: k for k, name in enumerate(local_labels)}
    for name, k in where.items():  # faces are nearly symmetric
        if name.startswith("r-") and "l-" + name[2:] in where:
            local[k] = 0.85 * local[where["l-" + name[2:]]] + 0.15 * local[k]
        if "pregnant" in name or "nipple" in name:
            local[k] = 0.0
    return np.array(shape), local, {"gender": male, "age": age, "african": float(race[0])}


def draw_face(rng: np.random.Generator, labels: list[str]) -> NDArray:
    """Random facial actions [52] in 0..1: calm, speech, smiles, blinks, gaze; mostly symmetric.

    Four in ten faces are calm with closed lips, as most faces before a webcam are.
    """
    value = dict.fromkeys(labels, 0.0)
    calm = rng.random() < 0.4
    lively = rng.uniform(0.0, 0.18) if calm else rng.uniform(0.1, 0.5)
    for name in labels:
        if not name.endswith("Right") and "eyeLook" not in name and rng.random() < 0.22:
            value[name] = lively * rng.random()
    value["tongueOut"] *= 0.2
    value["cheekPuff"] *= 0.7
    value["jawOpen"] = 0.0 if calm or rng.random() < 0.4 else 0.6 * rng.beta(1.2, 2.2)
    # It closes the lips over an open jaw; without one it would push them through each other.
    value["mouthClose"] = value["jawOpen"] * rng.uniform(0.3, 1.0) if rng.random() < 0.15 else 0.0
    if rng.random() < 0.4:
        value["mouthSmileLeft"] = rng.uniform(0.1, 0.35) if calm else rng.uniform(0.2, 0.9)
    value["eyeBlinkLeft"] = rng.uniform(0.5, 1.0) if rng.random() < 0.1 else rng.uniform(0, 0.25)
    value["eyeWideLeft"] *= value["eyeBlinkLeft"] < 0.3
    across, up = np.clip(rng.normal(0, 0.3, 2), -0.8, 0.8)
    value["eyeLookOutLeft"] = value["eyeLookInRight"] = max(across, 0)
    value["eyeLookInLeft"] = value["eyeLookOutRight"] = max(-across, 0)
    for side in ("Left", "Right"):
        value["eyeLookUp" + side], value["eyeLookDown" + side] = max(up, 0), max(-up, 0)
    for name in labels:
        twin = name[:-5] + "Left"
        if name.endswith("Right") and twin in value and "eyeLook" not in name:
            uneven = rng.random() < (0.05 if name.startswith("eye") else 0.3)
            value[name] = value[twin] * (rng.uniform(0.4, 1.0) if uneven else 1.0)
    return np.clip([value[name] for name in labels], 0, 1)


def pose_chunk(
    model: Any, seed: int, chunk: int, hands: float = 0.0
) -> tuple[F32, F32, list[dict[str, float | str]]]:
    """`CHUNK` random bodies: a pure function of (seed, chunk, hands). `hands`: share, 0..1, of those whose
    hands are led to the face or before it; the others are as they are without."""
    import torch

    rng = np.random.default_rng([seed, 1, chunk])
    shapes, locals_, faces, poses = [], [], [], []
    about: list[dict[str, float | str]] = []
    for _ in range(CHUNK):
        shape, local, info = draw_shape(rng, model.local_change_labels)
        pose, angles = draw_pose(rng, model.bone_labels)
        shapes.append(shape)
        locals_.append(local)
        faces.append(draw_face(rng, model.facial_action_labels))
        poses.append(pose)
        about.append({**info, **angles})
    if hands > 0:
        from training.synth.clips.led import lead

        own = np.random.default_rng([seed, 4, chunk])
        for words, where in zip(about, lead(own, model, shapes, locals_, poses, hands), strict=True):
            words["hands"] = where
    pack = [torch.as_tensor(np.stack(x), dtype=torch.float32) for x in (shapes, locals_, faces, poses)]
    with torch.inference_mode():
        out = model(
            phenotype_kwargs=pack[0],
            local_changes_kwargs=pack[1],
            facial_actions=pack[2],
            pose_parameters=pack[3],
        )
        turn = out["bone_poses"][..., :3, :3] @ out["rest_bone_poses"][..., :3, :3].transpose(-1, -2)
    return to_world(out["vertices"].numpy()), turn_to_world(turn.numpy()), about


def write_bank(folder: Path, seed: int, count: int, model: Any, hands: float = 0.0) -> None:
    """Pose `count` bodies (rounded up to whole chunks) into `folder`; resumes after a stop. `hands`: as
    pose_chunk's."""
    folder.mkdir(parents=True, exist_ok=True)
    for chunk in range(-(-count // CHUNK)):
        target = folder / f"bodies_{chunk:04d}.npz"
        if target.exists():
            continue
        vertices, turn, about = pose_chunk(model, seed, chunk, hands)
        part = target.with_suffix(".part")
        with part.open("wb") as out:
            np.savez(out, vertices=vertices, turn=turn, about=np.array(json.dumps(about)))
        part.rename(target)


def read_body(folder: Path, index: int) -> tuple[F32, F32, dict[str, float]]:
    """Body number `index` of a bank: vertices [V,3], turn [J,3,3], description.

    The face has the scanned relief where the bank has one (`relief.write_relief`).
    """
    chunk, k = divmod(index, CHUNK)
    path = folder / f"bodies_{chunk:04d}.npz"
    vertices, turn = (read_row(path, name, k) for name in ("vertices", "turn"))
    with np.load(path) as blob:
        about = json.loads(str(blob["about"]))[k]
    return with_relief(folder, index, vertices, turn), turn, about


def read_row(path: Path, name: str, row: int) -> F32:
    """One row of an array in a file that `np.savez` wrote: the others stay on the disk."""
    with zipfile.ZipFile(path) as blob, blob.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
        start, size = file.tell(), dtype.itemsize * int(np.prod(shape[1:]))
        entry = blob.getinfo(f"{name}.npy")
        if not 0 <= row < shape[0] or entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{path}: expected a plain array {name} with a row {row}; make the bank again")
        with path.open("rb") as raw:
            raw.seek(entry.header_offset + 26)  # the local header's own lengths of name and extra
            begin = entry.header_offset + 30 + sum(struct.unpack("<HH", raw.read(4)))
            raw.seek(begin + start + row * size)
            return np.frombuffer(raw.read(size), dtype).reshape(shape[1:]).copy()


def with_relief(folder: Path, number: int, vertices: F32, turn: F32) -> F32:
    """Posed bodies [...,V,3] (turns [...,J,3,3]) with face number `number` of a bank; as they are without.

    One number is one face: pass a clip's frames together, or one by one with the same number.
    """
    relief = read_relief(folder)
    return vertices if relief is None else relief.apply(vertices, turn, relief.weights(number))


def write_topology(path: Path, model: Any) -> None:
    """What the renderer needs of the mesh, without torch: template, faces, uv, weights, parts."""
    from anny.face_segmentation import get_face_segmentation_mask

    labels = (
        "head",
        "body",
        "hand.L",
        "hand.R",
        "eye_front",
        "eye_back",
        "eye_cavity",
        "mouth_cavity",
        "tongue",
    )
    part = np.zeros(len(model.faces), np.uint8)
    for k, label in enumerate(labels):
        names = [label + ".L", label + ".R"] if label.startswith("eye") else [label]
        part[get_face_segmentation_mask(model, names).numpy()] = k + 1
    arrays = {
        "template": to_world(model.template_vertices.numpy()),
        "tri": model.faces.numpy().astype(np.int32),
        "uv": model.texture_coordinates.numpy().astype(np.float32),
        "tri_uv": model.face_texture_coordinate_indices.numpy().astype(np.int32),
        "bone_index": model.vertex_bone_indices.numpy().astype(np.int32),
        "bone_weight": model.vertex_bone_weights.numpy().astype(np.float32),
        "part": part,
        "bones": np.array(model.bone_labels),
        "parts": np.array(("none", *labels)),
    }
    beside = path.with_suffix(".part")
    with beside.open("wb") as out:
        np.savez(out, **arrays)
    beside.rename(path)


@dataclass(frozen=True)
class Topology:
    """The base mesh as written by `write_topology`."""

    mesh: Mesh
    part: NDArray[np.uint8]
    parts: list[str]
    bones: list[str]
    bone_index: NDArray[np.int32]
    bone_weight: F32


def read_topology(path: Path) -> Topology:
    """Load `write_topology`'s file."""
    with np.load(path) as blob:
        mesh = Mesh(blob["template"], blob["uv"], blob["tri"], blob["tri_uv"])
        names = [str(x) for x in blob["parts"]], [str(x) for x in blob["bones"]]
        return Topology(mesh, blob["part"], *names, blob["bone_index"], blob["bone_weight"])
