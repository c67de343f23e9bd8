"""Tests of all modules of nasmake.config, through load(); test_aiaccel.py tests config.aiaccel."""

from copy import deepcopy

import pytest
from nasmake.config import Config, keys, load
from nasmake.core.errors import InputError
from nasmake.pipeline.checks import check_parameters

ONE_TRIAL = {"optimize": {"trial_number": 1}}
LR = {"name": "initial_lr", "type": "uniform_float", "lower": 0.1, "upper": 1.0}


def with_parameter(**changes):
    parameter = {key: value for key, value in (LR | changes).items() if value is not ...}
    return {"optimize": {"parameters": [parameter]}}


def error_of(raw):
    with pytest.raises(InputError) as error:
        check_parameters(load(raw))
    text = str(error.value)
    assert text.startswith("config: ") and "\n" not in text
    return text.removeprefix("config: ")


def test_defaults_are_complete_and_resolved():
    config = load(ONE_TRIAL)
    assert config.run == "proxyless_cifar10"
    assert (config.dataset.crop_padding, config.dataset.flip) == (4, True)
    assert config.nas.num_epochs_retrain == 60


def test_resolved_configuration_loads_to_itself():
    once = load(with_parameter() | {"dataset": {"name": "digits"}}).model_dump(mode="json")
    assert load(deepcopy(once)).model_dump(mode="json") == once


def test_run_may_be_named_and_may_look_like_a_number():
    assert load(ONE_TRIAL | {"run": "a.B-c_1"}).run == "a.B-c_1"
    for architecture, run in {"mnasnet_b1_0.5": "mnasnet_b1_0.5", "./my nets/.b é.json": "_b___cifar10"}.items():
        assert load(ONE_TRIAL | {"nas": {"architecture": architecture}}).run.startswith(run)
    assert load(ONE_TRIAL | {"run": 2026}).run == "2026"
    assert load(ONE_TRIAL | {"run": "007"}).run == "007"


@pytest.mark.parametrize(
    "name, padding, flip",
    [
        ("digits", 1, False),
        ("digits_canvas", 1, False),
        ("mnist", 2, False),
        ("fashion_mnist", 2, True),
        ("cifar100", 4, True),
    ],
)
def test_augmentation_depends_on_the_data(name, padding, flip):
    dataset = load(ONE_TRIAL | {"dataset": {"name": name}}).dataset
    assert (dataset.crop_padding, dataset.flip) == (padding, flip)
    dataset = load(ONE_TRIAL | {"dataset": {"name": name, "crop_padding": 0, "flip": not flip}}).dataset
    assert (dataset.crop_padding, dataset.flip) == (0, not flip)


@pytest.mark.parametrize(
    "epochs, expected",
    [((7, 8, 9), 7), ((None, 8, 9), 8), ((None, None, 9), 9), ((None, None, None), 60)],
)
def test_epochs_of_retraining_in_order_of_precedence(epochs, expected):
    nas, inner, outer = epochs
    retrain = {"num_epochs": outer, "hyperparameters": {"num_epochs": inner}}
    config = load(ONE_TRIAL | {"nas": {"num_epochs_retrain": nas}, "retrain": retrain})
    assert config.nas.num_epochs_retrain == expected


# Snakemake's --config reads YAML without types: every value arrives as text.


@pytest.mark.parametrize(
    "section, key, text, value",
    [
        ("nas", "seed", "3", 3),
        ("nas", "num_epochs_retrain", "null", 60),
        ("nas", "skip_train", "false", False),
        ("supernet", "lr", "1e-3", 0.001),
        ("supernet", "lr", "0.5", 0.5),
        ("supernet", "gradient_clip", "null", None),
        ("supernet", "optimizer", "Adam", "Adam"),
        ("retrain", "nesterov", "False", False),
        ("retrain", "nesterov", "true", True),
        ("dataset", "image_size", "null", None),
        ("dataset", "flip", "true", True),
        ("dataset", "path", "null", "null"),
        ("dataset", "path", "123", "123"),
        ("dataset", "url", "null", None),
        ("environment", "device_ids", "[0, 1]", [0, 1]),
        ("environment", "result_dir", "2026", "2026"),
        ("trainer", "logger", "false", False),
        ("search", "constraint", "{macs: 1000}", {"macs": 1000, "parameters": None, "latency_ms": None}),
    ],
)
def test_text_is_read_as_what_the_key_takes(section, key, text, value):
    found = load(ONE_TRIAL | {section: {key: text}}).model_dump(mode="json")[section][key]
    assert found == value and type(found) is type(value)


def test_text_within_parameters_is_read():
    texts = {"name": "lam", "type": "uniform_int", "lower": "1", "upper": "1e1", "log": "true", "initial": "8"}
    parameter = load({"optimize": {"parameters": [texts], "trial_number": "7"}}).optimize.parameters[0]
    assert (parameter.lower, parameter.upper, parameter.log, parameter.initial) == (1.0, 10.0, True, 8)


def test_whole_section_may_be_text():
    assert load(ONE_TRIAL | {"nas": "{seed: 3}"}).nas.seed == 3


# Bad input: one line with the key's path, its value and what is allowed.


@pytest.mark.parametrize(
    "raw, message",
    [
        ({"supernt": {}}, "supernt: unknown key; did you mean supernet?"),
        ({"supernet": {"epoch": 3}}, "supernet.epoch: unknown key; "),
        ({"supernet": {"batchsize": 3}}, "supernet.batchsize: unknown key; did you mean batch_size?"),
        ({"search": {"constraint": {"mac": 3}}}, "search.constraint.mac: unknown key; did you mean macs?"),
        (with_parameter(uper=1), "optimize.parameters.0.uper: unknown key; did you mean upper?"),
        ({"zzz": 1}, "zzz: unknown key; expected one of ABCI, baselines, dataset, environment, evidence"),
    ],
)
def test_unknown_key_names_the_nearest(raw, message):
    assert error_of(ONE_TRIAL | raw).startswith(message)


def test_unknown_key_is_told_before_other_problems():
    raw = {"dataset": {"name": "kmnist", "pathh": "x"}, **ONE_TRIAL}
    assert error_of(raw) == "dataset.pathh: unknown key; did you mean path? (and 1 more)"


@pytest.mark.parametrize(
    "raw, message",
    [
        ({"dataset": {"name": "kmnist"}}, "dataset.name is kmnist; expected digits, digits_canvas, "),
        (
            {"dataset": {"num_data_architecture_search": 0}},
            "dataset.num_data_architecture_search is 0; expected 1 or more",
        ),
        (
            {"dataset": {"name": "mnist", "sha256": "0" * 64}},
            f"dataset.sha256 is {'0' * 64}; expected null, because the checksums of mnist are fixed",
        ),
        (
            {"dataset": {"image_size": 32}},
            "dataset.image_size is 32; expected null, except for image_folder and imagenet",
        ),
        (
            {"dataset": {"channels": 1}},
            "dataset.channels is 1; expected auto, except for image_folder",
        ),
        (
            {"dataset": {"name": "image_folder", "image_size": 8, "channels": 2}},
            "dataset.channels is 2; expected auto, 1 or 3",
        ),
        (
            {"dataset": {"name": "image_folder"}},
            "dataset.image_size is null; expected a number of pixels for image_folder",
        ),
        (
            {"dataset": {"url": "https://me:s3cret@x/y?key=s3cret"}},
            "dataset.url is https://***@x/y?key=***; expected dataset.sha256 with it; type: shasum",
        ),
        (
            {"dataset": {"url": "ftp://x", "sha256": "0" * 64}},
            "dataset.url is ftp://x; expected a URL that begins with http://",
        ),
        ({"dataset": {"sha256": "123"}}, "dataset.sha256 is 123; expected 64 hexadecimal digits"),
        ({"nas": {"seed": -1}}, "nas.seed is -1; expected 0 or more"),
        ({"nas": {"seed": "x"}}, "nas.seed is x; expected a whole number"),
        ({"nas": {"seed": 1.5}}, "nas.seed is 1.5; expected a whole number"),
        ({"nas": {"seed": [1]}}, "nas.seed is [1]; expected a whole number"),
        ({"nas": {"type": "simultaneus"}}, "nas.type is simultaneus; expected separate or simultaneous"),
        ({"nas": {"skip_train": "maybe"}}, "nas.skip_train is maybe; expected true or false"),
        ({"nas": 3}, "nas is 3; expected a mapping of keys to values"),
        ({"supernet": {"lr": 0}}, "supernet.lr is 0; expected more than 0"),
        ({"supernet": {"lr": float("nan")}}, "supernet.lr is NaN; expected a finite number"),
        ({"supernet": {"lr": ".inf"}}, "supernet.lr is Infinity; expected a finite number"),
        ({"supernet": {"optimizer": "SGD"}}, "supernet.optimizer is SGD; expected MomentumSGD, "),
        ({"search": {"population_size": 1}}, "search.population_size is 1; expected 2 or more"),
        ({"trainer": {"accelerator": "tpu"}}, "trainer.accelerator is tpu; expected auto, cpu, gpu or mps"),
        (
            {"trainer": {"strategy": "ddp_spawn"}},
            "trainer.strategy is ddp_spawn; expected auto, ddp, ddp_find_unused_parameters_true; others ",
        ),
        (
            {"trainer": {"stratgy": "ddp"}},
            "trainer.stratgy: unknown key; did you mean strategy? (nasmake sets the other ",
        ),
        (
            {"trainer": {"max_epochs": 3}},
            "trainer.max_epochs: unknown key; expected nas.num_epochs_supernet_train, num_epochs_architecture_search",
        ),
        (
            {"environment": {"gpus": 3, "device_ids": [0, 1]}},
            "environment.device_ids is [0, 1]; expected at least 3 numbers (environment.gpus)",
        ),
        ({"environment": {"gpus": 2, "jobs_per_gpu": 3}}, "environment.jobs_per_gpu is 3; expected 1, because a job"),
        (
            {"environment": {"gpus": 2}, "trainer": {"accelerator": "mps"}},
            "environment.gpus is 2; expected 1, because a Mac has one GPU",
        ),
        ({"optimize": {"trial_number": 0}}, "optimize.trial_number is 0; expected 1 or more"),
        ({"optimize": {"trial_number": 10000}}, "optimize.trial_number is 10000; expected 9999 or less"),
        ({"optimize": {"trial_number": "ten"}}, "optimize.trial_number is ten; expected a whole number"),
        ({"optimize": {"trial_number": 1, "lag": 0}}, "optimize.lag is 0; expected 1 or more"),
        ({"optimize": {"trial_number": 1, "goal": "minimize"}}, "optimize.goal is minimize; expected maximize"),
        (
            {"optimize": {"trial_number": 2}},
            "optimize.trial_number is 2; expected 1, because optimize.parameters is empty",
        ),
    ],
)
def test_value_that_is_not_allowed(raw, message):
    assert error_of(ONE_TRIAL | raw).startswith(message)


@pytest.mark.parametrize("number", [1, 9999])
def test_most_and_fewest_trials_are_allowed(number):
    raw = with_parameter()
    raw["optimize"]["trial_number"] = number
    assert load(raw).optimize.trial_number == number


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"lower": 2.0}, "optimize.parameters.0.initial_lr: lower is 2; expected at most upper, 1"),
        (
            {"lower": 0.0, "log": True},
            "optimize.parameters.0.initial_lr: lower is 0; expected more than 0 with log: true",
        ),
        ({"lower": ...}, "optimize.parameters.0.initial_lr: uniform_float takes lower and upper"),
        ({"choices": [1]}, "optimize.parameters.0.initial_lr: uniform_float takes lower and upper"),
        ({"initial": 2}, "optimize.parameters.0.initial_lr: initial is 2; expected 0.1 .. 1"),
        ({"initial": "x"}, "optimize.parameters.0.initial_lr: initial is x; expected a number"),
        ({"type": "uniform"}, "optimize.parameters.0.type is uniform; expected uniform_int, "),
        ({"type": ...}, "optimize.parameters.0.type is missing"),
        ({"lower": "a"}, "optimize.parameters.0.lower is a; expected a number"),
        (
            {"name": "lam", "type": "uniform_int", "lower": 1.5, "upper": 3},
            "optimize.parameters.0.lam: lower is 1.5; expected a whole number",
        ),
        ({"type": "categorical"}, "optimize.parameters.0.initial_lr: categorical takes choices"),
        (
            {"type": "categorical", "lower": ..., "upper": ..., "choices": []},
            "optimize.parameters.0.initial_lr: categorical takes choices (not empty)",
        ),
        (
            {"type": "categorical", "lower": ..., "upper": ..., "choices": [0.1], "initial": 0.2},
            "optimize.parameters.0.initial_lr: initial is 0.2; expected one of [0.1]",
        ),
        # checked by nasmake.pipeline.checks.check_parameters:
        (
            {"name": "initial_lrr"},
            "optimize.parameters: name is initial_lrr, which is not a key that can be searched; did you mean in",
        ),
        ({"name": "supernet"}, "optimize.parameters: name is supernet, which is not a key that can be searched; "),
        (
            {"name": "dataset.flip"},
            "optimize.parameters: name is dataset.flip, which is not a key that can be searched; ",
        ),
        (
            {"name": "optimize.lag"},
            "optimize.parameters: name is optimize.lag, which is not a key that can be searched; ",
        ),
        (
            {"name": "retrain.num_epochs"},
            "optimize.parameters: name is retrain.num_epochs, which is not a key that can be searched; ",
        ),
        ({"lower": 0.0}, "optimize.parameters: initial_lr: supernet.lr is 0.0; expected more than 0"),
        (
            {"name": "momentum", "upper": 1.5},
            "optimize.parameters: momentum: supernet.momentum is 1.5; expected 1 or less",
        ),
        (
            {"name": "optimizer", "type": "categorical", "lower": ..., "upper": ..., "choices": ["Adam", "Sgd"]},
            "optimize.parameters: optimizer: supernet.optimizer is Sgd; expected Mom",
        ),
    ],
)
def test_bad_parameter(changes, message):
    assert error_of(with_parameter(**changes)).startswith(message)


def test_parameter_searched_twice_under_two_names():
    raw = {"optimize": {"parameters": [LR, LR | {"name": "supernet.lr"}]}}
    assert error_of(raw) == "optimize.parameters: supernet.lr is searched twice; expected one entry for supernet.lr"


def test_number_of_further_problems_is_told():
    assert error_of({"nas": {"seed": -1, "type": "x"}, **ONE_TRIAL}).endswith("(and 1 more)")


@pytest.mark.parametrize("raw", [{"nas": {1: 2}}, {3: 4}, {"nas": 7}, {"optimize": {"parameters": [None]}}])
def test_shapes_that_yaml_allows_end_in_one_line_too(raw):
    error_of(ONE_TRIAL | raw)


def test_long_value_is_shortened():
    assert len(error_of(ONE_TRIAL | {"nas": {"seed": "x" * 1000}})) < 300


def test_keys_are_those_that_hold_values():
    found = list(keys())
    assert len(found) == len(set(found))
    assert {"run", "nas.seed", "search.constraint.macs", "optimize.parameters", "ABCI.group", "generic"} <= set(found)
    assert not {"nas", "search.constraint"} & set(found)
    assert set(found) >= {f"trainer.{name}" for name in Config.model_fields["trainer"].annotation.model_fields}


def test_choices_of_numbers_with_an_initial_value_may_come_as_text():
    texts = {"name": "lam", "type": "categorical", "choices": ["1", "4"], "initial": "4"}
    assert load({"optimize": {"parameters": [texts]}}).optimize.parameters[0].choices == [1, 4]


def test_initial_value_of_an_int_is_whole():
    parameter = {"name": "lam", "type": "uniform_int", "lower": 1, "upper": 10, "initial": 1.5}
    assert "initial is 1.5; expected a whole number for uniform_int" in error_of(
        {"optimize": {"parameters": [parameter]}}
    )
    written_otherwise = {"optimize": {"parameters": [parameter | {"initial": "1e1"}]}}
    assert repr(load(written_otherwise).optimize.parameters[0].initial) == "10"


def test_section_without_anything_under_it_is_refused_since_it_would_undo_a_preset():
    assert error_of(ONE_TRIAL | {"nas": None}) == "nas is null; expected a mapping of keys to values"
    assert error_of(ONE_TRIAL | {"search": {"reward": None}}).startswith("search.reward is null; expected a mapping")


def test_value_that_is_no_text_is_never_read_as_one():
    """An unquoted date of YAML has no place anywhere, and says so."""
    assert error_of(ONE_TRIAL | {"nas": {"seed": "2026-01-01"}}).startswith("nas.seed is 2026-01-01; expected")


@pytest.mark.parametrize("path", ["", " ", "o{x}ut"])
def test_path_that_is_none(path):
    assert error_of(ONE_TRIAL | {"environment": {"result_dir": path}}).startswith("environment.result_dir is ")


def test_paths_are_made_plain():
    config = load(ONE_TRIAL | {"environment": {"result_dir": "./out/"}, "dataset": {"path": "~/data"}})
    assert config.environment.result_dir == "out"
    assert config.dataset.path.startswith("/") and config.dataset.path.endswith("/data")


def test_choices_that_look_like_broken_yaml_stay_text():
    parameter = {"name": "optimizer", "type": "categorical", "choices": ["[", "Adam"]}
    assert "optimizer: supernet.optimizer is " in error_of({"optimize": {"parameters": [parameter]}})


def test_empty_list_of_parameters():
    assert load({"optimize": {"trial_number": 1, "parameters": None}}).optimize.parameters == []


@pytest.mark.parametrize(
    ("given", "algorithm", "sampler"),
    [
        ({}, "evolution", "uniform"),
        ({"nas": {"type": "simultaneous"}}, "asng", "asng"),
        ({"nas": {"type": "simultaneous"}, "search": {"algorithm": "reinforce"}}, "reinforce", "asng"),
        ({"search": {"algorithm": "asng"}}, "asng", "uniform"),
    ],
)
def test_type_decides_strategy_and_sampler_where_none_is_given(given, algorithm, sampler):
    config = load({"optimize": {"trial_number": 1}} | given)
    assert (config.search.algorithm, config.supernet.sampler) == (algorithm, sampler)


@pytest.mark.parametrize(
    ("name", "path", "flip"),
    [
        ("digits", "x", False),
        ("digits_canvas", "x", False),
        ("cifar10", "digits", True),
        ("image_folder", "photos", True),
        ("image_folder", "data/EMNIST/", False),
        ("image_folder", "handwritten_letters", False),
        ("image_folder", "mnist/photos", True),
        ("image_folder", "FashionMNIST", True),
    ],
)
def test_digits_and_letters_are_not_mirrored(name, path, flip):
    size = {"image_size": 8} if name == "image_folder" else {}
    dataset = {"name": name, "path": path} | size
    for given, expected in ({}, flip), ({"flip": True}, True), ({"flip": False}, False):
        assert load({"dataset": dataset | given, "optimize": {"trial_number": 1}}).dataset.flip is expected
