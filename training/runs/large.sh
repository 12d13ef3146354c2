#!/bin/sh
# `large`: the shipped `base` with the fine part of the `large` before it (LOG.md, run e5). Run it in the checkout.
# ASSETS: the folder that `python -m training.assets` fills; WORK: 3 GB.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}

python -m training.synth make --out "$WORK/some" --count 2000 --seed 66 --bodies 800 --jobs 2 --assets "$ASSETS"
python -m training.restore engines/base.onnx --data "$WORK/some" --out "$WORK/base.pt"
python -m training.restore engines/large.onnx --data "$WORK/some" --out "$WORK/large.pt"
python -m training.grow "$WORK/base.pt" --fine-of "$WORK/large.pt" --out "$WORK/larger.pt"
python -m training.export --checkpoint "$WORK/larger.pt" --out "$WORK/large.onnx" --data "$WORK/some"
