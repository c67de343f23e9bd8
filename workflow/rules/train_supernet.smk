# Training of the supernet.


rule train_supernet:
    input:
        unpack(inputs("train_supernet")),
    output:
        **PLAN.outputs("train_supernet"),
    log:
        f"{RUN}/{{unit}}/logs/train_supernet.log",
    benchmark:
        f"{RUN}/{{unit}}/benchmarks/train_supernet.tsv"
    priority: oldest_first
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: PLAN.threads
    resources:
        **PLAN.resources("train_supernet"),
    params:
        settings=PLAN.settings("train_supernet"),
        job=job("train_supernet"),
        files=optional("suggestion"),
        unit=folder,
    shell:
        "python scripts/train_supernet.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display}"
        " --attempt {resources.attempt} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"
