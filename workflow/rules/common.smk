# All helpers of the rules: the checked configuration, paths, and what each rule is told.

import shlex
import sys
import time
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json, digest_of, read_json
from nasmake.study.parameter_space import with_conditions
from nasmake.config import load
from nasmake.pipeline.controller import export_environment
from nasmake.study.parameter_space import sampled_parameters
from nasmake.pipeline.controller import prologue
from nasmake.pipeline.warnings import collect_warnings
from nasmake.pipeline.checks import check
from nasmake.pipeline.inputs import (
    read_search_space,
    read_imported_architecture,
    read_imported_supernet,
    source_of_networks,
)
from nasmake.pipeline.stages import (
    STAGES,
    STAGE_VERSION,
    chain_of,
    first_searched,
    needs_latency,
    settings_of_job,
    source_settings,
)

try:
    CONFIG = load(config)
    IMPORTED = CONFIG.nas.architecture and read_imported_architecture(CONFIG)
    SPACE = None if IMPORTED else read_search_space(CONFIG)
    SUPERNET = read_imported_supernet(CONFIG) if "import_supernet" in chain_of(CONFIG) else None
    if workflow.is_main_process:
        check(CONFIG, SPACE)
        print(f"nasmake: {source_of_networks(CONFIG)}", file=sys.stderr)
        for warning in collect_warnings(CONFIG, config, workflow.resource_settings.overwrite_resources):
            print(f"warning: {warning}", file=sys.stderr)
    STUDY = with_conditions(CONFIG)
    NEEDS_LATENCY = needs_latency(CONFIG) and not IMPORTED
    GIVEN_TABLE = CONFIG.latency.table if NEEDS_LATENCY else None
    TABLE_DIGEST = GIVEN_TABLE and digest_of([Path(GIVEN_TABLE)])
except InputError as error:
    sys.exit(f"error: {error}")

export_environment(CONFIG)
if workflow.remote_exec:
    shell.prefix(prologue(CONFIG.ABCI.job_script_preamble, Path(sys.executable)))

config.clear()
config.update(CONFIG.model_dump(mode="json"))

RUN = str(Path(CONFIG.environment.result_dir, CONFIG.run))
DATASET = str(Path(CONFIG.dataset.path, CONFIG.dataset.name))
TRIALS = [f"{trial:04d}" for trial in range(CONFIG.optimize.trial_number)]
CHAIN = chain_of(CONFIG)
FIRST_SEARCHED = first_searched((parameter.name for parameter in sampled_parameters(STUDY.parameters)), CHAIN)
STARTED = time.time()
LAG = CONFIG.optimize.lag
TRAINING_THREADS = CONFIG.trainer.num_threads * max(1, CONFIG.environment.gpus)
MEASURED_TABLE = [f"{RUN}/shared/latency.json"] if NEEDS_LATENCY and not GIVEN_TABLE else []
FIGURES = [
    f"{RUN}/report/{name}"
    for name in (
        "trials.html",
        "architecture.svg",
        "study.svg",
        "importances.svg",
        "learning_curves.svg",
        *([] if IMPORTED else ["tradeoff.svg", "search_progress.svg", "probabilities.svg"]),
    )
]

SEARCH_HISTORIES = ("search_architecture.csv", "evaluations.csv", "random_evaluations.csv", "probabilities.csv")

ARTEFACTS = {  # of every unit of these stages
    "train_supernet": ("supernet.safetensors", "supernet.json", "history/train_supernet.csv"),
    "search_architecture": ("architecture.json", *(f"history/{name}" for name in SEARCH_HISTORIES)),
    "import_supernet": ("supernet.safetensors", "supernet.json"),
    "import_architecture": ("architecture.json",),
    "retrain": ("suggestion.json", "model.safetensors", "result.json", "history/retrain.csv"),
    "evaluate_inherited": ("suggestion.json", "result.json"),
}
ARTEFACTS["search_supernet"] = ARTEFACTS["train_supernet"] + ARTEFACTS["search_architecture"]
SEARCHING = ("train_supernet", "measure_latency", "search_architecture", "search_supernet")  # told the search space


wildcard_constraints:
    trial=r"\d{4}",
    unit=r"shared|trial-\d{4}",


def unit_of(stage, unit):
    """Folder of a stage's results for a unit: trials share the stages that no searched parameter touches."""
    return "shared" if CHAIN.index(stage) < FIRST_SEARCHED else unit


UNIT_FILES = [
    f"{RUN}/{unit}/{artefact}"
    for stage in CHAIN
    for unit in sorted({unit_of(stage, f"trial-{trial}") for trial in TRIALS})
    for artefact in ARTEFACTS[stage]
] + MEASURED_TABLE


def made_by(stage, artefact):
    """Input function: the artefact of an earlier stage."""
    return lambda wildcards: f"{RUN}/{unit_of(stage, wildcards.unit)}/{artefact}"


architecture = made_by(CHAIN[-2], "architecture.json")  # of the stage before retraining


def suggestion(wildcards):
    """Input function: the trial's suggestion; a shared stage has none."""
    return [] if wildcards.unit == "shared" else f"{RUN}/{wildcards.unit}/suggestion.json"


def observed(wildcards):
    """Input function of the fold: the suggestion before, and the newest result that this trial may know."""
    trial, found = int(wildcards.trial), {}
    if trial >= 1:
        found["previous"] = f"{RUN}/trial-{trial - 1:04d}/suggestion.json"
    if trial >= LAG:
        found["observed"] = f"{RUN}/trial-{trial - LAG:04d}/result.json"
    return found


def promoted(artefact):
    """Input function: that artefact of every promoted trial."""

    def inputs(wildcards):
        promotion = read_json(Path(checkpoints.promote.get().output[0]))
        return [f"{RUN}/trial-{trial:04d}/{artefact}" for trial in promotion["trials"]]

    return inputs


def settings(stage):
    """What a stage is told, as JSON with sorted keys: params are compared as text."""
    return canonical_json(settings_of_job(stage, CONFIG, SPACE if stage in SEARCHING else None))


def study_settings():
    """What the fold is told; the number of trials is left out, so that a study can be extended."""
    return canonical_json(STUDY.model_dump(mode="json", exclude={"trial_number"}))


def optional(*names):
    """Params function: `--name file` for each of these inputs that there is."""
    return lambda wildcards, input: shlex.join(
        part for name in names if input.get(name) for part in (f"--{name}", str(input[name]))
    )


def folder(wildcards, output):
    """Params function: where the rule's first output lies."""
    return str(Path(output[0]).parent)


def folder_above(wildcards, output):
    """Params function: the folder above that one."""
    return str(Path(output[0]).parents[1])


def oldest_first(wildcards):
    """Priority: without it, a study with more free trials than slots would be worked off breadth first."""
    return 0 if wildcards.unit == "shared" else 10000 - int(wildcards.unit[-4:])


def hours(number):
    """Resource function: walltime in minutes that grows with each attempt; a job resumes, so no time is lost."""
    return lambda wildcards, attempt: 60 * number * attempt


def training(walltime):
    """Resources of a training rule. What is a resource reruns nothing when it changes: devices, and what a job shows."""
    trainer = CONFIG.trainer
    shown = {"bar": trainer.enable_progress_bar, "summary": trainer.enable_model_summary, "tensorboard": trainer.logger}
    return {
        "gpu": CONFIG.environment.gpus,
        "accelerator": CONFIG.trainer.accelerator,
        "display": "+".join(name for name, wanted in shown.items() if wanted) or "lines",
        "mem_mb": 8000,
        "runtime": hours(walltime),
    }


def announce():
    """Say in one line what starts, and write the resolved configuration."""
    from nasmake.pipeline.controller import hold_lock
    from nasmake.core.hardware import describe_device
    from nasmake.report.summary import write_resolved

    hold_lock(Path(".snakemake"))
    write_resolved(Path(RUN) / "config.yaml", config)
    print(
        f"nasmake: run {CONFIG.run}, {len(TRIALS)} trials, results in {RUN}; training on {describe_device(CONFIG.trainer.accelerator)}"
    )


def show_failures():
    """Say what stopped the jobs that failed, in one line each."""
    from nasmake.report.summary import failures

    print(*failures(Path(RUN), STARTED), sep="\n", file=sys.stderr)


def show_summary():
    """Print the table that ends a run; none where only a part of it was asked for."""
    summary = Path(RUN) / "study" / "summary.txt"
    results = Path(RUN).glob("trial-*/result.json")
    if summary.is_file() and all(result.stat().st_mtime <= summary.stat().st_mtime for result in results):
        print(f"\n{summary.read_text()}", end="")
    evidence = Path(RUN) / "evidence.md"
    if evidence.is_file() and evidence.stat().st_mtime >= STARTED:
        print(f"\n{evidence.read_text()}", end="")
