#!/bin/sh
# A network like engines/base.onnx: relief on top of one made by fast.sh, then everything together, then the middle of
# both. Run it in the checkout, after fast.sh.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-80}

python -m training.relief --data "$WORK/train" --start "$WORK/run/last.pt" --out "$WORK/relief" \
    --crops 25600 --minutes "$MINUTES" --seed 3
python -m training.train --data "$WORK/train" --start "$WORK/relief/last.pt" --out "$WORK/joint" --minutes 66 \
    --begin 0.42 --fast --relief 16 --joint --weight-normal 0.5 --weight-angle 0.7 --weight-relief 0 --rate 1.5e-3 \
    --encoder-rate 4e-4 --seed 7
python -m training.blend "$WORK/relief/last.pt" "$WORK/joint/last.pt" --out "$WORK/base.pt"
python -m training.export --checkpoint "$WORK/base.pt" --out "$WORK/base.onnx" --data "$WORK/train"
python -m training.evaluate --data "$WORK/heldout" --model "$WORK/base.onnx" --count 240 \
    --beside engines/fast.onnx engines/first-light.onnx --assets "$ASSETS" --out docs/accuracy.md --plots docs/accuracy_plots.png --worst docs/worst.jpg --figures "$WORK/figures.json"
python -m training.export --checkpoint "$WORK/base.pt" \
    --out engines/base.onnx --data "$WORK/train" --figures "$WORK/figures.json"
