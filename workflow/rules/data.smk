# The data sets of a study. A prepared set is shared by all runs, so the output is a file of this run that names it.
# dataset.retrain may name other folders for the retraining and the test.


rule download_dataset:
    input:
        unpack(inputs("download_dataset")),
    output:
        f"{RUN}/shared/dataset.json",
    log:
        f"{RUN}/logs/download_dataset.log",
    conda:
        "../envs/nasmake.yaml"
    resources:
        runtime=60,  # minutes
    params:
        settings=PLAN.source_settings(CONFIG.dataset.path),
        job=job("download_dataset"),
        folder=PLAN.dataset(),
    shell:
        "python scripts/download_dataset.py --settings {params.settings:q}"
        " --folder {params.folder:q} --out {output:q} --job {params.job:q} > {log:q} 2>&1"


if "retrain_train" in PLAN.dataset_paths:

    localrules:
        download_retrain_train,

    use rule download_dataset as download_retrain_train with:
        input:
            unpack(inputs("download_retrain_train")),
        output:
            f"{RUN}/shared/retrain_train.json",
        log:
            f"{RUN}/logs/download_retrain_train.log",
        params:
            settings=PLAN.source_settings(CONFIG.dataset.retrain.train),
            job=job("download_retrain_train"),
            folder=PLAN.dataset(CONFIG.dataset.retrain.train),


if "retrain_test" in PLAN.dataset_paths:

    localrules:
        download_retrain_test,

    use rule download_dataset as download_retrain_test with:
        input:
            unpack(inputs("download_retrain_test")),
        output:
            f"{RUN}/shared/retrain_test.json",
        log:
            f"{RUN}/logs/download_retrain_test.log",
        params:
            settings=PLAN.source_settings(CONFIG.dataset.retrain.test),
            job=job("download_retrain_test"),
            folder=PLAN.dataset(CONFIG.dataset.retrain.test),
