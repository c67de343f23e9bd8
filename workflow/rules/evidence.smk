# Does the search work? snakemake --configfile config/presets/evidence.yaml evidence
# The rules of a study run for several seeds and every strategy, in units of their own. No other target asks for them.

from nasmake.evidence.plan import EvidencePlan, strategies

EVIDENCE = EvidencePlan(PLAN)


wildcard_constraints:
    kind="supernet|quarter|easy",
    list=r"ranking|selection-\d+",
    strategy="|".join(strategies()),
    seed=r"\d+",


if EVIDENCE.easy != PLAN.dataset():

    use rule download_dataset as download_easy_dataset with:
        output:
            train=multiext(f"{EVIDENCE.easy}/train_", "images.npy", "labels.npy"),
            test=multiext(f"{EVIDENCE.easy}/test_", "images.npy", "labels.npy"),
            manifest=f"{EVIDENCE.easy}/manifest.json",
        log:
            f"{RUN}/logs/download_easy_dataset.log",
        resources:
            runtime=hours(1),
            url="official",
        params:
            settings=PLAN.source_settings(name=CONFIG.evidence.easy_dataset),
            out=folder,


use rule train_supernet as train_supernet_of_evidence with:
    input:
        data=EVIDENCE.data,
        manifest=EVIDENCE.manifest,
    output:
        **PLAN.outputs("train_supernet", "{kind}-{seed}"),
    log:
        f"{RUN}/{{kind}}-{{seed}}/logs/train_supernet.log",
    benchmark:
        f"{RUN}/{{kind}}-{{seed}}/benchmarks/train_supernet.tsv"
    priority: 30
    params:
        settings=EVIDENCE.settings("train_supernet"),
        files="",
        unit=folder,


use rule search_architecture as search_architecture_of_evidence with:
    input:
        data=PLAN.part("train"),
        manifest=PLAN.manifest(),
        supernet=f"{RUN}/supernet-{{seed}}/supernet.safetensors",
        record=f"{RUN}/supernet-{{seed}}/supernet.json",
    output:
        **PLAN.outputs("search_architecture", "search-{strategy}-{seed}"),
    log:
        f"{RUN}/search-{{strategy}}-{{seed}}/logs/search_architecture.log",
    benchmark:
        f"{RUN}/search-{{strategy}}-{{seed}}/benchmarks/search_architecture.tsv"
    priority: 20
    params:
        settings=EVIDENCE.settings("search_architecture"),
        files=optional("supernet", "record"),
        table=None,
        unit=folder,


rule choose_networks:
    input:
        unpack(EVIDENCE.searches),
        manifest=PLAN.manifest(),
    output:
        f"{RUN}/{{list}}/networks.json",
    log:
        f"{RUN}/{{list}}/logs/choose_networks.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        settings=EVIDENCE.settings("choose_networks"),
        files=optional(*strategies()),
        unit=folder,
    shell:
        "python scripts/choose_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --unit {params.unit:q} > {log:q} 2>&1"


rule score_networks:
    input:
        data=EVIDENCE.data,
        manifest=EVIDENCE.manifest,
        networks=f"{RUN}/ranking/networks.json",
        supernet=f"{RUN}/{{kind}}-{{seed}}/supernet.safetensors",
        record=f"{RUN}/{{kind}}-{{seed}}/supernet.json",
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
        **PLAN.resources(1),
    params:
        settings=EVIDENCE.settings("score_networks"),
        files=optional("networks", "supernet", "record"),
        unit=folder,
    shell:
        "python scripts/score_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"


rule train_networks:
    input:
        data=PLAN.part("train"),
        test=PLAN.part("test"),
        manifest=PLAN.manifest(),
        networks=f"{RUN}/{{list}}/networks.json",
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
        **PLAN.resources(1),
    params:
        settings=EVIDENCE.settings("train_networks"),
        files=optional("networks"),
        unit=folder,
    shell:
        "python scripts/train_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"


rule evidence:
    input:
        scores=expand(f"{RUN}/{{unit}}/scores.csv", unit=EVIDENCE.supernets),
        lists=expand(f"{RUN}/{{list}}/networks.json", list=EVIDENCE.lists),
        trained=expand(
            f"{RUN}/{{list}}/seed-{{seed}}/trained.csv", list=EVIDENCE.lists, seed=CONFIG.evidence.retrain_seeds
        ),
    output:
        multiext(f"{RUN}/evidence", ".json", ".md", ".svg", ".html"),
    log:
        f"{RUN}/logs/evidence.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        settings=EVIDENCE.own_settings,
        run=folder,
    shell:
        "python scripts/evidence.py --settings {params.settings:q} --run {params.run:q} > {log:q} 2>&1"
