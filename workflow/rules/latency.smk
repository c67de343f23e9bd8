# The latency table: made where the search has a limit on latency, or by name: snakemake measure_latency


rule measure_latency:
    input:
        manifest=rules.download_dataset.output.manifest,
    output:
        f"{RUN}/shared/latency.json",
    log:
        f"{RUN}/shared/logs/measure_latency.log",
    benchmark:
        f"{RUN}/shared/benchmarks/measure_latency.tsv"
    priority: 20000
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: CONFIG.trainer.num_threads
    resources:
        **training(1),
    params:
        settings=settings("measure_latency"),
        unit=folder,
    shell:
        "python scripts/measure_latency.py --settings {params.settings:q} --manifest {input.manifest:q}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"
