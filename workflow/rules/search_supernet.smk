# nas.type simultaneous: supernet training and architecture search in one stage, with the artefacts of both.


rule search_supernet:
    input:
        unpack(PLAN.inputs("search_supernet")),
        data=PLAN.part("train"),
        manifest=PLAN.manifest(),
        latency=ancient(PLAN.latency_table) if PLAN.latency_table else PLAN.latency,
    output:
        **PLAN.outputs("search_supernet"),
    log:
        f"{RUN}/{{unit}}/logs/search_supernet.log",
    benchmark:
        f"{RUN}/{{unit}}/benchmarks/search_supernet.tsv"
    priority: oldest_first
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: PLAN.threads
    resources:
        **PLAN.resources(12),
    params:
        settings=PLAN.settings("search_supernet"),
        files=optional("suggestion", "latency"),
        table=PLAN.latency_digest,
        unit=folder,
    shell:
        "python scripts/search_supernet.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display}"
        " --attempt {resources.attempt} --unit {params.unit:q} > {log:q} 2>&1"
