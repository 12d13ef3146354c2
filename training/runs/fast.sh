#!/bin/sh
# A network like engines/fast.onnx from nothing: data, training, figures, export. Run it in the checkout.
# The shipped weights took a longer way (LOG.md: runs b to f, the first of them on an older generator's pictures);
# the card names the data that the last run saw, and counts the steps of all of them.
# ASSETS: the folder that `python -m training.assets` fills (and real/, peers/ for the proxy); WORK: about 20 GB.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-180}

python -m training.synth make --out "$WORK/train" --count 20000 --seed 21 --bodies 3200 --assets "$ASSETS" &
DATA=$!
python -m training.synth make --out "$WORK/heldout" --count 480 --clips 24 --seed 1021 --bodies 128 --held-out --jobs 1 \
    --assets "$ASSETS"
# Training takes up new shards as they are finished.
until [ -f "$WORK/train/shard_00010.tar" ]; do sleep 5; kill -0 "$DATA"; done
python -m training.train --data "$WORK/train" --out "$WORK/run" --minutes "$MINUTES" --seed 6 --fast
kill "$DATA" 2>/dev/null || true
# The shipped one went on from base.sh's `again`, of whose tensors --start takes what this form has:
# python -m training.train --data "$WORK/train" --start "$WORK/again/last.pt" --out "$WORK/run" --minutes 45 --begin 0.3 --fast \
#     --still 2 --heads 0.1 --weight-normal 0.5 --weight-angle 0.7 --encoder-rate 6e-4 --seed 101
# and from there, taught shapes by `base` (its checkpoint, or `python -m training.restore engines/base.onnx ...`), and half way between (LOG.md, run f3):
# python -m training.train --data "$WORK/train" --start "$WORK/run/last.pt" --teacher "$WORK/base.pt" --weight-taught-matte 0 --out "$WORK/taught" \
#     --minutes 95 --begin 0.4 --fast --still 2 --heads 0.2 --empty 0.06 --weight-normal 0.5 --weight-angle 0.7 --weight-pyramid 0.5 \
#     --encoder-rate 8e-4 --threads 1 --seed 203
# python -m training.blend "$WORK/run/last.pt" "$WORK/taught/last.pt" --out "$WORK/fast.pt"
python -m training.export --checkpoint "$WORK/run/last.pt" --out "$WORK/fast.onnx" --data "$WORK/train"
python -m training.evaluate --data "$WORK/heldout" --model "$WORK/fast.onnx" --count 240 \
    --assets "$ASSETS" --out docs/accuracy-fast.md --figures "$WORK/figures.json"
python -m training.export --checkpoint "$WORK/run/last.pt" \
    --out engines/fast.onnx --data "$WORK/train" --figures "$WORK/figures.json"
