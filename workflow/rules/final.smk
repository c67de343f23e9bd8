# Promoted trials: trained on train and val together, and tested once. No other rule of a study reads the test images.
# Further seeds of a final training have folders of their own, trial-NNNN/repeat-N.


rule retrain_final:
    input:
        unpack(inputs("retrain_final")),
        promotion=ancient(f"{RUN}/study/promoted.json"),  # the other promoted trials change nothing here
    output:
        **PLAN.outputs("retrain_final"),
    log:
        f"{RUN}/{{unit}}/logs/retrain_final.log",
    benchmark:
        f"{RUN}/{{unit}}/benchmarks/retrain_final.tsv"
    wildcard_constraints:
        unit=r"trial-\d{4}(/repeat-\d+)?",
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: PLAN.threads
    resources:
        **PLAN.resources("retrain_final"),
    params:
        settings=lambda wildcards: PLAN.settings("retrain_final", wildcards.unit),
        job=job("retrain_final"),
        files=optional("suggestion", "architecture", "result", "test"),
        unit=folder,
    shell:
        "python scripts/retrain_final.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display}"
        " --attempt {resources.attempt} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule summarize_study:
    input:
        unpack(inputs("summarize_study")),
        finals=promoted("final.json", CONFIG.final.seeds),
        weights=promoted("final.safetensors"),
    output:
        best=f"{RUN}/study/best.json",
        trials=f"{RUN}/study/trials.csv",
        summary=f"{RUN}/study/summary.txt",
        front=[f"{RUN}/study/front.csv"] if len(CONFIG.optimize.objectives) > 1 else [],
        model=f"{RUN}/best/model.safetensors",
    log:
        f"{RUN}/study/logs/summarize_study.log",
    conda:
        "../envs/nasmake.yaml"
    params:
        study=PLAN.study_settings(),
        run=folder_above,
        trials=len(PLAN.trials),
        val_images=PLAN.val_images,
        seeds=CONFIG.final.seeds,
        job=job("summarize_study"),
    shell:
        "python scripts/summarize_study.py --study {params.study:q} --run {params.run:q} --trials {params.trials}"
        " --val-images {params.val_images} --seeds {params.seeds} --job {params.job:q} > {log:q} 2>&1"


rule export_best:
    input:
        unpack(inputs("export_best")),
        architectures=promoted("architecture.json"),
        predictions=promoted("test_predictions.csv"),
    output:
        **PLAN.exports,
    log:
        f"{RUN}/study/logs/export_best.log",
    conda:
        "../envs/nasmake.yaml"
    params:
        run=folder_above,
        train_images=CONFIG.dataset.num_train or 0,
        onnx="--onnx" if "onnx" in PLAN.exports else "",
        operations=canonical_json(PLAN.operations),
        job=job("export_best"),
    shell:
        "python scripts/export_best.py --run {params.run:q} --manifest {input.manifest:q}"
        " --architectures {input.architectures:q} --train-images {params.train_images} {params.onnx}"
        " --operations {params.operations:q} --job {params.job:q} > {log:q} 2>&1"
