# The data set, prepared once for all runs; for retraining, where dataset.retrain says so, from folders of its own.


include: "data_helpers.smk"


rule download_dataset:
    output:
        train=of_part("train", DATASET),
        test=of_part("test", DATASET),
        manifest=f"{DATASET}/manifest.json",
    log:
        f"{RUN}/logs/download_dataset.log",
    conda:
        "../envs/nasmake.yaml"
    resources:
        runtime=hours(1),
        url=CONFIG.dataset.url or "official",
    params:
        settings=source(CONFIG.dataset.path),
        out=folder,
    shell:
        "python scripts/download_dataset.py --settings {params.settings:q} --url {resources.url:q} --out {params.out:q}"
        " > {log:q} 2>&1"


if RETRAIN_TRAIN != DATASET:

    localrules:
        download_retrain_train,

    use rule download_dataset as download_retrain_train with:
        output:
            train=of_part("train", RETRAIN_TRAIN),
            test=of_part("test", RETRAIN_TRAIN),
            manifest=f"{RETRAIN_TRAIN}/manifest.json",
        log:
            f"{RUN}/logs/download_retrain_train.log",
        params:
            settings=source(CONFIG.dataset.retrain.train),
            out=folder,


if RETRAIN_TEST not in (DATASET, RETRAIN_TRAIN):

    localrules:
        download_retrain_test,

    use rule download_dataset as download_retrain_test with:
        output:
            train=of_part("train", RETRAIN_TEST),
            test=of_part("test", RETRAIN_TEST),
            manifest=f"{RETRAIN_TEST}/manifest.json",
        log:
            f"{RUN}/logs/download_retrain_test.log",
        params:
            settings=source(CONFIG.dataset.retrain.test),
            out=folder,
