#!/bin/sh
# A network like engines/base.onnx, on top of one made by fast.sh: relief on crops; everything together, heads more
# often; relief again, with depth and matte; then that form as a whole, twice side by side, and on from the middle of
# both; as a whole and its relief alone, side by side, blended; as a whole once more; twice by two processes, and the
# middle of both; that one grown deeper and wider, and three times on, each with pictures never drawn before. A fine part
# for `large` stands on what was there before it grew, with pictures twice the size. (LOG.md tells of each of the runs.)
# Run it in the checkout, after fast.sh. MINUTES is for each step; LOG.md has what the shipped ones took.
set -eu
ASSETS=${ASSETS:-build/assets}
WORK=${WORK:-build/training}
MINUTES=${MINUTES:-80}

python -m training.relief --data "$WORK/train" --start "$WORK/run/last.pt" --out "$WORK/relief" \
    --crops 25600 --minutes "$MINUTES" --seed 3
python -m training.train --data "$WORK/train" --start "$WORK/relief/last.pt" --out "$WORK/joint" --minutes "$MINUTES" \
    --begin 0.36 --fast --relief 16 --joint --heads 0.3 --weight-normal 0.5 --weight-angle 0.7 --weight-relief 0 \
    --rate 1.5e-3 --encoder-rate 4e-4 --seed 12
python -m training.blend "$WORK/relief/last.pt" "$WORK/joint/last.pt" --out "$WORK/between.pt"
python -m training.relief --data "$WORK/train" --start "$WORK/between.pt" --out "$WORK/trim" --trim --others 0.5 \
    --crops 18000 --minutes "$MINUTES" --seed 5
for seed in 31 32; do
    python -m training.train --data "$WORK/train" --start "$WORK/trim/last.pt" --out "$WORK/whole$seed" \
        --minutes "$MINUTES" --begin 0.2 --fast --relief 16 --trim --still 3 --heads 0.25 --weight-normal 0.5 \
        --weight-angle 0.7 --weight-relief 0 --weight-pyramid 0.5 --rate 1.5e-3 --encoder-rate 4e-4 --seed "$seed" \
        --threads 1 &
done
wait
python -m training.blend "$WORK/whole31/last.pt" "$WORK/whole32/last.pt" --out "$WORK/whole.pt"
WHOLE="--begin 0.2 --fast --relief 16 --trim --still 3 --weight-normal 0.5 --weight-angle 0.7 --weight-relief 0
    --weight-pyramid 0.5 --rate 1.5e-3 --encoder-rate 4e-4 --threads 1"
python -m training.train --data "$WORK/train" --start "$WORK/whole.pt" --out "$WORK/more" --minutes "$MINUTES" \
    $WHOLE --heads 0.25 --seed 33
python -m training.train --data "$WORK/train" --start "$WORK/more/last.pt" --out "$WORK/last" --minutes "$MINUTES" \
    $WHOLE --begin 0.5 --heads 0.4 --seed 41 &
python -m training.relief --data "$WORK/train" --start "$WORK/more/last.pt" --out "$WORK/sharp" --trim --others 0.45 \
    --crops 15000 --minutes "$MINUTES" --threads 1 --seed 6
wait
python -m training.blend "$WORK/last/last.pt" "$WORK/sharp/last.pt" --share 0.4 --out "$WORK/shallow.pt"
HEADS="--trim --heads 0.3 --weight-normal 0.5 --weight-angle 0.7 --weight-relief 0 --weight-pyramid 0.5"
python -m training.train --data "$WORK/train" --start "$WORK/shallow.pt" --out "$WORK/again" --minutes "$MINUTES" \
    --begin 0.2 --fast --relief 16 --still 3 $HEADS --rate 1.5e-3 --encoder-rate 4e-4 --seed 61

SAME="--fast --relief 16 --still 3 $HEADS --threads 1 --minutes $MINUTES"
torchrun --nproc-per-node 2 -m -- training.train --data "$WORK/train" --start "$WORK/again/last.pt" --out "$WORK/more1" $SAME \
    --rate 1.8e-3 --encoder-rate 5e-4 --begin 0.2 --seed 91
torchrun --nproc-per-node 2 -m -- training.train --data "$WORK/train" --start "$WORK/more1/last.pt" --out "$WORK/more2" $SAME \
    --rate 1.8e-3 --encoder-rate 5e-4 --begin 0.3 --seed 92
python -m training.blend "$WORK/more1/last.pt" "$WORK/more2/last.pt" --share 0.65 --out "$WORK/base.pt"

WIDE="--fast --deep --widths 160,128,96,48,24 --relief 16 --still 3 $HEADS --empty 0.06 --rate 2.3e-3 --encoder-rate 1e-3
    --threads 1 --minutes $MINUTES"
python -m training.grow "$WORK/base.pt" --deep --widths 160,128,96,48,24 --out "$WORK/wide.pt"
for seed in 131 151 161; do
    python -m training.synth make --out "$WORK/fresh$seed" --count 20000 --seed "$seed" --bank "$WORK/train/bank" --jobs 2 \
        --assets "$ASSETS"
    torchrun --nproc-per-node 2 -m -- training.train --data "$WORK/fresh$seed" --start "$WORK/wide.pt" --out "$WORK/wide$seed" \
        $WIDE --begin 0.5 --seed "$seed"
    cp "$WORK/wide$seed/last.pt" "$WORK/wide.pt"
done
python -m training.export --checkpoint "$WORK/wide.pt" --out "$WORK/base.onnx" --data "$WORK/fresh161"
python -m training.evaluate --data "$WORK/heldout" --model "$WORK/base.onnx" --count 480 \
    --beside engines/fast.onnx engines/first-light.onnx --assets "$ASSETS" --out docs/accuracy.md \
    --plots docs/accuracy_plots.png --worst docs/worst.jpg --figures "$WORK/figures.json"
python -m training.export --checkpoint "$WORK/wide.pt" \
    --out engines/base.onnx --data "$WORK/fresh161" --figures "$WORK/figures.json"

python -m training.synth make --out "$WORK/train2" --seed 21 --count 7200 --bank "$WORK/train/bank" --size 512x384 --jobs 2 \
    --assets "$ASSETS"
python -m training.synth make --out "$WORK/heldout2" --seed 1021 --count 240 --bodies 128 --held-out --size 512x384 \
    --jobs 2 --assets "$ASSETS"
python -m training.grow "$WORK/base.pt" --fine 32 --out "$WORK/fine.pt"
python -m training.train --data "$WORK/train2" --start "$WORK/fine.pt" --out "$WORK/large" --minutes "$MINUTES" \
    --fast --relief 16 --fine 32 --zoom 2 $HEADS --rate 2e-3 --threads 1 --seed 93
python -m training.export --checkpoint "$WORK/large/last.pt" --out "$WORK/large.onnx" --data "$WORK/train2"
python -m training.evaluate --data "$WORK/heldout2" --size 512x384 --model "$WORK/large.onnx" --count 240 \
    --beside onnx:base --clips "$WORK/heldout" --assets "$ASSETS" --out docs/accuracy-large.md \
    --figures "$WORK/figures2.json"
python -m training.export --checkpoint "$WORK/large/last.pt" \
    --out engines/large.onnx --data "$WORK/train2" --figures "$WORK/figures2.json"
