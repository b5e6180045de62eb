#!/bin/sh
# Submits the nightly job: an array of shards, then the merge. From cron, say:
#
#   WORK=/shared/cipherfold DATA=/shared/source JOB=/shared/nightly.toml sh examples/slurm/submit.sh
set -eu
cd "$(dirname "$0")"
export WORK DATA JOB DATE="${DATE:-$(date +%F)}"

"${CIPHERFOLD:-cipherfold}" plan "$JOB" --shards 4 # as many as shard.sbatch has tasks
shards=$(sbatch --parsable --export=ALL shard.sbatch)
sbatch --export=ALL --dependency=afterok:"$shards" merge.sbatch
