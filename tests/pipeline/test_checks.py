"""Checks of a study before any job; those of strategies and samplers are in test_checks_of_methods.py."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.core.nested import assign
from nasmake.costs.table import CostTable
from nasmake.data.prepared import DataSet, Split, write_prepared
from nasmake.pipeline.checks import check
from nasmake.pipeline.inputs import read_search_space
from nasmake.pipeline.warnings import collect_warnings
from nasmake.search_spaces import SearchSpace
from small_data import write_image_folder
from small_spaces import content, latency_file, shipped, table_with_latency
from small_studies import error_of, in_an_empty_folder, start, study  # noqa: F401

COSTS = CostTable(shipped("proxyless_digits"), 1, 8)
pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


@pytest.mark.parametrize("dataset", ["digits", "digits_canvas", "mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_shipped_sets_can_start_without_data(dataset):
    start(study(dataset={"name": dataset, "num_data_architecture_search": 600}))


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    text = error_of(study(environment={"result_dir": str(tmp_path / "file" / "results")}))
    assert (
        text.startswith(f"environment.result_dir is {tmp_path}/file/results; expected a folder that can be")
        and "\n" not in text
    )


@pytest.mark.parametrize("key", ["dataset.crop_padding", "retrain.cutout_length"])
def test_augmentation_that_can_leave_nothing_of_an_image(key):
    def with_value(value):
        raw = {"dataset": {"name": "digits", "num_data_architecture_search": 600}}
        assign(raw, key, value)
        return study(**raw)

    assert error_of(with_value(8)) == f"{key} is 8; expected less than 8, the height and width of the images"
    start(with_value(7))


def test_space_file_whose_lists_differ_in_length(tmp_path):
    space = content("proxyless_digits")
    space["settings"]["strides"] = [1, 1, 2]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config_mine_digits.yaml").write_text(yaml.safe_dump(space))
    error = error_of(study(nas={"search_space": "mine", "search_space_config_path": "mine"}))
    assert "config_mine_digits.yaml" in error and "strides" in error


def test_space_with_another_number_of_classes(tmp_path):
    space = content("proxyless_digits")
    space["settings"]["class_num"] = 7
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config_mine_digits.yaml").write_text(yaml.safe_dump(space))
    error = error_of(study(nas={"search_space": "mine", "search_space_config_path": "mine"}))
    assert error == "config_mine_digits.yaml: settings.class_num is 7; expected 10, the number of classes of digits"


@pytest.mark.parametrize("number", [1200, 5000])
def test_more_val_images_than_there_are(number):
    error = error_of(study(dataset={"name": "digits", "num_data_architecture_search": number}))
    assert error.startswith(f"dataset.num_data_architecture_search is {number}; expected 1 to 1190, because")
    assert "digits has 1200 training images" in error


def test_all_but_one_image_of_each_class_may_be_held_out():
    start(study(dataset={"name": "digits", "num_data_architecture_search": 1190}))


def test_prepared_data_set_has_priority_over_the_known_facts(tmp_path):
    folder = tmp_path / "data" / "cifar10"
    images = Split(np.zeros((50, 32, 32, 3), np.uint8), np.arange(50) % 10)
    write_prepared(folder, "cifar10", DataSet([str(number) for number in range(10)], images, images, {}), 0.0)
    dataset = {"name": "cifar10", "path": "data", "num_data_architecture_search": 50}
    assert "is 50; expected 1 to 40" in error_of(study(dataset=dataset))
    start(study(dataset=dataset | {"num_data_architecture_search": 40}))
    (folder / "manifest.json").write_text("{}")  # damaged: the data set will be prepared again
    start(study(dataset=dataset))


def test_images_and_classes_of_an_image_folder_are_counted(tmp_path):
    write_image_folder(tmp_path / "images", per_class=4)
    dataset = {"name": "image_folder", "path": "images", "image_size": 32, "num_data_architecture_search": 6}
    config = study(dataset=dataset)
    space = read_search_space(config)
    assert space["content"]["settings"]["class_num"] == 3
    SearchSpace.from_mapping(space["content"], space["name"], "x")
    check(config, space)
    assert "is 12; expected 1 to 9" in error_of(study(dataset=dataset | {"num_data_architecture_search": 12}))


@pytest.mark.parametrize(("name", "key"), [("image_folder", "train"), ("imagenet", "test")])
def test_retraining_on_other_classes_is_refused(tmp_path, name, key):
    dataset = {"name": name, "path": "images", "image_size": 16, "num_data_architecture_search": 6}
    sections = {"dataset": dataset | {"retrain": {key: "other"}}, "nas": {"search_space": "proxyless"}}
    sections["final"] = {"baseline": False}
    for path in ("images", "other"):
        write_image_folder(tmp_path / path, per_class=4, test_per_class=0)
    start(study(**sections))
    start_of_line = f"dataset.retrain.{key} is other; expected a folder with the classes of images, which are apple, "
    write_image_folder(tmp_path / "images", classes=["dog"], per_class=4, test_per_class=0)
    assert error_of(study(**sections)) == f"{start_of_line}bee, cat, dog; it lacks dog"
    write_image_folder(tmp_path / "other", classes=["dog", "ewe"], per_class=4, test_per_class=0)
    assert error_of(study(**sections)) == f"{start_of_line}bee, cat, dog; it also has ewe"


@pytest.mark.parametrize("number", [9, 1201])
def test_part_of_the_training_images(number):
    start(study(dataset={"name": "digits", "num_train": 400, "num_data_architecture_search": 390}))
    assert error_of(study(dataset={"name": "digits", "num_train": number})) == (
        f"dataset.num_train is {number}; expected null or 10 to 1200, because digits has 1200 training images of 10 "
        "classes"
    )
    assert error_of(study(dataset={"name": "digits", "num_train": 400, "num_data_architecture_search": 391})) == (
        "dataset.num_data_architecture_search is 391; expected 1 to 390, because dataset.num_train is 400 and each of "
        "the 10 classes keeps one for training"
    )


def test_images_for_retraining_are_counted_too(tmp_path):
    write_image_folder(tmp_path / "images", per_class=4)
    write_image_folder(tmp_path / "other", per_class=2)
    dataset = {"name": "image_folder", "path": "images", "image_size": 16, "num_data_architecture_search": 4}
    assert error_of(study(dataset=dataset | {"retrain": {"train": "other"}})) == (
        "dataset.num_data_architecture_search is 4; expected 1 to 3, because other has 6 training images and each of "
        "the 3 classes keeps one for training"
    )


def test_costs_of_grey_images_are_those_of_one_channel(tmp_path):
    write_image_folder(tmp_path / "images", per_class=4)
    dataset = {"name": "image_folder", "path": "images", "image_size": 16, "num_data_architecture_search": 6}
    for channels, known in (("auto", 1), (1, 1), (3, 3)):
        config = study(dataset=dataset | {"channels": channels})
        space = read_search_space(config)
        costs = CostTable(SearchSpace.from_mapping(space["content"], space["name"], "x"), known, 16)
        least = costs.of(costs.cheapest("macs"))["macs"]
        start(study(dataset=dataset | {"channels": channels}, search={"constraint": {"macs": least}}))
        assert "expected" in error_of(
            study(dataset=dataset | {"channels": channels}, search={"constraint": {"macs": least - 1}})
        )


def test_images_and_classes_of_imagenet_are_counted(tmp_path):
    dataset = {"name": "imagenet", "path": "images", "num_data_architecture_search": 6}
    sections = {"dataset": dataset, "nas": {"search_space": "proxyless"}}
    assert error_of(study(**sections)).startswith("dataset.path: ")
    write_image_folder(tmp_path / "images", per_class=4)
    (tmp_path / "images/test").rename(tmp_path / "images/val")
    start(study(**sections))
    assert read_search_space(study(**sections))["content"]["settings"]["class_num"] == 3
    text = error_of(study(**sections, final={"baseline": True}))
    assert text.startswith("final.baseline is true; expected false for imagenet")


def test_image_folder_with_one_class(tmp_path):
    write_image_folder(tmp_path / "images", classes=("apple",), per_class=4)
    dataset = {"name": "image_folder", "path": "images", "image_size": 32, "num_data_architecture_search": 2}
    assert error_of(study(dataset=dataset)).startswith("dataset.path: images/train has 1 class folder(s); expected")


@pytest.mark.parametrize("metric", ["macs", "parameters"])
def test_limit_below_the_cheapest_network(metric):
    least = COSTS.of(COSTS.cheapest(metric))[metric]
    start(study(search={"constraint": {metric: least}}))
    error = error_of(study(search={"constraint": {metric: least - 1}}))
    expected = f"search.constraint.{metric} is {least - 1}; expected {least} or more, which the cheapest architecture"
    assert error.startswith(expected)


TIMED = table_with_latency(shipped("proxyless_digits"), 1, 8)
FASTEST = TIMED.of(TIMED.cheapest("latency_ms"))["latency_ms"]


def limited(latency_ms, **more):
    return study(latency={"table": "table.json"}, search={"constraint": {"latency_ms": latency_ms}}, **more)


def test_limit_below_the_fastest_network_of_a_given_table():
    write_json(Path("table.json"), latency_file(shipped("proxyless_digits"), 1, 8))
    start(limited(FASTEST))
    error = error_of(limited(FASTEST - 1e-6))
    assert error.startswith("search.constraint.latency_ms is ") and f"; expected {FASTEST} or more" in error
    searched = {"name": "search.constraint.latency_ms", "type": "uniform_float", "lower": 0.001, "upper": 9}
    assert "cheapest" in error_of(limited(None, optimize={"parameters": [searched]}))


def test_latency_that_is_still_to_be_measured_limits_nothing_yet():
    start(study(search={"constraint": {"latency_ms": 1e-9}}))


def test_table_that_does_not_fit_is_refused():
    assert error_of(limited(9)) == "table.json: no such file"
    write_json(Path("table.json"), latency_file(shipped("proxyless_digits"), 1, 12))
    assert error_of(limited(9)).startswith("table.json: image_shape is [12, 12, 1]; expected [8, 8, 1]")


def test_table_without_a_limit_is_not_read_and_gives_a_warning():
    unused = study(latency={"table": "table.json"})
    start(unused)
    warning = "latency.table: without effect, because no limit, reward or front of the search uses latency_ms"
    assert collect_warnings(unused) == [warning]
    assert collect_warnings(limited(9)) == []
    assert collect_warnings(study(latency={"table": "table.json"}, search={"front": ["latency_ms"]})) == []


def test_searched_parameters_are_checked_too():
    parameter = {"name": "initial_lrr", "type": "uniform_float", "lower": 0.1, "upper": 1}
    assert "did you mean initial_lr?" in error_of(study(optimize={"parameters": [parameter]}))


REWARD = {"objective": "mnasnet_reward"}
MISSING = "search.reward.target is null; expected a number, or a limit in search.constraint.{0}, "
MISSING += "for search.objective mnasnet_reward"


def searched(name, *choices):
    return {"optimize": {"parameters": [{"name": name, "type": "categorical", "choices": list(choices)}]}}


@pytest.mark.parametrize(
    "search, parameters, metric",
    [
        (REWARD, {}, "macs"),
        (REWARD | {"reward": {"metric": "parameters"}, "constraint": {"macs": 10**6}}, {}, "parameters"),
        (REWARD | {"reward": {"metric": "latency_ms"}}, {}, "latency_ms"),
        ({}, searched("search.objective", "loss", "mnasnet_reward"), "macs"),
        (
            REWARD | {"constraint": {"macs": 10**6}},
            searched("search.reward.metric", "macs", "parameters"),
            "parameters",
        ),
        (REWARD, searched("search.constraint.macs", None, 10**6), "macs"),
        (REWARD, searched("search.reward.target", None, 10**6), "macs"),
    ],
)
def test_reward_without_a_target_is_refused_before_any_job(search, parameters, metric):
    assert error_of(study(search=search, **parameters)) == MISSING.format(metric)


@pytest.mark.parametrize(
    "search, parameters",
    [
        (REWARD | {"reward": {"target": 5e5}}, {}),
        (REWARD | {"constraint": {"macs": 10**6}}, {}),
        ({"reward": {"metric": "parameters", "target": 1e4}}, searched("search.objective", "loss", "mnasnet_reward")),
        (REWARD, searched("search.constraint.macs", 10**6, 2 * 10**6)),
        (REWARD, searched("search.reward.target", 5e5, 10**6)),
    ],
)
def test_reward_with_a_target_in_every_trial_can_start(search, parameters):
    start(study(search=search, **parameters))


@pytest.mark.parametrize("key", ["w_below", "w_above"])
def test_exponent_that_would_reward_cost_is_refused(key):
    with pytest.raises(InputError) as error:
        study(search={"reward": {key: 0.07}})
    assert str(error.value).startswith(f"config: search.reward.{key} is 0.07; expected 0 or less")
    text = error_of(study(search=REWARD | {"reward": {"target": 1e6}}, **searched(f"search.reward.{key}", -0.07, 0.07)))
    assert text.startswith(f"config: optimize.parameters: search.reward.{key}: search.reward.{key} is 0.07; ")


@pytest.mark.parametrize("front", [[], ["flops"]])
def test_front_that_is_none_is_refused(front):
    with pytest.raises(InputError, match=r"^config: search\.front"):
        study(search={"front": front})


def test_searched_limit_below_the_cheapest_network():
    parameter = {"name": "search.constraint.macs", "type": "uniform_int", "lower": 1000, "upper": 10**6}
    assert "cheapest" in error_of(study(optimize={"parameters": [parameter]}))


@pytest.mark.parametrize("number", [None, 2, 10])
def test_number_of_search_classes(number):
    start(study(dataset={"name": "digits", "num_data_architecture_search": 600, "num_search_classes": number}))


@pytest.mark.parametrize("number", [1, 11])
def test_number_of_search_classes_that_there_are_not(number):
    dataset = {"name": "digits", "num_data_architecture_search": 600, "num_search_classes": number}
    text = f"dataset.num_search_classes is {number}; expected null or 2 to 10, the number of classes of digits"
    assert error_of(study(dataset=dataset)) == text


def test_a_limit_that_may_be_left_out_can_be_searched():
    searched = {"name": "search.constraint.macs", "type": "categorical", "choices": [None, 900000]}
    start(study(optimize={"parameters": [searched]}))


SPACES_SEARCHED = {"name": "nas.search_space", "type": "categorical", "choices": ["proxyless", "mnasnet"]}


def test_searched_spaces_are_all_read_and_checked(tmp_path):
    config = study(optimize={"parameters": [SPACES_SEARCHED], "trial_number": 2})
    space = read_search_space(config)
    assert {name: read["name"] for name, read in space["choices"].items()} == {
        "proxyless": "proxyless_digits",
        "mnasnet": "mnasnet_digits",
    }
    check(config, space)
    number = {"name": "nas.search_space", "type": "uniform_int", "lower": 1, "upper": 2}
    unknown = SPACES_SEARCHED | {"choices": ["proxyless", "proxles"]}
    for wrong, text in ((unknown, "is proxles; no file"), (number, "type is uniform_int; expected categorical")):
        assert text in error_of(study(optimize={"parameters": [wrong], "trial_number": 2}))
    limited = {
        "search": {"constraint": {"latency_ms": 9}},
        "optimize": {"parameters": [SPACES_SEARCHED], "trial_number": 2},
    }
    assert "a latency table fits one space only" in error_of(study(**limited))


@pytest.mark.parametrize("key", ["supernet.batch_size", "retrain.hyperparameters.batch_size"])
def test_batch_that_leaves_a_process_less_than_two_images_is_refused(key):
    raw = {"environment": {"gpus": 2}}
    assign(raw, key, 3)
    assert error_of(study(**raw)).startswith(
        f"{key} is 3; expected 4 or more, because 2 processes (environment.gpus) share"
    )


@pytest.mark.parametrize("key", ["supernet.batch_size", "search.batch_size", "retrain.hyperparameters.batch_size"])
def test_batch_of_one_image_is_refused(key):
    raw = {}
    assign(raw, key, 1)
    assert error_of(study(**raw)) == f"{key} is 1; expected 2 or more, because BatchNorm needs 2 images"
