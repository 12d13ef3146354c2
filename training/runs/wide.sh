#!/bin/sh
# Run e1 (LOG.md): on from `base`, deeper and with a wider decoder, on pictures with things near at their sides. Not shipped:
# it takes a flag and a model rocket for somebody. Its weights are e1.pt beside this file (float16 but for norms; on from d4,
# which is no more): go on from there with --start and without `grow`. Run it in the checkout.
# ASSETS: the folder that `python -m training.assets` fills; WORK: about 10 GB.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-104}
WIDTHS=160,128,96,48,24

python -m training.synth make --out "$WORK/train5" --count 20000 --seed 58 --bodies 3200 --jobs 2 --assets "$ASSETS"
python -m training.restore engines/base.onnx --data "$WORK/train5" --out "$WORK/shipped.pt"
python -m training.grow "$WORK/shipped.pt" --deep --widths "$WIDTHS" --out "$WORK/wide.pt"
torchrun --nproc-per-node 2 -m -- training.train --data "$WORK/train5" --start "$WORK/wide.pt" --out "$WORK/e1" \
    --minutes "$MINUTES" --begin 0.38 --fast --deep --widths "$WIDTHS" --relief 16 --trim --still 3 --heads 0.3 --empty 0.06 \
    --weight-normal 0.5 --weight-angle 0.7 --weight-relief 0 --weight-pyramid 0.5 --rate 2.3e-3 --encoder-rate 1e-3 \
    --threads 1 --seed 131
