# Figures of the study as files. Snakemake's own report shows them; `make report` draws them into a page of nasmake's.

TRAINING = "Training" if PLAN.architecture else "Training and search"
SHOWN = {  # category and title in that page
    "architecture.svg": ("Outcome", "Best network"),
    "study.svg": ("Study", "Val accuracy by trial"),
    "parallel_coordinates.svg": ("Study", "Hyperparameters of all trials"),
    "importances.svg": ("Study", "Importance of hyperparameters"),
    "learning_curves.svg": (TRAINING, "Learning curves of every stage"),
    "tradeoff.svg": (TRAINING, "Accuracy against MACs"),
    "search_progress.svg": (TRAINING, "Progress of the search, and random search"),
    "probabilities.svg": (TRAINING, "Probabilities of all choices"),
}


rule report:
    input:
        unpack(inputs("report")),
        finals=promoted("history/retrain_final.csv"),
    output:
        [
            report(path, category=category, labels={"figure": title})
            for path in PLAN.figures
            for category, title in [SHOWN[Path(path).name]]
        ],
    log:
        f"{RUN}/report/logs/report.log",
    conda:
        "../envs/nasmake.yaml"
    params:
        study=PLAN.study_settings(),
        stages=CHAIN,
        run=folder_above,
        trials=len(PLAN.trials),
        job=job("report"),
    shell:
        "python scripts/report.py --study {params.study:q} --trials {params.trials} --stages {params.stages}"
        " --manifest {input.manifest:q} --run {params.run:q} --job {params.job:q} > {log:q} 2>&1"
