# Is a found network better than others of equal cost? snakemake --configfile config/presets/baselines.yaml baselines
# The rules of a study run for several seeds and networks, in units of their own. No other target asks for them.

from nasmake.evidence.baselines import FOUND, LINEAR, BaselinesPlan

BASELINES = BaselinesPlan(PLAN, JOBS)
BASELINES_CURRENT = Current(BASELINES)

# Only this target reads the files of the networks.
if workflow.is_main_process and "baselines" in sys.argv:
    try:
        BASELINES.check()
    except InputError as error:
        sys.exit(f"error: {with_place(error, PLACES, workflow.config_settings.config)}")


wildcard_constraints:
    network="|".join(BASELINES.networks),
    seed=r"\d+",


use rule train_supernet as train_supernet_of_baselines with:
    input:
        unpack(inputs("train_supernet_of_baselines", BASELINES_CURRENT)),
    output:
        **PLAN.outputs("train_supernet", f"{FOUND}-{{seed}}"),
    log:
        f"{RUN}/{FOUND}-{{seed}}/logs/train_supernet.log",
    benchmark:
        f"{RUN}/{FOUND}-{{seed}}/benchmarks/train_supernet.tsv"
    priority: 30
    params:
        job=job("train_supernet_of_baselines", BASELINES),
        settings=BASELINES.settings("train_supernet_of_baselines"),
        files="",
        unit=folder,


use rule search_architecture as search_architecture_of_baselines with:
    input:
        unpack(inputs("search_architecture_of_baselines", BASELINES_CURRENT)),
    output:
        **PLAN.outputs("search_architecture", f"{FOUND}-{{seed}}"),
    log:
        f"{RUN}/{FOUND}-{{seed}}/logs/search_architecture.log",
    benchmark:
        f"{RUN}/{FOUND}-{{seed}}/benchmarks/search_architecture.tsv"
    priority: 20
    params:
        job=job("search_architecture_of_baselines", BASELINES),
        settings=BASELINES.settings("search_architecture_of_baselines"),
        files=optional("supernet", "record", "latency"),
        unit=folder,


if BASELINES.random:

    rule random_network:
        input:
            unpack(inputs("random_network", BASELINES_CURRENT)),
        output:
            f"{RUN}/{{network}}-{{seed}}/architecture.json",
        log:
            f"{RUN}/{{network}}-{{seed}}/logs/random_network.log",
        wildcard_constraints:
            network="|".join(BASELINES.random),
        localrule: True
        conda:
            "../envs/nasmake.yaml"
        params:
            job=job("random_network", BASELINES),
            settings=BASELINES.settings("random_network"),
            unit=folder,
        shell:
            "python scripts/random_network.py --settings {params.settings:q} --manifest {input.manifest:q}"
            " --found {input.found:q} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


if BASELINES.imported:

    rule import_architecture_of_baselines:
        input:
            unpack(inputs("import_architecture_of_baselines", BASELINES_CURRENT)),
        output:
            f"{RUN}/{{network}}-{{seed}}/architecture.json",
        log:
            f"{RUN}/{{network}}-{{seed}}/logs/import_architecture.log",
        wildcard_constraints:
            network="|".join(BASELINES.imported),
        localrule: True
        conda:
            "../envs/nasmake.yaml"
        params:
            architecture=BASELINES.settings("import_architecture_of_baselines"),
            job=job("import_architecture_of_baselines", BASELINES),
        shell:
            "python scripts/import_architecture.py --architecture {params.architecture:q}"
            " --manifest {input.manifest:q} --out {output:q} --job {params.job:q} > {log:q} 2>&1"


use rule retrain_final as retrain_final_of_baselines with:
    input:
        unpack(inputs("retrain_final_of_baselines", BASELINES_CURRENT)),
    output:
        **PLAN.outputs("retrain_final", "{network}-{seed}"),
    log:
        f"{RUN}/{{network}}-{{seed}}/logs/retrain_final.log",
    benchmark:
        f"{RUN}/{{network}}-{{seed}}/benchmarks/retrain_final.tsv"
    wildcard_constraints:
        network="|".join(BASELINES.networks),
    params:
        job=job("retrain_final_of_baselines", BASELINES),
        settings=BASELINES.settings("retrain_final_of_baselines"),
        files=optional("architecture", "test"),
        unit=folder,


rule logistic_regression:
    input:
        unpack(inputs(LINEAR, BASELINES_CURRENT)),
    output:
        f"{RUN}/{LINEAR}/{LINEAR}.json",
    log:
        f"{RUN}/{LINEAR}/logs/logistic_regression.log",
    benchmark:
        f"{RUN}/{LINEAR}/benchmarks/logistic_regression.tsv"
    conda:
        "../envs/nasmake.yaml"
    resources:
        gpu=0,
        mem_mb=8000,
        runtime=60,
    params:
        job=job(LINEAR, BASELINES),
        settings=BASELINES.settings(LINEAR),
        files=optional("test"),
        unit=folder,
    shell:
        "python scripts/logistic_regression.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator cpu --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule baselines:
    input:
        unpack(inputs("baselines", BASELINES_CURRENT)),
    output:
        multiext(f"{RUN}/baselines", ".csv", ".md"),
    log:
        f"{RUN}/logs/baselines.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        job=job("baselines", BASELINES),
        settings=BASELINES.own_settings,
        files=optional("linear"),
        run=folder,
    shell:
        "python scripts/baselines.py --settings {params.settings:q} --run {params.run:q} {params.files}"
        " --job {params.job:q} > {log:q} 2>&1"
