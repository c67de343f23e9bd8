# Figures of the study; `make report` binds them into one offline page.

TRAINING = "Training" if PLAN.architecture else "Training and search"
SHOWN = {  # category and title in that page
    "trials.html": ("Outcome", "Table of all trials"),
    "architecture.svg": ("Outcome", "Best network"),
    "study.svg": ("Study", "Val accuracy by trial"),
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
            report(path, caption=f"../report/{Path(path).stem}.rst", category=category, labels={"figure": title})
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
        job=job("report"),
    shell:
        "python scripts/report.py --study {params.study:q} --stages {params.stages}"
        " --manifest {input.manifest:q} --run {params.run:q} --job {params.job:q} > {log:q} 2>&1"
