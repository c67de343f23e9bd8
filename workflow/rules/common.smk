# The plan of the study, which all rules ask, and the few functions of Snakemake's own objects that they share.

import sys
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json
from nasmake.pipeline.checks import check
from nasmake.pipeline.controller import export_environment, prologue
from nasmake.pipeline.inputs import source_of_networks
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.rule_functions import folder, folder_above, hours, oldest_first, optional
from nasmake.pipeline.stages import STAGES
from nasmake.pipeline.warnings import collect_warnings

try:
    PLAN = Plan(config)
    CONFIG = PLAN.config
    if workflow.is_main_process:
        check(CONFIG, PLAN.search_space)
        print(f"nasmake: {source_of_networks(CONFIG)}", file=sys.stderr)
        for warning in collect_warnings(CONFIG, config, workflow.resource_settings.overwrite_resources):
            print(f"warning: {warning}", file=sys.stderr)
except InputError as error:
    sys.exit(f"error: {error}")

export_environment(CONFIG)
if workflow.remote_exec:
    shell.prefix(prologue(CONFIG.ABCI.job_script_preamble, Path(sys.executable)))

config.clear()
config.update(CONFIG.model_dump(mode="json"))

RUN, CHAIN = PLAN.run, PLAN.chain


wildcard_constraints:
    trial=r"\d{4}",
    unit=r"shared|trial-\d{4}",


def promoted(artefact):
    """Return the input function that gives this artefact of every promoted trial."""
    return lambda wildcards: PLAN.promoted(checkpoints.promote.get().output[0], artefact)
