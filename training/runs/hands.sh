#!/bin/sh
# On from the shipped `base`, for hands (LOG.md, runs h2 to h7: hands come forward, the rest must not get worse): pictures of which three in five
# have hands led to the face or before it, crops round hands, by two processes, norms as they are, `base` as the teacher of all that is no hand.
# Hours of two cores.
# ASSETS: the folder that `python -m training.assets` fills; WORK: about 10 GB; SEED: of pictures never drawn before.
# What reaches toward the camera is made anew after it: START="$WORK/more/last.pt" reach.sh.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-240}
SEED=${SEED:-401}

python -m training.synth make --out "$WORK/hands" --count 21600 --seed "$SEED" --bodies 2400 --hands 0.6 --jobs 2 --assets "$ASSETS"
python -m training.synth make --out "$WORK/heldhands" --count 240 --seed 2021 --bodies 96 --hands 1 --held-out --jobs 2 --assets "$ASSETS"
python -m training.restore engines/base.onnx --data "$WORK/hands" --out "$WORK/start.pt" --plain
torchrun --nproc-per-node 2 -m -- training.train --data "$WORK/hands" --start "$WORK/start.pt" --out "$WORK/more" \
    --minutes "$MINUTES" --begin 0.7 --fast --deep --widths 160,128,96,48,24 --relief 16 --trim --still 3 --heads 0.25 --hands 0.4 \
    --empty 0.06 --weight-normal 0.5 --weight-angle 0.7 --weight-relief 0 --weight-pyramid 0.15 --weight-alpha 0.3 --rate 2e-3 --encoder-rate 8e-4 \
    --weight-hand 1 --weight-step 5 --weight-elsewhere 0.1 --settled --teacher "$WORK/start.pt" --weight-teacher 2 --weight-taught-matte 3 \
    --threads 1 --seed "$SEED"
