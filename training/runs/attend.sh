#!/bin/sh
# Run d4 (LOG.md): the shipped base with places that attend, on pictures of its own. Not shipped: its matte takes a dark
# chair for somebody. Its weights are d4.pt beside this file (float16): go on from there with --start.
# Run it in the checkout. ASSETS: the folder that `python -m training.assets` fills; WORK: about 20 GB.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-105}

python -m training.synth make --out "$WORK/train4" --count 20000 --seed 57 --bodies 3200 --jobs 2 --assets "$ASSETS"
python -m training.restore engines/base.onnx --data "$WORK/train4" --out "$WORK/shipped.pt"
python -m training.grow "$WORK/shipped.pt" --attend --out "$WORK/attending.pt"
torchrun --nproc-per-node 2 -m -- training.train --data "$WORK/train4" --start "$WORK/attending.pt" --out "$WORK/d4" \
    --minutes "$MINUTES" --begin 0.25 --fast --deep --attend --relief 16 --trim --still 3 --heads 0.3 --empty 0.06 \
    --weight-normal 0.5 --weight-angle 0.7 --weight-relief 0 --weight-pyramid 0.5 --rate 1.8e-3 --encoder-rate 5e-4 \
    --threads 1 --seed 121
