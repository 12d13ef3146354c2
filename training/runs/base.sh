#!/bin/sh
# A network like engines/base.onnx: relief on top of one made by fast.sh. Run it in the checkout, after fast.sh.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-80}

python -m training.relief --data "$WORK/train" --start "$WORK/run/last.pt" --out "$WORK/relief" \
    --crops 25600 --minutes "$MINUTES" --seed 3
python -m training.export --checkpoint "$WORK/relief/last.pt" --out "$WORK/base.onnx" --data "$WORK/train"
python -m training.evaluate --data "$WORK/heldout" --model "$WORK/base.onnx" --count 240 \
    --assets "$ASSETS" --out docs/accuracy.md --figures "$WORK/figures.json"
python -m training.export --checkpoint "$WORK/relief/last.pt" \
    --out engines/base.onnx --data "$WORK/train" --figures "$WORK/figures.json"
