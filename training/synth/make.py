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
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from training.synth.shards import CLIPS, STILLS, write_shard

GEOMETRIES = 40  # per shard of stills
CLIPS_PER_SHARD = 10
REVIVALS = 3
"""How often, in all, processes that a signal ended are begun again: a software driver may crash once in some
ten thousand pictures. What they had finished stays; the same seed gives the same pictures."""


@dataclass(frozen=True)
class Recipe:
    """What determines a data set's bytes, besides the code and the assets.

    `count` pictures and `clips` are rounded up to whole shards; neither changes what a shard holds.
    """

    seed: int
    count: int
    width: int = 256
    height: int = 192
    bodies: int = 3200
    views: int = 2
    lights: int = 3
    held_out: bool = False
    clips: int = 0
    hands: float = 0.0
    """Share of bodies whose hands are led to the face or before it (clips/led.py)."""

    @property
    def pictures_per_shard(self) -> int:
        """Stills in one shard."""
        return GEOMETRIES * self.views * self.lights

    def shards(self) -> list[tuple[str, int]]:
        """(kind, number) of every shard: stills first."""
        stills, clips = -(-self.count // self.pictures_per_shard), -(-self.clips // CLIPS_PER_SHARD)
        return [(STILLS, k) for k in range(stills)] + [(CLIPS, k) for k in range(clips)]


@dataclass(frozen=True)
class Job:
    """Where and how to work. shards: numbers A..B-1 only, for several machines; device: cpu, gpu or auto."""

    assets: Path
    out: Path
    bank: Path
    jobs: int
    device: str = "auto"
    shards: tuple[int, int] | None = None


def make_bank(folder: Path, recipe: Recipe, clips: tuple[int, int], assets: Path) -> None:
    """Pose bodies and clips unless they are there (loading anny takes minutes the first time), and give them
    scanned faces where the assets have some."""
    from training.synth.clips import clipbank
    from training.synth.people import bodies, relief

    last = -(-recipe.bodies // bodies.CHUNK) - 1
    stills = (folder / "topology.npz").exists() and (folder / f"bodies_{last:04d}.npz").exists()
    if stills and clipbank.complete(folder, *clips):
        return
    print(f"posing {recipe.bodies} bodies and {clips[1] - clips[0]} clips in {folder}", flush=True)
    model = bodies.load_model().float()
    folder.mkdir(parents=True, exist_ok=True)
    bodies.write_topology(folder / "topology.npz", model)
    bodies.write_bank(folder, recipe.seed, recipe.bodies, model, recipe.hands)
    if not (folder / "relief.npz").exists():
        relief.write_relief(folder, assets, recipe.seed)
    clipbank.write_clips(folder, recipe.seed, clips[0], clips[1] - clips[0], model)


def shard_path(out: Path, shard: tuple[str, int]) -> Path:
    """The file of (kind, number)."""
    return out / f"{shard[0]}_{shard[1]:05d}.tar"


def choose_device(device: str) -> None:
    """Environment of a rendering process, before its context is made."""
    os.environ.setdefault("LP_NUM_THREADS", "1")  # llvmpipe: one process per core is faster
    if device == "cpu":
        os.environ["LIBGL_ALWAYS_SOFTWARE"] = "1"


def work(recipe: Recipe, job: Job, shards: list[tuple[str, int]]) -> None:
    """One process: render the given shards that are not there yet."""
    choose_device(job.device)
    import cv2

    from training.synth.clips.film import film
    from training.synth.sample import Studio

    cv2.setNumThreads(1)
    size = (recipe.width, recipe.height)
    studio = Studio(job.assets, job.bank, (0, recipe.bodies), size, recipe.held_out)
    try:
        if job.device == "gpu" and "llvmpipe" in studio.renderer.name:
            raise RuntimeError(f"--device gpu, got {studio.renderer.name}: no GPU that EGL can reach")
        for kind, number in shards:
            path = shard_path(job.out, (kind, number))
            if path.exists():
                continue
            if kind == STILLS:
                first = number * GEOMETRIES
                samples = (
                    sample
                    for k in range(first, first + GEOMETRIES)
                    for sample in studio.shoot(recipe.seed, k, recipe.views, recipe.lights)
                )
            else:
                first = number * CLIPS_PER_SHARD
                samples = (film(studio, recipe.seed, k) for k in range(first, first + CLIPS_PER_SHARD))
            write_shard(path, samples)
    finally:
        studio.close()


def make(recipe: Recipe, job: Job) -> None:
    """Render every missing shard; shows progress; raises if a process fails."""
    job.out.mkdir(parents=True, exist_ok=True)
    check_recipe(job.out / "manifest.json", recipe, job.assets)
    wanted = [s for s in recipe.shards() if job.shards is None or job.shards[0] <= s[1] < job.shards[1]]
    numbers = [number for kind, number in wanted if kind == CLIPS]
    clips = (numbers[0] * CLIPS_PER_SHARD, (numbers[-1] + 1) * CLIPS_PER_SHARD) if numbers else (0, 0)
    make_bank(job.bank, recipe, clips, job.assets)
    todo = [s for s in wanted if not shard_path(job.out, s).exists()]
    for name in (
        "MALLOC_TRIM_THRESHOLD_",
        "MALLOC_MMAP_THRESHOLD_",
    ):  # glibc keeps freed pictures for the next
        os.environ.setdefault(name, str(2**28))
    context = mp.get_context("spawn")

    def begin(k: int) -> mp.context.SpawnProcess:
        member = context.Process(target=work, args=(recipe, job, todo[k :: job.jobs]), daemon=True)
        member.start()
        return member

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes below are ended too
    team: list[mp.context.SpawnProcess] = []
    try:
        team += [begin(k) for k in range(min(job.jobs, len(todo)))]
        watch(recipe, job, todo, team, begin)
    finally:
        for member in team:
            member.terminate()
    failed = [member.exitcode for member in team if member.exitcode]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(team)} rendering processes failed (exit codes {failed})")
    note_counts(job.out)


def watch(
    recipe: Recipe,
    job: Job,
    todo: list[tuple[str, int]],
    team: list[mp.context.SpawnProcess],
    begin: Callable[[int], mp.context.SpawnProcess],
) -> None:
    """A bar with pictures done, rate and time left, until every process has ended; those that crash are begun
    again, REVIVALS times."""
    lives = REVIVALS
    worth = {STILLS: recipe.pictures_per_shard, CLIPS: CLIPS_PER_SHARD * 16}  # a clip is 16 frames, about
    with tqdm(total=sum(worth[kind] for kind, _ in todo), unit="picture", dynamic_ncols=True) as bar:
        while True:
            for k, member in enumerate(team):
                if lives and (member.exitcode or 0) < 0:
                    lives -= 1
                    tqdm.write(f"a rendering process crashed (signal {-(member.exitcode or 0)}): once more")
                    team[k] = begin(k)
            ended = not any(member.is_alive() for member in team)
            bar.update(sum(worth[s[0]] for s in todo if shard_path(job.out, s).exists()) - bar.n)
            if ended:
                return
            time.sleep(1)


def check_recipe(path: Path, recipe: Recipe, assets: Path) -> None:
    """Write the manifest, or refuse to mix two recipes in one folder."""
    wanted = asdict(recipe)
    if path.exists():
        have = {"hands": 0.0, **json.loads(path.read_text())["recipe"]}
        free = {"count": 0, "clips": 0}
        if {**have, **free} != {**wanted, **free}:
            raise ValueError(f"{path.parent} was made with {have}, wanted {wanted}: choose another --out")
        wanted |= {name: max(have.get(name, 0), wanted[name]) for name in free}
    body = {
        "recipe": wanted,
        "commit": commit(),
        "assets": hash_assets(assets),
        "geometries_per_shard": GEOMETRIES,
        "clips_per_shard": CLIPS_PER_SHARD,
    }
    _write(path, body)


def note_counts(out: Path) -> None:
    """How many shards of each kind are there, into the manifest."""
    path = out / "manifest.json"
    body = json.loads(path.read_text())
    body["counts"] = {kind: len(list(out.glob(f"{kind}_*.tar"))) for kind in (STILLS, CLIPS)}
    _write(path, body)


def _write(path: Path, body: dict[str, object]) -> None:
    part = path.with_suffix(f".part{os.getpid()}")
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
    for folder in ("hdri", "synth"):
        root = assets / folder
        names += [
            f"{p.relative_to(assets)} {p.stat().st_size}" for p in sorted(root.rglob("*")) if p.is_file()
        ]
    if not names:
        raise FileNotFoundError(
            f"{assets}: expected the folders hdri and synth; pass --assets DIR, or get them with "
            "`python -m training.assets`"
        )
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
