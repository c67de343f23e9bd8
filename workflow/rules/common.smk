# The plan of the study, which all rules ask, and the few functions of Snakemake's own objects that they share.

import os
import sys
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json
from nasmake.pipeline.checks import check
from nasmake.pipeline.config_files import with_place
from nasmake.pipeline.controller import export_environment, prologue
from nasmake.pipeline.current import Current, is_complete, unmark_incomplete
from nasmake.pipeline.inputs import dataset_facts, source_of_networks
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.rule_functions import folder, folder_above, oldest_first, optional
from nasmake.pipeline.stages import STAGES
from nasmake.pipeline.study_jobs import StudyJobs
from nasmake.pipeline.warnings import collect_warnings

try:
    PLAN = Plan(config)
    CONFIG = PLAN.config
    if workflow.is_main_process:
        check(CONFIG, PLAN.search_space)
        print(f"nasmake: {source_of_networks(CONFIG)}", file=sys.stderr)
        if PLAN.operations:
            print(f"nas.operations: runs the Python code of {PLAN.operations['file']}", file=sys.stderr)
        is_paid = "SNAKEMAKE_PBS_PROJECT" in os.environ or any(word.startswith("--pbs-project") for word in sys.argv)
        for warning in collect_warnings(CONFIG, config, workflow.resource_settings.overwrite_resources, is_paid):
            print(f"warning: {warning}", file=sys.stderr)
except InputError as error:
    sys.exit(f"error: {with_place(error, PLACES, workflow.config_settings.config)}")

export_environment(CONFIG)
if workflow.remote_exec:
    shell.prefix(prologue(CONFIG.ABCI.job_script_preamble, Path(sys.executable)))

config.clear()
config.update(CONFIG.model_dump(mode="json"))

RUN, CHAIN = PLAN.run, PLAN.chain
JOBS = StudyJobs(PLAN)
CURRENT = Current(JOBS)


wildcard_constraints:
    trial=r"\d{4}",
    unit=r"shared|trial-\d{4}",


def inputs(rule, current=CURRENT):
    """Return the input function of a rule. It also tells Snakemake whether the result of the job is current.

    Inputs from promoted trials are left out: their rules name them through `promoted`, which waits for the promotion.
    """

    def files(wildcards):
        facts = current.jobs.of(rule, dict(wildcards))
        needed = current.needed_inputs(facts)
        if not workflow.is_main_process:  # one job of a cluster, which runs in any case
            return needed
        is_current = current.outdated(facts) is None
        if is_current:
            unmark_incomplete(workflow.persistence, facts.outputs)
        if not is_current or not is_complete(facts):  # Snakemake itself looks only at outputs that a target needs
            workflow.dag.forcefiles.update(filter(os.path.exists, facts.outputs))
        return {name: ancient(paths) for name, paths in needed.items()} if is_current else needed

    return files


def job(rule, jobs=JOBS):
    """Return the params function that gives what a job writes into its record."""
    return lambda wildcards: canonical_json(jobs.of(rule, dict(wildcards)).to_json())


def promoted(artefact, seeds=1):
    """Return the input function that gives this artefact of every promoted trial, for the first seeds of final training.

    Architectures lie where the stage that finds them has its results, which is one folder if all trials share it.

    Snakemake runs no job for the sake of an ancient input, even if it makes this input again. So inputs are ancient only
    while the tables, which read all of them, are current.
    """

    def files(wildcards):
        promotion = checkpoints.promote.get().output[0]
        is_architecture = artefact == "architecture.json"
        paths = PLAN.promoted_architectures(promotion) if is_architecture else PLAN.promoted(promotion, artefact, seeds)
        return ancient(paths) if CURRENT.outdated(JOBS.of("summarize_study", {})) is None else paths

    return files
