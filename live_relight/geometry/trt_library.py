"""TensorRT, whichever flavour is installed. Looked for in this order, and imported only when asked for:

`tensorrt_rtx`  NVIDIA's own package of TensorRT for RTX, or the two that it is made of, Python side and
                libraries (`tensorrt-rtx-cu13-bindings`, `-libs`): pip install 'live-relight[tensorrt]';
a pair          that Python side and the libraries inside `onnxruntime-ep-nv-tensorrt-rtx-cu13`, on Linux: the
                extra was made of them before NVIDIA's libraries were on PyPI;
`tensorrt`      10 or newer, the classical one.

All have the same names for what we use.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..core.errors import EstimatorError
from ..core.install import pip

OLDEST = 10
"""Of the classical library: the first whose strongly typed networks we use."""
_WHEELS = (("linux", "x86_64"), ("linux", "aarch64"), ("win32", "AMD64"))
"""Systems and processors for which NVIDIA has wheels on PyPI."""
_LIBRARIES = ("tensorrt-rtx-cu13-libs", "tensorrt-rtx-cu12-libs")
_PARTS = ("libtensorrt_rtx.so.*", "libtensorrt_onnxparser_rtx.so.*")
"""Libraries inside the pair's package; once imported, the Python side asks the system for them by name."""


@dataclass(frozen=True, slots=True)
class Library:
    """A TensorRT that loads. `name` ('tensorrt_rtx' or 'tensorrt') and `version` are part of a plan's key;
    `origin`: the package it came from; `api`: its module; `log`: the one logger that it may be given."""

    name: str
    version: str
    origin: str
    api: Any
    log: Log

    @property
    def title(self) -> str:
        """For people: 'TensorRT for RTX 1.7.1.116'."""
        return f"TensorRT{' for RTX' if self.name == 'tensorrt_rtx' else ''} {self.version}"


@dataclass(frozen=True, slots=True)
class Log:
    """What the library said, errors and warnings, since `clear`. The library keeps the first logger that it
    ever saw, so there is one for as long as the program runs."""

    receiver: Any
    errors: list[str]
    warnings: list[str]

    def clear(self) -> None:
        self.errors.clear()
        self.warnings.clear()


class _AbsentError(Exception):
    """Why a flavour cannot be used."""


@functools.cache
def look() -> tuple[Library | None, tuple[str, ...]]:
    """The first flavour that loads, or None; and for each one tried in vain, why."""
    why = []
    for name, origin, loader in _FLAVOURS:
        try:
            api = loader()
            library = Library(name, str(api.__version__), origin, api, _listen(api))
        except _AbsentError as reason:
            why.append(f"{origin}: {reason}")
        except Exception as error:  # broken installations fail in ways of their own
            said = (str(error).splitlines() or [type(error).__name__])[0]
            why.append(f"{origin}: does not load ({said})")
        else:
            return library, tuple(why)
    return None, tuple(why)


def require() -> Library:
    """The library. Raises EstimatorError that says what was looked for and what to install."""
    library, why = look()
    if library is None:
        raise EstimatorError("TensorRT", f"none that loads ({'; '.join(why)})", todo=how_to_install())
    return library


def how_to_install() -> str:
    """What to type or fetch; '' where NVIDIA makes no TensorRT for the system."""
    if sys.platform == "darwin":
        return ""
    if (sys.platform, platform.machine()) in _WHEELS:
        return pip("live-relight[tensorrt]")
    return "install NVIDIA's package tensorrt_rtx (TensorRT for RTX)"


def _import(module: str) -> ModuleType:
    """Raises _AbsentError where there is no such module; an error inside it is its own."""
    if importlib.util.find_spec(module) is None:
        raise _AbsentError("not installed")
    return importlib.import_module(module)


def _nvidia() -> ModuleType:
    # The metapackage is the bindings by another name, and these load the libraries of a package beside them.
    whole = importlib.util.find_spec("tensorrt_rtx") is not None
    if not whole and importlib.util.find_spec("tensorrt_rtx_libs") is None:
        raise _AbsentError("not installed")
    api = _import("tensorrt_rtx" if whole else "tensorrt_rtx_bindings")
    holds = [v for name in _LIBRARIES if (v := _version(name))]
    if holds and api.__version__ not in holds:
        raise _AbsentError(f"libraries of {holds[0]} do not fit bindings of {api.__version__}")
    return api


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _pair() -> ModuleType:
    # Found, not imported: the package's own start-up is made for ONNX Runtime's plugins.
    found = importlib.util.find_spec("onnxruntime_ep_nv_tensorrt_rtx")
    if found is None or not found.submodule_search_locations:
        raise _AbsentError("not installed")
    if importlib.util.find_spec("tensorrt_rtx_bindings") is None:
        raise _AbsentError("tensorrt-rtx-cu13-bindings is not installed")
    folder = Path(next(iter(found.submodule_search_locations)))
    files = [sorted(folder.glob(pattern)) for pattern in _PARTS]
    if not all(files):
        raise _AbsentError(f"no libraries for {sys.platform} in {folder}")
    for several in files:
        # Not RTLD_GLOBAL: what they define stays theirs. The system finds a loaded library by its name.
        ctypes.CDLL(str(several[-1]))
    api = importlib.import_module("tensorrt_rtx_bindings")
    holds = files[0][-1].name.removeprefix("libtensorrt_rtx.so.")
    if not f"{api.__version__}.".startswith(f"{holds}."):
        raise _AbsentError(f"libraries of {holds} do not fit tensorrt-rtx-cu13-bindings {api.__version__}")
    return api


def _classical() -> ModuleType:
    api = _import("tensorrt")
    if int(api.__version__.split(".")[0]) < OLDEST:
        raise _AbsentError(f"version {api.__version__}, expected {OLDEST} or newer")
    return api


_FLAVOURS: tuple[tuple[str, str, Callable[[], ModuleType]], ...] = (
    ("tensorrt_rtx", "tensorrt_rtx", _nvidia),
    ("tensorrt_rtx", "onnxruntime-ep-nv-tensorrt-rtx-cu13", _pair),
    ("tensorrt", "tensorrt", _classical),
)


def _listen(api: Any) -> Log:
    errors: list[str] = []
    warnings: list[str] = []
    severe = (api.ILogger.Severity.INTERNAL_ERROR, api.ILogger.Severity.ERROR)
    warning = api.ILogger.Severity.WARNING

    class Receiver(api.ILogger):  # type: ignore[misc]
        """Called by the library, from any thread."""

        def __init__(self) -> None:
            api.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in severe:
                errors.append(message)
            elif severity == warning:
                warnings.append(message)

    return Log(Receiver(), errors, warnings)
