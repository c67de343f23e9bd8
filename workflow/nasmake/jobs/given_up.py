"""Give up a trial by hand, and take back the state FAIL of a trial.

Both change the files of a run while no study runs. The next start of Snakemake goes on from them. This module loads no
torch. It imports core, config, pipeline and other modules of this room.
"""

import time
from argparse import ArgumentParser, Namespace
from itertools import takewhile
from pathlib import Path

from nasmake.config.configfiles import configuration_of, merged
from nasmake.core.artefacts import JobRecord, paths_of, record_path
from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.core.provenance import provenance
from nasmake.core.records import FAIL, final_units, trial_folder
from nasmake.jobs.failed import write_failed
from nasmake.pipeline.lock import controller_at_work
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import STAGES
from nasmake.pipeline.study_jobs import StudyJobs


def add_run(parser: ArgumentParser) -> None:
    """Add the options that name a run: its configuration files, or its folder."""
    run = parser.add_mutually_exclusive_group()
    run.add_argument("--configfile", type=Path, nargs="+", default=[], help="the files given to Snakemake")
    run.add_argument("--run", type=Path, help="folder of the run, such as results/demo")


def plan_named_by(arguments: Namespace) -> Plan:
    """Return the plan of the run that the options of `add_run` name; see `plan_of`."""
    return plan_of(arguments.run or configuration_of(arguments.configfile).run_folder)


def plan_of(run: Path) -> Plan:
    """Return the plan of a run that was started and is not running now.

    Raises:
        InputError: the folder is no such run.
    """
    path = run / "config.yaml"
    if not path.is_file():
        raise InputError(f"{run}: no config.yaml; expected the folder of a run that was started")
    if holder := controller_at_work(Path(".snakemake")):
        raise InputError(f"{run}: a study is running {holder}; expected none; stop it with Ctrl-C, or wait for its end")
    plan = Plan(merged([path]))
    if Path(plan.run).resolve() != run.resolve():
        raise InputError(f"{run}: run is {plan.config.run}; expected the run of this folder, under the folder results")
    return plan


def give_up(plan: Plan, trial: int, why: str) -> list[str]:
    """Write results with the state FAIL for a trial that has no result, and return the stages that have them now.

    Results of stages that have ended stay.

    Raises:
        InputError: the trial is not one of the study, has not begun, or has a result.
    """
    unit = _unit_of(plan, trial)
    if (unit / "result.json").is_file():
        raise InputError(f"{unit}: state is {_state_of(unit / 'result.json')}; expected a trial without a result")
    if not (unit / "suggestion.json").is_file():
        raise InputError(f"{unit}/suggestion.json: no such file; expected a trial that has its hyperparameters")
    own = [stage for stage in plan.chain if plan.folder_of(stage, unit.name) == str(unit)]
    jobs = [StudyJobs(plan).of(stage, {"unit": unit.name}) for stage in own]
    ended = list(takewhile(lambda job: all(Path(path).is_file() for path in job.outputs), jobs))
    first, *_ = given_up = jobs[len(ended) :]
    for path in (path for value in first.inputs.values() for path in paths_of(value)):
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file; expected the results of the stages that all trials share")
    reason, block = f"{first.rule}: given up: {' '.join(why.split())}", provenance(time.time())
    for job in given_up:
        write_failed(job.rule, unit, reason, block)
        job.record()
    return [job.rule for job in given_up]


def retry(plan: Plan, trial: int) -> list[str]:
    """Remove the results of a trial whose state is FAIL, and return their stages, which Snakemake then runs again.

    Stages that all trials share, and the final training, are among them. A saved training state stays, so a training
    goes on from its last checkpoint. Later trials keep their hyperparameters, for which this trial counts as failed, so
    none of their results is lost.

    Raises:
        InputError: the trial is not one of the study, or no stage of it failed.
    """
    unit = _unit_of(plan, trial)
    failed = []
    finals = [("retrain_final", folder) for folder in final_units(str(unit), plan.config.final.seeds)]
    for stage, name in (*((stage, plan.folder_of(stage, unit.name)) for stage in plan.chain), *finals):
        folder = Path(name)
        outputs = [folder / artefact for artefact in STAGES[stage].outputs.values()]
        if any(path.suffix == ".json" and _state_of(path) == FAIL for path in outputs):
            for path in (record_path(folder, stage), *outputs):
                path.unlink(missing_ok=True)
            failed.append(stage)
    if not failed:
        raise InputError(f"{unit}: state is {_state_of(unit / 'result.json')}; expected {FAIL}")
    _keep_suggestion_that_observed(plan, trial)
    return failed


def _keep_suggestion_that_observed(plan: Plan, trial: int) -> None:
    """Let the hyperparameters of later trials stay as they are. Only one suggestion reads the result of a trial."""
    observer = Path(plan.run, trial_folder(trial + plan.config.optimize.trials_at_once))
    record = JobRecord.read(observer, "suggest")
    if record is not None:
        record.with_input_as_it_was("observed").write(observer, "suggest")


def _unit_of(plan: Plan, trial: int) -> Path:
    if not 0 <= trial < len(plan.trials):
        raise InputError(f"{plan.run}: trial is {trial}; expected 0 to {len(plan.trials) - 1}")
    return Path(plan.run, trial_folder(trial))


def _state_of(path: Path) -> str:
    """Return the state in a result, and `not finished` if there is no result."""
    return str(read_json(path).get("state")) if path.is_file() else "not finished"
