# Does the search work? snakemake --configfile config/presets/evidence.yaml evidence
# The product's own rules in units of their own, for several seeds and every strategy; no other target asks for them.


include: "evidence_helpers.smk"


if EASY != DATASET:

    use rule download_dataset as download_easy_dataset with:
        output:
            train=multiext(f"{EASY}/train_", "images.npy", "labels.npy"),
            test=multiext(f"{EASY}/test_", "images.npy", "labels.npy"),
            manifest=f"{EASY}/manifest.json",
        log:
            f"{RUN}/logs/download_easy_dataset.log",
        resources:
            runtime=hours(1),
            url="official",
        params:
            settings=canonical_json(
                source_settings(CONFIG)
                | {"name": CONFIG.evidence.easy_dataset, "version": STAGE_VERSION["download_dataset"]}
            ),
            out=folder,


use rule train_supernet as train_supernet_of_evidence with:
    input:
        data=data_of,
        manifest=manifest_of,
    output:
        weights=f"{RUN}/{{kind}}-{{seed}}/supernet.safetensors",
        record=f"{RUN}/{{kind}}-{{seed}}/supernet.json",
        history=f"{RUN}/{{kind}}-{{seed}}/history/train_supernet.csv",
    log:
        f"{RUN}/{{kind}}-{{seed}}/logs/train_supernet.log",
    benchmark:
        f"{RUN}/{{kind}}-{{seed}}/benchmarks/train_supernet.tsv"
    priority: 30
    params:
        settings=settings_for("train_supernet"),
        files="",
        unit=folder,


use rule search_architecture as search_architecture_of_evidence with:
    input:
        data=rules.download_dataset.output.train,
        manifest=rules.download_dataset.output.manifest,
        supernet=f"{RUN}/supernet-{{seed}}/supernet.safetensors",
        record=f"{RUN}/supernet-{{seed}}/supernet.json",
    output:
        architecture=f"{RUN}/search-{{strategy}}-{{seed}}/architecture.json",
        histories=multiext(f"{RUN}/search-{{strategy}}-{{seed}}/history/", *HISTORIES),
    log:
        f"{RUN}/search-{{strategy}}-{{seed}}/logs/search_architecture.log",
    benchmark:
        f"{RUN}/search-{{strategy}}-{{seed}}/benchmarks/search_architecture.tsv"
    priority: 20
    params:
        settings=settings_for("search_architecture"),
        files=optional("supernet"),
        table=None,
        unit=folder,


rule choose_networks:
    input:
        unpack(searched),
        manifest=rules.download_dataset.output.manifest,
    output:
        f"{RUN}/{{list}}/networks.json",
    log:
        f"{RUN}/{{list}}/logs/choose_networks.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        settings=settings_for("choose_networks"),
        files=optional(*strategies()),
        unit=folder,
    shell:
        "python scripts/choose_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --unit {params.unit:q} > {log:q} 2>&1"


rule score_networks:
    input:
        data=data_of,
        manifest=manifest_of,
        networks=NETWORKS,
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
        **training(1),
    params:
        settings=settings_for("score_networks"),
        files=optional("networks", "supernet"),
        unit=folder,
    shell:
        "python scripts/score_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"


rule train_networks:
    input:
        data=rules.download_dataset.output.train,
        test=rules.download_dataset.output.test,
        manifest=rules.download_dataset.output.manifest,
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
        **training(1),
    params:
        settings=settings_for("train_networks"),
        files=optional("networks"),
        unit=folder,
    shell:
        "python scripts/train_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} > {log:q} 2>&1"


rule evidence:
    input:
        scores=expand(f"{RUN}/{{unit}}/scores.csv", unit=supernets(CONFIG)),
        lists=expand(f"{RUN}/{{list}}/networks.json", list=lists(CONFIG)),
        trained=expand(
            f"{RUN}/{{list}}/seed-{{seed}}/trained.csv", list=lists(CONFIG), seed=CONFIG.evidence.retrain_seeds
        ),
    output:
        multiext(f"{RUN}/evidence", ".json", ".md", ".svg", ".html"),
    log:
        f"{RUN}/logs/evidence.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        settings=canonical_json(CONFIG.evidence.model_dump(mode="json")),
        run=folder,
    shell:
        "python scripts/evidence.py --settings {params.settings:q} --run {params.run:q} > {log:q} 2>&1"
