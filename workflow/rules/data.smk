# The data set, prepared once for all runs; for retraining, where dataset.retrain says so, from folders of its own.


def prepared(path):
    """Where a data set lies, prepared, of which `path` has the source."""
    return str(Path(path or CONFIG.dataset.path, CONFIG.dataset.name))


def of_part(part, dataset):
    """The arrays of one part of a prepared data set."""
    return multiext(f"{dataset}/{part}_", "images.npy", "labels.npy")


def source(path):
    """What decides a prepared data set, as JSON."""
    return canonical_json(source_settings(CONFIG, path) | {"version": STAGE_VERSION["download_dataset"]})


RETRAIN_TRAIN, RETRAIN_TEST = prepared(CONFIG.dataset.retrain.train), prepared(CONFIG.dataset.retrain.test)
RETRAINED = {"data": of_part("train", RETRAIN_TRAIN), "manifest": f"{RETRAIN_TRAIN}/manifest.json"}  # inputs of rules
TESTED = {"test_data": of_part("test", RETRAIN_TEST), "test": f"{RETRAIN_TEST}/manifest.json"}


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
