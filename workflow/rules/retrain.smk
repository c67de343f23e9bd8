# Training of the architecture from scratch on train, in every trial.


rule retrain:
    input:
        unpack(PLAN.inputs("retrain")),
        data=PLAN.part("train", CONFIG.dataset.retrain.train),
        manifest=PLAN.manifest(CONFIG.dataset.retrain.train),
    output:
        **PLAN.outputs("retrain"),
    log:
        f"{RUN}/{{unit}}/logs/retrain.log",
    benchmark:
        f"{RUN}/{{unit}}/benchmarks/retrain.tsv"
    priority: oldest_first
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: PLAN.threads
    resources:
        **PLAN.resources(12),
    params:
        settings=PLAN.settings("retrain"),
        files=optional("suggestion", "architecture"),
        unit=folder,
    shell:
        "python scripts/retrain.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display}"
        " --attempt {resources.attempt} --unit {params.unit:q} > {log:q} 2>&1"
