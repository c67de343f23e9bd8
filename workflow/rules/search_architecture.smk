# The stages that find an architecture. Trials share those before the first one that a searched parameter touches.


include: "latency.smk"


rule train_supernet:
    input:
        data=rules.download_dataset.output.train,
        manifest=rules.download_dataset.output.manifest,
        suggestion=suggestion,
    output:
        weights=f"{RUN}/{{unit}}/supernet.safetensors",
        record=f"{RUN}/{{unit}}/supernet.json",
        history=f"{RUN}/{{unit}}/history/train_supernet.csv",
    log:
        f"{RUN}/{{unit}}/logs/train_supernet.log",
    benchmark:
        f"{RUN}/{{unit}}/benchmarks/train_supernet.tsv"
    priority: oldest_first
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: CONFIG.trainer.num_threads
    resources:
        **training(12),
    params:
        settings=settings("train_supernet"),
        files=optional("suggestion"),
        unit=folder,
    shell:
        "python scripts/train_supernet.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"


rule search_architecture:
    input:
        data=rules.download_dataset.output.train,
        manifest=rules.download_dataset.output.manifest,
        suggestion=suggestion,
        supernet=made_by("train_supernet", "supernet.safetensors"),
        record=made_by("train_supernet", "supernet.json"),
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
    threads: CONFIG.trainer.num_threads
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
