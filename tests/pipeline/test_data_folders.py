"""Tests of nasmake.pipeline.data_folders: the names and places of prepared data sets."""

import os
import shutil
from pathlib import Path

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.data.pointer import read_pointer, write_pointer
from nasmake.data.preparing.prepare import prepare
from nasmake.pipeline.current import Current
from nasmake.pipeline.data_folders import listing_of, prepared_folder
from nasmake.pipeline.inputs import dataset_facts
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.study_jobs import StudyJobs
from small_data import write_image_folder
from small_studies import error_of, in_an_empty_folder, start, study  # noqa: F401

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
PHOTOS = {"name": "image_folder", "path": "photos", "image_size": 16, "num_data_architecture_search": 6}


@pytest.fixture(autouse=True)
def photos(in_an_empty_folder):  # noqa: F811
    write_image_folder(Path("photos"), per_class=4, test_per_class=1)


def folder(**changes):
    config = study(dataset=PHOTOS | changes)
    return prepared_folder(config, listing_of(config))


def planned(**changes):
    return Plan({"dataset": PHOTOS | changes, "optimize": {"trial_number": 1}})


def run_download(plan):
    """Do what the job download_dataset does."""
    table = StudyJobs(plan)
    job = table.of("download_dataset", {})
    settings = PHOTOS | {"channels": "auto"} | {"listing": plan.listings["photos"].digest}
    settings["image_size"] = plan.config.dataset.image_size
    manifest = prepare(settings, Path(plan.dataset()))
    write_pointer(Path(job.outputs[0]), Path(plan.dataset()), manifest)
    job.record()
    return job


@pytest.fixture
def read_only(monkeypatch):
    """Make the folder of the images read-only, also for root."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not Path(path).match("photos") and access(path, mode))


def test_name_says_what_the_set_was_made_from():
    first = folder()
    assert first.parent == Path("photos") and first.name.startswith("image_folder-16-auto-")
    assert folder(image_size=24).name == first.name.replace("-16-", "-24-")
    assert folder(channels=1).name == first.name.replace("-auto-", "-1-")
    os.utime("photos/train/bee/000.png", (1, 1))
    assert folder() != first
    assert prepared_folder(study(), None) == Path("resources/datasets/digits")


def test_sets_of_two_sizes_lie_side_by_side():
    first, second = planned(), planned(image_size=24)
    for plan in (first, second, first):
        run_download(plan)
    shapes = [read_json(Path(plan.dataset()) / "manifest.json")["image_shape"] for plan in (first, second)]
    assert shapes == [[16, 16, 3], [24, 24, 3]]


def test_checks_count_costs_for_the_size_of_the_study():
    run_download(planned())
    facts = [dataset_facts(study(dataset=PHOTOS | {"image_size": size})) for size in (16, 24)]
    assert [(known.size, known.channels) for known in facts] == [(16, 3), (24, None)]


def test_read_only_images_are_prepared_among_the_results(read_only):
    assert folder().parent == Path("results/.datasets")
    start(study(dataset=PHOTOS))
    plan = planned()
    job = run_download(plan)
    assert read_pointer(Path(job.outputs[0])) == folder()
    assert sorted(path.name for path in Path("photos").iterdir()) == ["test", "train"]


def test_set_that_somebody_prepared_beside_read_only_images_is_taken(monkeypatch):
    run_download(planned())
    known = folder()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert folder() == known and folder(image_size=24).parent == Path("results/.datasets")


def test_other_data_sets_need_a_folder_that_can_be_written_until_they_are_prepared(read_only):
    digits = {"name": "digits", "path": "photos", "num_data_architecture_search": 600}
    assert error_of(study(dataset=digits)) == (
        "dataset.path is photos; expected a folder that can be written, but photos is none"
    )
    prepare({"name": "digits", "path": "photos"}, Path("photos/digits"))
    start(study(dataset=digits))


def test_changed_images_are_the_reason_why_the_set_is_made_again():
    job = run_download(planned())
    assert Current(StudyJobs(planned())).outdated(job) is None
    write_image_folder(Path("photos"), classes=["dog"], per_class=2, test_per_class=0)
    current = Current(StudyJobs(planned()))
    assert current.outdated(current.jobs.of("download_dataset", {})) is not None
    assert current.explained() == [
        "download_dataset: 1 existing result is made again: photos: 1 class added (dog), 2 images added; the stages "
        "that read these images run again"
    ]


def test_other_settings_and_lost_sets_have_their_own_reasons():
    run_download(planned())
    current = Current(StudyJobs(planned(image_size=24)))
    assert current.outdated(current.jobs.of("download_dataset", {})) == "its settings changed"
    shutil.rmtree(planned().dataset())
    current = Current(StudyJobs(planned()))
    assert current.outdated(current.jobs.of("download_dataset", {})) == "the prepared data set changed"
    os.utime("photos/train/bee/000.png", (1, 1))
    current = Current(StudyJobs(planned()))
    assert current.outdated(current.jobs.of("download_dataset", {})) == "its settings changed"


def test_missing_folder_of_the_retraining_is_an_error():
    with pytest.raises(InputError, match=r"^dataset.retrain.train: elsewhere/train is no folder"):
        planned(retrain={"train": "elsewhere"})
