"""The script that PBS runs on a node: jobs start in $HOME, with a bare environment."""

import shlex
from collections.abc import Sequence
from pathlib import Path

# PBS would take the user's login shell, whichever that is. What the header says goes into the job's log.
TEMPLATE = """#!/bin/bash
#PBS -S /bin/bash
# properties = {{properties}}
cd {folder} || exit 1
export PATH={path}
echo "PBS job $PBS_JOBID on $(hostname), queue $PBS_QUEUE, GPUs ${{{{CUDA_VISIBLE_DEVICES:-as the node shows them}}}}"
{prologue}
{{exec_job}}
"""


def template(folder: Path, path: str, prologue: Sequence[str]) -> str:
    """Snakemake's template of a job script, with its two blanks, properties and exec_job.

    Args:
        folder: where the job starts.
        path: the submitter's PATH.
        prologue: commands that begin every job, such as `module load`.
    """
    blanks = {"folder": shlex.quote(str(folder)), "path": shlex.quote(path), "prologue": "\n".join(prologue)}
    return TEMPLATE.format(**{name: _literal(text) for name, text in blanks.items()})


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
