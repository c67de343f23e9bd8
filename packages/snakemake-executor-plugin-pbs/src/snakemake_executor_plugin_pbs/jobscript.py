"""The script that PBS runs on a node.

PBS starts a job in the home folder with a minimal environment. The script therefore changes to the work directory and
restores PATH. This module imports nothing from the package.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

# Without -S, PBS would run the script in the user's login shell. The echo line becomes the first line of the job's log.
TEMPLATE = """#!/bin/bash
#PBS -S /bin/bash
# properties = {{properties}}
cd {folder} || exit 1
export PATH={path}
echo "PBS job $PBS_JOBID on $(hostname), queue $PBS_QUEUE, CUDA_VISIBLE_DEVICES ${{{{CUDA_VISIBLE_DEVICES:-not set}}}}"
{prologue}
{{exec_job}}
"""


def jobscript_template(folder: Path, path: str, prologue: Sequence[str]) -> str:
    """Return the job script as a format string, in which Snakemake fills in {properties} and {exec_job}.

    Args:
        folder: work directory of the job.
        path: PATH of the process that submits the job.
        prologue: bash commands to run at the start of the job, such as `module load`.
    """
    values = {"folder": shlex.quote(str(folder)), "path": shlex.quote(path), "prologue": "\n".join(prologue)}
    # Snakemake formats the result once more, so braces of the values have to be doubled.
    return TEMPLATE.format(**{name: text.replace("{", "{{").replace("}", "}}") for name, text in values.items()})
