#!/bin/sh
# On from the shipped `base` (LOG.md, runs e4 and e5), with pictures never drawn before, by two processes. A restart halfway down the
# schedule loses little of what is there. Run it in the checkout.
# ASSETS: the folder that `python -m training.assets` fills; WORK: about 10 GB; SEED: of pictures never drawn before.
# What reaches toward the camera is made anew after it: START="$WORK/more/last.pt" reach.sh.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-130}
SEED=${SEED:-65}

python -m training.synth make --out "$WORK/fresh" --count 20000 --seed "$SEED" --bodies 3200 --jobs 2 --assets "$ASSETS"
python -m training.restore engines/base.onnx --data "$WORK/fresh" --out "$WORK/start.pt" --plain
torchrun --nproc-per-node 2 -m -- training.train --data "$WORK/fresh" --start "$WORK/start.pt" --out "$WORK/more" \
    --minutes "$MINUTES" --begin 0.55 --fast --deep --widths 160,128,96,48,24 --relief 16 --trim --still 3 --heads 0.25 --empty 0.06 \
    --weight-normal 0.5 --weight-angle 0.7 --weight-relief 0 --weight-pyramid 0.5 --rate 2.3e-3 --encoder-rate 1e-3 \
    --threads 1 --seed "$SEED"
