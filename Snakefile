# nasmake: one-shot neural architecture search under hyperparameter optimisation, as one DAG.
# Start it in this folder: `snakemake -n` shows the plan, `make demo` runs a small study to its end.

from snakemake.utils import min_version

min_version("9.25")


include: "workflow/rules/start.smk"


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/events.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/stages.smk"
include: "workflow/rules/final.smk"
include: "workflow/rules/report.smk"


if PLAN.is_whole:

    include: "workflow/rules/evidence.smk"
    include: "workflow/rules/baselines.smk"

elif {"evidence", "baselines"}.intersection(sys.argv):
    sys.exit(
        "error: evidence and baselines train and search supernets; expected nas.type separate, "
        "and no nas.architecture, nas.supernet or nas.skip_retrain"
    )


if PLAN.search_space is not None:

    include: "workflow/rules/benchmark_table.smk"


report: "workflow/report/workflow.rst"


localrules:
    all,
    download_dataset,
    suggest,
    promote,
    summarize_study,
    export_best,
    report,


rule all:
    default_target: True
    input:
        PLAN.unit_targets,
        f"{RUN}/study/promoted.json",
        promoted("final.json"),
        promoted("final.safetensors"),
        f"{RUN}/study/best.json",
        PLAN.exports["card"],
        PLAN.figures,
