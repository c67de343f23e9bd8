# nas.type simultaneous: supernet training and architecture search in one stage, with the artefacts of both.


rule search_supernet:
    input:
        unpack(inputs("search_supernet")),
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
        **PLAN.resources("search_supernet"),
    params:
        settings=PLAN.settings("search_supernet"),
        job=job("search_supernet"),
        files=optional("suggestion", "latency"),
        unit=folder,
    shell:
        "python scripts/search_supernet.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display}"
        " --attempt {resources.attempt} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"
