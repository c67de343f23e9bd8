# The supernet, trained.


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
    threads: TRAINING_THREADS
    resources:
        **training(12),
    params:
        settings=settings("train_supernet"),
        files=optional("suggestion"),
        unit=folder,
    shell:
        "python scripts/train_supernet.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"
