"""ICT-FaceKit's OBJ files as one array file: neutral head, and deltas of identities and expressions.

Arrays of the .npz (V = 26,719 vertices, F = 26,384 faces; centimetres, y up, z out of the face):

    neutral             V,3 float32         uv                  UV,2 float32
    faces, faces_uv     F,4 int32 from 0, a triangle's last corner twice
    face_material       F int8 into `materials` (sorted names)
    identity            100,V,3 float16     expression          57,V,3 float16, in order of expression_names

Deltas are float32 differences of the float32 positions, then rounded to float16.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

ARRAYS = ("neutral", "uv", "faces", "faces_uv", "face_material", "materials", "expression_names")


def digest(array: np.ndarray) -> str:
    """sha256 of the array's little-endian bytes in C order; names are joined by line ends."""
    if array.dtype.kind == "U":
        return hashlib.sha256("\n".join(array.tolist()).encode()).hexdigest()
    return hashlib.sha256(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).hexdigest()


def _floats(rows: list[str], width: int) -> np.ndarray:
    """The first `width` numbers of each row, float32; float64 in between, as the known arrays were made."""
    return np.array([row.split()[:width] for row in rows], np.float64).reshape(-1, width).astype(np.float32)


def read_vertices(text: str) -> np.ndarray:
    """V,3 float32: the `v` lines of an OBJ file."""
    return _floats([line[2:] for line in text.splitlines() if line.startswith("v ")], 3)


def read_mesh(text: str) -> dict[str, np.ndarray]:
    """neutral, uv, faces, faces_uv, face_material and materials of an OBJ file with `f v/vt …` lines."""
    lines = text.splitlines()
    corners, material, current = [], [], ""
    for line in lines:
        if line.startswith("usemtl "):
            current = line[7:].strip()
        elif line.startswith("f "):
            face = [corner.split("/")[:2] for corner in line.split()[1:]]
            if len(face) not in (3, 4):
                raise ValueError(f"got a face of {len(face)} corners, expected 3 or 4")
            corners.append((face + face[-1:])[:4])
            material.append(current)
    indices = np.array(corners, np.int32).reshape(-1, 4, 2) - 1
    names = sorted(set(material))
    return {
        "neutral": read_vertices(text),
        "uv": _floats([line[3:] for line in lines if line.startswith("vt ")], 2),
        "faces": np.ascontiguousarray(indices[..., 0]),
        "faces_uv": np.ascontiguousarray(indices[..., 1]),
        "face_material": np.array([names.index(name) for name in material], np.int8),
        "materials": np.array(names),
    }


def delta(text: str, neutral: np.ndarray) -> np.ndarray:
    """V,3 float16: the mesh less the neutral one. Raises ValueError for another number of vertices."""
    vertices = read_vertices(text)
    if vertices.shape != neutral.shape:
        raise ValueError(f"has {len(vertices)} vertices, expected {len(neutral)}")
    return (vertices - neutral).astype(np.float16)


def wrong_arrays(
    path: Path, arrays: dict[str, str], identities: list[str], expressions: list[str]
) -> list[str]:
    """Names of the arrays and meshes in the .npz that are not the known ones; digests are sha256 in hex."""
    try:
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError) as error:
        return [f"unreadable ({type(error).__name__})"]
    wrong = [name for name, known in arrays.items() if name not in found or digest(found[name]) != known]
    for name, known in (("identity", identities), ("expression", expressions)):
        rows = found.get(name, np.zeros((0, 0, 3), np.float16))
        if len(rows) != len(known):
            wrong.append(f"{name} ({len(rows)} of {len(known)} meshes)")
        wrong += [
            f"{name} {i}"
            for i, (row, want) in enumerate(zip(rows, known, strict=False))
            if digest(row) != want
        ]
    return wrong
