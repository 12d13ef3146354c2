#!/bin/sh
# The recipe of engines/first-light.onnx: data, training, figures, export. Run it in the checkout.
# The generator has changed since: the card names the commit whose data the shipped weights saw.
# ASSETS: the folder with hdri/, synth/makehuman/ (and real/, peers/ for the proxy); WORK: about 20 GB.
set -eu
ASSETS=${ASSETS:-../shared/data}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-74}
MORE=${MORE:-9}

python -m training.synth make --out "$WORK/train" --count 40000 --seed 11 --bodies 3200 --assets "$ASSETS" &
DATA=$!
python -m training.synth make --out "$WORK/heldout" --count 480 --seed 1011 --bodies 128 --held-out --jobs 1 \
    --assets "$ASSETS"
# Training takes up new shards as they are finished.
until [ -f "$WORK/train/shard_00010.tar" ]; do sleep 5; kill -0 "$DATA"; done
python -m training.train --data "$WORK/train" --out "$WORK/run" --minutes "$MINUTES" --seed 0
kill "$DATA" 2>/dev/null || true
# A second sitting at the large sizes only, from the rate that the schedule has there.
python -m training.train --data "$WORK/train" --out "$WORK/more" --minutes "$MORE" --seed 1 --begin 0.76 \
    --start "$WORK/run/last.pt"
python -m training.export --checkpoint "$WORK/more/last.pt" --out "$WORK/first-light.onnx" --data "$WORK/train"
python -m training.evaluate --data "$WORK/heldout" --model "$WORK/first-light.onnx" --count 240 \
    --assets "$ASSETS" --out docs/accuracy.md --figures "$WORK/figures.json"
python -m training.export --checkpoint "$WORK/more/last.pt" --after "$WORK/run/last.pt" \
    --out engines/first-light.onnx --data "$WORK/train" --figures "$WORK/figures.json"
