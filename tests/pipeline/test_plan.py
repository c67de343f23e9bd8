"""The plan of a study: the paths, settings and resources that the rules ask for."""

import json
from pathlib import Path

import pytest
from nasmake.core.files import digest_of, write_json
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import CHAIN, CHAIN_SIMULTANEOUS, STAGES
from small_spaces import content
from small_studies import in_an_empty_folder  # noqa: F401

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
RUN = "results/proxyless_digits"
DATASET = {"manifest": f"{RUN}/shared/dataset.json"}
SEARCHED = {
    "train_supernet": {"name": "initial_lr", "type": "uniform_float", "lower": 0.01, "upper": 0.1},
    "search_architecture": {"name": "search.mutation_prob", "type": "uniform_float", "lower": 0.1, "upper": 0.5},
    "retrain": {"name": "retrain.label_smoothing", "type": "uniform_float", "lower": 0.0, "upper": 0.2},
}


def plan(*stages, trials=3, optimize=None, **sections):
    """Return the plan of a study on digits that searches one key of each of these stages."""
    parameters = [SEARCHED[stage] for stage in stages or ("retrain",)]
    dataset = {"name": "digits", "num_data_architecture_search": 600} | sections.pop("dataset", {})
    optimize = {"trial_number": trials, "parameters": parameters} | (optimize or {})
    return Plan({"dataset": dataset, "optimize": optimize} | sections)


def test_facts_of_a_study_that_searches():
    study = plan(trials=2)
    assert (study.run, study.trials, study.chain, study.is_whole) == (RUN, ["0000", "0001"], CHAIN, True)
    assert study.search_space == {"name": "proxyless_digits", "content": content("proxyless_digits")}
    assert study.architecture is None and study.supernet is None


def test_facts_of_a_study_that_imports_its_network():
    study = plan(nas={"architecture": "mobilenet_v2"}, search={"constraint": {"latency_ms": 5}})
    assert study.architecture["name"] == "MobileNetV2" and study.search_space is None and not study.is_whole
    assert (study.needs_latency, study.latency) == (False, [])
    assert (
        study.inputs("retrain", "trial-0001")["architecture"] == "results/mobilenet_v2_digits/shared/architecture.json"
    )


@pytest.mark.parametrize(
    ("searched", "shared_stages"),
    [("train_supernet", ()), ("search_architecture", CHAIN[:1]), ("retrain", CHAIN[:2])],
)
def test_trials_share_the_stages_before_the_searched_one(searched, shared_stages):
    study = plan(searched)
    for stage in CHAIN:
        unit = "shared" if stage in shared_stages else "trial-0001"
        assert study.folder_of(stage, "trial-0001") == f"{RUN}/{unit}"
    assert study.folder_of("retrain_final", "trial-0001") == f"{RUN}/trial-0001"


def test_inputs_of_a_stage_lie_where_the_earlier_stage_writes_them():
    study = plan("search_architecture")
    assert study.inputs("search_architecture", "trial-0001") == DATASET | {
        "supernet": f"{RUN}/shared/supernet.safetensors",
        "record": f"{RUN}/shared/supernet.json",
        "suggestion": f"{RUN}/trial-0001/suggestion.json",
    }
    assert study.inputs("retrain", "trial-0001") == DATASET | {
        "architecture": f"{RUN}/trial-0001/architecture.json",
        "suggestion": f"{RUN}/trial-0001/suggestion.json",
    }


def test_shared_stage_reads_no_suggestion():
    assert plan().inputs("train_supernet", "shared") == DATASET
    assert plan().inputs("search_architecture", "shared").keys() == {"supernet", "record", "manifest"}


def test_final_training_reads_architecture_and_result():
    files = plan().inputs("retrain_final", "trial-0001")
    assert files["architecture"] == f"{RUN}/shared/architecture.json"
    assert files["result"] == f"{RUN}/trial-0001/result.json"


def test_architecture_comes_from_the_stage_that_searches_while_it_trains():
    study = plan("train_supernet", nas={"type": "simultaneous"})
    assert study.chain == CHAIN_SIMULTANEOUS
    assert study.inputs("retrain", "trial-0001")["architecture"] == f"{RUN}/trial-0001/architecture.json"


def test_outputs_have_the_wildcard_of_the_unit():
    assert plan().outputs("train_supernet") == {
        "weights": f"{RUN}/{{unit}}/supernet.safetensors",
        "record": f"{RUN}/{{unit}}/supernet.json",
        "history": f"{RUN}/{{unit}}/history/train_supernet.csv",
    }
    assert plan().outputs("retrain", "trial-0007")["result"] == f"{RUN}/trial-0007/result.json"


@pytest.mark.parametrize(
    ("lag", "trial", "previous", "observed"),
    [(1, 0, None, None), (1, 1, 0, 0), (2, 1, 0, None), (2, 2, 1, 0), (3, 7, 6, 4)],
)
def test_suggestion_reads_the_previous_one_and_the_newest_result_that_the_lag_allows(lag, trial, previous, observed):
    files = plan(trials=8, optimize={"lag": lag}).observed(trial)
    expected = {}
    if previous is not None:
        expected["previous"] = f"{RUN}/trial-{previous:04d}/suggestion.json"
    if observed is not None:
        expected["observed"] = f"{RUN}/trial-{observed:04d}/result.json"
    assert files == expected


def test_promoted_artefacts_are_those_of_the_trials_in_the_file(tmp_path):
    write_json(tmp_path / "promoted.json", {"trials": [2, 0]})
    expected = [f"{RUN}/trial-0002/final.json", f"{RUN}/trial-0000/final.json"]
    assert plan().promoted(str(tmp_path / "promoted.json"), "final.json") == expected


@pytest.mark.parametrize(("searched", "supernets", "searches"), [("retrain", 1, 1), ("search_architecture", 1, 3)])
def test_artefacts_of_shared_stages_are_listed_once(searched, supernets, searches):
    files = plan(searched).unit_files
    assert len(files) == len(set(files))
    count = {stage: len(STAGES[stage].outputs) for stage in CHAIN}
    suggestions = 3
    assert len(files) == (
        supernets * count["train_supernet"]
        + searches * count["search_architecture"]
        + 3 * count["retrain"]
        + suggestions
    )
    assert f"{RUN}/shared/supernet.safetensors" in files
    unit = "shared" if searched == "retrain" else "trial-0002"
    assert f"{RUN}/{unit}/architecture.json" in files
    assert {f"{RUN}/trial-{trial:04d}/suggestion.json" for trial in range(3)} <= set(files)
    targets = plan(searched).unit_targets
    assert len(targets) == supernets + searches + 3 + suggestions and set(targets) < set(files)


def test_latency_table_is_measured_if_a_limit_needs_one_and_none_is_given(tmp_path):
    limit = {"search": {"constraint": {"latency_ms": 5}}}
    measuring = plan(**limit)
    assert measuring.latency == [f"{RUN}/shared/latency.json"] and measuring.latency[0] in measuring.unit_files
    assert (measuring.latency_table, measuring.latency_digest) == (None, None)
    write_json(tmp_path / "table.json", {"entries": {}})
    given = plan(**limit, latency={"table": "table.json"})
    assert (given.latency, given.latency_table) == ([], "table.json")
    assert given.latency_digest == digest_of([Path("table.json")])
    unused = plan(latency={"table": "table.json"})
    assert (unused.latency, unused.latency_table, unused.latency_digest) == ([], None, None)


def test_figures_of_a_search_are_left_out_without_one():
    searching, importing = plan(), plan(nas={"architecture": "mobilenet_v2"})
    names = {Path(path).name for path in searching.figures} - {Path(path).name for path in importing.figures}
    assert names == {"tradeoff.svg", "search_progress.svg", "probabilities.svg"}
    assert f"{RUN}/report/parallel_coordinates.svg" in searching.figures
    assert all(path.startswith(f"{RUN}/report/") for path in searching.figures)


def test_a_run_has_a_file_with_the_facts_about_each_data_set():
    study = plan(dataset={"path": "data"})
    assert study.dataset() == "data/digits" and study.manifest() == f"{RUN}/shared/dataset.json"
    assert study.dataset_rules == {"dataset": "download_dataset"}


def test_retraining_may_read_data_sets_of_its_own():
    study = plan(dataset={"path": "data", "retrain": {"train": "other", "test": "third"}})
    names = ("dataset", "retrain_train", "retrain_test")
    assert study.dataset_paths == dict(zip(names, ("data", "other", "third"), strict=True))
    assert study.inputs("retrain", "trial-0000")["manifest"] == f"{RUN}/shared/retrain_train.json"
    final = study.inputs("retrain_final", "trial-0000")
    assert (final["manifest"], final["test"]) == tuple(f"{RUN}/shared/{name}.json" for name in names[1:])
    same = plan(dataset={"path": "data", "retrain": {"train": "other", "test": "other"}})
    assert same.inputs("retrain_final", "trial-0000")["test"] == f"{RUN}/shared/retrain_train.json"


def test_source_of_the_data_set_has_its_folder_and_no_url():
    digest = "0" * 64
    others = {"retrain": {"train": "other"}}
    study = plan(dataset={"name": "cifar10", "path": "data", "url": "file:///x", "sha256": digest, **others})
    expected = {"name": "cifar10", "path": "data", "sha256": digest, "image_size": None, "channels": "auto"}
    expected |= {"version": STAGES["download_dataset"].version}
    assert json.loads(study.source_settings()) == expected
    assert json.loads(study.source_settings("other")) == expected | {"path": "other"}
    assert json.loads(study.source_settings(name="x")) == expected | {"name": "x"}


def test_settings_are_json_with_sorted_keys_and_the_space_if_the_stage_reads_it():
    text = plan().settings("train_supernet")
    settings = json.loads(text)
    assert json.dumps(settings, sort_keys=True, separators=(",", ":")) == text
    assert settings["search_space"]["name"] == "proxyless_digits"
    assert settings["version"] == STAGES["train_supernet"].version
    assert "search_space" not in json.loads(plan().settings("retrain"))


def test_study_can_be_extended():
    assert plan(trials=3).study_settings() == plan(trials=9).study_settings()
    assert plan("retrain").study_settings() != plan("search_architecture").study_settings()


@pytest.mark.parametrize(
    ("trainer", "display"),
    [
        ({}, "lines"),
        ({"enable_progress_bar": True}, "bar"),
        ({"enable_model_summary": True, "logger": True}, "summary+tensorboard"),
        ({"enable_progress_bar": True, "enable_model_summary": True, "logger": True}, "bar+summary+tensorboard"),
    ],
)
def test_display_has_a_word_for_each_key(trainer, display):
    assert plan(trainer=trainer).resources("retrain")["display"] == display


@pytest.mark.parametrize(("gpus", "threads"), [(0, 2), (1, 2), (3, 6)])
def test_resources_and_threads_of_all_processes(gpus, threads):
    study = plan(environment={"gpus": gpus}, trainer={"num_threads": 2, "accelerator": "cpu"})
    resources = study.resources("retrain")
    assert (resources["gpu"], resources["accelerator"], study.threads) == (gpus, "cpu", threads)
    assert resources["runtime"](None, attempt=2) == 2 * 120
