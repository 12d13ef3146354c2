"""A shipped network back to a checkpoint, to train it further without the runs that made it.

    python -m training.restore engines/base.onnx --data DIR --out base.pt [--plain]

The exported graph has its batch norms folded into the convolutions. They are unfolded here: what comes into
each of them is measured on pictures of DIR, and its scale and shift are set so that the network gives what it
gave, in training (where a batch's own statistics count) as nearly as the pictures allow. A convolution before
a batch norm may have any scale; it gets a fresh network's, so that learning rates mean what they meant.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.data import Pool, draw_batch
from training.model import GeometryNet, ModelConfig
from training.told import in_one_line
from training.weights import load_imagenet, save_checkpoint

LEAST = 1e-6
"""Of a channel's norm: one that is nothing stays nothing."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The graph's named tensors; a ValueError where the file is not one of this project's networks."""
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:
        raise ValueError(
            f"{path}: got no ONNX file ({type(error).__name__}), expected one of engines/"
        ) from error
    found = {i.name: torch.from_numpy(np.array(numpy_helper.to_array(i))) for i in graph.initializer}
    if "lateral.0.weight" not in found:
        raise ValueError(f"{path}: got another kind of network, expected one that training.export wrote")
    if any(value.dtype == torch.float16 for value in found.values()):
        raise ValueError(f"{path}: got float16 weights, expected the float32 form beside it")
    return found


def form_of(weights: dict[str, Tensor]) -> ModelConfig:
    """The form that has these weights."""
    relief, tail = weights.get("relief.start.0.weight"), weights.get("relief.tail.weight")
    reach = weights.get("reach.take.0.weight")
    joint, fine = "relief.link.weight" in weights, weights.get("fine.start.0.weight")
    widths = tuple(weights[f"lateral.{k}.weight"].shape[0] for k in range(5))
    return ModelConfig(
        widths=widths,  # type: ignore[arg-type]
        fast="squeeze.weight" not in weights,
        relief=0 if relief is None else relief.shape[0],
        trim=tail is not None and not joint,
        joint=joint,
        deep="encoder.stages.3.3.body.0.weight" in weights,
        fine=0 if fine is None else fine.shape[0],
        memory="memory.gate.weight" in weights,
        reach=0 if reach is None else reach.shape[0],
    )


def folded_pairs(model: GeometryNet) -> Iterator[tuple[str, nn.Conv2d, nn.BatchNorm2d]]:
    """Every convolution with a batch norm after it, and its name."""
    for name, module in model.named_modules():
        if not isinstance(module, nn.Sequential):
            continue
        for k in range(len(module) - 1):
            conv, norm = module[k], module[k + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                yield f"{name}.{k}", conv, norm


@torch.no_grad()
def fill(model: GeometryNet, weights: dict[str, Tensor]) -> None:
    """The folded weights, each batch norm only adding its shift; a ValueError where one is missing."""
    wanted = dict(weights)
    state = model.state_dict()
    for name, _, norm in folded_pairs(model):
        shift = wanted.pop(f"{name}.bias")
        norm.running_mean.zero_()  # type: ignore[union-attr]
        norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
        norm.weight.fill_(1)
        norm.bias.copy_(shift)
    unknown = [name for name in wanted if name not in state]
    if unknown:
        raise ValueError(f"got {unknown[0]}, which no form of the network has: it is of another version")
    for name, value in wanted.items():
        state[name].copy_(value)
    norms = tuple(f"{name}." for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d))
    missing = [name for name in state if name not in wanted and not name.startswith(norms)]
    if missing:
        raise ValueError(
            f"the network lacks {missing[0]} and {len(missing) - 1} more: it is of another version"
        )


@torch.no_grad()
def unfold(model: GeometryNet, fresh: GeometryNet, images: list[Tensor]) -> None:
    """Batch norms that take off what `images` [B,3,H,W] have and put it on again. `fresh` lends the scales
    of its convolutions."""
    model.eval()
    seen: dict[nn.Module, list[Tensor]] = {}

    def look(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        x = given[0].double()
        sums = torch.stack([x.sum((0, 2, 3)), x.square().sum((0, 2, 3))])
        count = torch.tensor(float(x.numel() / x.shape[1]), dtype=torch.float64)
        had = seen.get(norm)
        seen[norm] = [sums, count] if had is None else [had[0] + sums, had[1] + count]

    hooks = [norm.register_forward_pre_hook(look) for _, _, norm in folded_pairs(model)]
    for image in images:
        model(image)
    for hook in hooks:
        hook.remove()
    for (_, conv, norm), (_, like, _) in zip(folded_pairs(model), folded_pairs(fresh), strict=True):
        sums, count = seen[norm]
        mean = sums[0] / count
        spread = (sums[1] / count - mean.square()).clamp_min(0)
        has, wanted = (layer.weight.flatten(1).norm(dim=1).double() for layer in (conv, like))
        scale = torch.where((has > LEAST) & (wanted > LEAST), wanted / has.clamp_min(LEAST), 1.0)
        conv.weight.mul_(scale.float().view(-1, 1, 1, 1))
        norm.running_mean.copy_(mean * scale)  # type: ignore[union-attr]
        norm.running_var.copy_(spread * scale.square())  # type: ignore[union-attr]
        norm.weight.copy_((spread * scale.square() + norm.eps).sqrt() / scale)
        norm.bias.add_(mean)


def restore(path: Path, images: list[Tensor], plain: bool = False) -> GeometryNet:
    """The network of an exported file in its training form, measured on `images` [B,3,H,W] 0..1. `plain`:
    without the part that reaches, which is made anew where the rest is trained further (reach.py)."""
    weights = read_weights(path)
    if plain:
        weights = {name: value for name, value in weights.items() if not name.startswith("reach.")}
    config = form_of(weights)
    model, fresh = GeometryNet(config), GeometryNet(config)
    if not config.deep:
        load_imagenet(fresh)
    fill(model, weights)
    unfold(model, fresh, images)
    return model


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.restore", description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="a data set of training.synth")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=256, help="to measure on")
    parser.add_argument("--plain", action="store_true", help="without the part that reaches (--reach)")
    args = parser.parse_args(argv)
    if args.pictures < 1:
        raise ValueError(f"--pictures: got {args.pictures}, expected 1 or more")
    pool, rng = Pool.open(args.data), np.random.default_rng(0)
    images = [draw_batch(rng, pool, 16, (256, 192))["image"] for _ in range(-(-args.pictures // 16))]
    model = restore(args.network, images, args.plain)
    save_checkpoint(args.out, model)
    print(f"{args.out}: {args.network}, its batch norms measured on {16 * len(images)} pictures")


if __name__ == "__main__":
    sys.exit(main())
