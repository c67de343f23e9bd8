"""A finished study on a folder of images, and what the user then changes in this folder."""

import json
import shutil

import pytest
import small_data
from conftest import make_checkout
from nasmake.core.files import read_json
from safetensors import safe_open
from studies import write_config
from test_dag import job_counts

pytestmark = pytest.mark.slow

RUN = ("--configfile", "study.yaml", "--cores", "2")
NOTHING = "Nothing to be done"
STUDY = {
    "run": "photos",
    "dataset": {"name": "image_folder", "path": "photos", "image_size": 16, "num_data_architecture_search": 12},
    "nas": {"num_epochs_supernet_train": 1, "num_epochs_architecture_search": 1, "num_epochs_retrain": 1},
    "supernet": {"batch_size": 12},
    "search": {"batch_size": 12, "population_size": 2, "recalibration_images": 12},
    "retrain": {"hyperparameters": {"batch_size": 12}},
    "optimize": {"trial_number": 1, "parameters": []},
    "promote": {"top": 1},
    "final": {"baseline": False},
}
FOLLOWS = {  # without retrain_final, whose jobs Snakemake adds when the promotion is known
    *("download_dataset", "train_supernet", "search_architecture", "retrain", "promote", "summarize_study", "report"),
    *("export_best", "all"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("finished") / "nasmake")
    small_data.write_image_folder(checkout.folder / "photos", per_class=12, test_per_class=2)
    write_config(checkout.folder, STUDY)
    checkout.run(*RUN)
    return checkout


@pytest.fixture
def copy(finished, tmp_path):
    folder = tmp_path / "nasmake"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return type(finished)(folder)


def test_best_network_says_which_class_is_which_and_how_images_are_prepared(finished):
    best = read_json(finished.folder / "results/photos/study/best.json")["preprocessing"]
    assert best["classes"] == ["apple", "bee", "cat"] and (best["image_size"], best["channels"]) == (16, 3)
    with safe_open(finished.folder / "results/photos/best/model.safetensors", "pt") as weights:
        assert json.loads(weights.metadata()["preprocessing"]) == best


def files_of(checkout):
    return sorted(path for path in (checkout.folder / "results").rglob("*") if path.suffix in (".json", ".safetensors"))


def add_class(photos):
    small_data.write_image_folder(photos, classes=["dog"], per_class=12, test_per_class=2)


def replace_image(photos):
    shutil.copyfile(photos / "train/apple/000.png", photos / "train/cat/000.png")


def relabel_image(photos):
    (photos / "train/apple/000.png").rename(photos / "train/cat/moved.png")


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (add_class, "1 class added (dog), 14 images added"),
        (replace_image, "1 image changed"),
        (relabel_image, "1 image added, 1 image removed"),
    ],
)
def test_changed_images_plan_the_preparation_and_what_follows(copy, change, phrase):
    assert NOTHING in copy.run("-n", *RUN)
    change(copy.folder / "photos")
    before = files_of(copy)
    output = copy.run("-n", *RUN)
    line = f"download_dataset: 1 existing result is made again: photos: {phrase}; the stages that read these images run"
    assert output.count(line) == 1
    assert set(job_counts(output)) == FOLLOWS and set(job_counts(output).values()) == {1}
    assert files_of(copy) == before


def test_another_number_of_training_images_trains_again_and_prepares_nothing(copy):
    output = copy.run("-n", *RUN, "--config", "dataset={num_train: 30}")
    assert set(job_counts(output)) == FOLLOWS - {"download_dataset"} and set(job_counts(output).values()) == {1}
    assert "train_supernet: 1 existing result is made again: its settings changed" in output
