#!/bin/bash
# Run a whole study on one node of ABCI. README.md in this folder explains it.
#   qsub -P your-group -v CONFIG=mine.yaml profiles/abci/pack.sh     # submit it again to continue an unfinished study
#PBS -q rt_HF
#PBS -l select=1
#PBS -l walltime=24:00:00
#PBS -N nasmake
#PBS -r n
#PBS -j oe
#PBS -k oed
set -euo pipefail
cd "$PBS_O_WORKDIR"
source .venv/bin/activate
arguments=(--profile profiles/local --configfile "${CONFIG:-config/config.yaml}")
if [[ -n ${UNTIL:-} ]]; then arguments+=(--until "$UNTIL"); fi
snakemake "${arguments[@]}" --unlock # the previous job may have exceeded its walltime on another node and left a lock
exec snakemake "${arguments[@]}"
