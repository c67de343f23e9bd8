# Does the search work? snakemake --configfile config/presets/evidence.yaml evidence
# The rules of a study run for several seeds and every strategy, in units of their own. No other target asks for them.

from nasmake.evidence.plan import EvidencePlan, strategies

EVIDENCE = EvidencePlan(PLAN, JOBS)
EVIDENCE_CURRENT = Current(EVIDENCE)


wildcard_constraints:
    kind="supernet|quarter|easy",
    list=r"ranking|selection-\d+",
    strategy="|".join(strategies()),
    seed=r"\d+",


if EVIDENCE.easy != PLAN.dataset():

    use rule download_dataset as download_easy_dataset with:
        input:
            unpack(inputs("download_easy_dataset", EVIDENCE_CURRENT)),
        output:
            EVIDENCE.easy_facts,
        log:
            f"{RUN}/logs/download_easy_dataset.log",
        params:
            settings=PLAN.source_settings(name=CONFIG.evidence.easy_dataset),
            job=job("download_easy_dataset", EVIDENCE),
            folder=EVIDENCE.easy,


use rule train_supernet as train_supernet_of_evidence with:
    input:
        unpack(inputs("train_supernet_of_evidence", EVIDENCE_CURRENT)),
    output:
        **PLAN.outputs("train_supernet", "{kind}-{seed}"),
    log:
        f"{RUN}/{{kind}}-{{seed}}/logs/train_supernet.log",
    benchmark:
        f"{RUN}/{{kind}}-{{seed}}/benchmarks/train_supernet.tsv"
    priority: 30
    params:
        job=job("train_supernet_of_evidence", EVIDENCE),
        settings=EVIDENCE.settings("train_supernet"),
        files="",
        unit=folder,


use rule search_architecture as search_architecture_of_evidence with:
    input:
        unpack(inputs("search_architecture_of_evidence", EVIDENCE_CURRENT)),
    output:
        **PLAN.outputs("search_architecture", "search-{strategy}-{seed}"),
    log:
        f"{RUN}/search-{{strategy}}-{{seed}}/logs/search_architecture.log",
    benchmark:
        f"{RUN}/search-{{strategy}}-{{seed}}/benchmarks/search_architecture.tsv"
    priority: 20
    params:
        job=job("search_architecture_of_evidence", EVIDENCE),
        settings=EVIDENCE.settings("search_architecture"),
        files=optional("supernet", "record"),
        unit=folder,


rule choose_networks:
    input:
        unpack(inputs("choose_networks", EVIDENCE_CURRENT)),
    output:
        f"{RUN}/{{list}}/networks.json",
    log:
        f"{RUN}/{{list}}/logs/choose_networks.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        job=job("choose_networks", EVIDENCE),
        settings=EVIDENCE.settings("choose_networks"),
        files=optional(*strategies()),
        unit=folder,
    shell:
        "python scripts/choose_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule score_networks:
    input:
        unpack(inputs("score_networks", EVIDENCE_CURRENT)),
    output:
        f"{RUN}/{{kind}}-{{seed}}/scores.csv",
    log:
        f"{RUN}/{{kind}}-{{seed}}/logs/score_networks.log",
    benchmark:
        f"{RUN}/{{kind}}-{{seed}}/benchmarks/score_networks.tsv"
    conda:
        "../envs/nasmake.yaml"
    threads: CONFIG.trainer.num_threads
    resources:
        **PLAN.resources("score_networks"),
    params:
        job=job("score_networks", EVIDENCE),
        settings=EVIDENCE.settings("score_networks"),
        files=optional("networks", "supernet", "record"),
        unit=folder,
    shell:
        "python scripts/score_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule train_networks:
    input:
        unpack(inputs("train_networks", EVIDENCE_CURRENT)),
    output:
        f"{RUN}/{{list}}/seed-{{seed}}/trained.csv",
    log:
        f"{RUN}/{{list}}/seed-{{seed}}/logs/train_networks.log",
    benchmark:
        f"{RUN}/{{list}}/seed-{{seed}}/benchmarks/train_networks.tsv"
    priority: 10
    conda:
        "../envs/nasmake.yaml"
    threads: CONFIG.trainer.num_threads
    resources:
        **PLAN.resources("train_networks"),
    params:
        job=job("train_networks", EVIDENCE),
        settings=EVIDENCE.settings("train_networks"),
        files=optional("networks"),
        unit=folder,
    shell:
        "python scripts/train_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule evidence:
    input:
        unpack(inputs("evidence", EVIDENCE_CURRENT)),
    output:
        multiext(f"{RUN}/evidence", ".json", ".md", ".svg", ".html"),
    log:
        f"{RUN}/logs/evidence.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        job=job("evidence", EVIDENCE),
        settings=EVIDENCE.own_settings,
        run=folder,
    shell:
        "python scripts/evidence.py --settings {params.settings:q} --run {params.run:q} --job {params.job:q} > {log:q} 2>&1"
