#!/bin/sh
# The light network (LOG.md). Run it in the checkout, with the shipped `base`, whose geometry it learns to light.
# ASSETS: the folder that `python -m training.assets` fills; WORK: 10 GB. Two cores: half an hour of drawing, two
# hours of training.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}

python -m training.synth make --out "$WORK/people" --count 80 --seed 63 --bodies 3200 --jobs 2 --assets "$ASSETS"
python -m training.light draw --out "$WORK/lit" --seed 901 --shards 0:57 --bank "$WORK/people/bank" --assets "$ASSETS" &
other=$!
python -m training.light draw --out "$WORK/lit" --seed 901 --shards 57:114 --bank "$WORK/people/bank" --assets "$ASSETS"
wait "$other"
python -m training.light train --data "$WORK/lit" --out "$WORK/light" --minutes 90
python -m training.light export --checkpoint "$WORK/light/last.pt" --out "$WORK/light.onnx" --data "$WORK/lit" --seed 901

# The one for cameras: a third of the network on five eighths of the pixels, taught by the first.
python -m training.light shrink --data "$WORK/lit" --out "$WORK/small" --size 192x112
python -m training.light train --data "$WORK/small" --out "$WORK/live" --minutes 60 --form live --guess 0.8 --teacher "$WORK/light/last.pt"
python -m training.light export --checkpoint "$WORK/live/last.pt" --out "$WORK/light-live.onnx" --data "$WORK/small" --seed 901
