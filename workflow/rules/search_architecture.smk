# The architecture search over a supernet that an earlier stage trained or imported.


rule search_architecture:
    input:
        unpack(PLAN.inputs("search_architecture")),
        data=PLAN.part("train"),
        manifest=PLAN.manifest(),
        latency=ancient(PLAN.latency_table) if PLAN.latency_table else PLAN.latency,
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
        **PLAN.resources(6),
    params:
        settings=PLAN.settings("search_architecture"),
        files=optional("suggestion", "supernet", "record", "latency"),
        table=PLAN.latency_digest,
        unit=folder,
    shell:
        "python scripts/search_architecture.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display}"
        " --attempt {resources.attempt} --unit {params.unit:q} > {log:q} 2>&1"
