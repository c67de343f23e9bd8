# Every network of a search space trained from scratch: snakemake --configfile my.yaml benchmark_table
# No other target asks for these rules.

from nasmake.evidence.benchmark_table import BenchmarkTablePlan

TABLE = BenchmarkTablePlan(PLAN, JOBS)
TABLE_CURRENT = Current(TABLE)

# Only this target lists the networks, which takes time in a large space.
if workflow.is_main_process and "benchmark_table" in sys.argv:
    try:
        TABLE.networks
    except InputError as error:
        sys.exit(f"error: {with_place(error, PLACES, workflow.config_settings.config)}")


wildcard_constraints:
    part=r"\d{4}",
    seed=r"\d+",


rule list_networks:
    input:
        unpack(inputs("list_networks", TABLE_CURRENT)),
    output:
        f"{RUN}/part-{{part}}/networks.json",
    log:
        f"{RUN}/part-{{part}}/logs/list_networks.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        job=job("list_networks", TABLE),
        settings=TABLE.settings("list_networks"),
        unit=folder,
    shell:
        "python scripts/list_networks.py --settings {params.settings:q} --manifest {input.manifest:q}"
        " --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule tabulate_networks:
    input:
        unpack(inputs("tabulate_networks", TABLE_CURRENT)),
    output:
        f"{RUN}/part-{{part}}/seed-{{seed}}/trained.csv",
    log:
        f"{RUN}/part-{{part}}/seed-{{seed}}/logs/tabulate_networks.log",
    benchmark:
        f"{RUN}/part-{{part}}/seed-{{seed}}/benchmarks/tabulate_networks.tsv"
    conda:
        "../envs/nasmake.yaml"
    threads: CONFIG.trainer.num_threads
    resources:
        **PLAN.resources("tabulate_networks"),
    params:
        job=job("tabulate_networks", TABLE),
        settings=TABLE.settings("tabulate_networks"),
        files=optional("networks"),
        unit=folder,
    shell:
        "python scripts/tabulate_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule benchmark_table:
    input:
        unpack(inputs("benchmark_table", TABLE_CURRENT)),
    output:
        multiext(f"{RUN}/benchmark_table", ".csv", ".json"),
    log:
        f"{RUN}/logs/benchmark_table.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        job=job("benchmark_table", TABLE),
        settings=TABLE.settings("benchmark_table"),
        run=folder,
    shell:
        "python scripts/benchmark_table.py --settings {params.settings:q} --run {params.run:q} --lists {input.lists:q}"
        " --job {params.job:q} > {log:q} 2>&1"
