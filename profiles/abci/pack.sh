#!/bin/bash
# Run a whole study on one node of ABCI. README.md in this folder explains it.
#   qsub -P your-group -v CONFIG=mine.yaml profiles/abci/pack.sh     # submit it again to continue an unfinished study
#PBS -S /bin/bash
#PBS -q rt_HF
#PBS -l select=1
#PBS -l walltime=24:00:00
#PBS -W umask=27
#PBS -N nasmake
#PBS -r n
#PBS -j oe
#PBS -k oed
set -uo pipefail
cd "$PBS_O_WORKDIR" || exit 1
configuration=${CONFIG:-config/config.yaml}
again="qsub -P your-group -v CONFIG=$configuration${UNTIL:+,UNTIL=$UNTIL} profiles/abci/pack.sh"

finish() { # exit status, last line of the output
	echo "pack.sh: $2"
	exit "$1"
}

is_held() { # whether another process holds this lock; a file system without locks holds none
	flock --nonblock --conflict-exit-code 75 "$@"
	[[ $? == 75 ]]
}

# Until this job ends, no second one runs here. The other file is the lock of a Snakemake that was started by hand.
mkdir -p .snakemake
exec 9> .snakemake/pack.lock
if is_held 9 || is_held .snakemake/controller true; then
	finish 1 "a study is running in $PWD; expected none; wait for its end, or find its job (qstat -u \$USER) and type: qdel JOBID"
fi

stop() { # PBS has sent SIGTERM to all processes of this job; it kills them ten seconds later
	for _ in {1..80}; do
		kill -0 "$snakemake" 2> /dev/null || break
		sleep 0.1
	done
	finish 143 "PBS ended this job, because its walltime is over or somebody typed qdel; to continue, type: $again"
}

source profiles/abci/prologue.sh
source .venv/bin/activate
arguments=(--profile profiles/local --configfile "$configuration")
if [[ -n ${UNTIL:-} ]]; then arguments+=(--until "$UNTIL"); fi
# No study runs here, so a lock of Snakemake is that of a job which was killed on another node.
snakemake "${arguments[@]}" --unlock 9>&- || finish 1 "the study cannot start; the reason stands above; correct it and type: $again"
snakemake "${arguments[@]}" 9>&- &
snakemake=$!
trap stop TERM
wait "$snakemake" || finish 1 "the study is not complete; the reasons stand above; to continue, type: $again"
finish 0 "the study is complete"
