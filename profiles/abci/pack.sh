#!/bin/bash
# A whole study on one node of ABCI; README.md beside this file says when.
#   qsub -P your-group -v CONFIG=mine.yaml profiles/abci/pack.sh     typed again, it goes on where it was cut off
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
snakemake "${arguments[@]}" --unlock # of the job before, which its walltime may have ended on another node
exec snakemake "${arguments[@]}"
