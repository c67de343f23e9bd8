#!/bin/bash
# properties = {properties}
# PBS starts a job in $HOME with a bare environment.
cd "$PBS_O_WORKDIR"
export PATH="$PBS_O_PATH"
echo "PBS job $PBS_JOBID on $(hostname), queue $PBS_QUEUE, CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES" >&2
{exec_job}
