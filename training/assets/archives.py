"""Environments out of the two packages that carry them."""

from __future__ import annotations

import base64
import io
import lzma
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from .fetch import AssetError
from .manifest import Source

AR_MAGIC = b"!<arch>\n"
BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError)  # of an archive's bytes


def members(source: Source, archive: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of the wanted files. Nothing is written, so no path in the archive matters."""
    wanted = {source.member.format(name=name): name for name in names}
    stream = deb_data(archive) if source.kind == "deb" else archive.open("rb")
    with stream, tarfile.open(fileobj=stream, mode="r:*") as tar:
        for entry in tar:
            name = wanted.pop(entry.name.removeprefix("./"), None)
            file = tar.extractfile(entry) if name else None
            if name and file:
                data = file.read()
                yield name, data_url(data) if source.kind == "npm" else data
    if wanted:
        raise AssetError(f"{archive.name}: holds no {', '.join(sorted(wanted))}")


def data_url(script: bytes) -> bytes:
    """The bytes in a module such as `export default 'data:application/exr;base64,di8x…'`."""
    _, mark, rest = script.partition(b";base64,")
    if not mark:
        raise AssetError("a module without a base64 data URL")
    return base64.b64decode(rest.split(b"'")[0].split(b'"')[0])


def deb_data(archive: Path) -> io.BytesIO:
    """data.tar.* of a .deb, which is an ar archive (deb(5), ar(5)): 60-byte headers, even offsets."""
    data = archive.read_bytes()
    at = len(AR_MAGIC)
    while data.startswith(AR_MAGIC) and at + 60 <= len(data):
        name, size = data[at : at + 16].decode("ascii").strip(), int(data[at + 48 : at + 58])
        if name.startswith("data.tar"):
            if name.startswith("data.tar.zst"):  # Ubuntu's; tarfile reads that from Python 3.14 on
                return dpkg_data(archive)
            return io.BytesIO(data[at + 60 : at + 60 + size])
        at += 60 + size + size % 2
    raise AssetError(f"{archive.name}: no Debian package")


def dpkg_data(archive: Path) -> io.BytesIO:
    """The same, unpacked by dpkg-deb, which is wherever apt-get is."""
    try:
        done = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise AssetError(f"{archive.name}: dpkg-deb is missing or can not read it") from None
    return io.BytesIO(done.stdout)
