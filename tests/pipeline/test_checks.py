from pathlib import Path

import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.costs.table import CostTable
from nasmake.data.preparing.digits import NUM_TEST, make_digits, make_digits_canvas
from nasmake.pipeline.checks import check
from nasmake.pipeline.inputs import KNOWN, read_imported_architecture, read_search_space, source_of_networks
from nasmake.pipeline.stages import assign
from nasmake.pipeline.warnings import collect_warnings
from nasmake.search_spaces import Architecture, SearchSpace
from small_data import write_image_folder
from small_spaces import content, latency_file, shipped, table_with_latency
from small_studies import error_of, in_an_empty_folder, start, study  # noqa: F401

CHEAPEST = CostTable(shipped("proxyless_digits"), 1, 8)
pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


@pytest.mark.parametrize("dataset", ["digits", "digits_canvas", "cifar10", "cifar100"])
def test_shipped_sets_can_start_without_data(dataset):
    start(study(dataset={"name": dataset, "num_data_architecture_search": 600}))


def test_source_of_networks_is_a_line():
    assert source_of_networks(study()) == "search space config/search_spaces/config_proxyless_digits.yaml"
    taken = study(nas={"architecture": "mobilenet_v2"})
    assert source_of_networks(taken) == "architecture config/architectures/mobilenet_v2.json, without a search"


def test_taken_architecture_needs_no_space_and_has_no_classes_of_its_own():
    config = study(nas={"architecture": "mobilenet_v2", "search_space": "none"})
    taken = read_imported_architecture(config)
    assert taken["name"] == "MobileNetV2" and "class_num" not in taken and "input_size" not in taken
    check(config, None)
    with pytest.raises(InputError, match="1200 of 1200"):
        check(study(dataset={"name": "digits", "num_data_architecture_search": 1200}), None)


def test_taken_architecture_is_the_network_and_not_the_file(tmp_path):
    space = shipped("proxyless_digits")
    found = Architecture.from_decisions((0,) * 6, space).to_json()
    taken = []
    for name, facts in {"a": {"provenance": {"host": "x"}, "scores": {}}, "b": {"class_num": 3, "string": "?"}}.items():
        write_json(tmp_path / f"{name}.json", found | facts)
        taken.append(read_imported_architecture(study(nas={"architecture": f"{name}.json"})))
    assert taken[0] == taken[1] and taken[0]["decisions"] == [0] * 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mobilenet", "nas.architecture: 'mobilenet': no architecture of that name in config/architectures; did you"),
        ("mine.json", "nas.architecture: mine.json: no such file; config/architectures has "),
        (
            "wrong.json",
            "nas.architecture: wrong.json: blocks[0].op is MBConv; expected one of conv, sepconv, mbconv, zero",
        ),
        ("results/own/x.json", "nas.architecture: results/own/x.json: lies in the results of this run; choose another"),
        (
            "other.json",
            "nas.architecture: other.json: space_hash is x; expected a3c1314a3f3feaee, the hash of config/",
        ),
    ],
)
def test_architecture_that_cannot_be_taken(tmp_path, name, message):
    found = Architecture.from_decisions((0,) * 6, shipped("proxyless_digits")).to_json()
    write_json(tmp_path / "results/own/x.json", found)
    write_json(tmp_path / "wrong.json", found | {"blocks": [{"op": "MBConv"}]})
    write_json(tmp_path / "other.json", found | {"space_hash": "x"})
    with pytest.raises(InputError) as error:
        read_imported_architecture(study(run="own", nas={"architecture": name}))
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_known_facts_are_those_of_the_data():
    for name, make in (("digits", make_digits), ("digits_canvas", make_digits_canvas)):
        made = make({})
        assert KNOWN[name] == (len(made.train.labels), len(made.classes), made.train.images.shape[1:])
        assert len(made.test.labels) == NUM_TEST


def test_space_is_read_with_its_name():
    found = read_search_space(study())
    assert found == {"name": "proxyless_digits", "content": content("proxyless_digits")}
    canvas = study(dataset={"name": "digits_canvas", "num_data_architecture_search": 600})
    assert read_search_space(canvas) == found


def test_own_folder_comes_before_the_shipped_one(tmp_path):
    own = content("proxyless_digits") | {"settings": content("proxyless_digits")["settings"] | {"last_ch": 32}}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config_proxyless_digits.yaml").write_text(yaml.safe_dump(own))
    nas = {"search_space_config_path": "mine"}
    assert read_search_space(study(nas=nas))["content"] == own
    assert read_search_space(study(nas=nas, dataset={"name": "cifar10"}))["name"] == "proxyless_cifar10"


def test_space_that_is_not_there(tmp_path):
    text = error_of(study(nas={"search_space": "proxyles", "search_space_config_path": str(tmp_path)}))
    assert text.startswith("nas.search_space: 'proxyles': no file " + str(tmp_path))
    assert text.endswith("did you mean proxyless?")


def test_folder_of_spaces_that_is_not_there():
    text = error_of(study(nas={"search_space_config_path": "no/such"}))
    assert text == "nas.search_space_config_path: no/such: no such folder"


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    text = error_of(study(environment={"result_dir": str(tmp_path / "file" / "results")}))
    assert text.startswith(f"environment.result_dir: {tmp_path}/file/results: ") and "choose another" in text


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: [1", "not YAML"),
        ("- 1", "expected the mappings search_range and settings, found list"),
        ("", "expected the mappings search_range and settings, found NoneType"),
    ],
)
def test_space_file_that_is_no_space(tmp_path, text, message):
    path = tmp_path / "mine" / "config_own_digits.yaml"
    path.parent.mkdir()
    path.write_text(text)
    error = error_of(study(nas={"search_space": "own", "search_space_config_path": "mine"}))
    assert error.startswith("mine/config_own_digits.yaml: ") and message in error


def test_space_file_whose_lists_differ_in_length(tmp_path):
    own = content("proxyless_digits")
    own["settings"]["strides"] = [1, 1, 2]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config_own_digits.yaml").write_text(yaml.safe_dump(own))
    error = error_of(study(nas={"search_space": "own", "search_space_config_path": "mine"}))
    assert "config_own_digits.yaml" in error and "strides" in error


def test_space_with_another_number_of_classes(tmp_path):
    own = content("proxyless_digits")
    own["settings"]["class_num"] = 7
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config_own_digits.yaml").write_text(yaml.safe_dump(own))
    error = error_of(study(nas={"search_space": "own", "search_space_config_path": "mine"}))
    assert error == "config_own_digits.yaml: settings.class_num: 7; digits has 10 classes"


@pytest.mark.parametrize("number", [1200, 5000])
def test_more_val_images_than_there_are(number):
    error = error_of(study(dataset={"name": "digits", "num_data_architecture_search": number}))
    assert error.startswith(f"dataset.num_data_architecture_search: {number} of 1200 training images leave none")
    assert error.endswith("allowed: 1 .. 1199")


def test_all_but_one_image_may_be_held_out():
    start(study(dataset={"name": "digits", "num_data_architecture_search": 1199}))


def test_prepared_set_is_believed_more_than_what_is_known(tmp_path):
    folder = tmp_path / "data" / "cifar10"
    classes = [str(number) for number in range(10)]
    write_json(folder / "manifest.json", {"train": {"count": 50}, "classes": classes, "image_shape": [32, 32, 3]})
    dataset = {"name": "cifar10", "path": "data", "num_data_architecture_search": 50}
    assert "50 of 50" in error_of(study(dataset=dataset))
    start(study(dataset=dataset | {"num_data_architecture_search": 49}))


def test_image_folder_is_counted_and_takes_the_number_of_classes_of_its_own(tmp_path):
    write_image_folder(tmp_path / "images", per_class=4)
    dataset = {"name": "image_folder", "path": "images", "image_size": 32, "num_data_architecture_search": 6}
    config = study(dataset=dataset)
    space = read_search_space(config)
    assert space["content"]["settings"]["class_num"] == 3
    SearchSpace.from_mapping(space["content"], space["name"], "x")
    check(config, space)
    assert "12 of 12" in error_of(study(dataset=dataset | {"num_data_architecture_search": 12}))


def test_imagenet_is_counted_where_it_lies(tmp_path):
    dataset = {"name": "imagenet", "path": "images", "num_data_architecture_search": 6}
    sections = {"dataset": dataset, "nas": {"search_space": "proxyless"}}
    assert error_of(study(**sections)).startswith("dataset.path: ")
    write_image_folder(tmp_path / "images", per_class=4)
    (tmp_path / "images/test").rename(tmp_path / "images/val")
    start(study(**sections))
    assert read_search_space(study(**sections))["content"]["settings"]["class_num"] == 3
    text = error_of(study(**sections, final={"baseline": True}))
    assert text.startswith("final.baseline: true: fits images that are held in memory")


def test_image_folder_with_one_class(tmp_path):
    write_image_folder(tmp_path / "images", classes=("apple",), per_class=4)
    dataset = {"name": "image_folder", "path": "images", "image_size": 32, "num_data_architecture_search": 2}
    assert error_of(study(dataset=dataset)).startswith("dataset.path: images/train has 1 class folder(s), at least 2")


@pytest.mark.parametrize("metric", ["macs", "parameters"])
def test_limit_below_the_cheapest_network(metric):
    least = getattr(CHEAPEST, metric)(CHEAPEST.cheapest(metric))
    start(study(search={"constraint": {metric: least}}))
    error = error_of(study(search={"constraint": {metric: least - 1}}))
    assert error.startswith(f"search.constraint.{metric}: {least - 1} is below the cheapest architecture")
    assert error.endswith(f"allowed: {least} or more")


TIMED = table_with_latency(shipped("proxyless_digits"), 1, 8)
FASTEST = TIMED.latency_ms(TIMED.cheapest("latency_ms"))


def limited(latency_ms, **more):
    return study(latency={"table": "table.json"}, search={"constraint": {"latency_ms": latency_ms}}, **more)


def test_limit_below_the_fastest_network_of_a_given_table():
    write_json(Path("table.json"), latency_file(shipped("proxyless_digits"), 1, 8))
    start(limited(FASTEST))
    error = error_of(limited(FASTEST - 1e-6))
    assert error.startswith("search.constraint.latency_ms: ") and error.endswith(f"allowed: {FASTEST} or more")
    searched = {"name": "search.constraint.latency_ms", "type": "uniform_float", "lower": 0.001, "upper": 9}
    assert "cheapest" in error_of(limited(None, optimize={"parameters": [searched]}))


def test_latency_that_is_still_to_be_measured_limits_nothing_yet():
    start(study(search={"constraint": {"latency_ms": 1e-9}}))


def test_table_that_does_not_fit_is_refused():
    assert error_of(limited(9)) == "table.json: no such file"
    write_json(Path("table.json"), latency_file(shipped("proxyless_digits"), 1, 12))
    assert "table.json: image_shape: [12, 12, 1]" in error_of(limited(9))


def test_table_without_a_limit_is_not_read_and_this_is_said():
    unused = study(latency={"table": "table.json"})
    start(unused)
    said = "latency.table: without effect: no limit, reward or front of the search uses latency_ms"
    assert collect_warnings(unused) == [said]
    assert collect_warnings(limited(9)) == []
    assert collect_warnings(study(latency={"table": "table.json"}, search={"front": ["latency_ms"]})) == []


def test_searched_parameters_are_checked_too():
    parameter = {"name": "initial_lrr", "type": "uniform_float", "lower": 0.1, "upper": 1}
    assert "did you mean initial_lr?" in error_of(study(optimize={"parameters": [parameter]}))


REWARD = {"objective": "mnasnet_reward"}
MISSING = "search.reward.target: null: mnasnet_reward needs a target for {0}; give search.reward.target or "
MISSING += "search.constraint.{0}, or set search.objective: loss"


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
    assert text.startswith(f"config: optimize.parameters: search.reward.{key}: its value search.reward.{key} is 0.07; ")


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
    text = f"dataset.num_search_classes: {number}: allowed: null or 2 .. 10, the classes of digits"
    assert error_of(study(dataset=dataset)) == text


def test_space_file_that_is_no_text(tmp_path):
    path = tmp_path / "mine" / "config_own_digits.yaml"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\x00")
    assert "config_own_digits.yaml" in error_of(study(nas={"search_space": "own", "search_space_config_path": "mine"}))


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
    for wrong, said in ((unknown, "'proxles': no file"), (number, "type: categorical, choices")):
        assert said in error_of(study(optimize={"parameters": [wrong], "trial_number": 2}))
    limited = {
        "search": {"constraint": {"latency_ms": 9}},
        "optimize": {"parameters": [SPACES_SEARCHED], "trial_number": 2},
    }
    assert "a table of latencies is for one space" in error_of(study(**limited))


@pytest.mark.parametrize("key", ["supernet.batch_size", "retrain.hyperparameters.batch_size"])
def test_batch_that_leaves_a_process_less_than_two_images_is_refused(key):
    raw = {"environment": {"gpus": 2}}
    assign(raw, key, 3)
    assert error_of(study(**raw)).startswith(f"{key}: 3: environment.gpus: 2 processes share a batch")
