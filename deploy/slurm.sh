#!/bin/bash
# A run on Slurm: one Ray cluster on all nodes of the job, which ends with it. From a checkout on shared storage. First
# install on a node with a GPU, as set-up chooses vLLM's CUDA build only where it sees one:
#
#   srun --gpus=1 make models
#   sbatch deploy/slurm.sh configs/node8.yaml seeds.path=seeds.jsonl output.dir=runs/node8
#
# Five minutes before the time limit, the run is told to save. Slurm then requeues the job, which resumes.
#SBATCH --job-name=staragents
#SBATCH --nodes=1
#SBATCH --exclusive
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-.}"
source .venv/bin/activate

hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${hosts%%$'\n'*}
port=$((20000 + SLURM_JOB_ID % 10000))
export RAY_ADDRESS="$head:$port"
export RAY_process_group_cleanup_enabled=1
export RAY_USAGE_STATS_ENABLED=0
# Keep other users of a node out: joining and submitting need this user's token.
ray get-auth-token --generate >/dev/null
export RAY_AUTH_MODE=token

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    ray start --head --port="$port" --dashboard-host=127.0.0.1 --metrics-export-port=8080 --block &
sleep 20
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks-per-node=1 --exclude="$head" --overlap \
        ray start --address="$RAY_ADDRESS" --metrics-export-port=8080 --block &
    sleep 20
fi

python -m cluster.job run "$@" &
run=$!
stopped=
trap 'stopped=1; kill -TERM "$run"' TERM
code=0
wait "$run" || code=$?
while kill -0 "$run" 2>/dev/null; do
    # The signal ended `wait`, not the run, which is still saving.
    code=0
    wait "$run" || code=$?
done
if [ -n "$stopped" ] && [ "$code" -ne 0 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
