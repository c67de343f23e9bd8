# Training of the architecture from scratch on train, in every trial.


rule retrain:
    input:
        unpack(inputs("retrain")),
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
        **PLAN.resources("retrain"),
    params:
        settings=PLAN.settings("retrain"),
        job=job("retrain"),
        files=optional("suggestion", "architecture"),
        unit=folder,
    shell:
        "python scripts/retrain.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display}"
        " --attempt {resources.attempt} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"
