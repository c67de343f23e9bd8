"""The files of the networks: search spaces, imported architectures, and the facts about data sets.

Imported supernets are in test_skipped_stages.py.
"""

import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.data.preparing.digits import NUM_TEST, make_digits, make_digits_canvas
from nasmake.pipeline.checks import check
from nasmake.pipeline.inputs import KNOWN, read_imported_architecture, read_search_space, source_of_networks
from nasmake.search_spaces import Architecture
from small_spaces import content, shipped
from small_studies import error_of, in_an_empty_folder, study  # noqa: F401

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


def test_source_of_networks_is_a_line():
    assert source_of_networks(study()) == "search space config/search_spaces/config_proxyless_digits.yaml"
    importing = study(nas={"architecture": "mobilenet_v2"})
    assert source_of_networks(importing) == "architecture config/architectures/mobilenet_v2.json, without a search"


def test_imported_architecture_needs_no_space_and_has_no_number_of_classes():
    config = study(nas={"architecture": "mobilenet_v2", "search_space": "none"})
    architecture = read_imported_architecture(config)
    assert architecture["name"] == "MobileNetV2" and not {"class_num", "input_size"} & architecture.keys()
    check(config, None)
    with pytest.raises(InputError, match="is 1200; expected 1 to 1190"):
        check(study(dataset={"name": "digits", "num_data_architecture_search": 1200}), None)


def test_imported_architecture_is_the_network_without_other_facts_of_the_file(tmp_path):
    space = shipped("proxyless_digits")
    network = Architecture.from_decisions((0,) * 6, space).to_json()
    read = []
    for name, facts in {"a": {"provenance": {"host": "x"}, "scores": {}}, "b": {"class_num": 3, "string": "?"}}.items():
        write_json(tmp_path / f"{name}.json", network | facts)
        read.append(read_imported_architecture(study(nas={"architecture": f"{name}.json"})))
    assert read[0] == read[1] and read[0]["decisions"] == [0] * 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mobilenet", "nas.architecture: 'mobilenet': no architecture of that name in config/architectures; did you"),
        ("mine.json", "nas.architecture: mine.json: no such file; config/architectures has "),
        (
            "wrong.json",
            "nas.architecture: wrong.json: blocks[0].op is MBConv; expected one of conv, depthwise, sepconv, mbconv",
        ),
        (
            "results/other/x.json",
            "nas.architecture: results/other/x.json: lies in the results of this run, which would",
        ),
        (
            "other.json",
            "nas.architecture: other.json: space_hash is x; expected a3c1314a3f3feaee, the hash of config/",
        ),
    ],
)
def test_architecture_that_cannot_be_imported(tmp_path, name, message):
    network = Architecture.from_decisions((0,) * 6, shipped("proxyless_digits")).to_json()
    write_json(tmp_path / "results/other/x.json", network)
    write_json(tmp_path / "wrong.json", network | {"blocks": [{"op": "MBConv"}]})
    write_json(tmp_path / "other.json", network | {"space_hash": "x"})
    with pytest.raises(InputError) as error:
        read_imported_architecture(study(run="other", nas={"architecture": name}))
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_known_facts_are_those_of_the_data():
    for name, make in (("digits", make_digits), ("digits_canvas", make_digits_canvas)):
        made = make({})
        assert KNOWN[name] == (len(made.train.labels), len(made.classes), made.train.images.shape[1:])
        assert len(made.test.labels) == NUM_TEST


def test_space_is_read_with_its_name():
    space = read_search_space(study())
    assert space == {"name": "proxyless_digits", "content": content("proxyless_digits")}
    canvas = study(dataset={"name": "digits_canvas", "num_data_architecture_search": 600})
    assert read_search_space(canvas) == space


def test_folder_of_the_user_comes_before_the_shipped_one(tmp_path):
    space = content("proxyless_digits") | {"settings": content("proxyless_digits")["settings"] | {"last_ch": 32}}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config_proxyless_digits.yaml").write_text(yaml.safe_dump(space))
    nas = {"search_space_config_path": "mine"}
    assert read_search_space(study(nas=nas))["content"] == space
    assert read_search_space(study(nas=nas, dataset={"name": "cifar10"}))["name"] == "proxyless_cifar10"


def test_space_that_is_not_there(tmp_path):
    text = error_of(study(nas={"search_space": "proxyles", "search_space_config_path": str(tmp_path)}))
    assert text.startswith("nas.search_space is proxyles; no file " + str(tmp_path))
    assert text.endswith("did you mean proxyless?")


def test_folder_of_spaces_that_is_not_there():
    text = error_of(study(nas={"search_space_config_path": "no/such"}))
    assert text == "nas.search_space_config_path is no/such; no such folder"


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: [1", "not YAML"),
        ("- 1", "expected the mappings search_range and settings, found list"),
        ("", "expected the mappings search_range and settings, found NoneType"),
    ],
)
def test_space_file_that_is_no_space(tmp_path, text, message):
    path = tmp_path / "mine" / "config_mine_digits.yaml"
    path.parent.mkdir()
    path.write_text(text)
    error = error_of(study(nas={"search_space": "mine", "search_space_config_path": "mine"}))
    assert error.startswith("mine/config_mine_digits.yaml: ") and message in error


def test_space_file_that_is_no_text(tmp_path):
    path = tmp_path / "mine" / "config_mine_digits.yaml"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\x00")
    assert "config_mine_digits.yaml" in error_of(
        study(nas={"search_space": "mine", "search_space_config_path": "mine"})
    )
