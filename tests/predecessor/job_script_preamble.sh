#!/bin/bash

#$ -l rt_F=3
#$ -j y
#$ -cwd
#$ -l h_rt=72:00:00

source /etc/profile.d/modules.sh
module load python/3.11
source ~/aiaccel/bin/activate
