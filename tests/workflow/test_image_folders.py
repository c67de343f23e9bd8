"""A finished study on a folder of images, and what the user then changes in this folder."""

import json
import os
import shutil

import pytest
import small_data
from conftest import make_checkout
from PIL import Image
from studies import artefacts, write_config
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
    "all",
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


def files_of(checkout):
    return sorted(path for path in (checkout.folder / "results").rglob("*") if path.suffix in (".json", ".safetensors"))


def sets_in(checkout):
    return sorted(path.name for path in (checkout.folder / "photos").glob("image_folder-*"))


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


def test_new_class_is_trained(copy):
    add_class(copy.folder / "photos")
    (old,) = sets_in(copy)
    output = copy.run(*RUN)
    assert output.index("1 class added (dog)") < output.index("rule download_dataset")
    facts = json.loads((copy.folder / "results/photos/shared/dataset.json").read_text())
    assert facts["classes"] == ["apple", "bee", "cat", "dog"]
    assert old in sets_in(copy) and len(sets_in(copy)) == 2
    assert NOTHING in copy.run("-n", *RUN)


def test_nothing_finished_is_deleted_if_the_new_images_cannot_be_read(copy):
    add_class(copy.folder / "photos")
    (copy.folder / "photos/train/dog/000.png").write_bytes(b"no image")
    before = artefacts(copy.folder / "results/photos")
    del before["shared/dataset.json"]  # Snakemake removes the output of the job that failed; the set itself is there
    code, output = copy.run(*RUN, check=False)
    assert code != 0 and "1 unreadable image(s), all in photos/image_folder-" in output
    assert before.items() <= artefacts(copy.folder / "results/photos").items()
    shutil.rmtree(copy.folder / "photos/train/dog")
    shutil.rmtree(copy.folder / "photos/test/dog")
    assert set(job_counts(copy.run("-n", *RUN))) <= FOLLOWS
    assert artefacts(copy.folder / "results/photos").items() >= before.items()


def test_another_image_size_does_not_touch_the_first_run(copy):
    (first,) = sets_in(copy)
    other = write_config(copy.folder, STUDY, {"run": "larger", "dataset": {"image_size": 24}}, name="larger.yaml")
    copy.run("results/larger/shared/supernet.json", "--configfile", other, "--cores", "2")
    larger = json.loads((copy.folder / "results/larger/shared/dataset.json").read_text())
    assert larger["image_shape"] == [24, 24, 3]
    assert sets_in(copy) == sorted([first, first.replace("-16-", "-24-")])
    assert NOTHING in copy.run("-n", *RUN)


def test_grey_images_are_trained_with_one_channel(copy):
    for path in (copy.folder / "photos").glob("t*/*/*.png"):
        Image.open(path).convert("L").save(path)
        os.utime(path, (1, 1))
    copy.run("results/photos/trial-0000/result.json", *RUN)
    facts = json.loads((copy.folder / "results/photos/shared/dataset.json").read_text())
    assert facts["image_shape"] == [16, 16, 1]
