"""What scripts/describe_search_space.py prints."""

import json
import runpy
from pathlib import Path

import pytest
from nasmake.core.errors import InputError
from nasmake.costs.describe_space import describe_space
from small_spaces import build, shipped, small

ROOT = Path(__file__).parents[2]
MAIN = runpy.run_path(str(ROOT / "scripts/describe_search_space.py"))["main"]
DIGITS = str(ROOT / "config/search_spaces/config_proxyless_digits.yaml")


def test_every_network_lies_between_the_extremes_and_is_counted_once():
    facts = describe_space(shipped("proxyless_digits"), None, {"macs": 10**9, "parameters": 1})
    assert facts["networks"] == 6 * 7 * 6 * 7 * 6 * 7
    for costs in facts["costs"].values():
        assert costs["smallest"] < costs["percentiles"]["5"] < costs["percentiles"]["95"] < costs["largest"]
        assert sum(costs["histogram"]) == pytest.approx(1) and len(costs["histogram"]) == 10
    assert [one["share"] for one in facts["within"].values()] == [1, 0]


def test_space_with_one_network():
    one = {"kernel_size": [3], "layer_search_range": [0], "filter_size_search_ratio": [1.0], "conv_ops": ["Conv"]}
    facts = describe_space(build(small(**one, skip_ops=["skip"], se_ratio=[0])), 8, {})
    assert facts["networks"] == 1
    assert facts["costs"]["macs"]["histogram"] == [1] + [0] * 9


def test_table_ends_with_the_steps_of_a_study(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    MAIN([DIGITS, "--macs", "800000", "--configfile", "config/presets/digits.yaml"])
    text = capsys.readouterr().out
    assert text.startswith(
        "proxyless_digits: 74,088 networks, 6 decisions with up to 7 options, for 1x8x8 images of 10"
    )
    assert "within macs <= 800,000: 53.3%\n" in text
    assert "trains each of 7 options in about 102 steps" in text.splitlines()[-1]
    MAIN([DIGITS, "--format", "json"])
    assert json.loads(capsys.readouterr().out)["costs"]["macs"]["largest"] == 1_603_840


def test_unknown_image_size_is_one_line():
    with pytest.raises(InputError, match=r"the size of the images is unknown; type: --input-size N"):
        describe_space(build(small(class_num=7)), None, {})
