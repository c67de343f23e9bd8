from pathlib import Path

import pytest
import yaml
from nasmake.artifacts import InputError, write_json
from nasmake.config import load
from nasmake.cost import CostTable
from nasmake.data.digits import NUM_TEST, make_digits, make_digits_canvas
from nasmake.preflight import (
    KNOWN,
    check,
    notices,
    read_search_space,
    read_taken_architecture,
    source_of_networks,
)
from nasmake.search_spaces import Architecture, SearchSpace
from small_data import write_image_folder
from small_spaces import content, latency_file, shipped, table_with_latency

ROOT = Path(__file__).parents[1]
CHEAPEST = CostTable(shipped("proxyless_digits"), 1, 8)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """As Snakemake starts: in the repository's root, where only the shipped spaces lie."""
    (tmp_path / "config").mkdir()
    for name in ("search_spaces", "architectures"):
        (tmp_path / "config" / name).symlink_to(ROOT / "config" / name)
    monkeypatch.chdir(tmp_path)


def study(**sections):
    return load(
        {"dataset": {"name": "digits", "num_data_architecture_search": 600}, "optimize": {"trial_number": 1}} | sections
    )


def start(config):
    check(config, read_search_space(config))


def error_of(config):
    with pytest.raises(InputError) as error:
        start(config)
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("dataset", ["digits", "digits_canvas", "cifar10", "cifar100"])
def test_shipped_sets_can_start_without_data(dataset):
    start(study(dataset={"name": dataset, "num_data_architecture_search": 600}))


def test_source_of_networks_is_a_line():
    assert source_of_networks(study()) == "search space config/search_spaces/config_proxyless_digits.yaml"
    taken = study(nas={"architecture": "mobilenet_v2"})
    assert source_of_networks(taken) == "architecture config/architectures/mobilenet_v2.json, without a search"


def test_taken_architecture_needs_no_space_and_has_no_classes_of_its_own():
    config = study(nas={"architecture": "mobilenet_v2", "search_space": "none"})
    taken = read_taken_architecture(config)
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
        taken.append(read_taken_architecture(study(nas={"architecture": f"{name}.json"})))
    assert taken[0] == taken[1] and taken[0]["decisions"] == [0] * 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mobilenet", "nas.architecture: 'mobilenet': no architecture of that name in config/architectures; did you"),
        ("mine.json", "nas.architecture: mine.json: no such file; config/architectures has "),
        (
            "wrong.json",
            "nas.architecture: wrong.json: blocks[0].op: MBConv: expected one of conv, sepconv, mbconv, zero",
        ),
        ("results/own/x.json", "nas.architecture: results/own/x.json: lies in the results of this run; choose another"),
        (
            "other.json",
            "nas.architecture: other.json: space_hash: x: config/search_spaces/config_proxyless_digits.yaml",
        ),
    ],
)
def test_architecture_that_cannot_be_taken(tmp_path, name, message):
    found = Architecture.from_decisions((0,) * 6, shipped("proxyless_digits")).to_json()
    write_json(tmp_path / "results/own/x.json", found)
    write_json(tmp_path / "wrong.json", found | {"blocks": [{"op": "MBConv"}]})
    write_json(tmp_path / "other.json", found | {"space_hash": "x"})
    with pytest.raises(InputError) as error:
        read_taken_architecture(study(run="own", nas={"architecture": name}))
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
    assert text.endswith("did you mean 'proxyless'?")


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
    assert notices(unused) == ["latency.table: without effect: search.constraint.latency_ms sets no limit"]
    assert notices(limited(9)) == []


def test_searched_parameters_are_checked_too():
    parameter = {"name": "initial_lrr", "type": "uniform_float", "lower": 0.1, "upper": 1}
    assert "did you mean 'initial_lr'?" in error_of(study(optimize={"parameters": [parameter]}))


def test_searched_limit_below_the_cheapest_network():
    parameter = {"name": "search.constraint.macs", "type": "uniform_int", "lower": 1000, "upper": 10**6}
    assert "cheapest" in error_of(study(optimize={"parameters": [parameter]}))


def test_number_of_search_classes_is_all_of_them():
    dataset = {"name": "digits", "num_data_architecture_search": 600}
    start(study(dataset=dataset | {"num_search_classes": 10}))
    assert "num_search_classes" in error_of(study(dataset=dataset | {"num_search_classes": 5}))


def test_space_file_that_is_no_text(tmp_path):
    path = tmp_path / "mine" / "config_own_digits.yaml"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\x00")
    assert "config_own_digits.yaml" in error_of(study(nas={"search_space": "own", "search_space_config_path": "mine"}))


def test_a_limit_that_may_be_left_out_can_be_searched():
    searched = {"name": "search.constraint.macs", "type": "categorical", "choices": [None, 900000]}
    start(study(optimize={"parameters": [searched]}))


FAIR = "without effect; sampler fair takes as many paths as the largest decision has options"
SANDWICH = "leaves no path between largest and smallest; sampler sandwich takes 4"
LAM = {"name": "lam", "type": "uniform_int", "lower": 1, "upper": 4}
SEARCHED_SAMPLER = {"name": "supernet.sampler", "type": "categorical", "choices": ["uniform", "fair"]}


@pytest.mark.parametrize(
    "sampler, paths, parameters, said",
    [
        ("uniform", 5, [], []),
        ("fair", 1, [], []),
        ("fair", 5, [], [f"supernet.paths_per_step: 5: {FAIR}"]),
        ("fair", 1, [LAM], [f"optimize.parameters: lam: {FAIR}"]),
        ("fair", 5, [SEARCHED_SAMPLER], []),  # other trials may use it
        ("sandwich", 1, [], []),
        ("sandwich", 3, [], []),
        ("sandwich", 2, [], [f"supernet.paths_per_step: 2: {SANDWICH}"]),
        ("sandwich", 2, [LAM], []),
    ],
)
def test_number_of_paths_that_the_sampler_does_not_take_is_said(sampler, paths, parameters, said):
    supernet = {"sampler": sampler, "paths_per_step": paths}
    assert notices(study(supernet=supernet, optimize={"trial_number": 1, "parameters": parameters})) == said


@pytest.mark.parametrize("searched", [False, True])
def test_asng_in_a_space_with_one_decision_is_refused_before_any_job(tmp_path, searched):
    mapping = content("proxyless_digits")
    for key in ("base_layer_num", "base_filter_size"):
        mapping["search_range"][key] = mapping["search_range"][key][:1]
    mapping["settings"]["strides"] = [1]
    (tmp_path / "config_one_digits.yaml").write_text(yaml.safe_dump(mapping))
    parameter = {"name": "search.algorithm", "type": "categorical", "choices": ["random", "asng"]}
    optimize = {"optimize": {"parameters": [parameter]}} if searched else {}
    nas = {"search_space": "one", "search_space_config_path": "."}
    text = error_of(study(nas=nas, search={"algorithm": "random" if searched else "asng"}, **optimize))
    assert text.startswith("search.algorithm: asng: config_one_digits.yaml has one decision with a choice, block0;")


@pytest.mark.parametrize("searched", [False, True])
def test_gates_over_several_decisions_per_block_are_refused_before_any_job(searched):
    parameter = {"name": "search.algorithm", "type": "categorical", "choices": ["random", "proxyless"]}
    optimize = {"optimize": {"trial_number": 2, "parameters": [parameter]}} if searched else {}
    search = {"algorithm": "random" if searched else "proxyless"}
    text = error_of(study(nas={"search_space": "mnasnet"}, search=search, **optimize))
    assert text.startswith(
        "search.algorithm: proxyless: config_mnasnet_digits.yaml: every block has 7 decisions; gates"
    )
    assert "use asng, reinforce or evolution, or a proxyless space" in text and "\n" not in text


TARGET = {"name": "search.expected_cost.target", "type": "uniform_float", "lower": 3e5, "upper": 1e6}
LIMIT = {"name": "search.constraint.macs", "type": "uniform_int", "lower": 500000, "upper": 900000}
LOSS = {"name": "search.expected_cost.loss", "type": "categorical", "choices": ["none", "linear"]}


@pytest.mark.parametrize(
    ("expected_cost", "constraint", "parameters", "refused"),
    [
        ({"loss": "linear"}, {}, [], True),
        ({"loss": "linear"}, {"parameters": 30000}, [], True),
        ({"loss": "linear"}, {"macs": 900000}, [], False),
        ({"loss": "linear", "target": 5e5}, {}, [], False),
        ({"loss": "linear"}, {}, [TARGET], False),
        ({"loss": "linear"}, {}, [LIMIT], False),
        ({}, {}, [LOSS], True),
        ({}, {}, [], False),
    ],
)
def test_expected_cost_without_a_target_is_refused_before_any_job(expected_cost, constraint, parameters, refused):
    search = {"algorithm": "proxyless", "expected_cost": expected_cost, "constraint": constraint}
    optimize = {"optimize": {"trial_number": 2, "parameters": parameters}} if parameters else {}
    config = study(search=search, **optimize)
    if not refused:
        return check(config, read_search_space(config))
    text = error_of(config)
    assert text == (
        "search.expected_cost.target: null: loss linear needs a target; give one in macs, or set "
        "search.constraint.macs, or search.expected_cost.loss: none"
    )


def test_logarithm_of_a_target_that_is_too_small_is_refused_before_any_job():
    cost = {"loss": "power", "metric": "macs", "target": 1}
    text = error_of(study(search={"algorithm": "proxyless", "expected_cost": cost}))
    assert text.startswith("search.expected_cost.target: 1") and text.endswith("allowed: more than 1")
