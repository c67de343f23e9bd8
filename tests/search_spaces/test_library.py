import json
from pathlib import Path

import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.search_spaces import Architecture
from nasmake.search_spaces.library import (
    architecture_file,
    edge_and_channels,
    load_space,
    read_architecture,
    space_file,
)
from small_spaces import FOLDER, content, shipped

ROOT = Path(__file__).parents[2]


def searched(name="proxyless_digits"):
    return Architecture.from_decisions((0,) * len(shipped(name).decisions), shipped(name)).to_json()


def error_of(action, *arguments):
    with pytest.raises(InputError) as caught:
        action(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_name_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert architecture_file("mnasnet_b1_0.5", ROOT) == ROOT / "config/architectures/mnasnet_b1_0.5.json"


@pytest.mark.parametrize("path", ["mine.json", "some/mine", "some/results/architecture.json"])
def test_path_is_taken_as_it_is(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    assert error_of(architecture_file, path, ROOT).startswith(f"{path}: no such file; config/architectures has eff")
    write_json(tmp_path / path, {})
    assert architecture_file(path, ROOT) == Path(path)


def test_unknown_name_has_a_nearest_one():
    text = error_of(architecture_file, "mobilenetv2", ROOT)
    assert text == "'mobilenetv2': no architecture of that name in config/architectures; did you mean mobilenet_v2?"


def test_space_is_looked_up_folder_by_folder(tmp_path):
    assert space_file("proxyless_digits", [tmp_path, FOLDER]) == FOLDER / "config_proxyless_digits.yaml"
    own = tmp_path / "config_proxyless_digits.yaml"
    own.write_text(yaml.safe_dump(content("proxyless_digits")))
    assert space_file("proxyless_digits", [tmp_path, FOLDER]) == own
    assert load_space(own).hash == shipped("proxyless_digits").hash
    assert space_file("proxyless_nothing", [tmp_path, FOLDER]) is None


def test_file_of_a_search_is_compared_with_its_space(tmp_path):
    path = tmp_path / "architecture.json"
    write_json(path, searched())
    architecture, _ = read_architecture(path, [FOLDER], num_classes=3)
    assert architecture.spec.num_classes == 3 and architecture.decisions == (0,) * 6
    write_json(path, searched() | {"decisions": [1, 0, 0, 0, 0, 0]})
    text = error_of(read_architecture, path, [FOLDER])
    assert text.startswith(f"{path}: decisions choose another network in {FOLDER}/config_proxyless_digits.yaml")
    write_json(path, searched() | {"space_hash": "x"})
    assert f"{path}: space_hash is x; " in error_of(read_architecture, path, [FOLDER])


def test_without_its_space_the_blocks_alone_count(tmp_path):
    path = tmp_path / "architecture.json"
    write_json(path, searched() | {"space": "gone", "space_hash": "x", "decisions": [5]})
    architecture, found = read_architecture(path, [FOLDER])
    assert architecture.spec == shipped("proxyless_digits").decode((0,) * 6)
    assert (architecture.space, architecture.decisions, found["space"]) == ("gone", (5,), "gone")


def test_search_that_diverged_holds_no_network(tmp_path):
    write_json(tmp_path / "x.json", {"state": "PRUNED", "reason": "train_supernet: not finite in epoch 1"})
    text = error_of(read_architecture, tmp_path / "x.json", [])
    assert text == f"{tmp_path}/x.json: holds no network (train_supernet: not finite in epoch 1); choose another file"


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_broken_json(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    assert error_of(read_architecture, tmp_path / "x.json", []).startswith(f"{tmp_path}/x.json: ")


@pytest.mark.parametrize(
    ("name", "num_classes", "images"),
    [
        ("config_proxyless_cifar100", 7, (32, 3)),
        ("mnasnet_imagenet", 10, (224, 3)),
        ("proxyless_digits", 10, (8, 1)),
        ("proxyless_digits_canvas", 10, (12, 1)),
        ("proxyless_fashion_mnist", 10, (28, 1)),
        ("mine", 100, (32, 3)),
        ("mine", 1000, (224, 3)),
        ("mine", 7, (None, 3)),
    ],
)
def test_images_by_name_and_classes(name, num_classes, images):
    assert edge_and_channels(name, num_classes) == images


def test_example_in_the_manual_is_a_network(tmp_path):
    manual = (ROOT / "config" / "guides" / "known_networks.md").read_text()
    section = manual.split("## Architecture files")[1].split("\n## ")[0]
    lines = section.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    {"))
    stop = next(number for number, line in enumerate(lines) if number > start and not line.startswith("    "))
    write_json(tmp_path / "x.json", json.loads("\n".join(lines[start:stop])))
    spec = read_architecture(tmp_path / "x.json", [], num_classes=10)[0].spec
    assert f"`{spec.string()}`" in section
    assert [len(block) for block in spec.blocks] == [1, 2, 0, 2]
