# The search over a supernet, which the stage before trains or takes (nas.supernet).


include: "latency.smk"
include: f"{CHAIN[0]}.smk"


rule search_architecture:
    input:
        data=rules.download_dataset.output.train,
        manifest=rules.download_dataset.output.manifest,
        suggestion=suggestion,
        supernet=made_by(CHAIN[0], "supernet.safetensors"),
        record=made_by(CHAIN[0], "supernet.json"),
        latency=ancient(GIVEN_TABLE) if GIVEN_TABLE else MEASURED_TABLE,
    output:
        architecture=f"{RUN}/{{unit}}/architecture.json",
        histories=multiext(f"{RUN}/{{unit}}/history/", *SEARCH_HISTORIES),
    log:
        f"{RUN}/{{unit}}/logs/search_architecture.log",
    benchmark:
        f"{RUN}/{{unit}}/benchmarks/search_architecture.tsv"
    priority: oldest_first
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: TRAINING_THREADS
    resources:
        **training(6),
    params:
        settings=settings("search_architecture"),
        files=optional("suggestion", "supernet", "latency"),
        table=TABLE_DIGEST,
        unit=folder,
    shell:
        "python scripts/search_architecture.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"
