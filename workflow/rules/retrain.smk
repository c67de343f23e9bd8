# Training of the found network from scratch, on train, in every trial.


rule retrain:
    input:
        **RETRAINED,
        suggestion=suggestion,
        architecture=architecture,
    output:
        weights=f"{RUN}/{{unit}}/model.safetensors",
        result=f"{RUN}/{{unit}}/result.json",
        history=f"{RUN}/{{unit}}/history/retrain.csv",
    log:
        f"{RUN}/{{unit}}/logs/retrain.log",
    benchmark:
        f"{RUN}/{{unit}}/benchmarks/retrain.tsv"
    priority: oldest_first
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: TRAINING_THREADS
    resources:
        **training(12),
    params:
        settings=settings("retrain"),
        files=optional("suggestion", "architecture"),
        unit=folder,
    shell:
        "python scripts/retrain.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"
