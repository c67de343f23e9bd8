"""The table of stages: which keys rerun which stage, and which stages the trials of a study share."""

from pathlib import Path

import pytest
from nasmake.config import keys, load
from nasmake.config.aiaccel import ALIASES, path_of
from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json
from nasmake.core.nested import assign
from nasmake.pipeline.checks import check_parameters
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import (
    CHAIN,
    CHAIN_SIMULTANEOUS,
    CHAIN_WITHOUT_SEARCH,
    RESOLVED_KEYS,
    SHARED_KEYS,
    STAGES,
    chain_of,
    first_searched,
    settings_of,
    settings_of_job,
    stage_of,
    with_parameters,
)

ROOT = Path(__file__).parents[2]
ONE_TRIAL = {"optimize": {"trial_number": 1}}
OF_SECTION = {"supernet": "train_supernet", "search": "search_architecture", "retrain": "retrain"}
# Another valid value for keys whose default cannot just be negated, increased or halved.
OTHER = {
    "search.gates": "full",
    "search.expected_cost.loss": "linear",
    "search.expected_cost.metric": "parameters",
    "dataset.name": "cifar100",
    "dataset.crop_padding": 3,
    "dataset.flip": False,
    "dataset.num_search_classes": 10,
    "dataset.num_train": 20_000,
    "supernet.optimizer": "Adam",
    "supernet.scheduler": "Linear",
    "supernet.gradient_clip": 1.0,
    "supernet.weight_sharing": "separate",
    "supernet.sampler": "fair",
    "retrain.gradient_clip": 1.0,
    "retrain.cutout_length": 4,
    "retrain.ema_decay": 0.9,
    "search.algorithm": "random",
    "search.objective": "mnasnet_reward",
    "search.reward.metric": "parameters",
    "search.reward.target": 1e6,
    "search.front": ["macs", "parameters"],
    "search.max_age": 3,
    "search.constraint.macs": 10**9,
    "search.constraint.parameters": 10**9,
    "search.constraint.latency_ms": 10.0,
    "latency.table": "table.json",
    "retrain.hyperparameters.weight_decay": 0.5,
    "retrain.hyperparameters.num_epochs": 7,
    "retrain.num_epochs": 7,
    "trainer.accelerator": "cpu",
    "trainer.precision": "bf16-mixed",
    "optimize.search_algorithm": "RandomOptimizer",
    "final.num_epochs": 7,
    "environment.device_ids": [0],
}
# The stages of a trial that compute, and final training.
TRAINING = ("train_supernet", "search_architecture", "search_supernet", "retrain", "retrain_final")
FIXED = {"dataset.url", "dataset.sha256", "dataset.image_size"}  # valid together with other keys only


def changed(path):
    before = load(ONE_TRIAL)
    raw = before.model_dump(mode="json")
    value = raw
    for name in path.split("."):
        value = value[name]
    if path in OTHER:
        other = OTHER[path]
    elif isinstance(value, bool):
        other = not value
    else:
        other = value + 1 if isinstance(value, int) else value / 2 if value else 0.25
    assign(raw, path, other)
    assert other != value
    return before, load(raw)


def searchable():
    sections = ("supernet", "search", "retrain", "nas.num_epochs", *SHARED_KEYS)
    return [path for path in keys() if path.startswith(sections) and path not in FIXED and path not in RESOLVED_KEYS]


@pytest.mark.parametrize("path", searchable())
def test_key_reruns_one_stage_or_all(path):
    before, after = changed(path)
    differing = [stage for stage in CHAIN if settings_of(STAGES[stage], before) != settings_of(STAGES[stage], after)]
    stage = OF_SECTION.get(path.partition(".")[0])
    if path.startswith("nas.num_epochs"):
        name = path.removeprefix("nas.num_epochs_")
        stage = {"supernet_train": "train_supernet", "architecture_search": "search_architecture"}.get(name, name)
    assert differing == ([stage] if stage else list(CHAIN))
    assert stage_of(path) == differing[0]


@pytest.mark.parametrize(
    "path", ["run", "environment.gpus", "trainer.accelerator", "optimize.trial_number", "promote.top", "resource.type"]
)
def test_key_that_reruns_no_stage(path):
    raw = load(ONE_TRIAL).model_dump(mode="json")
    other = {"run": "x", "environment.gpus": 3, "trainer.accelerator": "cpu", "optimize.trial_number": 1}
    assign(raw, path, other.get(path, "x" if path == "resource.type" else 2))
    for stage in TRAINING:
        assert settings_of(STAGES[stage], load(raw)) == settings_of(STAGES[stage], load(ONE_TRIAL))


@pytest.mark.parametrize(("gpus", "processes"), [(0, {}), (1, {}), (2, {"processes": 2})])
@pytest.mark.parametrize("stage", TRAINING)
def test_number_of_processes_is_a_setting_if_it_changes_the_bytes(stage, gpus, processes):
    config = load(ONE_TRIAL | {"environment": {"gpus": gpus}})
    expected = settings_of(STAGES[stage], config) | {"version": STAGES[stage].version} | processes
    assert settings_of_job(STAGES[stage], config, None) == expected
    space = {"name": "x", "content": {}}
    with_space = {"search_space": space} if STAGES[stage].has_space else {}
    assert settings_of_job(STAGES[stage], config, space) == expected | with_space


def test_measurement_takes_one_process():
    config = load(ONE_TRIAL | {"environment": {"gpus": 2}})
    assert "processes" not in settings_of_job(STAGES["measure_latency"], config, None)


def test_key_of_a_later_version_is_a_setting_only_if_it_has_a_value():
    before, after = (settings_of(STAGES["retrain"], config)["dataset"] for config in changed("dataset.num_train"))
    assert "num_train" not in before and after == before | {"num_train": 20_000}


def test_final_epochs_rerun_only_the_final_training():
    before, after = changed("final.num_epochs")
    assert [stage for stage in TRAINING if settings_of(STAGES[stage], before) != settings_of(STAGES[stage], after)] == [
        "retrain_final"
    ]


@pytest.mark.parametrize("path", [path for path in keys() if path.startswith("latency.")])
def test_settings_of_the_measurement_rerun_it_alone(path):
    before, after = changed(path)
    for stage in TRAINING:
        assert settings_of(STAGES[stage], before) == settings_of(STAGES[stage], after)
    assert (settings_of(STAGES["measure_latency"], before) == settings_of(STAGES["measure_latency"], after)) == (
        path == "latency.table"
    )
    assert stage_of(path) is None


@pytest.mark.parametrize("path", ["supernet.lr", "search.batch_size", "dataset.flip", "nas.num_epochs_retrain"])
def test_measurement_depends_on_no_training(path):
    before, after = changed(path)
    assert settings_of(STAGES["measure_latency"], before) == settings_of(STAGES["measure_latency"], after)


def test_every_key_of_the_table_is_a_key_or_a_section():
    known = set(keys())
    for name, stage in STAGES.items():
        for key in stage.reads:
            assert any(path == key or path.startswith(f"{key}.") for path in known), f"{name}: {key}"


def test_what_a_stage_takes_is_made_by_an_earlier_stage_of_every_chain():
    for chain in (CHAIN, CHAIN_SIMULTANEOUS, CHAIN_WITHOUT_SEARCH):
        for index, name in enumerate(chain):
            made = {artefact for earlier in chain[:index] for artefact in STAGES[earlier].outputs.values()}
            assert set(STAGES[name].takes.values()) <= made, name


def test_stages_that_stand_in_for_each_other_make_the_same_artefacts():
    for stage, instead in (("train_supernet", "import_supernet"), ("search_architecture", "import_architecture")):
        assert STAGES[instead].outputs.items() <= STAGES[stage].outputs.items()
    both = STAGES["train_supernet"].outputs | STAGES["search_architecture"].outputs
    assert STAGES["search_supernet"].outputs == both


def test_all_names_of_the_predecessor_are_known():
    assert len(ALIASES) == 23


@pytest.mark.parametrize("alias", ALIASES)
def test_alias_stands_for_a_key_of_the_supernet_or_the_search(alias):
    assert path_of(alias) in set(keys())
    assert path_of(path_of(alias)) == path_of(alias)
    of_the_search = ("batch_size_architecture_search", "alpha", "epsilon")
    assert stage_of(alias) == ("search_architecture" if alias in of_the_search else "train_supernet")


@pytest.mark.parametrize(
    "names, shared",
    [
        ([], 2),  # nothing is searched, but retraining is never shared
        (["retrain.weight_decay"], 2),
        (["retrain.hyperparameters.base_lr", "nas.num_epochs_retrain"], 2),
        (["search.constraint.macs"], 1),
        (["batch_size_architecture_search", "retrain.weight_decay"], 1),
        (["nas.num_epochs_architecture_search"], 1),
        (["initial_lr"], 0),
        (["retrain.weight_decay", "supernet.paths_per_step"], 0),
        (["nas.seed"], 0),
        (["trainer.precision", "search.algorithm"], 0),
    ],
)
def test_stages_before_the_first_searched_one_are_shared(names, shared):
    assert first_searched(names) == shared


def test_without_a_search_only_retraining_differs():
    assert chain_of(load(ONE_TRIAL)) == CHAIN
    assert chain_of(load(ONE_TRIAL | {"nas": {"architecture": "mobilenet_v2"}})) == CHAIN_WITHOUT_SEARCH
    assert chain_of(load(ONE_TRIAL | {"nas": {"type": "simultaneous"}})) == CHAIN_SIMULTANEOUS
    left_out = {"supernet": "other/supernet.safetensors", "skip_retrain": True}
    assert chain_of(load(ONE_TRIAL | {"nas": left_out})) == (
        "import_supernet",
        "search_architecture",
        "evaluate_inherited",
    )
    for name in ("initial_lr", "search.alpha"):
        assert stage_of(name, CHAIN_SIMULTANEOUS) == "search_supernet"
    assert first_searched(["nas.seed", "retrain.weight_decay"], CHAIN_WITHOUT_SEARCH) == 1
    assert stage_of("nas.seed", CHAIN_WITHOUT_SEARCH) == "retrain"
    assert stage_of("initial_lr", CHAIN_WITHOUT_SEARCH) is None


@pytest.mark.parametrize(
    ("name", "nas", "stage", "left_out_by"),
    [
        ("initial_lr", {"architecture": "mobilenet_v2"}, "train_supernet", "nas.architecture: null"),
        ("search.mutation_prob", {"architecture": "mobilenet_v2"}, "search_architecture", "nas.architecture: null"),
        ("initial_lr", {"supernet": "other/supernet.safetensors"}, "train_supernet", "nas.supernet: null"),
        ("retrain.label_smoothing", {"skip_retrain": True}, "retrain", "nas.skip_retrain: false"),
    ],
)
def test_parameter_of_a_left_out_stage_is_refused(name, nas, stage, left_out_by):
    parameter = {"name": name, "type": "uniform_float", "lower": 0.1, "upper": 0.2}
    with pytest.raises(InputError) as error:
        check_parameters(load({"nas": nas, "optimize": {"parameters": [parameter]}}))
    key = left_out_by.partition(":")[0]
    expected = f"config: optimize.parameters: {name} belongs to stage {stage}, which {key} skips; remove {name}"
    assert str(error.value).startswith(expected) and str(error.value).endswith(f"or set {left_out_by}")


def test_parameter_of_retraining_may_be_searched_without_a_search():
    parameter = {"name": "retrain.label_smoothing", "type": "uniform_float", "lower": 0.1, "upper": 0.2}
    check_parameters(load({"nas": {"architecture": "mobilenet_v2"}, "optimize": {"parameters": [parameter]}}))


@pytest.mark.parametrize("stage", [*CHAIN, "retrain_final"])
def test_settings_load_to_the_same_settings(stage):
    config = load(
        {
            "dataset": {"name": "digits", "flip": True},
            "nas": {"seed": 5, "num_epochs_retrain": 9},
            "supernet": {"lr": 0.3},
            "search": {"constraint": {"macs": 10**6}},
            "retrain": {"hyperparameters": {"base_lr": 0.7}},
            "final": {"num_epochs": 11},
        }
        | ONE_TRIAL
    )
    settings = settings_of(STAGES[stage], config)
    assert settings_of(STAGES[stage], load(settings | ONE_TRIAL)) == settings
    assert canonical_json(settings) == canonical_json(settings_of(STAGES[stage], config))


def test_data_set_is_decided_by_its_source_alone(monkeypatch):
    monkeypatch.chdir(ROOT)

    def source(**changes):
        raw = load(ONE_TRIAL).model_dump(mode="json")
        for path, value in changes.items():
            assign(raw, path.replace("__", "."), value)
        return Plan(raw).source_settings()

    before = source()
    for path in (*SHARED_KEYS, "supernet.lr"):
        if path not in ("dataset.name", "dataset.image_size"):
            assert source(**{path.replace(".", "__"): OTHER.get(path, 3)}) == before, path
    assert source(dataset__name="cifar100") != before
    assert source(dataset__url="file:///x", dataset__sha256="0" * 64) != before


def test_parameters_are_written_in_and_those_of_other_stages_left_out():
    settings = settings_of(STAGES["train_supernet"], load(ONE_TRIAL))
    changed_settings = with_parameters(settings, {"initial_lr": 0.7, "retrain.weight_decay": 0.1, "nas.seed": 3})
    assert changed_settings["supernet"]["lr"] == 0.7 and changed_settings["nas"]["seed"] == 3
    assert "retrain" not in changed_settings
    assert settings["supernet"]["lr"] == 0.05 and settings["nas"]["seed"] == 42


def test_parameter_of_a_nested_section_is_written_in():
    settings = settings_of(STAGES["search_architecture"], load(ONE_TRIAL))
    assert with_parameters(settings, {"search.constraint.macs": 7})["search"]["constraint"]["macs"] == 7


def test_assign_makes_the_mappings_on_the_way():
    mapping = {}
    assign(mapping, "a.b.c", 1)
    assign(mapping, "a.d", 2)
    assert mapping == {"a": {"b": {"c": 1}, "d": 2}}


@pytest.mark.parametrize("path", [path for path in searchable() if not path.startswith("dataset.")])
def test_every_key_of_a_stage_can_be_searched(path):
    before, after = changed(path)
    values = []
    for config in (before, after):
        value = config.model_dump(mode="json")
        for name in path.split("."):
            value = value[name]
        values.append(value)
    parameter = {"name": path, "type": "categorical", "choices": values}
    config = load({"optimize": {"parameters": [parameter]}})
    if path in ("retrain.num_epochs", "retrain.hyperparameters.num_epochs"):
        with pytest.raises(InputError, match="can be searched"):
            check_parameters(config)
    else:
        check_parameters(config)


def test_float_parameter_on_a_key_of_whole_numbers_is_refused():
    parameter = {"name": "supernet.batch_size", "type": "uniform_float", "lower": 64, "upper": 256}
    with pytest.raises(InputError, match=r"supernet\.batch_size"):
        check_parameters(load({"optimize": {"parameters": [parameter]}}))
