# Helpers of the rules that prepare data sets, and of those that read them.


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
