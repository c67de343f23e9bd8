# The data set, prepared once for all runs. dataset.retrain may name other folders for the retraining and the test.

TRAIN_SOURCE, TEST_SOURCE = CONFIG.dataset.retrain.train, CONFIG.dataset.retrain.test


rule download_dataset:
    output:
        train=PLAN.part("train"),
        test=PLAN.part("test"),
        manifest=PLAN.manifest(),
    log:
        f"{RUN}/logs/download_dataset.log",
    conda:
        "../envs/nasmake.yaml"
    resources:
        runtime=hours(1),
        url=CONFIG.dataset.url or "official",
    params:
        settings=PLAN.source_settings(CONFIG.dataset.path),
        out=folder,
    shell:
        "python scripts/download_dataset.py --settings {params.settings:q} --url {resources.url:q} --out {params.out:q}"
        " > {log:q} 2>&1"


if PLAN.manifest(TRAIN_SOURCE) != PLAN.manifest():

    localrules:
        download_retrain_train,

    use rule download_dataset as download_retrain_train with:
        output:
            train=PLAN.part("train", TRAIN_SOURCE),
            test=PLAN.part("test", TRAIN_SOURCE),
            manifest=PLAN.manifest(TRAIN_SOURCE),
        log:
            f"{RUN}/logs/download_retrain_train.log",
        params:
            settings=PLAN.source_settings(TRAIN_SOURCE),
            out=folder,


if PLAN.manifest(TEST_SOURCE) not in (PLAN.manifest(), PLAN.manifest(TRAIN_SOURCE)):

    localrules:
        download_retrain_test,

    use rule download_dataset as download_retrain_test with:
        output:
            train=PLAN.part("train", TEST_SOURCE),
            test=PLAN.part("test", TEST_SOURCE),
            manifest=PLAN.manifest(TEST_SOURCE),
        log:
            f"{RUN}/logs/download_retrain_test.log",
        params:
            settings=PLAN.source_settings(TEST_SOURCE),
            out=folder,
