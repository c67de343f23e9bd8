# The architecture search over a supernet that an earlier stage trained or imported.


rule search_architecture:
    input:
        unpack(inputs("search_architecture")),
    output:
        **PLAN.outputs("search_architecture"),
    log:
        f"{RUN}/{{unit}}/logs/search_architecture.log",
    benchmark:
        f"{RUN}/{{unit}}/benchmarks/search_architecture.tsv"
    priority: oldest_first
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: PLAN.threads
    resources:
        **PLAN.resources("search_architecture"),
    params:
        settings=PLAN.settings("search_architecture"),
        job=job("search_architecture"),
        files=optional("suggestion", "supernet", "record", "latency"),
        unit=folder,
    shell:
        "python scripts/search_architecture.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display}"
        " --attempt {resources.attempt} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"
