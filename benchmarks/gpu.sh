#!/bin/sh
# IFD scoring on one GPU: correctness, then speed beside the naive loop with a profile. At most 6 minutes.
#
#   sh benchmarks/gpu.sh [FOLDER]             # tables and profile are also written to FOLDER, default: runs/gpu
#   sh benchmarks/gpu.sh --tiny [FOLDER]      # the same steps with tiny shapes on a CPU
#
# Runs from a copy of the tree, without installing it: Python 3.11 with torch, transformers, tokenizers, numpy
# and pyarrow is enough; with peft, an adapter is checked too. Downloads nothing. PYTHON names another Python.
set -u
cd "$(dirname "$0")/.."
device=cuda model=llama-7b rows=512 naive_rows=48 checked_rows=24
if [ "${1:-}" = --tiny ]; then
    device=cpu model=tiny rows=12 naive_rows=6 checked_rows=3
    shift
fi
out=${1:-runs/gpu}
python=${PYTHON:-python3}
mkdir -p "$out"
# 13 GB of random weights: loading them from memory takes seconds.
if [ "$device" = cuda ] && [ "$(df -Pk /dev/shm | awk 'END {print $4}')" -gt 20000000 ]; then
    export TMPDIR=/dev/shm
fi
export PYTHONPATH=. PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1 TQDM_DISABLE=1

# A pipe would hide the exit code.
run() {
    name=$1 limit=$2
    shift 2
    echo "== $*"
    timeout "$limit" "$python" "$@" >"$out/$name.txt" 2>"$out/$name.err"
    code=$?
    cat "$out/$name.txt"
    if [ $code -ne 0 ]; then
        tail -n 20 "$out/$name.err"
        echo "== exit code $code"
        failed=1
    fi
}

failed=0
run speed 240 benchmarks/ifd.py --random-weights $model --rows $rows --naive-rows $naive_rows --rounds 2 \
    --device $device --profile "$out/profile.txt"
run correctness 110 benchmarks/ifd_correctness.py --device $device --rows $checked_rows
echo "== the profile of packed scoring is in $out/profile.txt"
exit $failed
