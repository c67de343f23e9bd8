"""The predecessor's study through the DAG, from its own files."""

import json
import shutil
from pathlib import Path

import pytest
import small_data
import yaml
from test_dag import ONCE, job_counts

FILES = Path(__file__).parents[1] / "predecessor"
THEIRS = ("old/config.yaml", "old/nas_config.yaml", "old/trainer_config.yaml", "old/hyperparameter.yaml")
SMALLER = {
    "run": "small",
    "environment": {"gpus": 1, "device_ids": None},
    "nas": {"num_epochs_supernet_train": 1, "num_epochs_architecture_search": 1, "num_epochs_retrain": 1},
    "search": {"population_size": 3, "samples_per_update": 3, "recalibration_images": 50, "prune_at_chance": False},
    "trainer": {"accelerator": "cpu", "strategy": "auto"},
    "optimize": {"trial_number": 3},
}


@pytest.mark.slow
def test_their_files_list_the_whole_study_and_run_a_smaller_one(checkout):
    shutil.copytree(FILES, checkout.folder / "old")
    chain = dict.fromkeys(("suggest", "train_supernet", "search_architecture", "retrain"), 15)
    assert job_counts(checkout.run("-n", "--configfile", *THEIRS[:2])) == ONCE | chain

    archive = checkout.folder.parent / "data/cifar-10-python.tar.gz"  # dataset.path is ../data in their file
    archive.parent.mkdir()
    checksum = small_data.write_cifar10_archive(archive, 250, 60)
    data = {"dataset": {"sha256": checksum, "num_data_architecture_search": 100}}
    (checkout.folder / "smaller.yaml").write_text(yaml.safe_dump(SMALLER | data))
    output = checkout.run("--cores", "2", "--configfile", *THEIRS, "smaller.yaml")
    run = checkout.folder / "architecture_search_results/small"
    assert (run / "study/summary.txt").read_text() in output
    assert json.loads((run / "study/best.json").read_text())["test_n"] == 60
    params = [json.loads((run / f"trial-000{trial}/suggestion.json").read_text())["params"] for trial in range(3)]
    assert params[0]["lam"] == 8 and len({json.dumps(own) for own in params}) == 3
