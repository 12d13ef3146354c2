"""A manifest of four tiny sources, one of each kind, and what a server must hold for it."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import cv2
import numpy as np

from tests.training.place import Place
from training.assets import ict, textures


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def ar(members: dict[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


def tar(members: dict[str, bytes], mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def obj(vertices: np.ndarray) -> str:
    lines = ["# a head", *(f"v {x:.6g} {y:.6g} {z:.6g}" for x, y, z in vertices)]
    lines += [
        "vt 0 0",
        "vt 1 0",
        "vt 1 0.5",
        "usemtl Skin",
        "f 1/1 2/2 3/3 4/1",
        "usemtl Eye",
        "f 1/1 3/2 4/3",
    ]
    return "\n".join(lines) + "\n"


HEAD = np.array([[0, -2.48251, 11.8387], [0.5, 0, 0], [1, 1, 0.25], [-1, 2, 3]])
SHAPES = {"identity000": HEAD + np.array([0.25, 0, -0.1359]), "jawOpen": HEAD * 1.5}


MANIFEST = """
[pm]
group = "hdri"
kind = "npm"
title = "t"
licence = "CC0-1.0"
into = "hdri/pm"
package = "@pm/tiny"
version = "1.0.0"
archive = "pm-tiny-1.0.0.tgz"
{npm}
member = "package/{{name}}.js"
[pm.files]
"day.exr" = "{day}"
[bl]
group = "hdri"
kind = "deb"
title = "t"
licence = "CC0-1.0"
into = "hdri/bl"
package = "bl-data"
version = "3-1"
archive = "bl-data_3-1_all.deb"
{deb}
member = "usr/{{name}}"
[bl.files]
"night.exr" = "{night}"
[mh]
group = "mh"
kind = "git"
title = "t"
licence = "CC0-1.0"
into = "synth/mh"
commit = "raw"
places = ["{url}gone/", "{url}{{commit}}/"]
pictures = ["{url}media/"]
texture_bytes = 1000
[mh.elsewhere]
"x/coat.obj" = "{url}else/c.txt"
[mh.files]
"x/coat.obj" = "{coat}"
[mh.textures]
"skin.png" = "{skin}"
"brow.png" = "{brow}"
[ict]
group = "ict"
kind = "ict"
title = "t"
licence = "MIT"
into = "synth/ict"
places = ["{url}ict/"]
neutral = "head.obj"
meshes = "{{name}}.obj"
built = "all.npz"
mesh_bytes = 300
[ict.arrays]
{arrays}
[ict.identities]
identity000 = "{identity000}"
[ict.expressions]
jawOpen = "{jawOpen}"
"""


CONTROL = """Package: bl-data
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@localhost>
Description: environments
"""


def npm_package(day: bytes, version: str = "1.0.0") -> bytes:
    """A .tgz as `npm pack` brings it, with the environment in a module."""
    script = b"export default 'data:application/exr;base64," + base64.b64encode(day) + b"'\n"
    about = f'{{"name": "@pm/tiny", "version": "{version}"}}'.encode()
    files = {"package/package.json": about, "package/day.exr.js": script, "package/other.js": b"1"}
    return tar(files, "w:gz")


def deb_package(night: bytes, version: str = "3-1") -> bytes:
    """A .deb as `apt-get download` brings it."""
    control = tar({"./control": CONTROL.format(version=version).encode()}, "w:xz")
    inner = tar({"./usr/night.exr": night}, "w:xz")
    return ar({"debian-binary": b"2.0\n", "control.tar.xz": control, "data.tar.xz": inner})


def packed(place: Place, rng: np.random.Generator) -> dict[str, str]:
    """Two environments in their packages, on the server; their lines of the manifest."""
    day, night = (rng.integers(0, 256, 3000, np.uint8).tobytes() for _ in range(2))
    npm, deb = npm_package(day), deb_package(night)
    place.files |= {"npm/pm-tiny-1.0.0.tgz": npm, "deb/bl-data_3-1_all.deb": deb}
    lines = {
        name: f'sha256 = "{sha(data)}"\nbytes = {len(data)}' for name, data in (("npm", npm), ("deb", deb))
    }
    return lines | {"day": f"{sha(day)} 3000", "night": f"{sha(night)} 3000"}


def pictured(place: Place, rng: np.random.Generator) -> dict[str, str]:
    """A mesh, a picture behind a Git LFS pointer and one without, on the server; their lines."""
    coat = b"v 0 0 0\n"
    skin = cv2.resize(rng.integers(0, 256, (9, 18, 4), np.uint8), (2048, 1024))
    brow = cv2.resize(rng.integers(0, 256, (5, 5, 3), np.uint8), (64, 64))
    png = textures.to_png(skin)
    pointer = f"{textures.POINTER.decode()}v1\noid sha256:{sha(png)}\nsize {len(png)}\n"
    place.files |= {"raw/x/coat.obj": coat, "raw/skin.png": pointer.encode(), "media/skin.png": png}
    place.files["raw/brow.png"] = textures.to_png(brow)
    prints = {"skin": textures.fingerprint(textures.shrink(skin)), "brow": textures.fingerprint(brow)}
    return prints | {"coat": f"{sha(coat)} {len(coat)}"}


def modelled(place: Place) -> dict[str, str]:
    """A head and two shapes of it, on the server; their lines."""
    place.files |= {f"ict/{name}.obj": obj(v).encode() for name, v in {"head": HEAD, **SHAPES}.items()}
    head = ict.read_mesh(obj(HEAD)) | {"expression_names": np.array(["jawOpen"])}
    arrays = "\n".join(f'{name} = "{ict.digest(array)}"' for name, array in head.items())
    deltas = {name: ict.digest(ict.delta(obj(v), head["neutral"])) for name, v in SHAPES.items()}
    return {"arrays": arrays, **deltas}


def write_world(place: Place, manifest: Path) -> None:
    """Fill the server and write the manifest that points at it."""
    rng = np.random.default_rng(2)
    lines = packed(place, rng) | pictured(place, rng) | modelled(place)
    manifest.write_text(MANIFEST.format(url=place.url, **lines))
