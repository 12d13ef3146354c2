"""Checkpoint of the light network -> ONNX and its card, compared with PyTorch.

Input `features` float32 [1,16,H,W] (live_relight/core/told.py), sides multiples of 16; output `stops` float32
[1,1,H,W]."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import torch

from training.export import ASSETS, TOLERANCE, write_card
from training.light.model import FEATURES, STRIDE, LightNet, read_net

SIZES = ((256, 144), (208, 176), (144, 256))


def export(net: LightNet, path: Path) -> None:
    """Write the graph beside and rename. RuntimeError where ONNX Runtime says something else than PyTorch."""
    part = path.with_suffix(".part")
    axes = {name: {2: "height", 3: "width"} for name in ("features", "stops")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (torch.rand(1, FEATURES, 144, 256),), str(part), input_names=["features"],
            output_names=["stops"], dynamic_axes=axes, opset_version=17, dynamo=False,
        )  # fmt: skip
    error = largest_error(net, part)
    if error > TOLERANCE:
        raise RuntimeError(f"ONNX differs from torch by {error:.2e}, at most {TOLERANCE:.0e} is allowed")
    part.rename(path)


def largest_error(net: LightNet, path: Path) -> float:
    """Largest difference in stops over some sizes."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for width, height in SIZES:
        features = (
            torch.rand(1, FEATURES, height, width, generator=torch.Generator().manual_seed(width)) * 2 - 1
        )
        with torch.no_grad():
            ours = net(features).numpy()
        worst = max(worst, float(np.abs(session.run(None, {"features": features.numpy()})[0] - ours).max()))
    return worst


def write(checkpoint: Path, path: Path, facts: dict[str, object], commit: str) -> None:
    """The network and its card; `facts`: about the pictures it has seen, and figures."""
    net, trained = read_net(checkpoint)
    path.parent.mkdir(parents=True, exist_ok=True)
    export(net, path)
    count = sum(p.numel() for p in net.parameters())
    rows: list[tuple[str, object, str]] = [
        ("name", path.stem, ""),
        ("description", f"{count / 1e6:.1f} million parameters, corrects how lights fall", ""),
        ("sha256", hashlib.sha256(path.read_bytes()).hexdigest(), ""),
        ("bytes", path.stat().st_size, ""),
        ("licence", "MIT", "weights trained by this project"),
        ("input", "features", f"float32 [1,{FEATURES},H,W] (core/told.py); H and W multiples of {STRIDE}"),
        ("output", "stops", "float32 [1,1,H,W]: log2 of what our lamps' light is multiplied by"),
        ("opset", 17, ""),
        ("parameters", count, ""),
        ("data", "synthetic people rendered by training/light", "no picture of a real person"),
        ("assets", list(ASSETS), "sources and licences"),
        ("commit", commit, "of this project, when exported"),
    ]
    rows += [(f"train_{name}", value, "") for name, value in trained.items()]
    rows += [(name, value, "") for name, value in facts.items()]
    write_card(path.with_suffix(".toml"), rows)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")
