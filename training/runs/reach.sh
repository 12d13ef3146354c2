#!/bin/sh
# What reaches toward the camera, made anew beside the rest of `base`, which stands still (LOG.md, run r1 of reach).
# Pictures as for hands.sh, whose folder is taken where it is there. An hour and a half of two cores.
# ASSETS: the folder that `python -m training.assets` fills; WORK: about 10 GB; START: a checkpoint of base's form to put it beside, if not the shipped one.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-85}

python -m training.synth make --out "$WORK/hands" --count 21600 --seed 401 --bodies 2400 --hands 0.6 --jobs 2 --assets "$ASSETS"
if [ -z "${START:-}" ]; then
    START="$WORK/plain.pt"
    python -m training.restore engines/base.onnx --data "$WORK/hands" --out "$START" --plain
fi
torchrun --nproc-per-node 2 -m -- training.train --data "$WORK/hands" --start "$START" --out "$WORK/reach" \
    --minutes "$MINUTES" --begin 0.1 --fast --deep --widths 160,128,96,48,24 --relief 16 --trim --reach 32 --heads 0.1 --hands 0.4 \
    --rate 3e-3 --weight-hand 0.5 --threads 1 --seed 281
