# The latency table, for searches that use latencies; or by name: snakemake measure_latency


rule measure_latency:
    input:
        unpack(inputs("measure_latency")),
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
        **PLAN.resources("measure_latency"),
    params:
        settings=PLAN.settings("measure_latency"),
        job=job("measure_latency"),
        unit=folder,
    shell:
        "python scripts/measure_latency.py --settings {params.settings:q} --manifest {input.manifest:q}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"
