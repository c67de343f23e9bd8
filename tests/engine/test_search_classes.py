"""dataset.num_search_classes: a search on some of the classes."""

import numpy as np
import torch
from nasmake.core.files import read_json
from nasmake.data.splits import choose_classes
from nasmake.engine.splits import Splits
from nasmake.engine.weights import read_weights
from nasmake.stages.retrain import retrain
from nasmake.stages.search_architecture import search_architecture
from nasmake.stages.train_supernet import train_supernet
from small_jobs import make_job

STAGES = {"train_supernet": train_supernet, "search_architecture": search_architecture, "retrain": retrain}


def test_search_on_some_of_the_classes_and_retraining_on_all(tmp_path, digits):
    unit, some = tmp_path / "trial-0000", {"dataset__num_search_classes": 4}
    for stage, run in STAGES.items():
        run(make_job(stage, unit, digits, **some))
    classes = choose_classes(4, 10, 42)
    jobs = [make_job(stage, unit, digits, **some) for stage in ("train_supernet", "retrain")]
    splits, everything = (
        Splits.open(digits, job.settings, torch.device("cpu"), num_search_classes=job.num_search_classes)
        for job in jobs
    )
    for name in ("train", "val"):
        (images, labels), (_, all_labels) = (source.arrays(name) for source in (splits, everything))
        assert np.array_equal(classes[labels], all_labels[np.isin(all_labels, classes)])
        assert len(images) == len(labels) and set(labels) == {0, 1, 2, 3} and set(all_labels) == set(range(10))
    assert read_weights(unit / "supernet.safetensors")["classifier.weight"].shape[0] == 4
    assert read_weights(unit / "model.safetensors")["classifier.weight"].shape[0] == 10
    assert read_json(unit / "supernet.json")["preprocessing"]["classes"] == [str(label) for label in classes]
    assert read_json(unit / "result.json")["preprocessing"]["classes"] == list("0123456789")
    architecture, result = read_json(unit / "architecture.json"), read_json(unit / "result.json")
    assert architecture["class_num"] == 10 and architecture["macs"] == result["macs"]
