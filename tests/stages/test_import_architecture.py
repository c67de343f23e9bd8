import json
import runpy
from pathlib import Path

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.costs.table import count_macs, count_parameters
from nasmake.search_spaces import Architecture
from small_spaces import shipped

ROOT = Path(__file__).parents[2]
main = runpy.run_path(str(ROOT / "scripts/import_architecture.py"))["main"]
PUBLISHED = read_json(ROOT / "config/architectures/mobilenet_v2.json")


def take(content, digits, out):
    main(["--architecture", json.dumps(content), "--manifest", str(digits / "manifest.json"), "--out", str(out)])
    return read_json(out)


def test_published_network_gets_classes_and_images_of_the_data(digits, tmp_path):
    architecture = take(PUBLISHED, digits, tmp_path / "shared/architecture.json")
    spec = Architecture.from_json(architecture, "architecture").spec
    assert spec == Architecture.from_json(PUBLISHED, "published", 10).spec
    assert (architecture["class_num"], architecture["input_size"], architecture["channels"]) == (10, 8, 1)
    assert (architecture["parameters"], architecture["macs"]) == (count_parameters(spec, 1), count_macs(spec, 1, 8))
    assert (
        architecture["state"] == "COMPLETE"
        and architecture["name"] == "MobileNetV2"
        and architecture["source"] == PUBLISHED["source"]
    )
    assert "decisions" not in architecture and architecture["provenance"]["host"]


def test_decisions_stay_with_a_network_that_was_searched(digits, tmp_path):
    searched = Architecture.from_decisions((1, 0, 3, 2, 0, 0), shipped("proxyless_digits"))
    architecture = take(searched.to_json(), digits, tmp_path / "architecture.json")
    assert Architecture.from_json(architecture, "architecture") == searched


def test_wrong_content_names_the_key(digits, tmp_path):
    with pytest.raises(InputError, match=r"^nas.architecture: blocks\[0\].op is x; expected one of"):
        take(PUBLISHED | {"blocks": [{"op": "x"}]}, digits, tmp_path / "architecture.json")
