"""What the controller, a running Snakemake, sets up for itself and its jobs before it reads the rules.

It takes the lock of its folder, handles signals, and exports environment variables to its jobs. The Snakefile imports
this module, so it loads no torch. It imports core, config and other modules of this room.
"""

import gc
import logging
import os
import sys
from pathlib import Path
from shlex import quote
from typing import Any

from nasmake.config import Config
from nasmake.config.environment import NO_GROUP
from nasmake.core.errors import InputError
from nasmake.core.process import (
    CANDIDATES,
    DATASET_URL,
    GPUS_OF_A_JOB,
    JOBS_PER_GPU,
    LOADER_WORKERS,
    PAYS,
    SECONDS_BETWEEN_SAVES,
    jobs_per_gpu,
)
from nasmake.pipeline.lock import clear_dead_lock, controller_at_work, hold_lock
from nasmake.pipeline.stop import Stop


def control(workflow: Any, snakemake_folder: Path) -> Stop:
    """Let this process take signals from now on, and the lock of the folder before it plans jobs in order to run them.

    Snakemake knows whether it will run jobs only after it has read the rules, when it calls `workflow.execute`.

    Args:
        workflow: Snakemake's workflow.
        snakemake_folder: `.snakemake`.

    Returns:
        The handler of signals. Snakemake's scheduler replaces it, so it is installed again when the scheduler is there.
    """
    stop = Stop()
    stop.take_signals()
    _check_writable(snakemake_folder)
    clear_dead_lock(snakemake_folder)
    execute = workflow.execute

    def execute_alone(executor_plugin: Any, **options: Any) -> None:
        stop.is_local = executor_plugin.common_settings.local_exec
        if stop.is_local:
            _share_gpus(workflow, jobs_per_gpu())
        if executor_plugin.common_settings.dryrun_exec:
            _say_who_is_at_work(snakemake_folder)
        elif workflow.execution_settings.lock:
            _hold_or_exit(snakemake_folder)
        try:
            execute(executor_plugin=executor_plugin, **options)
        finally:  # Snakemake may have caught the exception of the signal, or may end with an error of its own
            if stop.number is not None:
                stop.exit()

    workflow.execute = execute_alone
    return stop


def _share_gpus(workflow: Any, jobs: int) -> None:
    """Let `jobs` jobs run for each GPU of this machine. A cluster gives each job a GPU of its own."""
    limit = workflow.global_resources.get("gpu").value
    if limit is not None:
        workflow.register_resource("gpu", limit * jobs)


def _check_writable(snakemake_folder: Path) -> None:
    """End with one line if Snakemake cannot write its notes: it would print a stack."""
    folders = [snakemake_folder, *filter(Path.is_dir, snakemake_folder.glob("*"))]
    for folder in folders if snakemake_folder.exists() else [snakemake_folder.absolute().parent]:
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            sys.exit(f"error: {folder}: cannot be written; expected a folder in which Snakemake can keep its notes")


def _hold_or_exit(snakemake_folder: Path) -> None:
    try:
        hold_lock(snakemake_folder)
    except (InputError, OSError) as error:
        sys.exit(f"error: {error}")


def _say_who_is_at_work(snakemake_folder: Path) -> None:
    """Say it in place of Snakemake, whose dry run calls a lock an error and goes on."""
    logger = logging.getLogger("snakemake.logging")
    logger.addFilter(lambda record: "Directory cannot be locked" not in str(record.msg))
    if holder := controller_at_work(snakemake_folder):
        print(f"nasmake: a study is running here {holder}; this is what is still to be done", file=sys.stderr)


def prepare_python_for_large_plans() -> None:
    """Let Python search for garbage less often, and recurse deeper.

    A plan consists of millions of small objects that all stay in use, so each of the frequent searches finds nothing.
    They take a fifth of the CPU time of a plan of 600 trials. A suggestion depends on the one before it, and Snakemake
    follows these dependencies by recursion: three calls for each of up to 10,000 trials.
    """
    gc.set_threshold(100_000, 20, 20)
    sys.setrecursionlimit(100_000)


def prepare_environment() -> None:
    """Put this Python and this package first in the environment of the jobs.

    The command `python` of a rule is then the Python that runs Snakemake, even if its environment is not activated. A
    rule's own environment (--software-deployment-method) finds the package.
    """
    for variable, folder in (
        ("PATH", Path(sys.executable).parent),
        ("PYTHONPATH", Path(__file__).resolve().parents[2]),
    ):
        inherited = os.environ.get(variable)
        os.environ[variable] = f"{folder}{os.pathsep}{inherited}" if inherited else str(folder)


def export_environment(config: Config) -> None:
    """Export the keys that jobs need although they do not decide a result. Changing one of them reruns nothing."""
    if config.ABCI.group != NO_GROUP:
        os.environ.setdefault(PAYS, config.ABCI.group)  # the executor of profiles/abci reads it
    os.environ[GPUS_OF_A_JOB] = str(config.environment.gpus)
    os.environ[JOBS_PER_GPU] = str(config.environment.jobs_per_gpu)
    os.environ[LOADER_WORKERS] = str(config.environment.num_workers)
    os.environ[SECONDS_BETWEEN_SAVES] = str(config.environment.seconds_between_saves)
    if config.dataset.url is not None:
        os.environ[DATASET_URL.format(config.dataset.name)] = config.dataset.url
    if config.environment.device_ids is not None:
        os.environ[CANDIDATES] = ",".join(map(str, config.environment.device_ids))


def prologue(preamble: str | None, interpreter: Path) -> str:
    """Return the shell commands at the start of every cluster job: the preamble, and bash's strict mode.

    The preamble may activate another environment. PATH still begins with the folder of nasmake's Python.

    Args:
        preamble: the file ABCI.job_script_preamble. None, or a missing file, stands for no commands.
        interpreter: Python of nasmake's environment.

    Returns:
        Text for Snakemake's `shell.prefix`, with doubled braces.
    """
    strict = "set -euo pipefail; "
    if preamble is None or not Path(preamble).is_file():
        return strict
    commands = f"source {quote(str(Path(preamble).resolve()))}; export PATH={quote(str(interpreter.parent))}:$PATH; "
    return (commands + strict).replace("{", "{{").replace("}", "}}")
