# With nas.type simultaneous: the supernet and its search in one stage, with the artefacts of both.


include: "latency.smk"


rule search_supernet:
    input:
        data=rules.download_dataset.output.train,
        manifest=rules.download_dataset.output.manifest,
        suggestion=suggestion,
        latency=ancient(GIVEN_TABLE) if GIVEN_TABLE else MEASURED_TABLE,
    output:
        [f"{RUN}/{{unit}}/{artefact}" for artefact in ARTEFACTS["search_supernet"]],
    log:
        f"{RUN}/{{unit}}/logs/search_supernet.log",
    benchmark:
        f"{RUN}/{{unit}}/benchmarks/search_supernet.tsv"
    priority: oldest_first
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: TRAINING_THREADS
    resources:
        **training(12),
    params:
        settings=settings("search_supernet"),
        files=optional("suggestion", "latency"),
        table=TABLE_DIGEST,
        unit=folder,
    shell:
        "python scripts/search_supernet.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"
