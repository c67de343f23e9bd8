"""Skipped stages (nas.skip_*) and imported supernets, as far as nasmake checks them before any job."""

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import sha256_of, write_json
from nasmake.pipeline.checks import check
from nasmake.pipeline.inputs import read_imported_supernet, read_search_space, source_of_networks
from small_spaces import shipped
from small_studies import error_of, in_an_empty_folder, start, study  # noqa: F401

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
SPLIT = {
    "dataset.name": "digits",
    "dataset.num_data_architecture_search": 600,
    "dataset.num_search_classes": None,
    "nas.seed": 42,
}
SEARCHED = [{"name": "nas.search_space", "type": "categorical", "choices": ["proxyless", "mnasnet"]}]


@pytest.fixture
def supernet(tmp_path):
    """Write the files of a supernet of another run, with the fields of its record that are read before any job."""

    def write(split=SPLIT, **changes):
        space = shipped("proxyless_digits")
        weights = tmp_path / "other/shared/supernet.safetensors"
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.write_bytes(b"weights")
        record = {"state": "COMPLETE", "search_space": {"name": space.name, "hash": space.hash}, "split": split}
        write_json(weights.with_suffix(".json"), record | {"weights": sha256_of(weights)} | changes)
        return "other/shared/supernet.safetensors"

    return write


def refused(**sections):
    with pytest.raises(InputError) as error:
        read_imported_supernet(study(**sections))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_supernet_is_imported_by_file_or_by_folder(supernet):
    file = supernet()
    config = study(nas={"supernet": file})
    check(config, read_search_space(config))
    imported = read_imported_supernet(config)
    assert (imported["weights"], imported["record"]) == (file, "other/shared/supernet.json")
    assert read_imported_supernet(study(nas={"supernet": "other/shared"})) == imported
    assert source_of_networks(config).endswith(f"config_proxyless_digits.yaml, supernet {file}")


def test_another_supernet_has_another_digest(supernet):
    config = study(nas={"supernet": supernet()})
    before = read_imported_supernet(config)["digest"]
    supernet(state="COMPLETE", parameters=3)
    assert read_imported_supernet(config)["digest"] != before


def test_weights_that_the_record_does_not_belong_to(supernet, tmp_path):
    file = supernet()
    (tmp_path / file).write_bytes(b"of another run")
    text = refused(nas={"supernet": file})
    assert (
        text.startswith(f"nas.supernet: {file}: checksum is ")
        and "which other/shared/supernet.json names; copy both files" in text
    )


def test_supernet_that_is_not_there():
    text = refused(nas={"supernet": "no.safetensors"})
    assert text.startswith("nas.supernet: no.safetensors: no such file; ")


@pytest.mark.parametrize("key", [*SPLIT, "dataset.num_train"])
def test_supernet_of_another_split_would_be_scored_on_images_that_it_knows(supernet, key):
    file = supernet(SPLIT | {key: "other"})
    assert refused(nas={"supernet": file}).startswith(f"nas.supernet: {file}: {key} is other; expected ")


def test_supernet_of_another_space(supernet):
    file = supernet(search_space={"name": "mine_digits", "hash": "0"})
    assert refused(nas={"supernet": file}).startswith(
        f"nas.supernet: {file}: search_space is mine_digits (0); expected proxyless_digits ("
    )


def test_supernet_that_diverged(supernet):
    assert "shared/supernet.json: expected the record of a supernet that was trained to its end" in refused(
        nas={"supernet": supernet(state="PRUNED")}
    )


def test_supernet_of_this_very_run(supernet, tmp_path):
    file = supernet()
    text = refused(nas={"supernet": file}, environment={"result_dir": "."}, run="other")
    assert text.startswith(
        f"nas.supernet: {file}: lies in the results of this run, which would overwrite it; change `run`"
    )


def test_supernet_has_one_space(supernet):
    text = refused(nas={"supernet": supernet()}, optimize={"trial_number": 2, "parameters": SEARCHED})
    assert text.endswith("has one search space, but nas.search_space is searched; remove one of them")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"nas": {"skip_retrain": True, "architecture": "mobilenet_v2"}},
            "nas.skip_retrain is true; expected false with nas.architecture,",
        ),
        (
            {"nas": {"skip_retrain": True}, "optimize": {"trial_number": 1, "pruner": "median"}},
            "optimize.pruner is median; expected none with nas.skip_retrain, because a pruner stops retraining only",
        ),
        (
            {"nas": {"supernet": "x", "type": "simultaneous"}},
            "nas.supernet is x; expected null with nas.type simultaneous, which",
        ),
    ],
)
def test_contradicting_settings_are_refused(sections, message):
    assert error_of(study(**sections)).startswith(message)


def test_study_with_all_skips_but_nothing_to_import_can_start():
    start(study(nas={"skip_train": True, "skip_architecture_search": True, "skip_retrain": True}))
