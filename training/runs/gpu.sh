#!/bin/sh
# `base` and `large` on one machine with a card and some sixteen processors: data drawn there, then the shipped `base`
# trained on, and a fine part for twice the size put upon it, data and convolutions on the card. Run it in the checkout.
# It has never met a card: the parts of it run on a CPU in tests/training.
# ASSETS: the folder that `python -m training.assets` fills; WORK: 60 GB at the most; BASE, REACH, LARGE: minutes for each.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
BASE=${BASE:-9}
REACH=${REACH:-4}
LARGE=${LARGE:-0}
COUNT=${COUNT:-60000}
JOBS=$(nproc)
FORM="--fast --deep --widths 160,128,96,48,24 --trim --empty 0.06 --weight-normal 0.5 --weight-angle 0.7 --weight-relief 0 --weight-pyramid 0.5
    --heads 0.3 --hands 0.3 --begin 0.2
    --device cuda --times 6"

python -m training.synth make --out "$WORK/heldout" --count 480 --seed 1021 --bodies 128 --held-out --jobs "$JOBS" \
    --device auto --assets "$ASSETS"
python -m training.synth make --out "$WORK/train" --count "$COUNT" --seed 31 --bodies 6400 --hands 0.4 --jobs "$JOBS" \
    --device auto --assets "$ASSETS"
python -m training.restore engines/base.onnx --data "$WORK/train" --out "$WORK/start.pt" --plain
python -m training.train --data "$WORK/train" --start "$WORK/start.pt" --out "$WORK/base" --relief 16 $FORM \
    --weight-hand 1 --weight-step 3 --minutes "$BASE" --seed 31
python -m training.train --data "$WORK/train" --start "$WORK/base/last.pt" --out "$WORK/reach" --fast --deep --widths 160,128,96,48,24 \
    --trim --relief 16 --reach 32 --heads 0.1 --hands 0.4 --begin 0.1 --rate 3e-3 --weight-hand 0.5 --device cuda --times 6 \
    --minutes "$REACH" --seed 33
python -m training.export --checkpoint "$WORK/reach/last.pt" --out "$WORK/base.onnx" --data "$WORK/train"
set -- "$WORK/base.onnx"
if [ "$LARGE" != 0 ]; then
    python -m training.synth make --out "$WORK/train2" --count $((COUNT / 4)) --seed 31 --bank "$WORK/train/bank" \
        --size 512x384 --jobs "$JOBS" --device auto --assets "$ASSETS"
    python -m training.grow "$WORK/reach/last.pt" --fine 32 --out "$WORK/grown.pt"
    python -m training.train --data "$WORK/train2" --start "$WORK/grown.pt" --out "$WORK/large" --relief 16 --reach 32 --fine 32 \
        --zoom 2 $FORM --minutes "$LARGE" --seed 32
    python -m training.export --checkpoint "$WORK/large/last.pt" --out "$WORK/large.onnx" --data "$WORK/train2"
    set -- "$@" "onnx:$WORK/large.onnx"
fi
python -m training.evaluate --data "$WORK/heldout" --count 240 --model engines/base.onnx \
    --beside "$@" --out "$WORK/accuracy.md"
