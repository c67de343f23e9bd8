"""Warnings at the start of a run. Those about files of aiaccel are in tests/config/test_aiaccel.py."""

import pytest
from nasmake.pipeline.warnings import collect_warnings
from small_data import write_image_folder
from small_studies import in_an_empty_folder, study  # noqa: F401

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
FAIR = "without effect; sampler fair uses as many paths as the largest decision has options"
SANDWICH = "leaves no path between largest and smallest; sampler sandwich uses 4"
SEARCHED = "without effect, since every trial searches it; remove this value"
LAM = {"name": "lam", "type": "uniform_int", "lower": 1, "upper": 4}
SEARCHED_SAMPLER = {"name": "supernet.sampler", "type": "categorical", "choices": ["uniform", "fair"]}


@pytest.mark.parametrize(
    "sampler, paths, parameters, lines",
    [
        ("uniform", 5, [], []),
        ("fair", 1, [], []),
        ("fair", 5, [], [f"supernet.paths_per_step is 5: {FAIR}"]),
        ("fair", 1, [LAM], ["optimize.parameters: lam: never sampled, because supernet.sampler is fair"]),
        ("fair", 5, [SEARCHED_SAMPLER], [f"supernet.sampler is fair: {SEARCHED}"]),  # other trials may use the paths
        ("sandwich", 1, [], []),
        ("sandwich", 3, [], []),
        ("sandwich", 2, [], [f"supernet.paths_per_step is 2: {SANDWICH}"]),
        ("sandwich", 2, [LAM], [f"supernet.paths_per_step is 2: {SEARCHED}"]),
    ],
)
def test_number_of_paths_that_the_sampler_does_not_use_is_a_warning(sampler, paths, parameters, lines):
    supernet = {"sampler": sampler, "paths_per_step": paths}
    assert collect_warnings(study(supernet=supernet, optimize={"trial_number": 1, "parameters": parameters})) == lines


@pytest.mark.parametrize(
    ("nas", "lines"),
    [
        ({}, []),
        ({"skip_train": True, "supernet": "x"}, []),
        ({"skip_train": True, "skip_architecture_search": True, "architecture": "mobilenet_v2"}, []),
        ({"skip_train": True}, ["nas.skip_train: nas.supernet names no supernet to import, so supernet training runs"]),
        (
            {"skip_architecture_search": True},
            ["nas.skip_architecture_search: nas.architecture names no network to import, so the search runs"],
        ),
        (
            {"supernet": "x", "architecture": "mobilenet_v2"},
            ["nas.supernet: without effect, because nas.architecture skips the search"],
        ),
    ],
)
def test_stage_that_runs_although_it_should_be_skipped_is_a_warning(nas, lines):
    assert collect_warnings(study(nas=nas)) == lines


@pytest.mark.parametrize(
    ("epochs", "steps"),
    [(4, "1 steps"), (34, "9 steps"), (35, None)],  # of 2 batches each, for 7 options
)
def test_supernet_that_is_hardly_trained_is_a_warning(epochs, steps):
    said = collect_warnings(study(nas={"num_epochs_supernet_train": epochs}))
    assert [f"in about {steps}" in line for line in said] == ([] if steps is None else [True])


@pytest.mark.parametrize(
    ("key", "most", "what"),
    [
        ("promote.top", 1, "the number of trials"),
        ("retrain.warmup_epochs", 30, "half of the epochs of retraining"),
        ("search.recalibration_images", 600, "the number of training images"),
        ("supernet.batch_size", 600, "the number of training images"),
    ],
)
def test_number_that_is_cut_to_what_there_is_gives_a_warning(key, most, what):
    section, name = key.split(".")
    for value, lines in ((most, []), (most + 1, [f"{key} is {most + 1}: cut to {most}, {what}"])):
        given = collect_warnings(study(**{section: {name: value}}))
        assert [line for line in given if line.startswith(f"{key} is")] == lines


def test_trials_that_must_repeat_others_give_a_warning():
    parameter = {"name": "supernet.optimizer", "type": "categorical", "choices": ["Adam", "NAG"]}
    repeated = study(optimize={"trial_number": 5, "parameters": [parameter]})
    text = "optimize.trial_number: 3 trials repeat others, because there are no more points"
    assert collect_warnings(repeated) == [text]
    assert collect_warnings(study(optimize={"trial_number": 2, "parameters": [parameter]})) == []


def test_hyperparameters_that_depend_on_each_other_are_named_with_the_key_that_excludes_them():
    momentum = {"name": "momentum", "type": "uniform_float", "lower": 0.1, "upper": 0.9}
    dampening = momentum | {"name": "dampening", "when": {"momentum": 0.5}}
    momentum["step"] = 0.1
    lines = collect_warnings(
        study(supernet={"optimizer": "Adam"}, optimize={"trial_number": 1, "parameters": [momentum, dampening]})
    )
    assert all(line.startswith("optimize.parameters: ") and ": never sampled, because " in line for line in lines)
    assert "momentum" in lines[0] and lines[0].endswith("because supernet.optimizer is Adam")


@pytest.mark.parametrize(
    ("variables", "abci", "resources", "is_missing"),
    [
        ({}, {}, {"retrain": {"pbs_queue": "rt_HG"}}, True),
        ({"ABCI_GROUP": "gaa00000"}, {}, {"retrain": {"pbs_queue": "rt_HG"}}, False),
        ({}, {"group": "gaa00000"}, {"retrain": {"pbs_queue": "rt_HG"}}, False),
        ({}, {}, {"retrain": {"mem_mb": 1}}, False),
    ],
)
def test_missing_group_is_a_warning_with_a_profile_for_pbs(variables, abci, resources, is_missing, monkeypatch):
    monkeypatch.delenv("ABCI_GROUP", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lines = collect_warnings(study(ABCI=abci), set_resources=resources)
    assert [line.partition(":")[0] for line in lines] == ["ABCI.group"] * is_missing
    assert collect_warnings(study(ABCI=abci), set_resources=resources, is_paid=True) == []


def test_preamble_without_directives_gives_no_warning(tmp_path):
    preamble = tmp_path / "preamble.sh"
    preamble.write_text("module load python\n")
    assert collect_warnings(study(ABCI={"job_script_preamble": str(preamble)})) == []
    preamble.write_text("#$ -l rt_F=1\nmodule load python\n")
    (line,) = collect_warnings(study(ABCI={"job_script_preamble": str(preamble)}))
    assert line == f"ABCI.job_script_preamble: {preamble}: 1 directives of Grid Engine are dropped"


def test_classes_with_few_images_in_train_or_val_are_a_warning(tmp_path):
    for name, images in {"apple": 20, "bee": 20, "cat": 3, "dog": 1}.items():
        write_image_folder(tmp_path / "images", classes=[name], per_class=images, test_per_class=0)
    dataset = {"name": "image_folder", "path": "images", "image_size": 16, "num_data_architecture_search": 12}
    line = "dataset: classes with fewer than 5 images in train or val: "
    few = "cat (2 in train, 1 in val), dog (1 in train, 0 in val)"
    brief = "nas.num_epochs_supernet_train is 60: trains each of 7 options in about "
    small, short = collect_warnings(study(dataset=dataset))
    assert small == line + few and short.startswith(brief)
    warning, short = collect_warnings(study(dataset=dataset | {"num_train": 22}))
    assert short.startswith(brief)
    assert warning.startswith(f"{line}apple (4 in train, 6 in val), bee (4 in train, 6 in val), cat (1 in train, 0 in")


@pytest.mark.parametrize(("rate", "expected"), [(0.3, 1), (0.05, 0)])
def test_value_of_a_key_that_is_searched_is_a_warning(rate, expected):
    key = "retrain.hyperparameters.base_lr"
    searched = {"name": key, "type": "uniform_float", "lower": 0.01, "upper": 1.0, "initial": 0.05}
    overlay = {"retrain": {"hyperparameters": {"base_lr": rate}}}
    lines = collect_warnings(study(**overlay, optimize={"trial_number": 1, "parameters": [searched]}))
    assert lines == [f"{key} is 0.3: {SEARCHED}"] * expected
