"""Compiled plans: a cache in the user's cache folder that may be deleted at any time.

`NAME-LIBRARY-TARGET-SHAPES-KEY.plan` is the library's own file; `.json` beside it says what it was made from,
with its checksum: a plan counts only if all of that agrees. Its date is when the plan was last asked for.
A `.lock` keeps two programs from compiling one plan. `.kernels` is what TensorRT for RTX made of a plan on
this card, so that the next start need not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..core.paths import own_folder, read_whole, reason
from ..files import make_folder, write_whole
from ..locks import locked
from .trt_library import Library

KERNELS = ".kernels"
_SUM = hashlib.sha256().digest_size
FORMAT = 1
"""Of the .json file; another number is another program's."""
MOST = 12
"""Plans for cameras' frames that are kept for one target; those not used for longest go."""
LARGEST = 2_000_000_000
"""Bytes of a plan that we read."""
ABANDONED = 3600.0
"""Seconds after which an unfinished file was left by a program that died."""


@dataclass(frozen=True, slots=True)
class Key:
    """Everything that a plan depends on. `onnx`: sha256 of the file that is compiled, or front.digest;
    `shapes`: '384x288', 'smallest..usual..largest', or 'frame to network' as in '1280x720 to 384x224';
    `precision`: 'float16', or 'as given' for what the file itself says; `place`: build.place."""

    network: str
    onnx: str
    library: str
    version: str
    target: str
    precision: str
    shapes: str
    place: str = ""

    @property
    def digest(self) -> str:
        said = {name: word for name, word in dataclasses.asdict(self).items() if name != "place" or word}
        text = json.dumps(said, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def stem(self) -> str:
        """Start of the file's name, the same for every version of library and network."""
        shapes = "any-size" if ".." in self.shapes else self.shapes
        words = (self.network[:40], self.place, self.library, self.target, shapes)
        return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "-", word) for word in words if word)

    def path(self, folder: Path) -> Path:
        return folder / f"{self.stem}-{self.digest}.plan"

    def replaces(self, other: Key) -> bool:
        """True for an older version: the same use of the same network, made from something else, or with a
        library that is not newer."""
        same = dataclasses.replace(other, onnx=self.onnx, version=self.version, precision=self.precision)
        return other != self == same and _numbers(other.version) <= _numbers(self.version)

    def crowds(self, other: Key) -> bool:
        """True where both are for cameras' frames, on the same card: of these only MOST are kept."""
        fused = " to " in self.shapes and " to " in other.shapes
        return fused and (self.library, self.target) == (other.library, other.target)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan in the cache. `fault`: why it cannot be used, '' where it can; `key` None: it does not say;
    `size` in bytes."""

    path: Path
    size: int
    key: Key | None
    fault: str


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


class _UnusableError(Exception):
    """Why a plan cannot be used."""


def cache_folder() -> Path:
    """Where plans are kept. Raises LiveRelightError where the system names no home."""
    base = own_folder(
        "compiled plans", "LOCALAPPDATA=AppData/Local", "Library/Caches", "XDG_CACHE_HOME", ".cache"
    )
    return base / "live-relight" / "plans"


def obtain(
    key: Key,
    library: Library,
    make: Callable[[], bytes],
    say: Callable[[str], None],
    say_hits: bool = True,
) -> Path:
    """The plan's file: the one that is there if it can be used, else what `make` gives, which is called once
    however many programs ask at the same time. `say` takes lines for people; `say_hits`: also that nothing
    was to be done.

    Raises SinkError where the cache cannot be written and has no such plan, and whatever `make` raises.
    """
    folder = cache_folder()
    path = key.path(folder)
    tell = say if say_hits else _silent
    if _there(path, key, library, tell, _silent):
        return path  # no lock: the cache may be one that can only be read
    make_folder(folder)
    waits = partial(say, "another program is compiling the same; waiting for it")
    with locked(folder / f"{key.stem}.lock", waits):
        if _there(path, key, library, tell, say):
            return path
        start = time.perf_counter()
        plan = make()
        _store(path, key, plan)
        spent = f"{time.perf_counter() - start:.1f} s, {len(plan) / 1e6:.1f} MB"
        say(f"{key.network} for {key.target}, {key.shapes}: compiled in {spent}")
        _tidy(path, key, say)
    return path


def _there(
    path: Path, key: Key, library: Library, tell: Callable[[str], None], complain: Callable[[str], None]
) -> bool:
    """Whether the plan can be used, which is said by `tell`; `complain` gets why one that is there cannot."""
    try:
        load(path, key, library)
    except FileNotFoundError:
        return False
    except _UnusableError as fault:
        complain(f"{path.name}: {fault}; compiling it again")
        return False
    with contextlib.suppress(OSError):
        os.utime(path.with_suffix(".json"))  # when it was used: `_tidy` goes by that
    tell(f"{key.network} for {key.target}, {key.shapes}: compiled already")
    return True


def _silent(line: str) -> None: ...


def load(path: Path, key: Key | None, library: Library | None) -> bytes:
    """The plan, checked. Raises FileNotFoundError, or _UnusableError with the reason.

    `key` None: whatever the plan says it was made from. `library` None: its header is not looked at.
    """
    try:
        plan = read_whole(path, LARGEST)
        _, said, checksum = _card(path)
    except FileNotFoundError:
        if not os.path.lexists(path):
            raise
        raise _UnusableError("nothing says what it was made from") from None
    except OSError as error:
        raise _UnusableError(reason(error)) from error
    if key is not None and said != key:
        raise _UnusableError("made from something else")
    if len(plan) != checksum[0]:
        raise _UnusableError(f"{len(plan)} bytes, expected {checksum[0]}")
    if hashlib.sha256(plan).hexdigest() != checksum[1]:
        raise _UnusableError("its contents have changed since it was compiled")
    faults = header_faults(plan, library) if library else ()
    for fault in ("MALFORMED_ENGINE", "VERSION_MISMATCH"):  # the others are the card's or the driver's
        if fault in faults:
            raise _UnusableError(f"the library refuses it ({fault.lower().replace('_', ' ')})")
    return plan


def header_faults(plan: bytes, library: Library) -> tuple[str, ...]:
    """What the library finds in a plan's first bytes against running it here, in its own words, such as
    MALFORMED_ENGINE, VERSION_MISMATCH, UNSUPPORTED_CC; without a driver it tells only the first of them."""
    if not hasattr(library.api.Runtime, "get_engine_validity"):  # the classical library
        return ()
    library.log.clear()
    runtime = library.api.Runtime(library.log.receiver)
    _, found = runtime.get_engine_validity(plan[: runtime.engine_header_size])
    names = library.api.EngineInvalidityDiagnostics.__members__
    return tuple(name for name, bit in names.items() if int(bit) & int(found))


def discard(plan: Path) -> None:
    """Removes a plan that counts as whole and is of no use, with what is beside it, so that `obtain` makes
    another one. One that cannot be removed stays."""
    for path in (plan, plan.with_suffix(".json"), plan.with_suffix(KERNELS)):
        with contextlib.suppress(OSError):
            path.unlink()


def load_kernels(plan: Path) -> bytes:
    """What was kept beside a plan, b'' where there is nothing whole. Whether it fits this card and driver the
    library looks at itself."""
    try:
        data = read_whole(plan.with_suffix(KERNELS), LARGEST)
    except OSError:
        return b""
    return data[_SUM:] if hashlib.sha256(data[_SUM:]).digest() == data[:_SUM] else b""


def store_kernels(plan: Path, data: bytes) -> None:
    """Raises SinkError."""
    write_whole(plan.with_suffix(KERNELS), hashlib.sha256(data).digest() + data)


def list_plans() -> list[Plan]:
    """Every plan in the cache, by name, checked as far as that goes without the library."""
    found = []
    for path in sorted(cache_folder().glob("*.plan")):
        key, size, fault = None, 0, ""
        with contextlib.suppress(OSError):
            size = path.stat().st_size
        with contextlib.suppress(OSError, _UnusableError):
            key = _card(path)[1]
        try:
            load(path, key, None)
        except FileNotFoundError:
            continue  # another program removed it
        except _UnusableError as error:
            fault = str(error)
        found.append(Plan(path, size, key, fault))
    return found


def _card(path: Path) -> tuple[Path, Key, tuple[int, str]]:
    """The file that describes a plan, what the plan was made from, its length and sha256."""
    card = path.with_suffix(".json")
    text = read_whole(card, 100_000)
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise _UnusableError("described by another version of this program")
        checksum = (int(data["bytes"]), str(data["sha256"]))
        return card, Key(**{field: str(value) for field, value in data["key"].items()}), checksum
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _UnusableError(f"{card.name} cannot be read") from None


def _store(path: Path, key: Key, plan: bytes) -> None:
    """The plan first: a program that dies in between leaves a plan that does not agree with its card."""
    data = {
        "format": FORMAT,
        "key": dataclasses.asdict(key),
        "bytes": len(plan),
        "sha256": hashlib.sha256(plan).hexdigest(),
    }
    write_whole(path, plan)
    write_whole(path.with_suffix(".json"), (json.dumps(data, indent=1) + "\n").encode())


def _tidy(path: Path, key: Key, say: Callable[[str], None]) -> None:
    """Removes what this plan replaces, what is too much, and what programs that died left unfinished."""
    crowd = []
    for old in path.parent.glob("*.plan"):
        with contextlib.suppress(OSError, _UnusableError):
            card, made_from, _ = _card(old)
            if key.replaces(made_from):
                _remove(old)
                say(f"{old.name}: of another version of the network or of the library; removed")
            elif old != path and key.crowds(made_from):
                crowd.append((card.stat().st_mtime, old))
    for _, old in sorted(crowd)[: -(MOST - 1)]:
        with contextlib.suppress(OSError):
            _remove(old)
            say(f"{old.name}: more than {MOST} sizes of frames; removed, as not used for longest")
    for part in path.parent.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()


def _remove(plan: Path) -> None:
    plan.unlink()
    for suffix in (".json", KERNELS):
        plan.with_suffix(suffix).unlink(missing_ok=True)
