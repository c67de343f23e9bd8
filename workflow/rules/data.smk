# The data set, prepared once for all runs.


rule download_dataset:
    output:
        train=multiext(f"{DATASET}/train_", "images.npy", "labels.npy"),
        test=multiext(f"{DATASET}/test_", "images.npy", "labels.npy"),
        manifest=f"{DATASET}/manifest.json",
    log:
        f"{RUN}/logs/download_dataset.log",
    conda:
        "../envs/nasmake.yaml"
    resources:
        runtime=hours(1),
        url=CONFIG.dataset.url or "official",
    params:
        settings=canonical_json(source_settings(CONFIG) | {"version": STAGE_VERSION["download_dataset"]}),
        out=folder,
    shell:
        "python scripts/download_dataset.py --settings {params.settings:q} --url {resources.url:q} --out {params.out:q}"
        " > {log:q} 2>&1"
