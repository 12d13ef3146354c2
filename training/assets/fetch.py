"""One file over HTTP: into NAME.part, from where the last try stopped, renamed once its check passes."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Check = Callable[[Path], str | None]  # None, or in a few words what is wrong with the file

AGAIN = (408, 425, 429, 500, 502, 503, 504)  # HTTP: may well work in a moment
PATIENCE = 120.0  # seconds; a server that asks for more is left for a later run
CHUNK = 1 << 18
MOST = 1 << 28  # bytes; nothing here is larger, and no server shall fill the disk


class AssetError(Exception):
    """Told to the person in one line."""


class _Unavailable(Exception):
    """This place does not have the file, or not the right one, or does not answer."""


class _Later(ConnectionError):
    """The server asks for patience: seconds."""

    def __init__(self, code: int, wait: str | None) -> None:
        super().__init__(f"HTTP {code}" + (f", again in {wait} s" if wait else ""))
        self.seconds = float(wait) if wait and wait.isdigit() else 0.0


def sha256_of(path: Path) -> str:
    """The file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_sha256(digest: str) -> Check:
    """A check that the file's sha256 is `digest` (hex)."""

    def check(path: Path) -> str | None:
        found = sha256_of(path)
        return None if found == digest else f"sha256 is {found[:12]}…, expected {digest[:12]}…"

    return check


def _size(path: Path) -> int:
    """Bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


@dataclass
class Downloader:
    """`tries` in a row without one more byte, `pause` seconds (then twice that, …) apart, end a place."""

    timeout: float = 30.0
    tries: int = 4
    pause: float = 1.0

    def fetch(
        self,
        places: list[str],
        path: str,
        target: Path,
        check: Check,
        size: int | None = None,
        note: Callable[[int], object] = lambda count: None,
    ) -> None:
        """Make `target` of the first place + `path` whose bytes pass `check`.

        `size` in bytes where known. `note` is called with bytes gained (negative: lost). The place that had
        the file goes to the front of `places`: the others may be gone for good. Raises AssetError.
        """
        part = target.with_name(target.name + ".part")
        target.parent.mkdir(parents=True, exist_ok=True)
        note(_size(part))
        reasons = []
        for place in list(places):
            url = place + urllib.parse.quote(path, safe="/+~@:")
            try:
                self._complete(url, part, check, size, note)
            except _Unavailable as error:
                reasons.append(f"{urllib.parse.urlsplit(place).netloc or place}: {error}")
                continue
            os.replace(part, target)
            places.remove(place)
            places.insert(0, place)
            return
        raise AssetError(f"{path}: {'; '.join(reasons) or 'no place is known'}")

    def _complete(
        self, url: str, part: Path, check: Check, size: int | None, note: Callable[[int], object]
    ) -> None:
        """All bytes in `part`, and right; a part left by an earlier run gets one fresh start."""
        resumed = _size(part) > 0
        self._drain(url, part, size, note)
        wrong = check(part)
        if wrong and resumed:
            note(-_size(part))
            part.unlink()
            self._drain(url, part, size, note)
            wrong = check(part)
        if wrong:
            note(-_size(part))
            part.unlink()
            raise _Unavailable(wrong)

    def _drain(self, url: str, part: Path, size: int | None, note: Callable[[int], object]) -> None:
        """Read until the server has no more, coming back after cuts."""
        failures = 0
        while size is None or _size(part) < size:
            before = _size(part)
            try:
                return self._read(url, part, size, note)
            except (OSError, http.client.HTTPException) as error:
                failures = 1 if _size(part) > before else failures + 1
                asked = getattr(error, "seconds", 0.0)
                if failures >= self.tries or asked > PATIENCE:
                    raise _Unavailable(_reason(error)) from None
                time.sleep(max(asked, min(self.pause * 2 ** (failures - 1), 20.0)))

    def _read(self, url: str, part: Path, size: int | None, note: Callable[[int], object]) -> None:
        """One request. OSError where another may do better, _Unavailable where none will."""
        start = _size(part)
        headers = {"User-Agent": "live-relight-assets"} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            reply = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=self.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # the part is no beginning of what lies there now
                note(-start)
                part.unlink(missing_ok=True)
            if error.code in (*AGAIN, 416):
                raise _Later(error.code, error.headers.get("Retry-After")) from None
            raise _Unavailable(f"HTTP {error.code} {error.reason}") from None
        with reply:
            ours = (reply.headers.get("Content-Range") or "").startswith(f"bytes {start}-")
            if start and not (reply.status == 206 and ours):  # the server does not resume
                note(-start)
                start = 0
            length = reply.headers.get("Content-Length") or ""
            whole = start + int(length) if length.isdigit() else None
            if size is not None and whole is not None and whole != size:
                raise _Unavailable(f"has {whole} bytes, expected {size}")
            _copy(reply, part, start, note)
        if whole is not None and _size(part) < whole:
            raise ConnectionError(f"the connection was cut at {_size(part)} of {whole} bytes")


def _copy(reply: http.client.HTTPResponse, part: Path, start: int, note: Callable[[int], object]) -> None:
    """The body behind the first `start` bytes of `part`; what came is on disk, so a stop loses nothing."""
    try:
        out = part.open("ab" if start else "wb", buffering=0)
    except OSError as error:
        raise AssetError(f"{part}: {error.strerror}") from None
    with out:
        total = start
        while block := reply.read1(CHUNK):
            total += len(block)
            if total > MOST:
                raise _Unavailable(f"sends more than {MOST >> 20} MiB")
            try:
                out.write(block)
            except OSError as error:
                raise AssetError(f"{part}: {error.strerror}") from None
            note(len(block))


def _reason(error: Exception) -> str:
    """A network error in a few words."""
    inner = getattr(error, "reason", None)
    return str(inner or error) or type(error).__name__
