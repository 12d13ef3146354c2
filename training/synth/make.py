"""Making a data set: bodies first, then shards, in several processes, resumable."""

from __future__ import annotations

import hashlib
import json
import multiprocessing as mp
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from training.synth import people
from training.synth.shards import write_shard

GEOMETRIES = 40  # per shard


@dataclass(frozen=True)
class Recipe:
    """What determines a data set's bytes, besides the code and the assets.

    count is rounded up to whole shards of GEOMETRIES x views x lights pictures.
    """

    seed: int
    count: int
    width: int = 256
    height: int = 192
    bodies: int = 3200
    views: int = 2
    lights: int = 3
    held_out: bool = False

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.count // (GEOMETRIES * self.views * self.lights))


def make_bank(folder: Path, recipe: Recipe) -> None:
    """Pose the bodies unless they are there (loading anny takes minutes the first time)."""
    last = -(-recipe.bodies // people.CHUNK) - 1
    if (folder / "topology.npz").exists() and (folder / f"bodies_{last:04d}.npz").exists():
        return
    print(
        f"posing {recipe.bodies} bodies in {folder} (loading anny takes minutes the first time)", flush=True
    )
    model = people.load_model().float()
    folder.mkdir(parents=True, exist_ok=True)
    people.write_topology(folder / "topology.npz", model)
    people.write_bank(folder, recipe.seed, recipe.bodies, model)


def work(recipe: Recipe, assets: Path, bank: Path, out: Path, shards: list[int]) -> None:
    """One process: render the given shards that are not there yet."""
    os.environ.setdefault("LP_NUM_THREADS", "1")  # llvmpipe: one process per core is faster
    import cv2

    from training.synth.sample import Studio

    cv2.setNumThreads(1)
    size = (recipe.width, recipe.height)
    studio = Studio(assets, bank, (0, recipe.bodies), size, recipe.held_out)
    try:
        for shard in shards:
            folder = out / f"shard_{shard:05d}"
            if folder.exists():
                continue
            shots = []
            for k in range(GEOMETRIES):
                shots += studio.shoot(recipe.seed, shard * GEOMETRIES + k, recipe.views, recipe.lights)
            write_shard(folder, shots)
    finally:
        studio.close()


def make(recipe: Recipe, assets: Path, out: Path, bank: Path | None, jobs: int) -> None:
    """Render every missing shard with `jobs` processes; prints progress; raises if a process fails."""
    bank = bank or out / "bank"
    out.mkdir(parents=True, exist_ok=True)
    check_recipe(out / "manifest.json", recipe, assets)
    make_bank(bank, recipe)
    todo = [k for k in range(recipe.shards) if not (out / f"shard_{k:05d}").exists()]
    context = mp.get_context("spawn")
    team = [
        context.Process(target=work, args=(recipe, assets, bank, out, todo[k::jobs]), daemon=True)
        for k in range(jobs)
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes below are ended too
    for member in team:
        member.start()
    start = time.monotonic()
    try:
        while any(member.is_alive() for member in team):
            time.sleep(2)
            progress(out, todo, recipe, start)
    finally:
        for member in team:
            member.terminate()
    print(file=sys.stderr)
    failed = [member.exitcode for member in team if member.exitcode]
    if failed:
        raise RuntimeError(f"{len(failed)} of {jobs} rendering processes failed (exit codes {failed})")


def progress(out: Path, todo: list[int], recipe: Recipe, start: float) -> None:
    """One line: shards done, pictures per second, time left."""
    done = sum((out / f"shard_{k:05d}").exists() for k in todo)
    passed = time.monotonic() - start
    left = f"{passed / done * (len(todo) - done) / 60:.0f} min left" if done else "starting"
    rate = done * GEOMETRIES * recipe.views * recipe.lights / passed
    print(
        f"\r{done}/{len(todo)} shards, {rate:.1f} pictures/s, {left}   ", end="", file=sys.stderr, flush=True
    )


def check_recipe(path: Path, recipe: Recipe, assets: Path) -> None:
    """Write the manifest, or refuse to mix two recipes in one folder."""
    wanted = asdict(recipe)
    if path.exists():
        have = json.loads(path.read_text())["recipe"]
        if {**have, "count": 0} != {**wanted, "count": 0}:
            raise ValueError(f"{path.parent} was made with {have}, wanted {wanted}: choose another --out")
    body = {
        "recipe": wanted,
        "commit": commit(),
        "assets": hash_assets(assets),
        "geometries_per_shard": GEOMETRIES,
    }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(body, indent=1))
    part.rename(path)


def commit() -> str:
    """The checkout's commit, or 'unknown'."""
    try:
        run = subprocess.run(
            ["git", "rev-parse", "--verify", "-q", "HEAD"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
        )
    except OSError:
        return "unknown"
    return run.stdout.strip() or "unknown"


def hash_assets(assets: Path) -> str:
    """One hash over names and sizes of the asset files that the generator reads."""
    names = []
    for folder in ("hdri", "synth/makehuman"):
        root = assets / folder
        names += [
            f"{p.relative_to(assets)} {p.stat().st_size}" for p in sorted(root.rglob("*")) if p.is_file()
        ]
    if not names:
        raise FileNotFoundError(f"{assets}: expected the folders hdri and synth/makehuman; pass --assets DIR")
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
