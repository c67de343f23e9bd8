"""nas.skip_* and what is taken instead: before any job."""

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.pipeline.checks import check
from nasmake.pipeline.inputs import read_imported_supernet, read_search_space, source_of_networks
from nasmake.pipeline.warnings import collect_warnings
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
    """A supernet of another run, as far as is read before any job."""

    def write(split=SPLIT, **changes):
        space = shipped("proxyless_digits")
        record = {"state": "COMPLETE", "search_space": {"name": space.name, "hash": space.hash}, "split": split}
        write_json(tmp_path / "other/shared/supernet.json", record | changes)
        (tmp_path / "other/shared/supernet.safetensors").write_bytes(b"weights")
        return "other/shared/supernet.safetensors"

    return write


def refused(**sections):
    with pytest.raises(InputError) as error:
        read_imported_supernet(study(**sections))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_supernet_is_taken_by_file_or_by_folder(supernet):
    file = supernet()
    config = study(nas={"supernet": file})
    check(config, read_search_space(config))
    taken = read_imported_supernet(config)
    assert (taken["weights"], taken["record"]) == (file, "other/shared/supernet.json")
    assert read_imported_supernet(study(nas={"supernet": "other/shared"})) == taken
    assert source_of_networks(config).endswith(f"config_proxyless_digits.yaml, supernet {file}")


def test_another_supernet_has_another_digest(supernet):
    config = study(nas={"supernet": supernet()})
    before = read_imported_supernet(config)["digest"]
    supernet(state="COMPLETE", parameters=3)
    assert read_imported_supernet(config)["digest"] != before


def test_supernet_that_is_not_there():
    text = refused(nas={"supernet": "no.safetensors"})
    assert text.startswith("nas.supernet: no.safetensors: no such file; ")


@pytest.mark.parametrize("key", SPLIT)
def test_supernet_of_another_split_would_be_scored_on_images_that_it_knows(supernet, key):
    file = supernet(SPLIT | {key: "other"})
    assert refused(nas={"supernet": file}).startswith(f"nas.supernet: {file}: was trained with {key}: other; set that")


def test_supernet_of_another_space(supernet):
    file = supernet(search_space={"name": "mine_digits", "hash": "0"})
    assert refused(nas={"supernet": file}).endswith("was trained in the space mine_digits; choose that one")


def test_supernet_that_diverged(supernet):
    assert "is not of a supernet that was trained to its end" in refused(nas={"supernet": supernet(state="PRUNED")})


def test_supernet_of_this_very_run(supernet, tmp_path):
    file = supernet()
    text = refused(nas={"supernet": file}, environment={"result_dir": "."}, run="other")
    assert text.startswith(f"nas.supernet: {file}: lies in the results of this run; choose another `run`")


def test_supernet_has_one_space(supernet):
    text = refused(nas={"supernet": supernet()}, optimize={"trial_number": 2, "parameters": SEARCHED})
    assert text.endswith("is of one space, and nas.search_space is searched; remove one of them")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"nas": {"skip_retrain": True, "architecture": "mobilenet_v2"}}, "nas.skip_retrain: true: a network that is"),
        (
            {"nas": {"skip_retrain": True}, "optimize": {"trial_number": 1, "pruner": "median"}},
            "optimize.pruner: median: stops retrainings, which nas.skip_retrain leaves out; set none",
        ),
        ({"nas": {"supernet": "x", "type": "simultaneous"}}, "nas.supernet: with nas.type simultaneous, training and"),
    ],
)
def test_what_cannot_go_together(sections, message):
    assert error_of(study(**sections)).startswith(message)


@pytest.mark.parametrize(
    ("nas", "said"),
    [
        ({}, []),
        ({"skip_train": True, "supernet": "x"}, []),
        ({"skip_train": True, "skip_architecture_search": True, "architecture": "mobilenet_v2"}, []),
        ({"skip_train": True}, ["nas.skip_train: there is no nas.supernet to take, so supernet training runs"]),
        (
            {"skip_architecture_search": True},
            ["nas.skip_architecture_search: there is no nas.architecture to take, so the search runs"],
        ),
        (
            {"supernet": "x", "architecture": "mobilenet_v2"},
            ["nas.supernet: without effect: nas.architecture leaves the search out"],
        ),
    ],
)
def test_stage_that_runs_although_it_was_to_be_left_out_is_said(nas, said):
    assert collect_warnings(study(nas=nas)) == said


def test_left_out_stages_do_not_stop_a_study():
    start(study(nas={"skip_train": True, "skip_architecture_search": True, "skip_retrain": True}))
