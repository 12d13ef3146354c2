"""ONNX Runtime's execution providers: which drive a card, in which order they are tried, how they are opened.

A provider may be listed and still not start: its libraries or its card are missing. ONNX Runtime then runs
everything on the CPU without a word to the program, so every session is asked what it really runs on.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import onnxruntime as ort

from ..core.errors import EstimatorError

CPU = "CPUExecutionProvider"
SILENT, USUAL = 4, 2
"""ONNX Runtime's levels of logging: only what is fatal; warnings, which is its default."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`name`: for --engine; `key`: ONNX Runtime's name; `title`: for people; `install`: the package that
    brings it; `needs`: what is missing when it is there and does not start; `fixed`: compiles the network for
    one input size, so every size gets a session of its own."""

    name: str
    key: str
    title: str
    install: str
    needs: str
    options: Mapping[str, str] = field(default_factory=dict)
    fixed: bool = False


_INSTEAD = "pip uninstall onnxruntime, then pip install"
ORDER = (
    Provider(
        "cuda", "CUDAExecutionProvider", "CUDA", f"{_INSTEAD} 'onnxruntime-gpu[cuda,cudnn]'",
        "an NVIDIA driver, CUDA and cuDNN: pip install 'onnxruntime-gpu[cuda,cudnn]'",
        # the default tries every way to convolve at each new input size, which is a pause
        {"cudnn_conv_algo_search": "HEURISTIC"},
    ),
    Provider(
        "migraphx", "MIGraphXExecutionProvider", "MIGraphX", f"{_INSTEAD} onnxruntime-migraphx",
        "an AMD card and ROCm with MIGraphX", fixed=True,
    ),
    Provider(
        "rocm", "ROCMExecutionProvider", "ROCm", f"{_INSTEAD} onnxruntime-rocm",
        "an AMD card and ROCm of the version that the package was built for",
    ),
    Provider(
        "directml", "DmlExecutionProvider", "DirectML", f"{_INSTEAD} onnxruntime-directml",
        "Windows and a card that knows DirectX 12", fixed=True,
    ),
    Provider(
        "coreml", "CoreMLExecutionProvider", "CoreML", "on a Mac: pip install onnxruntime",
        "macOS 12 or newer", {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL"}, fixed=True,
    ),
    Provider(
        "openvino-gpu", "OpenVINOExecutionProvider", "OpenVINO GPU", f"{_INSTEAD} onnxruntime-openvino",
        "an Intel graphics card and its compute driver", {"device_type": "GPU"}, fixed=True,
    ),
)  # fmt: skip
"""As `auto` and `gpu` try them: the makers' own libraries before the systems' general ones."""
NAMES = tuple(provider.name for provider in ORDER)


def available() -> list[Provider]:
    """Those of ORDER that the installed ONNX Runtime has; whether they start is another question."""
    listed = ort.get_available_providers()
    return [provider for provider in ORDER if provider.key in listed]


def find(name: str) -> Provider:
    """By its name for --engine. Raises EstimatorError where the installed ONNX Runtime lacks it."""
    provider = next(p for p in ORDER if p.name == name)
    if provider not in available():
        raise EstimatorError(
            f"engine {name}", f"an ONNX Runtime without {provider.title}", todo=provider.install
        )
    return provider


def threads_or_default(threads: int) -> int:
    """0: one a core, at most 4."""
    return threads or min(os.cpu_count() or 1, 4)


def open_session(
    model: Path | bytes,
    label: str,
    threads: int = 0,
    provider: Provider | None = None,
    size: tuple[int, int] | None = None,
) -> ort.InferenceSession:
    """A session on the CPU, or on `provider` and nothing else for what it can do.

    `label` names the model in errors; `size`: the input's (width, height), for providers that are `fixed`.
    Raises EstimatorError where the file does not load or the provider does not start.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads_or_default(threads)
    # Spinning threads would take the cores from the rasteriser between two frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3 if provider is None else SILENT
    wanted: list[str | tuple[str, dict[str, str]]] = [CPU]
    if provider is not None and provider.key != CPU:
        wanted.insert(0, (provider.key, dict(provider.options)))
        options.enable_mem_pattern = provider.key != "DmlExecutionProvider"  # which cannot
    if provider is not None and provider.fixed and size is not None:
        options.add_free_dimension_override_by_name("width", size[0])
        options.add_free_dimension_override_by_name("height", size[1])
    source = model if isinstance(model, bytes) else str(model)
    try:
        with _quiet(provider):
            # Without `enable_fallback=0` it prints to stdout and goes on on the CPU, now and in mid-stream.
            session = ort.InferenceSession(source, options, providers=wanted, enable_fallback=0)
    except Exception as error:  # onnxruntime has no common base for its errors
        if provider is None:
            raise EstimatorError(label, first_line(error), "an ONNX file that loads") from None
        raise EstimatorError(f"{provider.title} with {label}", first_line(error)) from None
    if provider is not None and session.get_providers()[0] != provider.key:
        got = "a provider that is installed but does not start"
        raise EstimatorError(provider.title, got, todo=f"it needs {provider.needs}")
    return session


def first_line(error: Exception) -> str:
    """Of the message, or the error's name where it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def _quiet(provider: Provider | None) -> Iterator[None]:
    """A provider that does not start logs paragraphs; the caller says it in one line."""
    if provider is None:
        yield
        return
    ort.set_default_logger_severity(SILENT)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            if provider.name == "cuda" and hasattr(ort, "preload_dlls"):
                ort.preload_dlls()  # CUDA's libraries where pip put them
            yield
    finally:
        ort.set_default_logger_severity(USUAL)
