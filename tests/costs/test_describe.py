"""costs/describe.py through scripts/describe_architecture.py, as a user calls it."""

import json
import os
import resource
import subprocess
import sys
from itertools import chain, pairwise
from pathlib import Path

import pytest
import yaml
from nasmake.core.files import write_json
from small_spaces import content

ROOT = Path(__file__).parents[2]
CIFAR10 = "config/search_spaces/config_proxyless_cifar10.yaml"
IMAGENET = "config/search_spaces/config_mnasnet_imagenet.yaml"
DIGITS = "config/search_spaces/config_proxyless_digits.yaml"
MOBILENET_V2 = [  # layer count, width, kernel size, operation, skip, squeeze and excitation, expansion ratio
    [0, 1, 0, 1, 1, 0, 0],
    *([1, 1, 0, 2, 1, 0, 1] for _ in range(5)),
    [0, 1, 0, 2, 1, 0, 1],
]


def call(*arguments, folder=ROOT):
    command = [sys.executable, str(ROOT / "scripts/describe_architecture.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def described(*arguments, **options):
    done = call(*arguments, **options)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def refused(*arguments):
    done = call(*arguments)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    return done.stderr.removeprefix("error: ").rstrip()


def in_space(space, decisions, *more):
    return "--search-space", space, "--decisions", json.dumps(decisions), *more


def test_every_block_at_its_first_option():
    result = described(*in_space(CIFAR10, [0] * 16))
    assert (result["parameters"], result["macs"], result["input_size"], result["class_num"]) == (
        793_490,
        51_671_552,
        32,
        10,
    )
    assert result["space"] == "proxyless_cifar10" and result["decisions"] == [0] * 16 and result["space_hash"]
    assert result["string"].startswith("ds_r1_k3_s1_c16") and len(result["blocks"]) == 17


@pytest.mark.parametrize("decisions", [MOBILENET_V2, [*chain.from_iterable(MOBILENET_V2)]], ids=["nested", "flat"])
def test_mobilenet_v2_is_a_member_of_the_mnasnet_space(decisions):
    result = described(*in_space(IMAGENET, decisions))
    assert (result["parameters"], result["macs"]) == (3_504_872, 300_774_272)
    published = described("--architecture", "mobilenet_v2")
    blocks = [{key: run[key] for key in run if key != "activation"} for run in published["blocks"]]
    assert (result["input_size"], result["blocks"]) == (published["input_size"], blocks)  # the space has ReLU


def test_all_zero_stages_are_a_network():
    """Index 0 of a block that may vanish is zero."""
    result = described(*in_space("config/search_spaces/config_proxyless_imagenet.yaml", [0] * 21))
    assert sum(block == {"op": "zero"} for block in result["blocks"]) == 15 and result["macs"] > 0


def test_name_from_another_folder(tmp_path):
    result = described("--architecture", "proxyless_mobile", folder=tmp_path)
    assert (result["parameters"], result["macs"], result["input_size"]) == (4_080_512, 320_427_584, 224)
    assert "space" not in result and result["name"] == "ProxylessNAS-Mobile"


def test_size_and_classes_can_be_given(tmp_path):
    result = described("--architecture", "mnasnet_a1", "--input-size", 32, "--classes", 100)
    assert (result["class_num"], result["input_size"]) == (100, 32)
    assert result["parameters"] == 3_887_038 - 900 * 1281
    mine = content("proxyless_digits") | {"settings": content("proxyless_digits")["settings"] | {"input_size": 28}}
    (tmp_path / "config_own_digits.yaml").write_text(yaml.safe_dump(mine))
    assert described(*in_space(tmp_path / "config_own_digits.yaml", [0] * 6))["input_size"] == 28


def test_digits_have_one_channel():
    result = described(*in_space(DIGITS, [0] * 6))
    assert (result["input_size"], result["channels"]) == (8, 1)
    assert described("--architecture", "mobilenet_v2")["channels"] == 3


def test_printed_json_is_an_architecture_file(tmp_path):
    result = described(*in_space(DIGITS, [1, 0, 3, 2, 0, 0]))
    write_json(tmp_path / "architecture.json", result)
    assert described("--architecture", tmp_path / "architecture.json") == result


def test_other_formats():
    lines = call("--architecture", "mnasnet_b1", "--format", "table").stdout.splitlines()
    assert lines[0].split()[:3] == ["block", "op", "depth"] and len(lines) == 1 + 1 + 7 + 1 + 1
    assert lines[-1] == "4,383,312 parameters, 314,415,872 MACs for 3x224x224 images of 1000 classes"
    string = call("--architecture", "mnasnet_b1", "--format", "string").stdout
    assert string.startswith("ds_r1_k3_s1_c16 ir_r3_k3_s2_e3_c24 ")
    svg = call("--architecture", "mnasnet_b1", "--format", "svg").stdout
    assert svg.startswith("<?xml") and svg == call("--architecture", "mnasnet_b1", "--format", "svg").stdout


ERRORS = {
    "too few": (
        in_space(CIFAR10, [0] * 3),
        f"{CIFAR10}: number of decisions is 3; expected 16, 1 for each of 16 blocks",
    ),
    "out of range": (in_space(CIFAR10, [6] + [0] * 15), f"{CIFAR10}: block0 is 6; expected an index: 0: op=mbconv"),
    "not JSON": (("--search-space", CIFAR10, "--decisions", "[0,"), "--decisions is [0,; expected JSON"),
    "no list": (in_space(CIFAR10, 3), f"{CIFAR10}: decisions is 3; expected a list of indices"),
    "no space": (in_space("config/config.yaml", [0]), "config/config.yaml: run: unknown key; expected one of"),
    "no file": (in_space("nowhere.yaml", [0]), "nowhere.yaml: no such file"),
    "no YAML": (in_space("README.md", [0]), "README.md: "),
    "no name": (("--architecture", "mnasnet_c1"), "'mnasnet_c1': no architecture of that name"),
    "no architecture": (("--architecture", "config/none"), "config/none: no such file"),
    "nothing": ((), "give either --architecture FILE_OR_NAME, or --search-space FILE with --decisions JSON"),
    "no decisions": (("--search-space", CIFAR10), "give either --architecture"),
    "decisions alone": (("--decisions", "[]"), "--decisions needs a search space; give --search-space FILE too"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_one_line(case):
    arguments, expected = ERRORS[case]
    assert refused(*arguments).startswith(expected)


def test_decisions_of_another_space(tmp_path):
    result = described(*in_space(DIGITS, [1, 0, 3, 2, 0, 0]))
    write_json(tmp_path / "architecture.json", result | {"space_hash": "0" * 16})
    text = refused("--architecture", tmp_path / "architecture.json")
    assert f"{tmp_path}/architecture.json: space_hash is 0000000000000000; " in text and "remove space," in text
    write_json(tmp_path / "architecture.json", result)
    assert "space_hash is " in refused("--architecture", tmp_path / "architecture.json", "--search-space", CIFAR10)
    assert described("--architecture", tmp_path / "architecture.json", "--search-space", DIGITS) == result


def test_unknown_input_size(tmp_path):
    block = {"op": "conv", "kernel_size": 3, "width": 8}
    mine = {"stem": {"width": 8, "stride": 2}, "blocks": [block], "head": {"width": 8}, "class_num": 7}
    write_json(tmp_path / "mine.json", mine)
    assert "type: --input-size N" in refused("--architecture", tmp_path / "mine.json")
    assert described("--architecture", tmp_path / "mine.json", "--input-size", 9)["input_size"] == 9


def test_starts_fast_and_loads_neither_torch_nor_pydantic():
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "sys.exit(bool({'torch', 'pydantic', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "scripts/describe_architecture.py", "--architecture", "mnasnet_a1"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, env=dict(os.environ)).returncode == 0
    spent = [cpu_seconds(), *(cpu_seconds() for _ in range(5) if call("--architecture", "mnasnet_a1"))]
    assert min(after - before for before, after in pairwise(spent)) < 0.3


def cpu_seconds():
    """Return the CPU time of the processes that this one has started: other load on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
