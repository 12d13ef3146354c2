"""A checkpoint of a small network to one of a larger form that gives the same, to be trained on from there.

    python -m training.grow RUN/last.pt --deep --widths 160,128,96,48,24 --out deep.pt
    python -m training.grow RUN/last.pt --fine 32 --out large.pt
    python -m training.grow RUN/last.pt --fine-of large.pt --out larger.pt

Weights go to the leading channels of the larger layers; what the new channels give is weighed with nothing at
first (Chen et al. 2016: Net2Net, with zeros where they split). A new block does again what the block before
it does, a quarter as strongly: what passes it is nearly as before, and it takes part from the first step on.
(Blocks that add nothing at first never learn to where the rest is good already: after 270 minutes of training
their last norms had come to 0.004 where the others have 2; LOG.md.) So training starts close to where the
small network had come to. One with a fine part gives at first what the small one gives of the picture at half
its size, or, with the fine part of a network that was trained, nearly what is wanted: such a part knows
edges, and has not to be trained anew for every trunk (LOG.md, run e5).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from training.blocks import Block
from training.model import GeometryNet, ModelConfig, parameters, read_widths
from training.told import in_one_line
from training.weights import load_model, save_checkpoint

ECHO = 0.25
"""How strongly a new block does what the one before it does: untrained the network is 0.1 degrees worse (60
pictures), at 0.5 it is 0.7."""


@torch.no_grad()
def enlarge(small: Tensor, large: Tensor, name: str) -> None:
    """Put `small` into the leading corner of `large`; what is left of those rows, which are the outputs that
    the small network has, becomes zero. A ValueError where it does not fit."""
    if small.ndim != large.ndim or any(a > b for a, b in zip(small.shape, large.shape, strict=True)):
        raise ValueError(f"{name}: got {tuple(small.shape)}, expected at most {tuple(large.shape)}")
    if small.ndim > 1:
        large[: len(small)] = 0
    large[tuple(slice(n) for n in small.shape)] = small


def added_blocks(model: GeometryNet, known: set[str]) -> list[tuple[str, Block]]:
    """Encoder blocks of `model` that have no tensor among `known`, with their names."""
    blocks = [(name, m) for name, m in model.named_modules() if isinstance(m, Block)]
    return [(name, m) for name, m in blocks if f"{name}.body.0.weight" not in known]


@torch.no_grad()
def echo(model: GeometryNet, name: str, block: Block, new: set[str]) -> None:
    """Make a new block do what the last block before it in its stage that is not `new` does, ECHO times as
    strongly. A ValueError where it, or that one, changes sizes, so that it cannot be passed by."""
    stage, place = name.rsplit(".", 1)
    before = next(f"{stage}.{k}" for k in range(int(place) - 1, -1, -1) if f"{stage}.{k}" not in new)
    pattern = model.get_submodule(before)
    if not (block.skip and isinstance(pattern, Block) and pattern.skip):
        raise ValueError(f"{name}: got a block that changes size, expected one that can be passed by")
    block.load_state_dict(pattern.state_dict())
    last = block.body[-1]
    assert isinstance(last, nn.BatchNorm2d)
    last.weight *= ECHO
    last.bias *= ECHO


@torch.no_grad()
def grow(small: GeometryNet, config: ModelConfig) -> GeometryNet:
    """A network of the form `config` that gives what `small` gives (with a fine part: of the picture at half
    its size, at twice the size; with new blocks: nearly), its new channels fresh. A ValueError where the form
    is not an enlargement of the small one's."""
    torch.manual_seed(0)
    model = GeometryNet(config)
    source, target = small.state_dict(), model.state_dict()
    for name, value in source.items():
        if name not in target:
            raise ValueError(f"{name}: the larger form has no such tensor")
        if value.ndim == 0:
            target[name].copy_(value)
        else:
            enlarge(value, target[name], name)
    blocks = added_blocks(model, set(source))
    for name, block in blocks:
        echo(model, name, block, {name for name, _ in blocks})
    inside = ("fine.", *(f"{name}." for name, _ in blocks))
    alone = [name for name in target if name not in source and not name.startswith(inside)]
    if alone:
        raise ValueError(f"{alone[0]}: the small network has no such tensor")
    return model.eval()


def grow_with_fine_of(small: GeometryNet, other: GeometryNet) -> GeometryNet:
    """`small` with the fine part of `other`. A ValueError where that has none."""
    if other.fine is None:
        raise ValueError("--fine-of: got a network without a fine part, expected one that has it")
    model = grow(small, replace(small.config, fine=other.config.fine))
    assert model.fine is not None
    model.fine.load_state_dict(other.fine.state_dict())
    return model


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.grow", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--deep", action="store_true", help="more encoder blocks (model.py)")
    parser.add_argument("--widths", default="", help="of the decoder, as 160,128,96,48,24")
    parser.add_argument("--fine", type=int, default=0, help="width of a fine part, for twice the size")
    parser.add_argument(
        "--fine-of", type=Path, metavar="CHECKPOINT", help="with that one's fine part as it is"
    )
    parser.add_argument(
        "--relief", type=int, default=0, help="width of the relief network (default: as it is)"
    )
    args = parser.parse_args(argv)
    small = load_model(str(args.checkpoint))
    config = replace(small.config, relief=args.relief or small.config.relief)
    config = replace(
        config,
        deep=args.deep or config.deep,
        widths=read_widths(args.widths) if args.widths else config.widths,
        fine=args.fine or config.fine,
    )
    model = grow(small, config)
    if args.fine_of:
        model = grow_with_fine_of(model, load_model(str(args.fine_of)))
    save_checkpoint(args.out, model)
    print(
        f"{args.out}: {parameters(small) / 1e6:.1f} million parameters became {parameters(model) / 1e6:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
